"""Sums that do not depend on the order of their terms.

Floating-point addition is not associative, so a sum over rows would change with the number of threads, the size of a
batch or the order of the rows. Here each row's contribution is rounded once to an integer multiple of a unit, and the
integers are added exactly in int64.
"""

from math import ceil, frexp, ldexp, log2

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import DataError

__all__ = ["check_weights", "fix_weights", "fixed_unit", "weight_unit"]

_WEIGHT_BITS = 16
_SUM_BITS = 62
_LARGEST_WHOLE_WEIGHT = 2**20


def fixed_unit(bound: float, total_weight: int) -> float:
    """Return the power of two to multiply with, so that `total_weight` terms of size `bound` fit into 62 bits."""
    _, exponent = frexp(max(bound, 1e-300))
    return ldexp(1.0, min(_SUM_BITS - exponent - ceil(log2(max(total_weight, 1) + 1)), 900))


def weight_unit(weights: NDArray[np.float64]) -> float:
    """Return the power of two that turns `weights` into integers.

    Whole weights stay as they are, so that a weight of 2 is exactly two rows; others keep 16 bits below the largest.
    """
    largest = float(weights.max())
    if largest <= _LARGEST_WHOLE_WEIGHT and bool((weights == np.rint(weights)).all()):
        return 1.0
    return ldexp(1.0, _WEIGHT_BITS - frexp(largest)[1])


def fix_weights(weights: NDArray[np.float64], unit: float) -> NDArray[np.int64]:
    """Return weights as integers; positive ones stay positive, however small."""
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        message = f"sample_weight[{row}] is {weights[row]}; weights must be finite and not negative"
        raise DataError(message)
    fixed = np.rint(weights * unit).astype(np.int64)
    fixed[(fixed == 0) & (weights > 0)] = 1
    return fixed


def check_weights(sample_weight: object, n_rows: int) -> tuple[NDArray[np.int64], float]:
    """Turn sample weights into integers, and return the unit they are counted in."""
    if sample_weight is None:
        return np.ones(n_rows, dtype=np.int64), 1.0
    weights = np.asarray(sample_weight)
    try:
        weights = weights.astype(np.float64)
    except (TypeError, ValueError):
        message = f"sample_weight must be numbers, got an array of {weights.dtype}"
        raise DataError(message) from None
    if weights.ndim == 0:
        weights = np.full(n_rows, weights)
    if weights.ndim != 1:
        message = f"Sample weights must be 1D array or scalar, got {weights.ndim}D array"
        raise DataError(message)
    if len(weights) != n_rows:
        message = f"sample_weight.shape == {weights.shape}, expected ({n_rows},): one weight for each row"
        raise DataError(message)
    if not weights.any():
        message = "every sample_weight is zero; at least one row must count"
        raise DataError(message)
    unit = weight_unit(weights) if np.isfinite(weights).all() else 1.0
    return fix_weights(weights, unit), unit
