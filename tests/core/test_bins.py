"""Candidate thresholds are round, keep few values apart, and cut crowded columns evenly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg._kernels.encode_kernels import N_CELLS, STRETCH_ROWS, count_numbers
from xseg.backends import MemoryBackend
from xseg.core.bins import MISSING, choose_bins
from xseg.core.numbers import cell_edges, cell_keys
from xseg.core.summaries import TableSummary
from xseg.core.tables import read_table
from xseg.exceptions import RareCategoriesWarning


def bins_of(X, max_bins=255):
    backend = MemoryBackend(X, n_jobs=1)
    summary = backend.sum(TableSummary(max_bins))
    return choose_bins(summary, summary.schema(), max_bins, backend.sum)


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60))
@settings(deadline=None)
def test_few_values_keep_a_code_each(values):
    column = np.array(values)[:, None]
    codes = bins_of(column).encode(read_table(column))[:, 0]
    assert len(set(codes)) == len(set((column + 0.0)[:, 0]))
    order = np.argsort(column[:, 0], kind="stable")
    assert (np.diff(codes[order].astype(int)) >= 0).all()


@pytest.mark.parametrize("draw", ["normal", "lognormal", "narrow", "timestamps", "atoms"])
def test_crowded_columns_are_cut_evenly(draw):
    rng = np.random.default_rng(0)
    values = {
        "normal": rng.normal(size=20_000),
        "lognormal": rng.lognormal(5, 2, 20_000),
        "narrow": 1e6 + rng.random(20_000),
        "timestamps": 1.7e9 + rng.random(20_000) * 1e5,
        "atoms": np.where(rng.random(20_000) < 0.5, 0.0, rng.exponential(size=20_000)),
    }[draw]
    codes = bins_of(values[:, None]).encode(read_table(values[:, None]))[:, 0]
    shares = np.bincount(codes, minlength=256) / len(codes)
    assert len(set(codes)) > 100
    assert np.sort(shares)[-2] < 0.03
    if draw == "atoms":
        assert len(set(codes[values == 0])) == 1
        assert (codes[values > 0] > 0).mean() > 0.99


def test_thresholds_are_rounder_than_quantiles():
    spend = np.random.default_rng(0).lognormal(5, 1, 5_000)
    thresholds = bins_of(spend[:, None]).features[0].thresholds
    digits = [len(f"{value:.15g}".replace(".", "").strip("0")) for value in thresholds]
    assert np.mean(digits) < 3


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=50))
def test_cells_are_in_order(values):
    values = np.sort(np.array(values, dtype=np.float64))
    cells = np.zeros(N_CELLS, dtype=np.int64)
    single = np.empty(STRETCH_ROWS, dtype=np.float32)
    count_numbers(values, np.ones(len(values), dtype=np.int64), single, single.view(np.int32), cells)
    keys = np.repeat(np.arange(N_CELLS), cells)
    np.testing.assert_array_equal(keys, cell_keys(values))
    assert (cell_edges(keys) <= values).all()
    assert (cell_edges(keys + 1) > values).all()


def test_rare_categories_fold_into_missing_with_a_warning():
    import pandas as pd

    names = [f"c{j}" for j in range(40)]
    column = pd.DataFrame({"city": names + names[:10] * 5})
    with pytest.warns(RareCategoriesWarning, match=r"'city' has 40 categories.*rarest 30"):
        bins = bins_of(column, max_bins=10)
    codes = bins.encode(read_table(column))[:, 0]
    assert set(bins.features[0].categories) == set(names[:10])
    assert (codes[10:40] == MISSING).all()
    unseen = bins.encode(read_table(pd.DataFrame({"city": ["nowhere"]})))
    assert unseen[0, 0] == MISSING
