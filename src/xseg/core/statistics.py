"""Additive statistics: sums over rows in exact integer arithmetic, from which every segmenter is fitted.

`fit` never loops over rows. It passes a statistic to a backend, which makes an empty copy for each worker, adds blocks
of rows to the copies wherever the rows are, and merges the copies. Floating-point addition is not associative, so a
sum over rows would depend on the number of threads, the size of a batch or the order of the rows. Therefore each
contribution is rounded once to an integer multiple of a unit, and the integers are added exactly in int64.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, frexp, ldexp, log2
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = [
    "CodedBlock",
    "CodedStatistic",
    "RawBlock",
    "RawStatistic",
    "RowTotal",
    "Statistic",
    "apply_to_table",
    "check_weights",
    "fix_weights",
    "fixed_unit",
    "weight_unit",
]


B_contra = TypeVar("B_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class RawBlock:
    """A block of raw rows: columns, integer weights, and the position of its first row among all rows."""

    table: Table
    weights: NDArray[np.int64]
    first: int = 0


@dataclass(frozen=True, slots=True)
class CodedBlock:
    """A block of coded rows: codes (n, n_features), points (n, n_points), integer weights (n,)."""

    codes: NDArray[np.uint8]
    points: NDArray[np.float32]
    weights: NDArray[np.int64]


class Statistic(Protocol[B_contra]):
    """A mergeable sum over rows, which a backend computes for a fit.

    A statistic holds its parameters (arrays and small frozen data, never rows or an estimator) and what it has added up
    so far, as integers. It can therefore be pickled and sent to where the rows are. Adding blocks to several empty
    copies and merging them gives the same bits as adding all blocks to one, in whatever order.
    """

    def empty(self) -> Self:
        """Return a statistic with the same parameters over no rows."""
        ...

    def add(self, block: B_contra, /) -> None:
        """Add a block of rows."""
        ...

    def merge(self, other: Self, /) -> None:
        """Add everything that `other` has added up."""
        ...


RawStatistic = Statistic[RawBlock]
CodedStatistic = Statistic[CodedBlock]


def apply_to_table(function: Callable[[Table], NDArray[Any]], block: RawBlock) -> NDArray[Any]:
    """Apply a function of tables to the columns of a block; a partial of this can be passed to `Backend.map`."""
    return function(block.table)


_WEIGHT_BITS = 16
_SUM_BITS = 62
_LARGEST_WHOLE_WEIGHT = 2**20


def fixed_unit(bound: float, total_weight: int) -> float:
    """Return the largest power of two by which `total_weight` terms of size `bound` add up to less than 2**62."""
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
        message = (
            f"sample_weight must be finite and not negative, got {weights[row]} in row {row}; correct or drop the row"
        )
        raise DataError(message)
    fixed = np.rint(weights * unit).astype(np.int64)
    fixed[(fixed == 0) & (weights > 0)] = 1
    return fixed


def check_weights(sample_weight: object, n_rows: int) -> tuple[NDArray[np.int64], float]:
    """Convert sample weights to integers, and return their unit."""
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
        message = "sample_weight must be positive for at least one row, and every sample_weight is zero"
        raise DataError(message)
    unit = weight_unit(weights) if np.isfinite(weights).all() else 1.0
    return fix_weights(weights, unit), unit


_MANTISSA_BITS = 53
_LOW_BITS = 27


class RowTotal:
    """A statistic over raw rows: the weighted total of a number that each row has.

    A finite floating-point number is an integer times a power of two. The integers are added by power, so the total is
    exact whatever the order of the rows, and rounded once when it is read.

    Parameters
    ----------
    value_of : callable
        Computes the numbers of a table, shape (n_rows,). It must be picklable: a function of a module, or a partial.
    """

    def __init__(self, value_of: Callable[[Table], NDArray[np.float64]]) -> None:
        self.value_of = value_of
        self.weight = 0
        self._by_power: Counter[int] = Counter()

    def empty(self) -> Self:
        return type(self)(self.value_of)

    def add(self, block: RawBlock) -> None:
        mantissas, powers = np.frexp(self.value_of(block.table))
        whole = np.ldexp(mantissas, _MANTISSA_BITS).astype(np.int64)
        # A 53-bit integer is split into 26 high and 27 low bits, so that neither product with a weight overflows int64.
        high, low = whole >> _LOW_BITS, whole & (2**_LOW_BITS - 1)
        for power in np.unique(powers).tolist():
            own = powers == power
            weights = block.weights[own]
            self._by_power[power] += (int(high[own] @ weights) << _LOW_BITS) + int(low[own] @ weights)
        self.weight += int(block.weights.sum())

    def merge(self, other: Self) -> None:
        self._by_power.update(other._by_power)
        self.weight += other.weight

    @property
    def total(self) -> float:
        """The total, in units of weight."""
        exact = (Fraction(whole) * Fraction(2) ** (power - _MANTISSA_BITS) for power, whole in self._by_power.items())
        try:
            return float(sum(exact, Fraction(0)))
        except OverflowError as error:
            message = (
                "the total must be at most 1.8e308, and the rows add up to more; correct or leave out extreme values"
            )
            raise DataError(message) from error

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return self.total / self.weight
