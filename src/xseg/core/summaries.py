"""What one pass over raw columns must count, so that bins and scales can be chosen.

Numbers are counted in 65,536 cells keyed by the upper 16 bits of the order-preserving integer image of float32: one
pass, no range needed, at most 0.8 % relative width. Cells that still hold too many rows are split by further passes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels import encode
from xseg._kernels.summaries import N_CELLS, add_moments, count_numbers
from xseg.core.fixed_point import fixed_unit
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.statistics import RawBlock
from xseg.core.tables import Column
from xseg.exceptions import ColumnTypeError, DataError, SchemaError

__all__ = ["MAX_NUMBER", "CategoryCounts", "CellSplit", "Moments", "NumberSummary", "TableSummary"]

# Cells are keyed by single precision, which ends at 3.4e38; squares of such numbers can still be added.
MAX_NUMBER = 1e38

N_SPLITS = 256
_ALL_BUT_SIGN = np.int32(2**31 - 1)


def _too_large(name: str, value: float) -> DataError:
    message = (
        f"numbers must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}, and column {name!r} holds {value:g}; correct "
        "the value, replace it by NaN if it is not known, or express the column in a larger unit"
    )
    return DataError(message)


def cell_keys(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Give the cell that `count_numbers` would count each number in; NaN goes anywhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        image = (values + 0.0).astype(np.float32).view(np.int32)
    return (np.where(image < 0, image ^ _ALL_BUT_SIGN, image) >> 16) + np.int32(N_CELLS // 2)


def cell_edges(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the smallest number of each cell."""
    image = ((keys - N_CELLS // 2) << 16).astype(np.int32)
    return np.where(image < 0, image ^ _ALL_BUT_SIGN, image).view(np.float32).astype(np.float64)


@dataclass(slots=True)
class NumberSummary:
    """Counts of one numeric column."""

    max_distinct: int
    low: float = np.inf
    high: float = -np.inf
    integral: bool = True
    known: int = 0
    cells: NDArray[np.int64] = field(default_factory=lambda: np.zeros(N_CELLS, dtype=np.int64))
    distinct: NDArray[np.float64] | None = field(default_factory=lambda: np.zeros(0))

    def add(self, column: Column, weights: NDArray[np.int64]) -> None:
        values = np.asarray(column.values, dtype=np.float64)
        low, high, known, whole, infinite = count_numbers(values, weights, self.cells)
        if infinite >= 0:
            raise column.infinite(infinite)
        if max(high, -low) > MAX_NUMBER:
            raise _too_large(column.name, high if high > MAX_NUMBER else low)
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.known += known
        self.integral = self.integral and whole
        self._add_distinct(values, weights)

    def merge(self, other: "NumberSummary") -> None:
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.known += other.known
        self.integral = self.integral and other.integral
        self.cells += other.cells
        if other.distinct is None:
            self.distinct = None
        else:
            self._add_distinct(other.distinct, np.ones(len(other.distinct), dtype=np.int64))

    def _add_distinct(self, values: NDArray[np.float64], weights: NDArray[np.int64]) -> None:
        if self.distinct is None:
            return
        found = np.empty(self.max_distinct)
        found[: len(self.distinct)] = self.distinct
        n_found = encode.collect_distinct(values, weights, found, len(self.distinct))
        self.distinct = None if n_found < 0 else found[:n_found]


@dataclass(slots=True)
class CategoryCounts:
    """Weight of each category of one column; `order` is set for ordered categories."""

    order: tuple[str, ...] | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, column: Column, weights: NDArray[np.int64]) -> None:
        self._set_order(column.categories if column.kind is Kind.ORDERED else None)
        known = column.values >= 0
        totals = np.zeros(len(column.categories), dtype=np.int64)
        np.add.at(totals, column.values[known], weights[known])
        self.counts.update({name: int(total) for name, total in zip(column.categories, totals, strict=True) if total})

    def merge(self, other: "CategoryCounts") -> None:
        self._set_order(other.order)
        self.counts.update(other.counts)

    @property
    def known(self) -> int:
        """The weight of the rows whose category is known."""
        return self.counts.total()

    def _set_order(self, order: tuple[str, ...] | None) -> None:
        if self.order is not None and order is not None and self.order != order:
            message = f"an ordered category has another order in some batches: {self.order} and {order}"
            raise SchemaError(message)
        self.order = order if self.order is None else self.order


class TableSummary:
    """A statistic: kinds, ranges, cells, distinct values and categories of every column."""

    def __init__(self, max_distinct: int) -> None:
        self.max_distinct = max_distinct
        self.n_rows = 0
        self.total_weight = 0
        self.names: tuple[str, ...] | None = None
        self.kinds: list[Kind] = []
        self.columns: list[NumberSummary | CategoryCounts | None] = []

    def empty(self) -> Self:
        return type(self)(self.max_distinct)

    def add(self, block: RawBlock) -> None:
        table = block.table
        self._start(table.names)
        self.n_rows += len(table)
        self.total_weight += int(block.weights.sum())
        for j, column in enumerate(table.columns):
            self._set_kind(j, column.kind)
            summary: Any = self.columns[j]
            if summary is not None and column.kind is not Kind.EMPTY:
                summary.add(column, block.weights)

    def merge(self, other: Self) -> None:
        if other.names is None:
            return
        self._start(other.names)
        self.n_rows += other.n_rows
        self.total_weight += other.total_weight
        for j, kind in enumerate(other.kinds):
            self._set_kind(j, kind)
            summary: Any = self.columns[j]
            if summary is not None and other.columns[j] is not None:
                summary.merge(other.columns[j])

    def schema(self) -> Schema:
        """Give the schema of the rows seen."""
        if self.names is None:
            message = "there are no rows to learn from"
            raise SchemaError(message)
        return Schema(tuple(self._feature(j) for j in range(len(self.names))))

    def _feature(self, j: int) -> Feature:
        name, kind, summary = (self.names or ())[j], self.kinds[j], self.columns[j]
        if summary is None:
            return Feature(name, kind, has_missing=True)
        has_missing = summary.known < self.total_weight
        if isinstance(summary, CategoryCounts):
            categories = summary.order if summary.order is not None else tuple(sorted(summary.counts))
            return Feature(name, kind, categories, has_missing=has_missing)
        return Feature(name, kind, integral=summary.integral and summary.known > 0, has_missing=has_missing)

    def _start(self, names: tuple[str, ...]) -> None:
        if self.names is None:
            self.names = names
            self.kinds = [Kind.EMPTY] * len(names)
            self.columns = [None] * len(names)
        elif self.names != names:
            message = f"the batches have different columns: {', '.join(self.names)} and {', '.join(names)}"
            raise SchemaError(message)

    def _set_kind(self, j: int, kind: Kind) -> None:
        if kind is Kind.EMPTY:
            return
        if self.kinds[j] is Kind.EMPTY:
            self.kinds[j] = kind
            self.columns[j] = NumberSummary(self.max_distinct) if kind.is_numeric else CategoryCounts()
        elif self.kinds[j] is not kind:
            message = (
                f"column {(self.names or ())[j]!r} holds values of kind {self.kinds[j]} in some batches and "
                f"{kind} in others; give it one type"
            )
            raise ColumnTypeError(message)


class CellSplit:
    """A statistic: counts of the numbers in a few intervals, each split into 256 equal parts.

    `intervals[j]` holds the lower and upper ends, shape (n_intervals, 2), of column j; sorted and apart.
    """

    def __init__(self, intervals: dict[int, NDArray[np.float64]]) -> None:
        self.intervals = intervals
        self.counts = {j: np.zeros((len(ends), N_SPLITS), dtype=np.int64) for j, ends in intervals.items()}

    def empty(self) -> Self:
        return type(self)(self.intervals)

    def add(self, block: RawBlock) -> None:
        for j, ends in self.intervals.items():
            values = block.table.columns[j].numbers()
            seen = ~np.isnan(values)
            values, weights = values[seen], block.weights[seen]
            interval = np.searchsorted(ends[:, 0], values, side="right") - 1
            inside = (interval >= 0) & (values <= ends[interval, 1])
            values, interval, weights = values[inside], interval[inside], weights[inside]
            part = split_part(values, ends[interval, 0], ends[interval, 1])
            encode.add_to_cells(self.counts[j].reshape(-1), interval * N_SPLITS + part, weights)

    def merge(self, other: Self) -> None:
        for j, counts in other.counts.items():
            self.counts[j] += counts


def split_part(values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give which of the 256 equal parts of ``[low, high]`` each value lies in."""
    part = ((values - low) / (high - low) * N_SPLITS).astype(np.int64)
    return np.minimum(part, N_SPLITS - 1)


class Moments:
    """A statistic: sums of the numbers of each column and of their squares, about a fixed centre.

    Columns are given as (column index, centre, largest distance from the centre); `total_weight` bounds the sums.
    """

    def __init__(self, columns: Sequence[tuple[int, float, float]], total_weight: int) -> None:
        self.columns = columns
        self.total_weight = total_weight
        self.unit = fixed_unit(1.0, total_weight)
        self.known = np.zeros(len(columns), dtype=np.int64)
        self.sums = np.zeros(len(columns), dtype=np.int64)
        self.squares = np.zeros(len(columns), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.columns, self.total_weight)

    def add(self, block: RawBlock) -> None:
        for position, (j, center, radius) in enumerate(self.columns):
            values = np.asarray(block.table.columns[j].values, dtype=np.float64)
            known, total, squares = add_moments(values, block.weights, center, radius, self.unit)
            self.known[position] += known
            self.sums[position] += total
            self.squares[position] += squares

    def merge(self, other: Self) -> None:
        self.known += other.known
        self.sums += other.sums
        self.squares += other.squares

    def mean_and_deviation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the mean and the standard deviation of each column, in its own units."""
        centers = np.array([center for _, center, _ in self.columns])
        radii = np.array([radius for _, _, radius in self.columns])
        with np.errstate(invalid="ignore"):
            offset = self.sums / self.unit / self.known
            variance = self.squares / self.unit / self.known - offset * offset
        return centers + offset * radii, np.sqrt(np.maximum(variance, 0.0)) * radii
