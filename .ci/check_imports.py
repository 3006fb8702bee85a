"""Check that no module imports a private module of another package, at run time, for types or inside a function.

A private module is one whose name begins with an underscore; it may be imported within the package that holds it.
Contracts of import-linter name whole modules and know no such pattern.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of everything that a module imports, in whatever place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def places(source: Path) -> Iterator[tuple[Path, int, str]]:
    """Yield file, line and name of each import of a private module from outside its package."""
    for path in sorted(source.rglob("*.py")):
        own = path.relative_to(source).parts[:-1]
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            parts = name.split(".")
            holders = (tuple(parts[:place]) for place, part in enumerate(parts) if is_private(part))
            if parts[0] == own[0] and any(own[: len(holder)] != holder for holder in holders):
                yield path, line, name


def main(source: Path) -> int:
    """Print every place that does not pass; return 1 if there is one."""
    found = list(places(source))
    for path, line, name in found:
        print(f"{path.relative_to(source)}:{line}: {name} is private; import what its package makes public")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE))
