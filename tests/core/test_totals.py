"""Totals are exact: they equal fractions added one by one, in any order and in any blocks."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xseg
from xseg.backends import MemoryBackend
from xseg.core.statistics import RawBlock, RowTotal
from xseg.core.tables import read_table
from xseg.exceptions import ParameterError

numbers = st.floats(-1e300, 1e300, allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(numbers, st.integers(0, 2**20)), min_size=1, max_size=40), st.integers(0, 40))
def test_totals_are_those_of_fractions(rows, cut):
    values, weights = np.array([[value] for value, _ in rows]), np.array([weight for _, weight in rows])
    total = RowTotal(lambda table: table.columns[0].numbers())
    for part in (slice(cut, None), slice(0, cut)):
        other = total.empty()
        if len(values[part]):
            other.add(RawBlock(read_table(values[part]), weights[part]))
        total.merge(other)
    exact = sum(Fraction(value) * weight for value, weight in rows)
    try:
        expected = float(exact)
    except OverflowError:
        return
    assert total.total == expected
    assert total.weight == weights.sum()


KINDS = {
    "tree": xseg.TreeSegmenter(3, effort="fast", random_state=0),
    "prototypes": xseg.PrototypeSegmenter(3, random_state=0),
    "mixture": xseg.MixtureSegmenter(3, random_state=0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_order_threads_or_batches(kind):
    customers = xseg.make_customers(3_000, random_state=0)
    segmenter = KINDS[kind].fit(customers)
    score = segmenter.score(customers)
    assert segmenter.score(customers.sample(frac=1, random_state=1)) == score
    assert (
        segmenter.score(xseg.backends.BatchBackend([customers.head(1_111), customers.tail(1_889)], n_jobs=1)) == score
    )
    with pytest.raises(ParameterError, match="sample_weight must be None"):
        segmenter.score(MemoryBackend(customers), sample_weight=np.ones(3_000))
