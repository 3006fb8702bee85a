"""Each kernel equals its slow twin, compiled and interpreted."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import naive
from xseg._kernels import box_kernels, center_kernels, cut_kernels, encode_kernels
from xseg.core.bins import lay_grid
from xseg.segmenters._learning import hash_numbers


@pytest.fixture(params=["compiled", "interpreted"])
def run(request):
    return (lambda kernel: kernel) if request.param == "compiled" else (lambda kernel: kernel.py_func)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (60, 5)).astype(np.uint8)
    codes[rng.random(codes.shape) < 0.1] = 255
    points = rng.normal(size=(60, 3)).astype(np.float32)
    weights = rng.integers(0, 4, 60)
    return codes, points, weights


@pytest.mark.parametrize("n_thresholds", [0, 1, 3])
def test_codes_count_the_thresholds_at_most_the_value(run, n_thresholds):
    thresholds = np.array([-1.0, 0.0, 2.5])[:n_thresholds]
    values = np.tile([-5, -1, -0.0, 0.0, 2.4999, 2.5, 9, np.nan], 100)
    codes = np.empty(len(values), dtype=np.uint8)
    run(encode_kernels.encode_numbers)(values, *lay_grid(thresholds), codes)
    assert codes.tolist() == naive.encode(values, thresholds)


def test_the_first_infinite_value_is_found(run):
    values = np.zeros(1_500)
    codes = np.empty(1_500, dtype=np.uint8)
    for thresholds in (np.array([0.5]), np.arange(20) / 10):
        assert run(encode_kernels.encode_numbers)(values, *lay_grid(thresholds), codes) == -1
        values[[700, 1_400]] = np.inf, -np.inf
        assert run(encode_kernels.encode_numbers)(values, *lay_grid(thresholds), codes) == 700
        values[:] = 0


@pytest.mark.parametrize("spread", ["even", "skewed", "huge", "tiny", "equal steps"])
def test_codes_of_crowded_columns(run, spread):
    rng = np.random.default_rng(0)
    thresholds = {
        "even": np.linspace(-3, 3, 254),
        "skewed": np.sort(np.exp(rng.normal(size=254) * 4)),
        "huge": np.linspace(-1, 1, 40) * 1.7e308,
        "tiny": np.arange(1, 60) * 5e-324,
        "equal steps": np.arange(20) / 10,
    }[spread]
    values = np.concatenate([thresholds, np.nextafter(thresholds, np.inf), np.nextafter(thresholds, -np.inf)])
    values = np.concatenate([values, rng.normal(size=200), [0.0, -0.0, np.nan]])
    codes = np.empty(len(values), dtype=np.uint8)
    with np.errstate(over="ignore"):
        assert run(encode_kernels.encode_numbers)(values, *lay_grid(thresholds), codes) == -1
    expected = np.searchsorted(thresholds, values, side="right")
    assert_array_equal(codes, np.where(np.isnan(values), 255, expected))


def test_distinct_values_are_all_found_or_overflow(run):
    values, weights = np.array([3.0, 3.0, 1.0, np.nan, 2.0, 7.0]), np.array([1, 1, 1, 1, 1, 0])
    found, totals = np.empty(3), np.empty(3, dtype=np.int64)
    assert run(encode_kernels.collect_distinct)(values, weights, found, totals, 0) == 3
    assert dict(zip(found.tolist(), totals.tolist(), strict=True)) == {3.0: 2, 1.0: 1, 2.0: 1}
    assert run(encode_kernels.collect_distinct)(np.array([9.0]), np.array([1]), found, totals, 3) == -1


def test_numbers_are_counted_as_numpy_counts_them(run):
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.integers(-5, 5, 400), [np.nan, 1e300, -0.0]]).astype(np.float64)
    weights = rng.integers(0, 3, len(values))
    values[weights == 0] = 7e9
    cells = np.zeros(encode_kernels.N_CELLS, dtype=np.int64)
    single = np.empty(encode_kernels.STRETCH_ROWS, dtype=np.float32)
    count = partial(run(encode_kernels.count_numbers), single=single, image=single.view(np.int32), cells=cells)
    with np.errstate(over="ignore"):
        low, high, known, whole, infinite = count(values, weights)
    seen = ~np.isnan(values) & (weights > 0)
    assert (low, high, known, whole, infinite) == (
        values[seen].min(),
        values[seen].max(),
        weights[seen].sum(),
        True,
        -1,
    )
    assert cells.sum() == known
    assert cells[encode_kernels.N_CELLS // 2] == weights[values == 0].sum()
    values[[3, 9]] = 0.5, -np.inf
    with np.errstate(over="ignore"):
        assert count(values, weights)[3:] == (weights[3] == 0, 9)


def test_moments_add_up(run):
    rng = np.random.default_rng(5)
    values, weights = rng.normal(3, 2, 200), rng.integers(0, 4, 200)
    values[::7] = np.nan
    known, total, squares = run(encode_kernels.add_moments)(values, weights, 3.0, 10.0, 2.0**40)
    seen = ~np.isnan(values)
    offsets, weights = (values[seen] - 3) / 10, weights[seen]
    assert known == weights.sum()
    assert_allclose([total, squares], [offsets @ weights * 2**40, offsets**2 @ weights * 2**40], rtol=1e-9)


def test_hashes_mix_one_column_after_the_other(run):
    columns = np.random.default_rng(6).integers(0, 256, (600, 3)).astype(np.uint8)
    with np.errstate(over="ignore"):
        mixed = np.arange(600, dtype=np.uint64)
        run(encode_kernels.mix_columns)(mixed, columns)
        single = np.arange(600, dtype=np.uint64)
        run(encode_kernels.mix_columns)(single, np.array([[5]], dtype=np.uint8))
    for i in (0, 1, 599):
        assert mixed[i] == naive.mixed(i, columns[i].tolist())
        assert single[i] == naive.mixed(i, [5])


def test_every_bit_of_a_number_enters_its_hash():
    numbers = (np.uint64(1) << np.arange(64, dtype=np.uint64))[:, None]
    assert len(set(hash_numbers(np.zeros(64, dtype=np.uint64), numbers).tolist())) == 64


def test_cells_add_up_weights(run):
    cells = np.zeros(4, dtype=np.int64)
    run(encode_kernels.add_to_cells)(cells, np.array([0, 3, 3]), np.array([1, 2, 5]))
    assert cells.tolist() == [1, 0, 0, 7]


def test_distances_and_nearest(run, rows):
    codes, points, _ = rows
    rng = np.random.default_rng(1)
    looked_up, centers_t = np.array([1, 4]), rng.normal(size=(3, 4))
    tables = rng.random((2, 256, 4))
    out = np.empty((60, 4))
    run(center_kernels.squared_distances)(points, codes, looked_up, centers_t, tables, out)
    assert_allclose(out, naive.squared_distances(points, codes, looked_up, centers_t, tables), rtol=1e-12)
    labels, best = np.empty(60, dtype=np.int32), np.empty(60)
    run(center_kernels.find_nearest)(out, labels, best)
    assert_array_equal(labels, out.argmin(axis=1))
    assert_array_equal(best, out.min(axis=1))


def test_group_sums(run, rows):
    codes, points, weights = rows
    groups, units = np.random.default_rng(2).integers(-1, 3, 60).astype(np.int32), np.full(3, 2.0**30)
    looked_up = np.array([0, 2])
    sums, counts = np.zeros((3, 3), dtype=np.int64), np.zeros((3, 2, 256), dtype=np.int64)
    mass = np.zeros(3, dtype=np.int64)
    run(center_kernels.add_group_sums)(points, codes, looked_up, groups, weights, units, sums, counts, mass)
    expected = naive.group_sums(points, codes, looked_up, groups, weights, units, 3)
    for got, wanted in zip((sums, counts, mass), expected, strict=True):
        assert_array_equal(got, wanted)


def test_differences_of_costs(run, rows):
    codes, points, weights = rows
    rng = np.random.default_rng(3)
    means, tables, looked_up = rng.normal(size=(4, 3)), rng.random((1, 256, 4)), np.array([3])
    costs = naive.squared_distances(points, codes, looked_up, means.T, tables)
    first, second = rng.integers(-1, 4, 60).astype(np.int32), rng.integers(0, 4, 60).astype(np.int32)
    pair = np.empty((60, 2), dtype=np.int64)
    run(center_kernels.cost_differences)(points, codes, looked_up, means, tables, first, second, weights, 2.0**20, pair)
    row = np.arange(60)
    expected = np.where(first >= 0, (costs[row, first] - costs[row, second]) * 2.0**20 * weights, 0)
    assert_allclose(pair[:, 0], expected, atol=3)
    assert_array_equal(pair[:, 1], weights)


def test_code_counts(run, rows):
    codes, _, weights = rows
    groups = np.random.default_rng(4).integers(0, 2, 60).astype(np.int32)
    counts = np.zeros((2, 5, 256), dtype=np.int64)
    run(center_kernels.add_code_counts)(codes, groups, weights, counts)
    for group in range(2):
        for j in range(5):
            expected = np.bincount(codes[groups == group, j], weights[groups == group], 256)
            assert_array_equal(counts[group, j], expected)


def test_walking_and_counting(run, rows, fitted, mixed):
    codes, _, _ = rows
    tree = fitted.tree_
    from xseg.core.tables import read_table

    real = tree.bins.encode(read_table(mixed))[:60]
    start = np.zeros(60, dtype=np.int32)
    start[::7] = -1
    out = np.empty(60, dtype=np.int32)
    run(cut_kernels.find_nodes)(real, tree.feature, tree.goes_left, tree.left, tree.right, start, out)
    assert out.tolist() == [-1 if s < 0 else naive.leaf(row, tree) for s, row in zip(start, real, strict=True)]
    slots = np.random.default_rng(5).integers(-1, 3, 60).astype(np.int32)
    values = np.random.default_rng(6).integers(-99, 99, (60, 2))
    features, histogram = np.array([0, 3, 4]), np.zeros((3, 3, 256, 2), dtype=np.int64)
    run(cut_kernels.add_cut_histogram)(codes, features, slots, values, histogram)
    assert_array_equal(histogram, naive.cut_histogram(codes, features, slots, values, 3))


def test_failed_tests_and_tables(run):
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, (30, 3)).astype(np.uint8)
    failing = np.zeros((3, 256, 2), dtype=np.uint32)
    inside = rng.random((2, 3, 4)) < 0.6
    for box in range(2):
        for j in range(3):
            failing[j, :4, box] = np.where(inside[box, j], 0, 1 << j)
    patterns = np.empty((30, 2), dtype=np.uint32)
    packed = (failing[:, :, 0] | failing[:, :, 1] << np.uint32(3)).astype(np.uint64)[:, :, None]
    word, shift = np.zeros(2, dtype=np.int64), np.array([0, 3], dtype=np.uint64)
    mask = np.full(2, 7, dtype=np.uint64)
    every, targets = np.array([0, 2]), np.zeros(30, dtype=np.int64)
    run(box_kernels.failed_tests)(codes, np.arange(3), packed, word, shift, mask, every, targets, patterns)
    for i in range(30):
        for box in range(2):
            assert patterns[i, box] == sum((not inside[box, j, codes[i, j]]) << j for j in range(3))
    # The table against brute force over coalitions of three tests.
    from xseg.explanations._shapley import shapley_weights

    background = np.unique(patterns[:, 0])
    share = np.full(len(background), 1 / len(background))
    table = np.empty((8, 3))
    run(box_kernels.shapley_table)(np.arange(8, dtype=np.uint32), background, share, *shapley_weights(3), table)
    for pattern in range(8):
        row = np.array([(pattern >> j) & 1 for j in range(3)])
        others = np.array([[(int(b) >> j) & 1 for j in range(3)] for b in background])
        phi, _ = naive.shapley_values(lambda failed: ~failed.any(axis=1) * 1.0, row, others, share, 3)
        assert_allclose(table[pattern], phi, atol=1e-12)


def test_explaining_rows_adds_up_table_lines(run):
    places = np.array([[0, 1], [1, 0]], dtype=np.uint32)
    tables, widths, starts = np.arange(8.0), np.array([2, 2]), np.array([0, 4])
    players, segment = np.array([[0, 2], [1, 2]]), np.array([0, 1])
    out = np.empty((2, 3, 2))
    run(box_kernels.explain_segments)(places, segment, tables, widths, starts, players, out)
    assert_array_equal(out[0], [[0, 0], [0, 6], [1, 7]])
    own = np.empty((2, 3))
    run(box_kernels.explain_targets)(
        places, np.array([0, 1, 2]), tables, widths, starts, players, np.array([1, 0]), own
    )
    assert_array_equal(own, [[0, 6, 7], [2, 0, 3]])
