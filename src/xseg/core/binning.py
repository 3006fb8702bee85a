"""Choosing the bins of every column from counts, whatever holds the rows."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import Bins, FeatureBins, category_bins, number_bins
from xseg.core.numbers import NumberSummary
from xseg.core.schema import Schema
from xseg.core.summaries import CategoryCounts, CellSplit, TableSummary

__all__ = ["choose_bins"]

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
        The number of codes a column may have.
    split : callable
        Sums a statistic over the rows, where a column needs a closer look.
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
        heavy = {j: _heavy(*column, max_bins) for j, column in cells.items()}
        heavy = {j: chosen for j, chosen in heavy.items() if len(chosen)}
        if not heavy:
            return
        ends = {j: np.column_stack([cells[j][0][chosen], cells[j][0][chosen + 1]]) for j, chosen in heavy.items()}
        counted = split(CellSplit(ends))
        for j, chosen in heavy.items():
            cells[j] = _refined(*cells[j], chosen, counted.counts[j])


def _heavy(edges: NDArray[np.float64], masses: NDArray[np.int64], max_bins: int) -> NDArray[np.int64]:
    width = np.diff(edges)
    can_split = width > 1e-12 * np.maximum(np.abs(edges[1:]), np.abs(edges[:-1]))
    return np.flatnonzero(can_split & (masses * max_bins > _HEAVY_BINS * masses.sum()))


def _refined(
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
