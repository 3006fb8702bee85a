"""The kernels of additive scores, prototypes and mixtures equal their slow twins, compiled and interpreted."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import naive
from xseg._kernels import center_kernels, score_kernels

COORDINATES, LOOKED_UP = np.array([4, 0, 2]), np.array([1, 3])


@pytest.fixture(params=["compiled", "interpreted"])
def run(request):
    return (lambda kernel: kernel) if request.param == "compiled" else (lambda kernel: kernel.py_func)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (50, 5)).astype(np.uint8)
    codes[rng.random(codes.shape) < 0.1] = 255
    return codes, rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 4, 50)


@pytest.fixture
def scores():
    rng = np.random.default_rng(1)
    return rng.normal(size=4), rng.normal(size=(3, 5, 4)), rng.normal(size=(2, 256, 4))


@pytest.fixture(autouse=True)
def interpreted_calls_interpreted(request, monkeypatch):
    if "interpreted" in request.node.name:
        monkeypatch.setattr(score_kernels, "curve_part", score_kernels.curve_part.py_func)


def test_scores_are_sums_of_parts(run, rows, scores):
    (codes, points, _), (bias, curves, tables) = rows, scores
    out = np.empty((50, 4))
    run(score_kernels.additive_scores)(points, codes, COORDINATES, LOOKED_UP, bias, curves, tables, out)
    parts = naive.additive_parts(points, codes, COORDINATES, LOOKED_UP, curves, tables)
    assert_allclose(out, bias + parts.sum(axis=1), atol=1e-12)


def test_the_two_best_are_the_first_among_equals(run):
    scores = np.random.default_rng(0).integers(0, 3, (200, 4)).astype(float)
    first, second = np.empty(200, dtype=np.int64), np.empty(200, dtype=np.int64)
    run(score_kernels.best_two)(scores, first, second)
    order = np.argsort(-scores, axis=1, kind="stable")
    assert_array_equal(first, order[:, 0])
    assert_array_equal(second, order[:, 1])
    run(score_kernels.best_two)(scores[:, :1], first, second)
    assert_array_equal(first, second)


def test_sums_of_parts_are_rounded_once(run, rows, scores):
    (codes, points, weights), (_, curves, tables) = rows, scores
    units, sums = np.full((5, 4), 1024.0), np.zeros((5, 4), dtype=np.int64)
    run(score_kernels.add_part_sums)(points, codes, COORDINATES, LOOKED_UP, curves, tables, weights, units, sums)
    parts = naive.additive_parts(points, codes, COORDINATES, LOOKED_UP, curves, tables)
    assert_array_equal(sums, np.einsum("ius,i->us", np.rint(parts * 1024).astype(np.int64), weights))


def test_explanations_are_parts_less_their_means(run, rows, scores):
    (codes, points, _), (_, curves, tables) = rows, scores
    rng = np.random.default_rng(2)
    means, players = rng.normal(size=(5, 4)), np.array([2, 0, 2, 1, 0])
    parts = naive.additive_parts(points, codes, COORDINATES, LOOKED_UP, curves, tables) - means
    expected = np.zeros((50, 3, 4))
    for u, player in enumerate(players):
        expected[:, player] += parts[:, u]
    every = np.empty((50, 3, 4))
    run(score_kernels.explain_scores)(points, codes, COORDINATES, LOOKED_UP, curves, tables, means, players, every)
    assert_allclose(every, expected, atol=1e-12)
    first, second = rng.integers(0, 4, 50), rng.integers(-1, 4, 50)
    one, row = np.empty((50, 3)), np.arange(50)
    run(score_kernels.explain_margins)(
        points, codes, COORDINATES, LOOKED_UP, curves, tables, means, players, first, second, one
    )
    rival = np.where(second[:, None] >= 0, expected[row, :, second], 0.0)
    assert_allclose(one, expected[row, :, first] - rival, atol=1e-12)


def test_costs_of_exchanges_are_those_of_doing_them(run):
    rng = np.random.default_rng(0)
    to_candidates, to_centres = rng.random((40, 6)), rng.random((40, 3))
    weights = rng.integers(0, 3, 40).astype(float)
    order = np.argsort(to_centres, axis=1)
    row = np.arange(40)
    costs = np.empty((6, 3))
    run(center_kernels.swap_costs)(
        to_candidates, order[:, 0], to_centres[row, order[:, 0]], to_centres[row, order[:, 1]], weights, costs
    )
    assert_allclose(costs, naive.swap_costs(to_candidates, to_centres, weights), atol=1e-12)


def test_levels_are_sums_by_code(run, rows):
    codes, points, weights = rows
    units = np.array([64.0, 128.0, 256.0])
    sums, counts = np.zeros((3, 256), dtype=np.int64), np.zeros((3, 256), dtype=np.int64)
    run(center_kernels.add_level_sums)(points, codes, COORDINATES, weights, units, sums, counts)
    for p, j in enumerate(COORDINATES):
        for code in range(6):
            some = codes[:, j] == code
            assert counts[p, code] == weights[some].sum()
            assert sums[p, code] == (np.rint(points[some, p].astype(float) * units[p]) * weights[some]).sum()
    assert not counts[:, 255].any()


def test_shares_are_a_softmax(run):
    scores = np.random.default_rng(0).normal(size=(30, 3)) * 300
    shares, logs = np.empty((30, 3)), np.empty(30)
    run(center_kernels.compute_responsibilities)(scores, shares, logs)
    expected = np.logaddexp.reduce(scores, axis=1)
    assert_allclose(logs, expected, rtol=1e-14)
    assert_allclose(shares, np.exp(scores - expected[:, None]), atol=1e-14)


def test_soft_sums_leave_out_what_is_not_known(run, rows):
    codes, points, weights = rows
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    unit, units = 2.0**40, np.full(3, 2.0**40)
    mass = np.zeros(3, dtype=np.int64)
    known, sums, squares = (np.zeros((3, 3), dtype=np.int64) for _ in range(3))
    counts = np.zeros((3, 2, 256), dtype=np.int64)
    run(center_kernels.add_soft_sums)(
        points, codes, COORDINATES, LOOKED_UP, shares, weights, unit, units, units, mass, known, sums, squares, counts
    )
    expected = naive.soft_sums(points, codes, COORDINATES, LOOKED_UP, shares, weights)
    for found, wanted in zip((mass, known, sums, squares, counts), expected, strict=True):
        assert_allclose(found / unit, wanted, atol=1e-9)
