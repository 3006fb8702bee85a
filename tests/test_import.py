"""Importing xseg costs next to nothing; every public name is really there."""

import json
import subprocess
import sys

import pytest

import xseg

HEAVY = ["shap", "matplotlib", "numba", "sklearn.cluster", "pandas", "jinja2", "babel", "pyarrow", "polars", "typer"]


def loaded_after(code):
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(out.stdout))


def test_import_is_light():
    assert not loaded_after("import xseg") & set(HEAVY)


@pytest.mark.slow
def test_predicting_needs_neither_shap_nor_plots():
    code = (
        "import xseg\n"
        "c = xseg.make_customers(200, random_state=0)\n"
        "s = xseg.TreeSegmenter(3, random_state=0).fit(c)\n"
        "from xseg.explanations import explain_row\n"
        "explain_row(s, c)"
    )
    assert not loaded_after(code) & {"shap", "matplotlib.pyplot"}


def test_public_names():
    assert set(xseg.__all__) <= set(dir(xseg))
    assert set(xseg.__all__) == set(xseg._HOMES)
    for name in xseg.__all__:
        assert getattr(xseg, name).__doc__


@pytest.mark.slow
def test_no_module_hides_a_public_name():
    modules = (*xseg._PACKAGES, "cli")
    code = "import importlib, xseg\n" + "\n".join(f"importlib.import_module('xseg.{module}')" for module in modules)
    loaded_after(f"{code}\nassert all(not hasattr(getattr(xseg, n), '__path__') for n in xseg.__all__)")


def test_unknown_names_are_attribute_errors():
    assert not hasattr(xseg, "TreeSegmentor")


def test_missing_extras_name_the_extra(monkeypatch):
    import pytest

    from xseg._optional import require
    from xseg.exceptions import OptionalDependencyError

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OptionalDependencyError, match=r"'xseg\[parquet\]'"):
        require("pyarrow", extra="parquet", purpose="reading Parquet files")
    assert issubclass(OptionalDependencyError, ImportError)
