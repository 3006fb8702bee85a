"""The contract of everything that is learned: statistics that can be added.

`fit` never walks over rows. It hands a statistic to a backend, which makes an empty copy for each worker, adds blocks
of rows to the copies wherever the rows are, and merges the copies. Sums are integers, so the result is the same bits
whatever the blocks, the threads or the order.
"""

from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Table

__all__ = ["CodedBlock", "CodedStatistic", "RawBlock", "RawStatistic", "Statistic"]

B_contra = TypeVar("B_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Some rows as they came: columns, integer weights, and the place of the first of them among all rows."""

    table: Table
    weights: NDArray[np.int64]
    first: int = 0


@dataclass(frozen=True, slots=True)
class CodedBlock:
    """Some rows ready for the kernels: codes (n, n_features), points (n, n_points), weights (n,)."""

    codes: NDArray[np.uint8]
    points: NDArray[np.float32]
    weights: NDArray[np.int64]


class Statistic(Protocol[B_contra]):
    """A sum over rows, in the making."""

    def empty(self) -> Self:
        """Return a statistic of the same kind over no rows."""
        ...

    def add(self, block: B_contra, /) -> None:
        """Add a block of rows."""
        ...

    def merge(self, other: Self, /) -> None:
        """Add everything that `other` has seen."""
        ...


RawStatistic = Statistic[RawBlock]
CodedStatistic = Statistic[CodedBlock]
