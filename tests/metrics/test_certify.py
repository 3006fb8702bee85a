from itertools import count

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine

import naive
import xseg
from conftest import mixed_table
from xseg.core.tables import read_table
from xseg.exceptions import NotFittedError, ParameterError, UnsupportedTypeError
from xseg.metrics import certify


def cheapest(points, codes, rows, n_leaves):
    """The cost of the best tree, by trying them all."""
    if n_leaves == 1:
        return naive.partition_cost(points[rows], np.zeros(len(rows)))
    best = np.inf
    for j in range(codes.shape[1]):
        for code in np.unique(codes[rows, j])[:-1]:
            left = codes[rows, j] <= code
            for n_left in range(1, n_leaves):
                below = cheapest(points, codes, rows[left], n_left)
                if below < best:
                    best = min(best, below + cheapest(points, codes, rows[~left], n_leaves - n_left))
    return best


def fit(X, n_segments, **parameters):
    return xseg.TreeSegmenter(n_segments, min_segment_size=1, random_state=0, **parameters).fit(X)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_segments", [2, 3, 4])
def test_the_bound_is_the_best_of_all_trees(seed, n_segments):
    X = np.random.default_rng(seed).integers(0, 6, (25, 2)).astype(float)
    segmenter = fit(X, n_segments)
    certificate = certify(segmenter, X, seconds=60)
    codes, points = segmenter.coding_.code(read_table(X))
    best = cheapest(segmenter.coding_.embedding.matrix(codes, points), codes, np.arange(len(X)), n_segments)
    assert certificate.complete
    assert certificate.bound == pytest.approx(best)
    assert certificate.is_optimal == (certificate.cost <= best * (1 + 1e-9))
    assert certificate.gap == pytest.approx(certificate.cost / best - 1)


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_real_tables_are_proven_or_bounded(load):
    X = load().data
    certificate = certify(fit(X, 3), X, seconds=20)
    assert 0 < certificate.bound <= certificate.cost
    assert certificate.cost == pytest.approx(fit(X, 3).cost_, rel=1e-5)


def test_a_search_that_is_stopped_gives_what_it_has():
    X = load_wine().data
    ticks = count()
    stopped = certify(fit(X, 4), X, seconds=1, clock=lambda: next(ticks))
    assert not stopped.complete
    assert not stopped.is_optimal
    assert 0 < stopped.bound < stopped.cost
    assert "did not end" in str(stopped)


def test_other_trees_get_the_bound_of_any_partition():
    table = mixed_table(300)
    for segmenter, X in ((fit(table, 3), table), (fit(load_iris().data, 3, max_leaves=6), load_iris().data)):
        certificate = certify(segmenter, X)
        assert not certificate.complete
        assert 0 < certificate.bound <= segmenter.reference_cost_ * (1 + 1e-6)


def test_what_cannot_be_certified_is_refused():
    X = load_iris().data
    with pytest.raises(NotFittedError):
        certify(xseg.TreeSegmenter(), X)
    with pytest.raises(UnsupportedTypeError):
        certify(X, X)
    with pytest.raises(ParameterError):
        certify(fit(X, 2), X, seconds=0)
