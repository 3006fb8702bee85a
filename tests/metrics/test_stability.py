"""Segments that are there come back; segments of noise do not."""

import numpy as np
import pytest

import xseg
from xseg.exceptions import ParameterError
from xseg.metrics import stability
from xseg.metrics._compare import best_overlaps


def groups(rng, n_rows=600):
    centers = np.array([[0.0, 0], [8, 0], [0, 8]])
    return rng.normal(size=(n_rows, 2)) + centers[rng.integers(0, 3, n_rows)]


def test_groups_far_apart_come_back_and_noise_does_not():
    rng = np.random.default_rng(0)
    clear, noise = groups(rng), rng.random((600, 6))
    found = [
        stability(xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(X), X, n_resamples=8, random_state=0)
        for X in (clear, noise)
    ]
    assert found[0].index > 0.95
    assert all(one.recovered == 1 and one.dissolved == 0 for one in found[0].segments)
    assert found[1].index < 0.6


@pytest.mark.parametrize(
    "segmenter",
    [xseg.PrototypeSegmenter(3, random_state=0), xseg.MixtureSegmenter(3, random_state=0)],
    ids=["prototypes", "mixture"],
)
def test_every_kind_of_segmenter_can_be_judged(segmenter):
    X = groups(np.random.default_rng(1))
    fitted = segmenter.fit(X)
    before = fitted.labels_.copy()
    found = stability(fitted, X, n_resamples=3, random_state=0)
    assert found.index > 0.9
    assert list(found.to_frame()["segment"]) == list(fitted.segment_names_)
    assert (fitted.labels_ == before).all()


def test_overlaps_by_hand():
    labels, others = np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0])
    assert best_overlaps(labels, others, 3).tolist() == [2 / 3, 2 / 3, 0]


def test_at_least_one_resample():
    X = groups(np.random.default_rng(2))
    with pytest.raises(ParameterError, match="n_resamples is 0"):
        stability(xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(X), X, n_resamples=0)
