"""From raw numbers to small integer codes."""

import numpy as np

from xseg._kernels.jit import kernel

MISSING = np.uint8(255)
FEW_THRESHOLDS = 8


@kernel
def encode_numbers(values, thresholds, codes):
    """Write how many sorted `thresholds` are <= each value; NaN becomes the last code, 255.

    Gives the first row that holds an infinity, or -1.
    """
    n_thresholds = thresholds.shape[0]
    infinite = -1
    for i in range(values.shape[0]):
        value = np.float64(values[i])
        low, high = 0, n_thresholds
        # Halving down to a few and then counting avoids most of the branches that cannot be predicted.
        while high - low > FEW_THRESHOLDS:
            middle = (low + high) >> 1
            if thresholds[middle] <= value:
                low = middle + 1
            else:
                high = middle
        code = low
        for j in range(low, high):
            code += thresholds[j] <= value
        codes[i] = MISSING if np.isnan(value) else code
        if np.isinf(value) and infinite < 0:
            infinite = i
    return infinite


@kernel
def add_to_cells(cells, keys, weights):
    """Add each row's weight to the cell its key names."""
    for i in range(keys.shape[0]):
        cells[keys[i]] += weights[i]


@kernel
def collect_distinct(values, weights, found, n_found):
    """Extend the unsorted distinct values `found` by those of this block; -1 as soon as they overflow.

    Rows of weight 0 and NaN are not seen. Runs of equal values, the usual case, cost one comparison each.
    """
    last = -1
    for i in range(values.shape[0]):
        value = values[i]
        if weights[i] == 0 or np.isnan(value) or (last >= 0 and found[last] == value):
            continue
        last = -1
        for j in range(n_found):
            if found[j] == value:
                last = j
                break
        if last < 0:
            if n_found == found.shape[0]:
                return -1
            found[n_found] = value
            last = n_found
            n_found += 1
    return n_found
