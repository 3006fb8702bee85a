"""Everyone who moved is counted once, and bands of the drawing are as wide as the people in them."""

import matplotlib as mpl
import numpy as np
import pytest

import xseg
from xseg.exceptions import DataError, ParameterError
from xseg.metrics import migration

mpl.use("Agg")


def test_rows_and_columns_add_up_to_the_sizes_of_the_segments():
    rng = np.random.default_rng(0)
    before, after, weights = rng.integers(0, 4, 300), rng.integers(0, 4, 300), rng.random(300)
    moved = migration(before, after, names="ABCD", sample_weight=weights)
    np.testing.assert_allclose(moved.counts.sum(axis=1), np.bincount(before, weights, 4))
    np.testing.assert_allclose(moved.counts.sum(axis=0), np.bincount(after, weights, 4))
    np.testing.assert_allclose(moved.rates.sum(axis=1), 1)
    assert moved.unchanged_share == pytest.approx(weights[before == after].sum() / weights.sum())
    assert moved.to_frame().loc["B", "C"] == moved.counts[1, 2]


def test_names_and_indices_say_the_same():
    names = ["Regulars", "Newcomers", "Nobody"]
    by_index = migration([0, 1, 1], [1, 1, 0], names=names)
    by_name = migration(["Regulars", "Newcomers", "Newcomers"], ["Newcomers", "Newcomers", "Regulars"], names=names)
    assert (by_index.counts == by_name.counts).all()
    assert np.isnan(by_index.rates[2]).all()
    assert migration(["b", "a"], ["a", "a"]).names == ("a", "b")


def test_the_drawing_shows_everyone():
    moved = migration([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], names=["Regulars", "Newcomers"])
    ax = moved.plot()
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([0.4, 0.6, 0.4, 0.6])
    assert len(ax.collections) == 4
    assert "60% stayed" in ax.get_title()
    texts = [text.get_text() for text in ax.texts]
    assert sum("Regulars" in text for text in texts) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (([0, 1], [0]), DataError, "same order"),
        (([], []), DataError, "same order"),
        (([0, 5], [0, 1], "AB"), ParameterError, "label 5 is not one of"),
        (([0, -1], [0, 1], "AB"), ParameterError, "label -1"),
    ],
)
def test_what_cannot_be_counted_is_refused(arguments, error, says):
    before, after, *names = arguments
    with pytest.raises(error, match=says):
        migration(before, after, names=names[0] if names else ())


def test_weights_must_be_weights():
    with pytest.raises(ParameterError, match="2 finite numbers"):
        migration([0, 1], [0, 1], sample_weight=[1, -1])


def test_a_segmenter_gives_the_names():
    customers = xseg.make_customers(400, random_state=0)
    segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(customers)
    moved = migration(segmenter.labels_, segmenter.labels_, names=segmenter.segment_names_)
    assert moved.unchanged_share == 1
    assert moved.names == segmenter.segment_names_
