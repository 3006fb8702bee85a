"""Every public name has a place in the reference, and nothing else has."""

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
