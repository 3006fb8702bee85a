import os
import shutil
import subprocess
import sys
from pathlib import Path

# scikit-learn checks array-API input only where scipy was told so before its first import.
os.environ["SCIPY_ARRAY_API"] = "1"

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import xseg

mpl.use("Agg")

# What tests of pages need, and how Debian installs it.
NEEDED = {"chromium": "chromium", "node": "nodejs"}
WARM_UP = """
import xseg
customers = xseg.make_customers(300, random_state=0)
numbers = customers[["orders_90d", "spend_year"]]
for segmenter in (
    xseg.TreeSegmenter(3, max_leaves=5, random_state=0).fit(customers),
    xseg.PrototypeSegmenter(3, random_state=0).fit(customers),
    xseg.MixtureSegmenter(3, random_state=0).fit(numbers),
):
    rows = customers[list(segmenter.feature_names_in_)].head(5)
    xseg.explain(segmenter, rows)
    xseg.counterfactual(segmenter, rows)
    xseg.make_cards(segmenter, rows)[0].text()
"""

# A test must not fail because a machine is busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def pytest_configure(config):
    """Compile the kernels once, before the workers start and each would compile them."""
    if not hasattr(config, "workerinput") and not config.option.collectonly and not config.option.help:
        subprocess.run([sys.executable, "-c", WARM_UP], check=False, capture_output=True)


@pytest.fixture(autouse=True)
def no_running_workers():
    """Stop the processes that joblib keeps for the next call: environments warn of them."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and loky._executor is not None:
        loky._executor.shutdown(wait=True)


def pytest_collection_modifyitems(items):
    # The pages of the user guide fit models and render reports: together they take about a minute.
    for item in items:
        if item.path.parent.name == "user_guide":
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter, config):
    """Say what was not tested, and how to test it."""
    missing = [package for command, package in NEEDED.items() if shutil.which(command) is None]
    terminalreporter.section("not tested here")
    if config.option.markexpr == "not slow and not browser":
        terminalreporter.write_line('slow and browser tests; to run them: pytest -m "slow or browser"')
    if missing:
        terminalreporter.write_line(f"tests of pages also need: apt-get install {' '.join(missing)}")
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session):
    """Fail where nothing may skip and something did."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("XSEG_MAY_SKIP") == "0" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared_data():
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real tables, ../shared/data, does not exist here")
    return SHARED_DATA


def mixed_table(n_rows=600, seed=0):
    """A table with every kind of column, missing values, ties and skew."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, n_rows)
    table = pd.DataFrame(
        {
            "orders": rng.poisson(1 + 3 * (group == 1)),
            "spend": np.round(rng.exponential(50 + 200 * (group == 2)), 2),
            "balance": rng.normal(size=n_rows) + 3 * (group == 3),
            "channel": pd.Categorical(
                np.array(["app", "store", "web", "phone"])[(group + rng.integers(0, 2, n_rows)) % 4]
            ),
            "newsletter": rng.random(n_rows) < 0.2 + 0.5 * (group == 1),
            "age": pd.Categorical(
                np.array(["18-34", "35-54", "55+"])[rng.integers(0, 3, n_rows)],
                categories=["18-34", "35-54", "55+"],
                ordered=True,
            ),
        }
    )
    table.loc[rng.random(n_rows) < 0.1, "balance"] = np.nan
    table.loc[rng.random(n_rows) < 0.1, "channel"] = None
    return table


@pytest.fixture(scope="session")
def mixed():
    return mixed_table()


@pytest.fixture(scope="session")
def fitted(mixed):
    return xseg.TreeSegmenter(4, max_leaves=8, random_state=0).fit(mixed)


def objects_inside(value, seen=None):
    """Every object that can be reached from an object, itself included."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    for part in _parts_of(value):
        yield from objects_inside(part, seen)


def _parts_of(value):
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else ()
    names = [*getattr(value, "__dict__", {}), *getattr(type(value), "__slots__", ())]
    return [getattr(value, name, None) for name in names]


def arrays_inside(value):
    """Every array that can be reached from an object."""
    return (part for part in objects_inside(value) if isinstance(part, np.ndarray))
