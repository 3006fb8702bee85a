"""Check that docstrings begin with the words of the field and that names are ordinary ones.

A function's docstring begins with a verb that scikit-learn would use; a property's does not begin with one of the
verbs that say what the author meant instead of what is returned. Names that only this project would use are refused.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "xseg"
FORBIDDEN_VERBS = {"Give", "Gives", "Say", "Says", "Tell", "Tells", "Refuse", "Refuses", "Put", "Take", "Lay", "Let"}
FORBIDDEN_NAMES = re.compile(
    r"^_?(MOST|LEAST|FEWEST)(_|$)|(^|_)(ink|desk|twin|house|born|grave|mend|way_out|told|sent|around)(_|$)"
)


def places(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the problem of each docstring or name that does not pass."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = (ast.get_docstring(node) or " ").split()
            word = first[0].rstrip(",.;:") if first else ""
            if word in FORBIDDEN_VERBS:
                yield node.lineno, f"the docstring of {node.name} begins with {word!r}; begin with Return, Compute, ..."
            if FORBIDDEN_NAMES.search(node.name):
                yield node.lineno, f"{node.name} is no name of the field; see CONTRIBUTING"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and FORBIDDEN_NAMES.search(target.id) and target.id.isupper():
                    yield node.lineno, f"{target.id} is no name of the field; see CONTRIBUTING"


def main() -> int:
    """Print every place that does not pass; return 1 if there is one."""
    found = [(path, *place) for path in sorted(SOURCE.rglob("*.py")) for place in places(path)]
    for path, line, problem in found:
        print(f"{path.relative_to(SOURCE.parents[1])}:{line}: {problem}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
