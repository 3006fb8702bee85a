import numpy as np
import pytest
from sklearn.datasets import load_iris, make_blobs

import xseg
from xseg.exceptions import ParameterError
from xseg.metrics import tradeoff


def test_points_are_those_of_the_segmenters_they_stand_for():
    X = load_iris().data
    curve = tradeoff(X, n_segments=3, max_leaves=[6, 3, 4], random_state=0)
    assert [point.leaves for point in curve.points] == [3, 4, 6]
    for point in curve.points:
        fitted = xseg.TreeSegmenter(3, max_leaves=point.leaves, random_state=0).fit(X)
        assert (point.relative_cost, point.mean_depth) == (fitted.relative_cost_, fitted.mean_depth_)
    table = curve.to_frame()
    assert table["leaves"][table["elbow"]].tolist() == [curve.elbow]


def test_the_elbow_is_where_the_curve_bends():
    # Two crossing bars: three leaves part them badly, four exactly, and more change nothing.
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 2, (2_000, 2))
    X = corner * 10 + rng.normal(size=(2_000, 2))
    own = corner[:, 0] ^ corner[:, 1]
    X = np.column_stack([X, 30 * own + rng.normal(size=2_000)])[:, :3]
    curve = tradeoff(X, n_segments=2, max_leaves=[2, 3, 4, 5, 6], scaling="none", random_state=0)
    assert curve.elbow in {2, 3, 4}
    assert min(point.relative_cost for point in curve.points) <= curve.points[0].relative_cost


def test_it_is_drawn(tmp_path):
    ax = tradeoff(load_iris().data, n_segments=3, random_state=0, effort="fast").plot()
    assert ax.get_xlabel()
    assert len(ax.lines) == 3
    ax.figure.savefig(tmp_path / "curve.png")


@pytest.mark.parametrize("leaves", [[], [2], [3.5]])
def test_sizes_that_make_no_sense_are_refused(leaves):
    with pytest.raises(ParameterError, match="leaves"):
        tradeoff(load_iris().data, n_segments=3, max_leaves=leaves)


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [2, 4, 7])
def test_the_number_of_segments_is_found_and_said_why(n_groups):
    rng = np.random.default_rng(n_groups)
    centers = rng.permutation(4**3)[:n_groups]
    centers = np.column_stack([centers // 16, centers // 4 % 4, centers % 4]) * 10.0
    X, _ = make_blobs(900, centers=centers, cluster_std=0.8, random_state=0)
    segmenter = xseg.TreeSegmenter("auto", random_state=0).fit(X)
    assert segmenter.n_segments_ == n_groups
    chosen = [choice for choice in segmenter.selection_ if choice.chosen]
    assert [choice.n_segments for choice in chosen] == [n_groups]
    assert chosen[0].score == max(choice.score for choice in segmenter.selection_)
    again = xseg.TreeSegmenter("auto", random_state=0, n_jobs=1).fit(X[::-1])
    assert again.selection_ == segmenter.selection_


def test_the_number_stays_within_the_other_parameters():
    X = load_iris().data
    assert xseg.TreeSegmenter("auto", max_leaves=3, random_state=0).fit(X).n_segments_ <= 3
    assert xseg.TreeSegmenter("auto", max_depth=1, random_state=0).fit(X).n_segments_ == 2
    assert len(xseg.TreeSegmenter("auto", min_segment_size=0.3, random_state=0).fit(X).selection_) == 3
