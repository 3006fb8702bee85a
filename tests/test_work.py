"""The work that fits, explanations and cards do, counted in calls of the package's functions: the same on any machine.

A bound that fails shows a change for the worse that a stopwatch would miss on a busy machine. Raise it only with a
reason that users would accept; lower it when work is saved.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.backends import BatchBackend

PACKAGE = str(Path(xseg.__file__).parent)


def count_calls(work: Callable[[], object]) -> int:
    """Count the calls of the package's own functions, kernels among them."""
    n_calls = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal n_calls
        del argument
        n_calls += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return n_calls


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return xseg.make_customers(4_000, random_state=0)


# With one job all runs are in the thread that fits, so that the calls of every start are counted.
FITS = {
    "tree, fast": (xseg.TreeSegmenter(5, effort="fast", random_state=0, n_jobs=1), 46_000),
    "tree, balanced": (xseg.TreeSegmenter(5, random_state=0, n_jobs=1), 57_000),
    "tree, balanced, 12 leaves": (xseg.TreeSegmenter(5, max_leaves=12, random_state=0, n_jobs=1), 240_000),
    "prototypes": (xseg.PrototypeSegmenter(5, random_state=0, n_jobs=1), 22_000),
    "mixture": (xseg.MixtureSegmenter(5, random_state=0, n_jobs=1), 62_000),
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_does_no_more_work_than_it_did(customers: pd.DataFrame, name: str) -> None:
    segmenter, bound = FITS[name]
    assert count_calls(lambda: segmenter.fit(customers)) <= bound


def test_explaining_does_as_much_in_python_for_many_rows_as_for_few(customers: pd.DataFrame) -> None:
    segmenter = xseg.TreeSegmenter(5, random_state=0, n_jobs=1).fit(customers)
    xseg.explain(segmenter, customers.head(10))
    few, many = (count_calls(lambda n=n: xseg.explain(segmenter, customers.head(n))) for n in (100, 2_000))
    assert many <= few * 1.05


def test_the_text_of_a_card_costs_no_more_calls_than_it_did(customers: pd.DataFrame) -> None:
    segmenter = xseg.TreeSegmenter(5, random_state=0, n_jobs=1).fit(customers)

    def write(n_cards: int) -> None:
        for card in xseg.make_cards(segmenter, customers.head(n_cards)):
            card.text()

    write(10)
    few, many = (count_calls(lambda n=n: write(n)) for n in (50, 150))
    assert (many - few) / 100 <= 570


def test_a_table_in_parts_is_read_few_times(customers: pd.DataFrame) -> None:
    parts = np.array_split(np.arange(len(customers)), 4)
    backend = BatchBackend(lambda: (customers.iloc[part] for part in parts))
    xseg.TreeSegmenter(5, random_state=0).fit(backend)
    passes = backend.passes
    assert passes.decoded == 1
    assert passes.typed <= 7
    assert passes.coded <= 8
