import os
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

# A test must not fail because a machine is busy.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


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
