"""From raw numbers to small integer codes, counts of numbers, and seeded hashes of rows of codes.

The hashes are the only source of randomness in a fit.
"""

import numpy as np

from xseg._kernels import kernel, light_kernel

MISSING = np.uint8(255)
GRID_CELLS = 1_024
STRETCH_ROWS = 512
MAX_STEPS = 8


@light_kernel(lambda values, *_: 8 * len(values))
def encode_numbers(values, thresholds, first, low, high, scale, n_steps, codes):
    """Write how many sorted thresholds are <= each value; NaN becomes the last code, 255.

    `first[c]` thresholds lie before cell c of an even grid from `low` to `high`, `scale` cells per unit, and at most
    `n_steps` in one cell. `thresholds` end with a NaN, which no number reaches. Few steps are always all taken,
    whatever the value, so that no branch is mistaken; where they would be many, halving finds the place.

    Returns the first row that holds an infinity, or -1.
    """
    infinite = -1
    for i in range(values.shape[0]):
        value = values[i]
        if value != value:
            codes[i] = MISSING
            continue
        inside = value if value > low else low
        inside = inside if inside < high else high
        # Halves, since the difference of two large numbers may be infinite.
        cell = np.int64((inside / 2 - low / 2) * scale)
        # The highest threshold is in the last cell.
        code = first[cell] if cell < GRID_CELLS else first[GRID_CELLS - 1]
        if n_steps <= MAX_STEPS:
            for _ in range(n_steps):
                code += thresholds[code] <= value
        else:
            stop = first[cell + 1] if cell < GRID_CELLS else first[GRID_CELLS]
            while code < stop:
                middle = (code + stop) // 2
                if thresholds[middle] <= value:
                    code = middle + 1
                else:
                    stop = middle
        codes[i] = code
        if infinite < 0 and (value == np.inf or value == -np.inf):
            infinite = i
    return infinite


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
def count_numbers(values, weights, single, image, cells):
    """Add each number's weight to its cell: the upper half of the order-preserving integer image of float32.

    `single` is room for 512 numbers, and `image` the same memory read as integers. Returns the lowest and the highest
    number, the summed weight, whether all are whole, and the first row that holds an infinity, or -1. NaN and rows of
    weight 0 do not count.
    """
    low, high, known, whole, infinite = np.inf, -np.inf, 0, True, -1
    for start in range(0, values.shape[0], STRETCH_ROWS):
        n_rows = values.shape[0] - start
        n_rows = n_rows if n_rows < STRETCH_ROWS else STRETCH_ROWS
        for i in range(n_rows):
            # Adding zero turns -0.0 into 0.0.
            single[i] = values[start + i] + 0.0
        for i in range(n_rows):
            value, weight = values[start + i], weights[start + i]
            if infinite < 0 and (value == np.inf or value == -np.inf):
                infinite = start + i
            if weight == 0 or value != value:
                continue
            low, high = value if value < low else low, value if value > high else high
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
        stop = start + STRETCH_ROWS
        stop = stop if stop < hashes.shape[0] else hashes.shape[0]
        for j in range(columns.shape[1]):
            for i in range(start, stop):
                value = (hashes[i] ^ np.uint64(columns[0 if same else i, j])) + STEP
                value = (value ^ (value >> np.uint64(30))) * FIRST
                value = (value ^ (value >> np.uint64(27))) * SECOND
                hashes[i] = value ^ (value >> np.uint64(31))
