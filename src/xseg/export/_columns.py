"""Columns: how their values become codes, and how the codes are spread over the segments."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MAX_BINS, N_CODES, Bins, FeatureBins
from xseg.core.profiles import Profile
from xseg.core.schema import Feature, Kind
from xseg.export._document import Count, Finite, StrictDocument, check

__all__ = ["ColumnDocument", "build_bins", "build_counted", "describe_bins", "describe_counts"]


class ColumnDocument(StrictDocument):
    """One column, and the thresholds or categories of its codes."""

    name: str
    kind: Literal["number", "boolean", "category", "ordered category", "empty", "excluded"]
    integral: bool
    has_missing: bool
    decimal: Literal[".", ","] | None
    categories: list[str]
    thresholds: list[Finite]


def describe_bins(bins: Bins) -> list[dict[str, Any]]:
    """Return a document for each column."""
    return [
        {
            "name": column.feature.name,
            "kind": str(column.feature.kind),
            "integral": column.feature.integral,
            "has_missing": column.feature.has_missing,
            "decimal": column.feature.decimal,
            "categories": list(column.categories),
            "thresholds": column.thresholds.tolist(),
        }
        for column in bins.features
    ]


def build_bins(columns: Sequence[ColumnDocument]) -> Bins:
    """Build the bins of the columns."""
    bins = Bins(tuple(_column_bins(column, f"columns.{j}") for j, column in enumerate(columns)))
    check(len(set(bins.schema.names)) == len(bins), "columns", "two columns have the same name")
    return bins


def _column_bins(column: ColumnDocument, where: str) -> FeatureBins:
    kind = Kind(column.kind)
    thresholds = np.array(column.thresholds, dtype=np.float64)
    check(bool((np.diff(thresholds) > 0).all()), f"{where}.thresholds", "must increase")
    check(len(thresholds) < MAX_BINS and len(column.categories) <= MAX_BINS, where, "has too many codes")
    check(kind.has_values or not len(thresholds), f"{where}.thresholds", "a column that is not used has none")
    check(kind.is_numeric or not len(thresholds), f"{where}.thresholds", "a category has none")
    check(not kind.is_numeric or not column.categories, f"{where}.categories", "a number has none")
    check(len(set(column.categories)) == len(column.categories), f"{where}.categories", "repeats itself")
    categories = tuple(column.categories)
    return FeatureBins(
        Feature(column.name, kind, categories, column.integral, column.has_missing, column.decimal),
        thresholds,
        categories,
    )


def describe_counts(profile: Profile) -> list[list[list[int]]]:
    """Return the counts of each segment by column: one for each code, and one for missing values."""
    return [
        [[*row[: bins.n_codes].tolist(), int(row[-1])] for row, bins in zip(rows, profile.bins.features, strict=True)]
        for rows in profile.counts
    ]


def _build_counts(document: Sequence[Sequence[Sequence[Count]]], n_segments: int, bins: Bins) -> NDArray[np.int64]:
    """Build the counts of a profile."""
    counts = np.zeros((n_segments, len(bins), N_CODES), dtype=np.int64)
    check(len(document) == len(counts), "counts", "needs a row for each segment")
    for s, rows in enumerate(document):
        check(len(rows) == len(bins), f"counts.{s}", "needs a row for each column")
        for j, row in enumerate(rows):
            check(len(row) == bins[j].n_codes + 1, f"counts.{s}.{j}", "needs a number for each code")
            counts[s, j, : len(row) - 1], counts[s, j, -1] = row[:-1], row[-1]
    sizes = counts.sum(axis=2)
    check(bool((sizes == sizes[:, :1]).all() and sizes.sum() > 0), "counts", "columns hold different totals")
    return counts


def build_counted(counts: Sequence[Sequence[Sequence[Count]]], n_segments: int, bins: Bins, unit: float) -> Profile:
    """Build the profile of segments from counts and the unit that they are in."""
    check(unit > 0, "weight_unit", "must be positive")
    with np.errstate(over="ignore"):
        profile = Profile(bins, _build_counts(counts, n_segments, bins), unit)
        sizes = profile.sizes
    check(bool(np.isfinite(sizes).all() and 0 < sizes.sum() < np.inf), "weight_unit", "makes sizes that are no numbers")
    return profile
