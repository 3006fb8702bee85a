"""What one pass over a numeric column must count, so that bins, scales and its role can be chosen.

A few distinct values are kept apart, with their weights. A column with more is counted in 65,536 cells keyed by the
upper 16 bits of the order-preserving integer image of float32: no range is needed, and a cell is at most 0.8 % wide.
Which of the two it is depends on the values alone, never on their order or on how they came in blocks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, floor, inf, log10

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.encode_kernels import N_CELLS, STRETCH_ROWS, collect_distinct, count_numbers
from xseg.core.schema import Kind
from xseg.core.tables import Column
from xseg.exceptions import DataError

__all__ = [
    "MAX_NUMBER",
    "NumberSummary",
    "cell_edges",
    "cell_keys",
    "find_midpoints",
    "find_roundest",
    "find_roundest_of_each",
]

# Cells are keyed by single precision, which ends at 3.4e38; squares of such numbers can still be added.
MAX_NUMBER = 1e38

_ALL_BUT_SIGN = np.int32(2**31 - 1)
_MAX_KEPT = 4_096
_SKETCH_SIZE = 1_024
_EARLIEST_DAY, _LATEST_DAY = 1900_01_01, 2100_12_31
_LONGEST_MONTH, _MONTHS = 31, 12


def _too_large(name: str, value: float) -> DataError:
    message = (
        f"numbers must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}, and column {name!r} holds {value:g}; correct "
        "the value, replace it by NaN if it is not known, or express the column in a larger unit"
    )
    return DataError(message)


def cell_keys(values: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the cell that `count_numbers` counts each number in; NaN goes anywhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        image = (values + 0.0).astype(np.float32).view(np.int32)
    return (np.where(image < 0, image ^ _ALL_BUT_SIGN, image) >> 16) + np.int32(N_CELLS // 2)


def cell_edges(keys: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the smallest number of each cell."""
    image = ((keys - N_CELLS // 2) << 16).astype(np.int32)
    return np.where(image < 0, image ^ _ALL_BUT_SIGN, image).view(np.float32).astype(np.float64)


@dataclass(slots=True)
class NumberSummary:
    """Counts of one numeric column.

    Attributes
    ----------
    max_distinct : int
        The number of codes the column may have; up to as many values are given one by one.
    low, high : float
        The lowest and the highest value.
    low_row, high_row : int
        The first rows that hold them.
    integral : bool
        Whether every value is a whole number.
    are_dates : bool
        Whether every value reads as a day, such as 20240131.
    known : int
        The weight of the rows whose value is known.
    n_rows : int
        The number of those rows.
    """

    max_distinct: int
    low: float = np.inf
    high: float = -np.inf
    low_row: int = -1
    high_row: int = -1
    integral: bool = True
    are_dates: bool = True
    known: int = 0
    n_rows: int = 0
    _values: NDArray[np.float64] | None = field(default_factory=lambda: np.empty(0))
    _weights: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    _cells: NDArray[np.int64] | None = None
    _sketch: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    @classmethod
    def of_counts(
        cls,
        values: NDArray[np.float64],
        *,
        weights: NDArray[np.int64],
        n_rows: NDArray[np.int64],
        first: NDArray[np.int64],
        max_distinct: int,
    ) -> "NumberSummary":
        """Return the summary of rows given by their values, with the number and the first of the rows with each."""
        summary = cls(max_distinct)
        column = Column("", Kind.NUMBER, values)
        summary.add(column, weights, 0, np.zeros(N_CELLS, dtype=np.int64))
        known = ~np.isnan(values)
        if known.any():
            summary.n_rows = int(n_rows[known].sum())
            summary.low_row, summary.high_row = (int(first[values == end].min()) for end in (summary.low, summary.high))
        return summary

    def add(self, column: Column, weights: NDArray[np.int64], first: int, scratch: NDArray[np.int64]) -> None:
        """Add the values of a block whose first row is `first`; `scratch` are cells whose content does not matter."""
        values = column.doubles()
        cells = scratch if self._cells is None else self._cells
        single = np.empty(STRETCH_ROWS, dtype=np.float32)
        low, high, known, whole, infinite = count_numbers(values, weights, single, single.view(np.int32), cells)
        if infinite >= 0:
            raise column.infinite(infinite)
        if max(high, -low) > MAX_NUMBER:
            raise _too_large(column.name, high if high > MAX_NUMBER else low)
        if known == 0:
            return
        self._add_facts(values, weights, first, (low, high), whole)
        self.known += known
        if self._cells is None:
            self._keep(values, weights)
        elif self.integral:
            self._add_to_sketch(_hashes(values[(weights > 0) & ~np.isnan(values)]))

    def _add_facts(
        self,
        values: NDArray[np.float64],
        weights: NDArray[np.int64],
        first: int,
        ends: tuple[float, float],
        whole: bool,
    ) -> None:
        seen = values[(weights > 0) & ~np.isnan(values)]
        self._add_end_rows(*ends, *(first + int((values == end).argmax()) for end in ends))
        self.n_rows += len(seen)
        self.integral = self.integral and whole
        self.are_dates = self.are_dates and whole and _are_days(seen, *ends)

    def _add_end_rows(self, low: float, high: float, low_row: int, high_row: int) -> None:
        if low < self.low or (low == self.low and low_row < self.low_row):
            self.low, self.low_row = low, low_row
        if high > self.high or (high == self.high and high_row < self.high_row):
            self.high, self.high_row = high, high_row

    def merge(self, other: "NumberSummary") -> None:
        """Add what `other` has counted."""
        if other.known == 0:
            return
        self._add_end_rows(other.low, other.high, other.low_row, other.high_row)
        self.known += other.known
        self.n_rows += other.n_rows
        self.integral = self.integral and other.integral
        self.are_dates = self.are_dates and other.are_dates
        if other._cells is None:
            assert other._values is not None
            self._keep(other._values, other._weights)
            return
        if self._cells is None:
            self._switch_to_cells()
        assert self._cells is not None
        self._cells += other._cells
        self._add_to_sketch(other._sketch)

    def _keep(self, values: NDArray[np.float64], weights: NDArray[np.int64]) -> None:
        """Add values to those kept one by one, or to the cells once there are too many."""
        if self._cells is not None:
            self._add_to_cells(values, weights)
            return
        assert self._values is not None
        if len(self._values) <= self.max_distinct:
            found, totals = np.empty(self.max_distinct), np.empty(self.max_distinct, dtype=np.int64)
            n_known = len(self._values)
            found[:n_known], totals[:n_known] = self._values, self._weights
            n_found = collect_distinct(values, weights, found, totals, n_known)
            if n_found >= 0:
                self._values, self._weights = found[:n_found], totals[:n_found]
                return
        used = (weights > 0) & ~np.isnan(values)
        together = np.concatenate([self._values, values[used]])
        # Adding zero turns -0.0 into 0.0.
        self._values, place = np.unique(together + 0.0, return_inverse=True)
        totals = np.zeros(len(self._values), dtype=np.int64)
        np.add.at(totals, place, np.concatenate([self._weights, weights[used]]))
        self._weights = totals
        if len(self._values) > _MAX_KEPT:
            self._switch_to_cells()

    def _switch_to_cells(self) -> None:
        """Count the values kept so far in cells instead."""
        assert self._values is not None
        values, weights, self._values = self._values, self._weights, None
        self._weights = np.empty(0, dtype=np.int64)
        self._cells = np.zeros(N_CELLS, dtype=np.int64)
        self._add_to_cells(values, weights)

    def _add_to_cells(self, values: NDArray[np.float64], weights: NDArray[np.int64]) -> None:
        np.add.at(self._cells, cell_keys(values), weights)  # type: ignore[arg-type]
        self._add_to_sketch(_hashes(values))

    def _add_to_sketch(self, hashes: NDArray[np.uint64]) -> None:
        if len(self._sketch) == _SKETCH_SIZE:
            hashes = hashes[hashes < self._sketch[-1]]
        if len(hashes):
            self._sketch = np.unique(np.concatenate([self._sketch, hashes]))[:_SKETCH_SIZE]

    @property
    def distinct(self) -> NDArray[np.float64] | None:
        """The distinct values, sorted, if there are at most `max_distinct`."""
        if self._values is None or len(self._values) > self.max_distinct:
            return None
        return np.sort(self._values)

    @property
    def n_distinct(self) -> int:
        """The number of distinct values; estimated, to about 3 %, where there are more than 4,096.

        The estimate is by the 1,024th smallest of uniform hashes (Bar-Yossef et al., "Counting distinct elements in a
        data stream", 2002). It is made for whole numbers only; for others the number of rows is returned.
        """
        if self._values is not None:
            return len(self._values)
        if not self.integral:
            return self.n_rows
        share = float(self._sketch[-1]) / 2.0**64
        return min(self.n_rows, round((_SKETCH_SIZE - 1) / share))

    def cells(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the ends of the cells that hold values, and the weight in each."""
        if self._cells is not None:
            keys = np.flatnonzero(self._cells)
            masses = self._cells[keys]
        else:
            assert self._values is not None
            keys, place = np.unique(cell_keys(self._values).astype(np.int64), return_inverse=True)
            masses = np.zeros(len(keys), dtype=np.int64)
            np.add.at(masses, place, self._weights)
        # Clipping to the lowest value keeps a threshold in the lowest cell above that value, so that it splits rows.
        return np.clip(cell_edges(np.append(keys, keys[-1] + 1)), self.low, self.high), masses

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return values in increasing order and their weights: exact if few are distinct, else one for each cell."""
        if self._values is not None:
            order = np.argsort(self._values)
            return self._values[order], self._weights[order]
        edges, masses = self.cells()
        return edges[:-1] / 2 + edges[1:] / 2, masses

    def common_range(self, min_weight: int) -> tuple[float, float]:
        """Return a range of which both end cells, and all beyond them, hold `min_weight` or more."""
        edges, masses = self.cells()
        reached = np.cumsum(masses)
        first = int(np.searchsorted(reached, min_weight))
        last = int(np.searchsorted(reached, reached[-1] - min_weight, side="right"))
        return (float(edges[first]), float(edges[last + 1])) if first <= last else (self.low, self.high)


def _hashes(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return uniform 64-bit hashes of numbers, by the finaliser of MurmurHash3 (Appleby, public domain)."""
    mixed = (np.ascontiguousarray(values) + 0.0).view(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))


def _are_days(values: NDArray[np.float64], low: float, high: float) -> bool:
    """Return whether whole numbers all read as days, such as 20240131."""
    if not _EARLIEST_DAY <= low <= high <= _LATEST_DAY:
        return False
    days = values.astype(np.int64)
    parts: Iterable[tuple[NDArray[np.int64], int]] = ((days // 100 % 100, _MONTHS), (days % 100, _LONGEST_MONTH))
    return all(bool(((part >= 1) & (part <= most)).all()) for part, most in parts)


_LEADING_DIGITS = (5, 2, 1)


def find_roundest(low: float, high: float) -> float:
    """Return the number in ``(low, high]`` that is a multiple of the largest step 1, 2 or 5 times a power of ten.

    Among several multiples of that step the one nearest the middle wins.

    Parameters
    ----------
    low, high : float
        The interval; `low` is left out. ``low < high``.

    Returns
    -------
    float
        The roundest number of the interval.

    Examples
    --------
    >>> find_roundest(148.2, 151.7), find_roundest(2.0, 3.0), find_roundest(-0.4, 0.3), find_roundest(0.27, 0.31)
    (150.0, 3.0, 0.0, 0.3)
    """
    if low < 0 <= high:
        return 0.0
    center = low / 2 + high / 2
    magnitude = max(abs(low), abs(high))
    first = floor(log10(magnitude)) + 1 if 0 < magnitude < inf else 0
    for exponent in range(first, first - 19, -1):
        for digit in _LEADING_DIGITS:
            value = _multiple_inside(digit, exponent, low, high, center)
            if value is not None:
                return value
    return high


# A whole number below 2**50, times or divided by one of these powers of ten, is the double nearest to the decimal.
_POWERS = np.array([10.0**exponent for exponent in range(-22, 23)])
_MAX_COUNT = 2.0**50


def find_roundest_of_each(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `find_roundest` of many intervals, shape (n_intervals,).

    Parameters
    ----------
    low, high : ndarray of shape (n_intervals,)
        The intervals; `low` is left out. ``low < high``.

    Returns
    -------
    ndarray of shape (n_intervals,)
        The roundest number of each interval.

    Examples
    --------
    >>> find_roundest_of_each(np.array([148.2, -0.4]), np.array([151.7, 0.3]))
    array([150.,   0.])
    """
    out = np.where((low < 0) & (high >= 0), 0.0, np.nan)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    ordinary = (magnitude > 1e-4) & (magnitude < 1e21)
    open_ = np.flatnonzero(np.isnan(out) & ordinary)
    first = np.floor(np.log10(np.where(ordinary, magnitude, 1.0))).astype(np.int64) + 1
    for down in range(18):
        for digit in _LEADING_DIGITS:
            if not len(open_):
                break
            found = _find_multiples(digit, first[open_] - down, low[open_], high[open_])
            out[open_] = found
            open_ = open_[np.isnan(found)]
    for place in np.flatnonzero(np.isnan(out)):
        out[place] = find_roundest(float(low[place]), float(high[place]))
    return out


def _find_multiples(
    digit: int, exponent: NDArray[np.int64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return in each interval the multiple of a step that is nearest its middle; NaN where there is none."""
    out = np.full(len(low), np.nan)
    step, center = digit * _POWERS[exponent + 22], low / 2 + high / 2
    nearest = np.rint(center / step)
    near = np.abs(nearest * step - center) <= (high / 2 - low / 2) + 1e-9 * np.abs(center)
    some = np.flatnonzero(near & (np.abs(center) / step < _MAX_COUNT))
    counts = nearest[some, None] + np.arange(-2, 3)
    power = _POWERS[np.abs(exponent[some]) + 22][:, None]
    values = np.where(exponent[some, None] >= 0, counts * digit * power, counts * digit / power)
    inside = (values > low[some, None]) & (values <= high[some, None])
    distance = np.where(inside, np.abs(values - center[some, None]), np.inf)
    best = distance.argmin(axis=1)
    out[some] = np.where(inside.any(axis=1), np.take_along_axis(values, best[:, None], axis=1)[:, 0], np.nan)
    return out


def find_midpoints(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of each interval, or its upper end if no number lies between."""
    between = low / 2 + high / 2
    return np.where((low < between) & (between <= high), between, high)


def _multiple_inside(digit: int, exponent: int, low: float, high: float, center: float) -> float | None:
    step = digit * 10.0**exponent
    if step == 0 or not abs(center) / step < 2**53:
        return None
    nearest = round(center / step) * step
    if abs(nearest - center) > (high / 2 - low / 2) + 1e-9 * abs(center):
        return None
    lowest, highest = floor(low / step), ceil(high / step)
    if highest - lowest > 3:
        lowest, highest = round(center / step) - 1, round(center / step) + 1
    # Parsing the decimal gives 0.3 where 3 * 0.1 would give 0.30000000000000004.
    candidates = (float(f"{count * digit}e{exponent}") for count in range(lowest, highest + 1))
    inside = [value for value in candidates if low < value <= high]
    return min(inside, key=lambda value: abs(value - center)) if inside else None
