"""Memory of the search is bounded whatever the number of columns, and results do not depend on how it is split."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import xseg
from conftest import mixed_table


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"max_leaves": 8}, {"scaling": "robust", "depth_weight": 0.0}])
def test_parts_find_what_the_whole_finds(parameters, monkeypatch):
    table = mixed_table(500, 4)
    whole = xseg.TreeSegmenter(4, random_state=0, **parameters).fit(table)
    for most in (1, 900, 20_000):
        monkeypatch.setattr("xseg.segmenters._tree_cells._MAX_SUMS", most)
        parts = xseg.TreeSegmenter(4, random_state=0, **parameters).fit(table)
        assert_array_equal(parts.labels_, whole.labels_)
        assert [segment.rule for segment in parts.segments_] == [segment.rule for segment in whole.segments_]
        assert parts.cost_ == whole.cost_


@pytest.mark.slow
def test_a_wide_table_needs_little_memory():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(120, 700)), columns=[f"f{j}" for j in range(700)])
    tracemalloc.start()
    try:
        xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Sums by cell and value of all columns at once would take two gigabytes.
    assert peak < 700e6
