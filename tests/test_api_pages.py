"""Every public name has a place in the reference, and nothing else has."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import xseg

PAGE = (Path(__file__).parents[1] / "docs" / "api" / "index.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"^\.\. auto(?:class|function|data):: (xseg[\w.]+)$", PAGE, re.MULTILINE)
PACKAGES = [
    "xseg",
    *(f"xseg.{name}" for name in ("backends", "cards", "datasets", "explanations", "export", "i18n", "metrics")),
    *(f"xseg.{name}" for name in ("policy", "reports", "segmenters", "testing")),
    *(f"xseg.governance.{name}" for name in xseg.governance.__all__),
]


def find(path):
    package, _, name = path.rpartition(".")
    module = import_module(package)
    return module, name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package):
    module = import_module(package)
    shown = [getattr(*find(path)) for path in DOCUMENTED]
    for name in module.__all__:
        public = getattr(module, name)
        # What is public in two places is shown under one of them; errors have a section of their own.
        is_shown = any(public is one for one in shown) or f"{package}.{name}" in DOCUMENTED
        assert is_shown or getattr(public, "__module__", "") == "xseg.exceptions", f"{package}.{name}"


@pytest.mark.parametrize("path", DOCUMENTED)
def test_the_reference_shows_only_public_names(path):
    module, name = find(path)
    assert name in module.__all__


def test_the_reference_shows_a_name_once():
    assert len(DOCUMENTED) == len(set(DOCUMENTED))


ESTIMATORS = [name for name in xseg.__all__ if name.endswith("Segmenter")]
SAME_EVERYWHERE = ["include", "n_jobs", "verbose"]


def descriptions(parameter):
    """Yield how each estimator that has a parameter describes it."""
    pattern = re.compile(rf"^{parameter} : .*\n(?: {{4}}.*\n)+", re.MULTILINE)
    for name in ESTIMATORS:
        kind = getattr(xseg, name)
        if parameter in inspect.signature(kind).parameters:
            yield pattern.search(inspect.getdoc(kind))[0]


@pytest.mark.parametrize("parameter", SAME_EVERYWHERE)
def test_a_parameter_that_means_the_same_everywhere_is_described_alike(parameter):
    found = list(descriptions(parameter))
    assert len(found) > 1
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_of_an_estimator_is_described(name):
    kind = getattr(xseg, name)
    for parameter in inspect.signature(kind).parameters:
        assert re.search(rf"^{parameter} : ", inspect.getdoc(kind), re.MULTILINE), parameter
