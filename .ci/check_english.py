"""Check that docstrings begin with the words of the field and that names are ordinary ones.

A function's docstring begins with a verb that scikit-learn would use; a property's does not begin with one of the
verbs that say what the author meant instead of what is returned. Names that only this project would use are refused,
and so are functions named by a bare participle or by `x_of`: a function is named by a verb phrase.
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
# A function whose whole name is one word that is no verb, and chains with "of". Properties are nouns, and stay out.
NO_VERB_PHRASES = re.compile(
    r"^_*(([a-z]+ed|told|sent|made|said|seen|kept|around|found|lost|spoken|begun|left|met|held|given|known|own|nothing"
    r"|asks|takes|wins|leads|nearest|reachable|readable|restorable|short|long)|([a-z_]+_)?of)$"
)
# English verbs, and one name that says in full what it tells.
ALLOWED_NAMES = {"embed", "feed", "need", "seed", "speed", "is_subset_of"}


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a method is read like an attribute, or overrides one."""
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


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
            if (
                not isinstance(node, ast.ClassDef)
                and not is_property(node)
                and NO_VERB_PHRASES.search(node.name)
                and node.name not in ALLOWED_NAMES
            ):
                yield node.lineno, f"{node.name} is no verb phrase; say find_, compute_, make_, from_ or is_"
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
