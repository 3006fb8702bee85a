"""Every package that is imported is declared, and what is optional is imported late."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN = {"xseg"}
DISTRIBUTIONS = packages_distributions()


def normal(name):
    return name.replace("_", "-").lower()


def declared(*extras):
    """The distributions that the project asks for, with these extras and those that they name."""
    wanted = list(PROJECT["dependencies"]) if not extras else []
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]
    found = set()
    for requirement in wanted:
        name = requirement.split(">")[0].split("=")[0].split("[")[0].strip()
        if normal(name) == "xseg":
            inner = requirement.split("[")[1].split("]")[0].split(",") if "[" in requirement else []
            found |= declared() | set().union(*(declared(extra) for extra in inner))
        else:
            found.add(normal(name))
    return found


def imports_of(path):
    """The packages that a file imports: at once, and inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    at_once, late = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        elif _is_required(node):
            names = [node.args[0].value]
        else:
            continue
        (late if id(node) in inside else at_once).update(name.partition(".")[0] for name in names)
    return at_once, late


def _is_required(node):
    """Whether an expression loads an optional package by name."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in {"require", "installed", "import_module"}
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


def distributions(names):
    """The distributions that hold packages, without those of Python and the project's own modules."""
    return {normal(DISTRIBUTIONS.get(name, [name])[0]) for name in names if name not in sys.stdlib_module_names | OWN}


@pytest.mark.parametrize("package", sorted(path.name for path in (ROOT / "src" / "xseg").iterdir()))
def test_the_package_imports_what_it_declares_and_what_is_optional_late(package):
    path = ROOT / "src" / "xseg" / package
    files = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    at_once = set().union(*(imports_of(file)[0] for file in files))
    late = set().union(*(imports_of(file)[1] for file in files))
    optional = set().union(*(declared(extra) for extra in ("parquet", "pdf", "profile", "sql")))
    assert distributions(at_once) <= declared() | ({"starlette"} if package == "governance" else set())
    assert distributions(late) <= declared() | optional


@pytest.mark.slow
def test_the_tests_import_what_the_extra_for_tests_declares():
    files = sorted((ROOT / "tests").rglob("*.py"))
    own = {file.stem for file in files}
    names = set().union(*(set().union(*imports_of(file)) for file in files)) - own
    assert distributions(names) <= declared() | declared("test")


def test_the_oldest_versions_are_stated():
    for requirement in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert ">=" in requirement or "==" in requirement or requirement.startswith("xseg[") or "types-" in requirement
