"""Statistics of one pass over raw columns, from which their roles, bins and scales are chosen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels import encode_kernels
from xseg._kernels.encode_kernels import N_CELLS, add_moments
from xseg.core.numbers import NumberSummary
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.statistics import RawBlock, fixed_unit
from xseg.core.tables import Column
from xseg.core.texts import TextFacts
from xseg.exceptions import DataError

__all__ = ["CategoryCounts", "CellSplit", "Moments", "TableSummary"]

N_SPLITS = 256


@dataclass(slots=True)
class CategoryCounts:
    """Weight, rows and first row of each category of one column.

    Attributes
    ----------
    declared : bool
        Whether the categories are the column's type, rather than texts that were found in it.
    order : tuple of str or None
        The categories in order, for an ordered category.
    counts, rows : Counter
        The weight of each category, and the number of rows that have it.
    first : dict
        The first row that has it.
    """

    declared: bool = False
    order: tuple[str, ...] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, column: Column, weights: NDArray[np.int64], first: int) -> None:
        """Add the categories of a block whose first row is `first`."""
        self.declared = self.declared or column.declared
        self._set_order(column.categories if column.kind is Kind.ORDERED else None)
        used = np.flatnonzero((column.values >= 0) & (weights > 0))
        codes, at, place = np.unique(column.values[used], return_index=True, return_inverse=True)
        totals = np.zeros(len(codes), dtype=np.int64)
        np.add.at(totals, place, weights[used])
        n_rows = np.bincount(place, minlength=len(codes))
        rows = (first + used[at]).tolist()
        for code, total, count, row in zip(codes.tolist(), totals.tolist(), n_rows.tolist(), rows, strict=True):
            self._add(column.categories[code], total, count, row)

    def _add(self, name: str, weight: int, n_rows: int, row: int) -> None:
        self.counts[name] += weight
        self.rows[name] += n_rows
        self.first[name] = min(row, self.first.get(name, row))

    def merge(self, other: "CategoryCounts") -> None:
        """Add what `other` has counted."""
        self.declared = self.declared or other.declared
        self._set_order(other.order)
        for name, weight in other.counts.items():
            self._add(name, weight, other.rows[name], other.first[name])

    @property
    def known(self) -> int:
        """The weight of the rows whose category is known."""
        return self.counts.total()

    @property
    def n_rows(self) -> int:
        """The number of those rows."""
        return self.rows.total()

    def text_facts(self) -> TextFacts:
        """Return the counts of the kinds of texts in the column."""
        facts = TextFacts()
        for name, n_rows in self.rows.items():
            facts.add(name, n_rows, self.first[name])
        return facts

    def as_numbers(self, values: NDArray[np.float64], max_distinct: int) -> NumberSummary:
        """Return the summary of the numbers that the texts state, given for each text in the order of `rows`."""
        names = list(self.rows)
        return NumberSummary.of_counts(
            values,
            weights=np.array([self.counts[name] for name in names], dtype=np.int64),
            n_rows=np.array([self.rows[name] for name in names], dtype=np.int64),
            first=np.array([self.first[name] for name in names], dtype=np.int64),
            max_distinct=max_distinct,
        )

    def _set_order(self, order: tuple[str, ...] | None) -> None:
        if self.order is not None and order is not None and self.order != order:
            message = (
                f"an ordered category must have the same order in every batch, got {self.order} and {order}; declare "
                "one order"
            )
            raise DataError(message)
        self.order = order if self.order is None else self.order


class TableSummary:
    """A statistic: kinds, ranges, cells, distinct values and categories of every column.

    Parameters
    ----------
    max_distinct : int
        The number of codes a column may have.
    """

    def __init__(self, max_distinct: int) -> None:
        self.max_distinct = max_distinct
        self.n_rows = 0
        self.total_weight = 0
        self.names: tuple[str, ...] | None = None
        self.kinds: list[Kind] = []
        self.columns: list[NumberSummary | CategoryCounts | None] = []
        self._scratch: NDArray[np.int64] | None = None

    def empty(self) -> Self:
        return type(self)(self.max_distinct)

    def add(self, block: RawBlock) -> None:
        table = block.table
        self._start(table.names)
        self.n_rows += int(np.count_nonzero(block.weights))
        self.total_weight += int(block.weights.sum())
        if self._scratch is None:
            self._scratch = np.zeros(N_CELLS, dtype=np.int64)
        for j, column in enumerate(table.columns):
            self._set_kind(j, column.kind)
            summary = self.columns[j]
            if column.kind is Kind.EMPTY or summary is None:
                continue
            if isinstance(summary, NumberSummary):
                summary.add(column, block.weights, block.first, self._scratch)
            else:
                summary.add(column, block.weights, block.first)

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

    def replace_columns(self, kinds: Sequence[Kind], columns: Sequence[NumberSummary | CategoryCounts | None]) -> Self:
        """Return the summary of the same rows with columns read as other kinds."""
        summary = self.empty()
        summary.n_rows, summary.total_weight, summary.names = self.n_rows, self.total_weight, self.names
        summary.kinds, summary.columns = list(kinds), list(columns)
        return summary

    def take_first(self, n_columns: int) -> Self:
        """Return the summary of the first columns alone."""
        summary = self.replace_columns(self.kinds[:n_columns], self.columns[:n_columns])
        summary.names = (self.names or ())[:n_columns]
        return summary

    def schema(self) -> Schema:
        """Return the schema of the rows seen."""
        if self.names is None:
            message = "there must be at least one row to fit, got none"
            raise DataError(message)
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
            message = (
                f"all batches must have the same columns, got {', '.join(self.names)} and {', '.join(names)}; rename "
                "or reorder them"
            )
            raise DataError(message)

    def _set_kind(self, j: int, kind: Kind) -> None:
        if kind is Kind.EMPTY:
            return
        if self.kinds[j] is Kind.EMPTY:
            self.kinds[j] = kind
            self.columns[j] = self._new_column(kind)
        elif self.kinds[j] is not kind:
            message = (
                f"column {(self.names or ())[j]!r} must be of one kind in all batches, and is of kind {self.kinds[j]} "
                f"in some and {kind} in others; give it one type"
            )
            raise DataError(message)

    def _new_column(self, kind: Kind) -> NumberSummary | CategoryCounts:
        return NumberSummary(self.max_distinct) if kind.is_numeric else CategoryCounts()


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
            encode_kernels.add_to_cells(self.counts[j].reshape(-1), interval * N_SPLITS + part, weights)

    def merge(self, other: Self) -> None:
        for j, counts in other.counts.items():
            self.counts[j] += counts


def split_part(values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which of the 256 equal parts of ``[low, high]`` each value lies in."""
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
            values = block.table.columns[j].doubles()
            known, total, squares = add_moments(values, block.weights, center, radius, self.unit)
            self.known[position] += known
            self.sums[position] += total
            self.squares[position] += squares

    def merge(self, other: Self) -> None:
        self.known += other.known
        self.sums += other.sums
        self.squares += other.squares

    def mean_and_deviation(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean and the standard deviation of each column, in its own units."""
        centers = np.array([center for _, center, _ in self.columns])
        radii = np.array([radius for _, _, radius in self.columns])
        with np.errstate(invalid="ignore"):
            offset = self.sums / self.unit / self.known
            variance = self.squares / self.unit / self.known - offset * offset
        return centers + offset * radii, np.sqrt(np.maximum(variance, 0.0)) * radii
