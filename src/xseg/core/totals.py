"""Totals over rows of numbers that nothing bounds beforehand, without any rounding on the way."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg.core.statistics import RawBlock
from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = ["RowTotal"]

_MANTISSA_BITS = 53
_LOW_BITS = 27


class RowTotal:
    """A statistic over raw rows: the weighted total of a number that each row has.

    A finite floating-point number is an integer times a power of two. The integers are added by power, so the total is
    exact whatever the order of the rows, and rounded once when it is read.

    Parameters
    ----------
    value_of : callable
        Gives the numbers of a table, shape (n_rows,).
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
        # In two parts, neither of which can overflow.
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
            message = "the rows add up to more than a number can hold; correct or leave out the extreme ones"
            raise DataError(message) from error

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return self.total / self.weight
