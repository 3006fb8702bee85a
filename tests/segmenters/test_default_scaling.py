"""What decides the segments of a tree by default: how many rows differ, not how far they lie."""

import numpy as np
import pandas as pd
import pytest

import xseg


@pytest.fixture
def orders():
    """Customers of two kinds, and two columns in which 1 % of them differ: a flag, and one value beyond all others."""
    rng = np.random.default_rng(0)
    n = 3_000
    busy, rare, far = rng.random(n) < 0.4, rng.random(n) < 0.01, rng.random(n) < 0.01
    return pd.DataFrame(
        {
            "orders": rng.poisson(np.where(busy, 6, 2)),
            "visits": rng.poisson(np.where(busy, 12, 5)),
            "months": rng.integers(1, 60, n),
            "balance": np.where(far, 1e6, rng.integers(0, 100, n)),
            "staff": rare.astype(int),
        }
    )


@pytest.mark.parametrize("n_segments", [2, 3, 5])
def test_neither_a_rare_huge_value_nor_a_rare_flag_decides_segments(orders, n_segments):
    segmenter = xseg.TreeSegmenter(n_segments, random_state=0).fit(orders)
    assert min(segment.share for segment in segmenter.segments_) > 0.05
    assert not any("staff" in segment.rule for segment in segmenter.segments_)


def test_a_rare_huge_value_decides_where_numbers_are_scaled_by_their_deviation(orders):
    segmenter = xseg.TreeSegmenter(3, scaling="standard", random_state=0).fit(orders)
    assert min(segment.share for segment in segmenter.segments_) < 0.02


@pytest.mark.parametrize("column", ["orders", "visits", "months", "balance"])
def test_a_growing_function_of_a_column_with_few_values_changes_no_segment(orders, column):
    before = xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(orders)
    grown = orders.assign(**{column: np.expm1(orders[column].clip(upper=200) / 10) ** 3})
    after = xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(grown)
    np.testing.assert_array_equal(before.labels_, after.labels_)
    assert after.cost_ == before.cost_


def test_people_who_share_a_value_share_a_rank():
    spend = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    segmenter = xseg.TreeSegmenter(2, random_state=0).fit(spend[:, None])
    ranks = np.concatenate([np.full(900, 0.45), 0.9 + (np.arange(100) + 0.5) / 1000])
    deviation = np.sqrt(1 / 12)
    expected = sum(
        ((ranks[rows] - ranks[rows].mean()) ** 2).sum() for rows in (segmenter.labels_ == s for s in range(2))
    )
    assert segmenter.cost_ == pytest.approx(expected / deviation**2, rel=1e-6)
    assert segmenter.segments_[0].size == 900
