"""Codes: each column as one byte a row, with round numbers between the codes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.encode import MISSING, encode_numbers
from xseg.core.rounding import middle, roundest
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.tables import Column, Table
from xseg.exceptions import ColumnTypeError, RareCategoriesWarning

__all__ = ["MAX_BINS", "MISSING", "N_CODES", "Bins", "FeatureBins", "category_bins", "number_bins"]

MAX_BINS = 255
N_CODES = 256
_SPREAD_WEIGHT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBins:
    """How one column becomes codes.

    A number's code is how many `thresholds` are at most that number; a category's code is its place among
    `categories`. Missing values, unseen categories and folded rare ones get the last code, 255.

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

    @property
    def n_codes(self) -> int:
        """How many codes there are beside the one for missing values."""
        return len(self.thresholds) + 1 if self.feature.kind.is_numeric else len(self.categories)

    @property
    def is_ordered(self) -> bool:
        """Whether cuts are thresholds (rather than subsets of categories)."""
        return self.feature.kind is not Kind.CATEGORY

    def encode(self, column: Column, out: NDArray[np.uint8]) -> None:
        """Write the codes of a column."""
        if self.feature.kind is Kind.EMPTY:
            out[:] = MISSING
        elif self.feature.kind.is_numeric:
            infinite = encode_numbers(column.values, self.thresholds, out)
            if infinite >= 0:
                raise column.infinite(infinite)
        else:
            place = {name: code for code, name in enumerate(self.categories)}
            codes = [place.get(name, MISSING) for name in column.categories]
            out[:] = np.array([*codes, MISSING], dtype=np.uint8)[column.values]


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
        """Give the codes of a table, shape (n_rows, n_features).

        With `only`, the other features are checked but left as code 0.
        """
        codes = np.zeros((len(table), len(self)), dtype=np.uint8)
        wanted = range(len(self)) if only is None else set(only)
        for j, bins in enumerate(self.features):
            column = as_kind(table.columns[j], bins.feature)
            if j in wanted:
                bins.encode(column, codes[:, j])
        return codes


def as_kind(column: Column, feature: Feature) -> Column:
    """Give the column in the form the feature had when it was fitted, or refuse."""
    if column.kind is Kind.EMPTY or feature.kind is Kind.EMPTY:
        if feature.kind.is_numeric:
            return column if column.kind.is_numeric else _refuse(column, feature)
        return Column(column.name, feature.kind, np.full(len(column.values), -1))
    if column.kind.is_numeric != feature.kind.is_numeric:
        return _refuse(column, feature)
    return column


def _refuse(column: Column, feature: Feature) -> Column:
    if feature.kind is Kind.EMPTY:
        return Column(column.name, Kind.EMPTY, np.full(len(column.values), np.nan))
    first = ""
    known = np.flatnonzero(column.values >= 0) if column.categories else np.flatnonzero(~np.isnan(column.values))
    if len(known):
        value: Any = column.values[known[0]]
        shown = repr(column.categories[value]) if column.categories else f"{value:g}"
        first = f" (first: {shown} in row {known[0]})"
    was, now = ("numbers", "text") if feature.kind.is_numeric else ("text", "numbers")
    cure = "pandas.to_numeric" if feature.kind.is_numeric else "astype(str)"
    message = (
        f"column {column.name!r} held {was} when the segmenter was fitted and holds {now} now{first}. "
        f"Convert it with {cure}, or fit again."
    )
    raise ColumnTypeError(message)


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
        The most codes to use.
    rounded : bool, default=True
        Whether thresholds are the roundest numbers of their intervals, rather than the middles.
    """
    place = roundest if rounded else middle
    if distinct is not None and len(distinct) <= max_bins:
        windows: Iterable[tuple[float, float]] = pairwise(distinct.tolist())
    else:
        windows = _quantile_windows(edges, masses, max_bins)
    thresholds = [place(float(low), float(high)) for low, high in windows]
    return FeatureBins(feature, np.unique(np.array(thresholds, dtype=np.float64)))


def _quantile_windows(
    edges: NDArray[np.float64], masses: NDArray[np.int64], max_bins: int
) -> Iterable[tuple[float, float]]:
    """Cut the range into intervals that each hold as much as the others; an interval holds one threshold.

    What is held is a share of the rows and, for a small part, of how much they vary: a few rows far out cost as much
    as many near the middle.
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


def category_bins(feature: Feature, counts: dict[str, int], max_bins: int) -> FeatureBins:
    """Give each category a code; if there are too many, the rare ones share the code of missing values."""
    if feature.kind is Kind.ORDERED and len(feature.categories) <= max_bins:
        return FeatureBins(feature, np.empty(0), feature.categories)
    by_weight = sorted(counts, key=lambda name: (-counts[name], name))
    kept = set(by_weight[:max_bins])
    if len(by_weight) > max_bins:
        share = sum(counts[name] for name in by_weight[max_bins:]) / sum(counts.values())
        message = (
            f"column {feature.name!r} has {len(by_weight)} categories, more than max_bins={max_bins}; the rarest "
            f"{len(by_weight) - max_bins} ({share:.0%} of the rows) are treated as missing. If the column is an "
            "identifier, leave it out; if it holds numbers, convert it with pandas.to_numeric"
        )
        warn(message, RareCategoriesWarning, stacklevel=2)
    categories = tuple(name for name in feature.categories if name in kept)
    folded = len(by_weight) > max_bins
    kept_feature = replace(feature, categories=categories, has_missing=feature.has_missing or folded)
    return FeatureBins(kept_feature, np.empty(0), categories)
