"""Bins: each column as one byte per row, with round thresholds between the codes, chosen from counts alone."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.encode_kernels import GRID_CELLS, MISSING, encode_numbers
from xseg.core.numbers import NumberSummary, find_midpoints, find_roundest_of_each
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.summaries import CategoryCounts, CellSplit, TableSummary
from xseg.core.tables import Column, Table
from xseg.core.texts import TRUTHS, has_digit, is_blank, parse_numbers, parse_truths
from xseg.exceptions import DataError, RareCategoriesWarning, warn_caller

__all__ = [
    "MAX_BINS",
    "MISSING",
    "N_CODES",
    "Bins",
    "FeatureBins",
    "as_kind",
    "category_bins",
    "choose_bins",
    "number_bins",
    "read_as",
    "reduce_codes",
]


MAX_BINS = 255
N_CODES = 256
# As many comparisons take as long as one look-up in a grid.
_MAX_COMPARED = 8
_SPREAD_WEIGHT = 0.05
_SHARE_WORTH_TELLING = 0.01


@dataclass(frozen=True, eq=False)
class FeatureBins:
    """How one column becomes codes.

    A number's code is the number of `thresholds` that are at most that number; a category's code is its position in
    `categories`. Missing values, unseen categories and rare ones have the last code, 255.

    Attributes
    ----------
    feature : Feature
        The column.
    thresholds : ndarray of shape (n_codes - 1,)
        Increasing candidate thresholds of a number; empty for categories.
    categories : tuple of str
        The categories with a code of their own.
    """

    feature: Feature
    thresholds: NDArray[np.float64]
    categories: tuple[str, ...] = ()

    @cached_property
    def _grid(self) -> tuple[NDArray[np.float64], NDArray[np.int64], float, float, float, int]:
        return lay_grid(self.thresholds)

    def __getstate__(self) -> dict[str, Any]:
        # The grid is eight times as large as what it is laid from.
        return {name: value for name, value in self.__dict__.items() if name != "_grid"}

    @property
    def n_codes(self) -> int:
        """Number of codes besides that of missing values."""
        return len(self.thresholds) + 1 if self.feature.kind.is_numeric else len(self.categories)

    @property
    def is_ordered(self) -> bool:
        """Whether splits are thresholds, rather than subsets of categories."""
        return self.feature.kind is not Kind.CATEGORY

    def encode(self, column: Column, out: NDArray[np.uint8]) -> None:
        """Write the codes of a column."""
        if not self.feature.kind.has_values:
            out[:] = MISSING
        elif self.feature.kind.is_numeric:
            # Room of its own: the codes of one row, or of one column, lie in memory as no others do.
            room = np.zeros(len(out), dtype=np.uint8)
            self._encode_numbers(column, room)
            out[:] = room
        else:
            place = {name: code for code, name in enumerate(self.categories)}
            codes = [place.get(name, MISSING) for name in column.categories]
            out[:] = np.array([*codes, MISSING], dtype=np.uint8)[column.values]

    def _encode_numbers(self, column: Column, room: NDArray[np.uint8]) -> None:
        """Add the codes of numbers to zeros."""
        values = column.doubles()
        if len(self.thresholds) > _MAX_COMPARED:
            infinite = encode_numbers(values, *self._grid, room)
            if infinite >= 0:
                raise column.infinite(infinite)
            return
        for threshold in self.thresholds:
            room += values >= threshold
        if not np.isfinite(values).all():
            infinities = np.isinf(values)
            if infinities.any():
                raise column.infinite(int(infinities.argmax()))
            room[np.isnan(values)] = MISSING


def reduce_codes(full: FeatureBins, reduced: FeatureBins) -> NDArray[np.intp]:
    """Return the code over fewer thresholds of each code over all of them, shape (256,)."""
    if not full.feature.kind.is_numeric:
        return np.arange(N_CODES)
    codes = np.full(N_CODES, int(MISSING))
    starts = np.append(-np.inf, full.thresholds)
    codes[: len(starts)] = np.searchsorted(reduced.thresholds, starts, side="right")
    return codes


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """How the columns of a table become codes.

    Attributes
    ----------
    features : tuple of FeatureBins
        One per column.
    """

    features: tuple[FeatureBins, ...]

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> FeatureBins:
        return self.features[index]

    @property
    def schema(self) -> Schema:
        """The columns."""
        return Schema(tuple(bins.feature for bins in self.features))

    def encode(self, table: Table, only: Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Return the codes of a table, shape (n_rows, n_features).

        With `only`, the other features are checked but left as code 0.
        """
        codes = np.zeros((len(table), len(self)), dtype=np.uint8)
        wanted = range(len(self)) if only is None else set(only)
        for j, (column, bins) in enumerate(zip(self.read(table).columns, self.features, strict=True)):
            if j in wanted:
                bins.encode(column, codes[:, j])
        return codes

    def read(self, table: Table) -> Table:
        """Convert columns to the kinds they had in fit; a column that has its kind already is not copied.

        Raises
        ------
        DataError
            There are other columns than in fit, or they come in another order.
        DataError
            A column holds values of another kind.
        """
        expected = self.schema.names
        if len(table.columns) != len(expected):
            message = f"rows must have the {len(expected)} columns of the fit, got {len(table.columns)}"
            raise DataError(message)
        if table.named and table.names != expected and set(table.names) == set(expected):
            message = f"columns must come in the order of the fit ({', '.join(expected)}), got {', '.join(table.names)}"
            raise DataError(message)
        return read_as(table, [bins.feature for bins in self.features])


def read_as(table: Table, features: Sequence[Feature]) -> Table:
    """Convert the first columns of a table to the kinds of `features`; columns beyond those stay as they are."""
    read = tuple(as_kind(column, feature) for column, feature in zip(table.columns, features, strict=False))
    return replace(table, columns=(*read, *table.columns[len(read) :]))


def as_kind(column: Column, feature: Feature) -> Column:
    """Convert a column to the kind that the feature had in fit.

    Texts are read as the numbers or truth values they state where the feature came as such texts.

    Raises
    ------
    DataError
        The column holds values of another kind.
    """
    if feature.kind is Kind.EXCLUDED:
        return Column(column.name, Kind.EXCLUDED, np.full(len(column.values), np.nan))
    if feature.kind is Kind.EMPTY and column.kind is not Kind.DATE:
        return Column(column.name, Kind.EMPTY, np.full(len(column.values), np.nan))
    if column.kind is Kind.EMPTY and not feature.kind.is_numeric:
        return Column(column.name, feature.kind, np.full(len(column.values), -1))
    if column.kind is Kind.DATE:
        _raise_wrong_kind(column, feature)
    if column.kind is Kind.NUMBER and feature.kind is Kind.BOOLEAN:
        return _as_flags(column)
    if column.kind.is_numeric == feature.kind.is_numeric:
        return column
    return _from_texts(column, feature) if feature.kind.is_numeric else _raise_wrong_kind(column, feature)


def _as_flags(column: Column) -> Column:
    """Convert a column of 0 and 1 to truth values; one with other numbers stays, where 1 and more counts as true."""
    values = np.asarray(column.values)
    return (
        replace(column, kind=Kind.BOOLEAN)
        if bool(((values == 0) | (values == 1) | (values != values)).all())
        else column
    )


def _from_texts(column: Column, feature: Feature) -> Column:
    """Read texts as the numbers or truth values that the feature holds."""
    codes, place = np.unique(column.values, return_inverse=True)
    texts = [column.categories[code] for code in codes.tolist() if code >= 0]
    if feature.kind is Kind.BOOLEAN and all(is_blank(text) or text.strip() in TRUTHS for text in texts):
        values = parse_truths(texts)
    elif feature.kind is Kind.NUMBER and feature.decimal is not None:
        values = parse_numbers(texts, feature.decimal)
        if any(np.isnan(value) and has_digit(text) for value, text in zip(values, texts, strict=True)):
            _raise_wrong_kind(column, feature)
    else:
        return _raise_wrong_kind(column, feature)
    if len(texts) < len(codes):
        values = np.concatenate([[np.nan], values])
    return Column(column.name, feature.kind, values[place])


def _raise_wrong_kind(column: Column, feature: Feature) -> Column:
    was = {Kind.BOOLEAN: "true or false", Kind.EMPTY: "nothing"}.get(
        feature.kind, "numbers" if feature.kind.is_numeric else "text"
    )
    if column.kind is Kind.DATE:
        message = (
            f"column {column.name!r} must hold {was} as in fit; it holds dates or times. Fit again, or leave them out"
        )
        raise DataError(message)
    first = ""
    known = np.flatnonzero(column.values >= 0) if column.categories else np.flatnonzero(~np.isnan(column.values))
    if len(known):
        value: Any = column.values[known[0]]
        shown = repr(column.categories[value]) if column.categories else f"{value:g}"
        first = f" (first: {shown}, row {known[0]})"
    now = "text" if column.categories else "numbers"
    cures = {Kind.NUMBER: "pandas.to_numeric", Kind.BOOLEAN: "column == 'the word for true'"}
    message = f"column {column.name!r} must hold {was} as in fit; it holds {now}{first}."
    raise DataError(
        message,
        in_python=f"Convert it with {cures.get(feature.kind, 'astype(str)')}, or fit again.",
        on_command_line="Correct the column, or fit again.",
    )


def lay_grid(
    thresholds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int64], float, float, float, int]:
    """Return what `encode_numbers` needs of sorted thresholds: an even grid, and how many lie before each of its cells.

    Returns
    -------
    thresholds : ndarray of shape (n_thresholds + 1,)
        The thresholds, and a NaN.
    first : ndarray of shape (1025,)
        The number of thresholds before each cell.
    low, high, scale : float
        The ends of the grid, and its cells per unit.
    n_steps : int
        The most thresholds in one cell.
    """
    first = np.zeros(GRID_CELLS + 1, dtype=np.int64)
    if not len(thresholds):
        return np.array([np.nan]), first, 0.0, 0.0, 0.0, 0
    low, high = float(thresholds[0]), float(thresholds[-1])
    with np.errstate(divide="ignore", over="ignore"):
        scale = float(np.float64(GRID_CELLS) / (high / 2 - low / 2))
    scale = scale if scale < np.inf else 0.0
    cells = np.minimum(((thresholds / 2 - low / 2) * scale).astype(np.int64), GRID_CELLS - 1)
    counts = np.bincount(cells, minlength=GRID_CELLS)
    first[1:] = np.cumsum(counts)
    return np.append(thresholds, np.nan), first, low, high, scale, int(counts.max())


def number_bins(
    feature: Feature,
    distinct: NDArray[np.float64] | None,
    edges: NDArray[np.float64],
    masses: NDArray[np.int64],
    max_bins: int,
    *,
    rounded: bool = True,
) -> FeatureBins:
    """Choose thresholds for a number.

    Parameters
    ----------
    feature : Feature
        The column.
    distinct : ndarray or None
        All its values, sorted, if there are few enough to keep each apart.
    edges, masses : ndarray of shape (n_cells + 1,) and (n_cells,)
        Otherwise: the ends of the cells its values were counted in, and the weight in each.
    max_bins : int
        The largest number of codes.
    rounded : bool, default=True
        Whether thresholds are the roundest numbers of their intervals, rather than the middles.
    """
    if distinct is not None and len(distinct) <= max_bins:
        windows: Iterable[tuple[float, float]] = pairwise(distinct.tolist())
    else:
        windows = _quantile_windows(edges, masses, max_bins)
    low, high = np.array(list(windows), dtype=np.float64).reshape(-1, 2).T
    thresholds = find_roundest_of_each(low, high) if rounded else find_midpoints(low, high)
    return FeatureBins(feature, np.unique(thresholds))


def _quantile_windows(
    edges: NDArray[np.float64], masses: NDArray[np.int64], max_bins: int
) -> Iterable[tuple[float, float]]:
    """Divide the range into intervals of equal mass; each gets one threshold.

    The mass is a mixture of the share of rows and, with weight `_SPREAD_WEIGHT`, the share of the variance, so that
    thresholds also lie in the tails, where few rows make up much of a k-means cost.
    """
    share = masses / masses.sum()
    places = edges[:-1] / 2 + edges[1:] / 2
    scale = max(float(np.abs(edges).max()), np.finfo(np.float64).tiny)
    offsets = (places - share @ places) / scale
    spread = share * offsets * offsets
    if spread.sum() > 0:
        share = (1 - _SPREAD_WEIGHT) * share + _SPREAD_WEIGHT * spread / spread.sum()
    reached = np.concatenate([[0], np.cumsum(share)])
    levels = (np.arange(max_bins) + 0.5) / max_bins
    ends = np.unique(edges[np.searchsorted(reached, levels)])
    return pairwise(ends.tolist())


def category_bins(
    feature: Feature,
    counts: Mapping[str, int],
    max_bins: int,
    rows: Mapping[str, int],
    min_members: int = 1,
    *,
    named: Collection[str] = (),
    warns: bool = True,
) -> FeatureBins:
    """Choose the categories of a column that have a code of their own; the rare ones share that of missing values.

    Parameters
    ----------
    feature : Feature
        The column. The categories of an ordered category are declared by its type, so all are kept.
    counts, rows : mapping
        The weight of each category, and the number of rows that have it.
    max_bins : int
        The largest number of codes.
    min_members : int, default=1
        The smallest number of rows of a category that is kept, so that no stored category reveals single rows.
    named : collection of str, default=()
        Categories that are kept before all others, however few rows have them.
    warns : bool, default=True
        Whether to warn if so many rows lose their category that it matters.
    """
    if feature.kind is Kind.ORDERED and len(feature.categories) <= max_bins:
        return FeatureBins(feature, np.empty(0), feature.categories)
    by_weight = sorted(counts, key=lambda name: (name not in named, -counts[name], name))
    kept = {name for name in by_weight[:max_bins] if name in named or rows[name] >= min_members}
    share = sum(counts[name] for name in by_weight if name not in kept) / max(sum(counts.values()), 1)
    if warns and (len(by_weight) > max_bins or share >= _SHARE_WORTH_TELLING):
        n_rare = len(by_weight) - len(kept)
        why = (
            f"has {len(by_weight)} categories, more than max_bins={max_bins}; the rarest {n_rare}"
            if len(by_weight) > max_bins
            else f"has {n_rare} of {len(by_weight)} categories in fewer than min_members={min_members} rows each; they"
        )
        message = (
            f"column {feature.name!r} {why} ({share:.0%} of the rows) are treated as missing. If the column is an "
            "identifier, leave it out; else put rare values together, or lower min_members"
        )
        warn_caller(RareCategoriesWarning(message))
    categories = tuple(name for name in feature.categories if name in kept)
    folded = len(kept) < len(by_weight)
    kept_feature = replace(feature, categories=categories, has_missing=feature.has_missing or folded)
    return FeatureBins(kept_feature, np.empty(0), categories)


_MAX_SPLIT_ROUNDS = 4
_HEAVY_BINS = 2.0

Cells = tuple[NDArray[np.float64], NDArray[np.int64]]


def choose_bins(
    summary: TableSummary,
    schema: Schema,
    max_bins: int,
    split: Callable[[CellSplit], CellSplit],
    *,
    rounded: bool = True,
    min_members: int = 1,
    named: Mapping[str, Collection[str]] | None = None,
    warns: bool = True,
) -> Bins:
    """Choose the bins of each column.

    Parameters
    ----------
    summary : TableSummary
        The counts of the columns.
    schema : Schema
        Their features.
    max_bins : int
        The largest number of codes of a column.
    split : callable
        Sums a `CellSplit` over the rows, where cells are too coarse to place thresholds.
    rounded : bool, default=True
        Whether thresholds are round numbers.
    min_members : int, default=1
        The number of rows that must share a category for it to be kept.
    named : mapping of str to collection of str, default=None
        Categories of columns that are kept however few rows have them.
    warns : bool, default=True
        Whether to warn of rare categories.
    """
    numbers = {j: column for j, column in enumerate(summary.columns) if isinstance(column, NumberSummary)}
    crowded = {j: column.cells() for j, column in numbers.items() if not _keeps_all(column, max_bins)}
    _split_heavy_cells(crowded, max_bins, split)
    features = []
    for j, feature in enumerate(schema):
        column = summary.columns[j]
        if isinstance(column, CategoryCounts):
            kept = (named or {}).get(feature.name, ())
            features.append(
                category_bins(feature, column.counts, max_bins, column.rows, min_members, named=kept, warns=warns)
            )
        elif column is None or not column.known:
            features.append(FeatureBins(feature, np.empty(0)))
        else:
            edges, masses = crowded.get(j, (np.empty(0), np.empty(0, dtype=np.int64)))
            features.append(number_bins(feature, column.distinct, edges, masses, max_bins, rounded=rounded))
    return Bins(tuple(features))


def _keeps_all(column: NumberSummary, max_bins: int) -> bool:
    return column.distinct is not None and len(column.distinct) <= max_bins


def _split_heavy_cells(cells: dict[int, Cells], max_bins: int, split: Callable[[CellSplit], CellSplit]) -> None:
    for _ in range(_MAX_SPLIT_ROUNDS):
        # Cells that hold more than two thresholds' worth of weight are split into 256 parts, until none is left.
        heavy = {j: _heavy(*column, max_bins) for j, column in cells.items()}
        heavy = {j: chosen for j, chosen in heavy.items() if len(chosen)}
        if not heavy:
            return
        ends = {j: np.column_stack([cells[j][0][chosen], cells[j][0][chosen + 1]]) for j, chosen in heavy.items()}
        counted = split(CellSplit(ends))
        for j, chosen in heavy.items():
            cells[j] = _refine_cells(*cells[j], chosen, counted.counts[j])


def _heavy(edges: NDArray[np.float64], masses: NDArray[np.int64], max_bins: int) -> NDArray[np.int64]:
    width = np.diff(edges)
    can_split = width > 1e-12 * np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
    return np.flatnonzero(can_split & (masses * max_bins > _HEAVY_BINS * masses.sum()))


def _refine_cells(
    edges: NDArray[np.float64], masses: NDArray[np.int64], chosen: NDArray[np.int64], counts: NDArray[np.int64]
) -> Cells:
    starts, weights = [edges[:-1]], [masses.copy()]
    weights[0][chosen] = 0
    n_parts = counts.shape[1]
    for cell, parts in zip(chosen, counts, strict=True):
        starts.append(edges[cell] + (edges[cell + 1] - edges[cell]) * np.arange(n_parts) / n_parts)
        weights.append(parts)
    all_starts, all_weights = np.concatenate(starts), np.concatenate(weights)
    used = all_weights > 0
    order = np.argsort(all_starts[used], kind="stable")
    kept_starts, kept_weights = all_starts[used][order], all_weights[used][order]
    return np.append(kept_starts, edges[-1]), kept_weights
