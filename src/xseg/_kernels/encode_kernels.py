"""From raw numbers to small integer codes, counts of numbers, and seeded hashes of rows of codes.

The hashes are the only source of randomness in a fit.
"""

import numpy as np

from xseg._kernels import kernel

MISSING = np.uint8(255)
FEW_THRESHOLDS = 8
GRID_CELLS = 1_024
STRETCH_ROWS = 512


@kernel
def grid_cell(value, low, scale):
    """Return the cell of an even grid over the thresholds; it never falls as the value rises."""
    # Halves, since the difference of two large numbers may be infinite.
    return min(np.int64((value / 2 - low / 2) * scale), GRID_CELLS - 1)


@kernel
def count_thresholds_before(thresholds, first):
    """Write how many thresholds lie before each cell of an even grid.

    Gives where the grid starts, its cells per unit, and the most thresholds in one cell.
    """
    low, high = thresholds[0], thresholds[thresholds.shape[0] - 1]
    scale = GRID_CELLS / (high / 2 - low / 2)
    if not scale < np.inf:
        scale = 0.0
    for j in range(thresholds.shape[0]):
        first[grid_cell(thresholds[j], low, scale) + 1] += 1
    most = 0
    for cell in range(GRID_CELLS):
        most = max(most, first[cell + 1])
        first[cell + 1] += first[cell]
    return low, scale, most


@kernel
def encode_by_few(values, thresholds, codes):
    """Write codes as `encode_numbers` does, a stretch of rows and one threshold at a time, without a branch."""
    infinite = -1
    stretch = np.empty(STRETCH_ROWS)
    counts = np.empty(STRETCH_ROWS, dtype=np.int64)
    for start in range(0, values.shape[0], STRETCH_ROWS):
        n_rows = min(STRETCH_ROWS, values.shape[0] - start)
        found = False
        for i in range(n_rows):
            stretch[i] = values[start + i]
        for i in range(n_rows):
            counts[i] = MISSING if np.isnan(stretch[i]) else 0
            found |= np.isinf(stretch[i])
        for threshold in thresholds:
            for i in range(n_rows):
                counts[i] += threshold <= stretch[i]
        for i in range(n_rows):
            codes[start + i] = counts[i]
            if found and infinite < 0 and np.isinf(stretch[i]):
                infinite = start + i
    return infinite


@kernel
def encode_by_grid(values, thresholds, codes):
    """Write codes as `encode_numbers` does, by an even grid and then one threshold at a time.

    The steps are as many as the fullest cell has thresholds, whatever the value, so that no branch is mistaken; where
    that would be many, halving finds the place.
    """
    n_thresholds = thresholds.shape[0]
    first = np.zeros(GRID_CELLS + 1, dtype=np.int64)
    low, scale, most = count_thresholds_before(thresholds, first)
    # No number is at least NaN, so the count ends there.
    ended = np.full(n_thresholds + 1, np.nan)
    ended[:n_thresholds] = thresholds
    high = thresholds[n_thresholds - 1]
    infinite = -1
    for i in range(values.shape[0]):
        value = np.float64(values[i])
        if most <= FEW_THRESHOLDS:
            inside = value if value >= low else low
            # Thresholds in lower cells are at most the value, those in higher cells are above it.
            code = first[grid_cell(min(inside, high), low, scale)]
            for _ in range(most):
                code += ended[code] <= value
        else:
            code = np.searchsorted(thresholds, value, side="right")
        codes[i] = MISSING if np.isnan(value) else code
        if np.isinf(value) and infinite < 0:
            infinite = i
    return infinite


@kernel
def encode_numbers(values, thresholds, codes):
    """Write how many sorted `thresholds` are <= each value; NaN becomes the last code, 255.

    Gives the first row that holds an infinity, or -1.
    """
    if thresholds.shape[0] <= FEW_THRESHOLDS:
        return encode_by_few(values, thresholds, codes)
    return encode_by_grid(values, thresholds, codes)


@kernel
def add_to_cells(cells, keys, weights):
    """Add each row's weight to the cell its key names."""
    for i in range(keys.shape[0]):
        cells[keys[i]] += weights[i]


@kernel
def collect_distinct(values, weights, found, totals, n_found):
    """Extend the unsorted distinct values `found` and their weights by those of a block; -1 as soon as they overflow.

    Rows of weight 0 and NaN do not count. Runs of equal values, the usual case, cost one comparison each.
    """
    last = -1
    for i in range(values.shape[0]):
        value = values[i]
        if weights[i] == 0 or np.isnan(value):
            continue
        if last < 0 or found[last] != value:
            last = -1
            for j in range(n_found):
                if found[j] == value:
                    last = j
                    break
            if last < 0:
                if n_found == found.shape[0]:
                    return -1
                found[n_found] = value
                totals[n_found] = 0
                last = n_found
                n_found += 1
        totals[last] += weights[i]
    return n_found


N_CELLS = 65_536
ALL_BUT_SIGN = np.int32(2**31 - 1)


@kernel
def count_numbers(values, weights, cells):
    """Add each number's weight to its cell: the upper half of the order-preserving integer image of float32.

    Gives the lowest and the highest number, the summed weight, whether all are whole, and the first row that holds an
    infinity, or -1. NaN and rows of weight 0 do not count.
    """
    low, high, known, whole, infinite = np.inf, -np.inf, 0, True, -1
    single = np.empty(STRETCH_ROWS, dtype=np.float32)
    image = single.view(np.int32)
    for start in range(0, values.shape[0], STRETCH_ROWS):
        n_rows = min(STRETCH_ROWS, values.shape[0] - start)
        for i in range(n_rows):
            # Adding zero turns -0.0 into 0.0.
            single[i] = values[start + i] + 0.0
        for i in range(n_rows):
            value, weight = values[start + i], weights[start + i]
            if np.isinf(value) and infinite < 0:
                infinite = start + i
            if weight == 0 or np.isnan(value):
                continue
            low, high = min(low, value), max(high, value)
            known += weight
            whole = whole and value == np.rint(value)
            bits = image[i] ^ ALL_BUT_SIGN if image[i] < 0 else image[i]
            cells[(bits >> 16) + N_CELLS // 2] += weight
    return low, high, known, whole, infinite


@kernel
def add_moments(values, weights, center, radius, unit):
    """Return the weight of the known numbers, and the sums of their offsets from `center`, in radii, and squares.

    Each row is rounded once to fixed point.
    """
    known, total, squares = 0, 0, 0
    for i in range(values.shape[0]):
        if weights[i] == 0 or np.isnan(values[i]):
            continue
        offset = (values[i] - center) / radius
        known += weights[i]
        total += np.int64(np.rint(offset * unit)) * weights[i]
        squares += np.int64(np.rint(offset * offset * unit)) * weights[i]
    return known, total, squares


FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
STEP = np.uint64(0x9E3779B97F4A7C15)


@kernel
def mix_columns(hashes, columns):
    """Mix the columns, shape (n_rows or 1, n_columns), into the hashes: SplitMix64 (Steele, Lea and Flood, 2014)."""
    same = columns.shape[0] == 1
    for start in range(0, hashes.shape[0], STRETCH_ROWS):
        stop = min(start + STRETCH_ROWS, hashes.shape[0])
        for j in range(columns.shape[1]):
            for i in range(start, stop):
                value = (hashes[i] ^ np.uint64(columns[0 if same else i, j])) + STEP
                value = (value ^ (value >> np.uint64(30))) * FIRST
                value = (value ^ (value >> np.uint64(27))) * SECOND
                hashes[i] = value ^ (value >> np.uint64(31))
