"""What a pass over the numbers of a column counts."""

import numpy as np

from xseg._kernels.jit import kernel

N_CELLS = 65_536
STRETCH_ROWS = 512
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
