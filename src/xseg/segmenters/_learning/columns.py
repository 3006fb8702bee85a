"""The columns of rows to learn from, wherever the rows are: which are used, and how they become codes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xseg.backends.base import Backend
from xseg.core.binning import choose_bins
from xseg.core.bins import Bins, read_as
from xseg.core.reading import has_own_names, read_columns
from xseg.core.schema import Schema
from xseg.core.summaries import TableSummary
from xseg.exceptions import DataError

__all__ = ["MIN_MEMBERS", "Columns", "learn_columns", "names_given"]

MIN_MEMBERS = 10
"""The default of `min_members`: the rows behind any value of a category that a fitted object keeps."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of some rows.

    Attributes
    ----------
    backend : Backend
        The rows as they are read: texts that state numbers as numbers.
    summary : TableSummary
        The counts of the columns as they are read.
    schema : Schema
        Their features.
    bins : Bins
        How they become codes.
    """

    backend: Backend
    summary: TableSummary
    schema: Schema
    bins: Bins


def learn_columns(
    backend: Backend,
    *,
    max_bins: int,
    min_members: int,
    include: Sequence[str] = (),
    asked: Collection[str] = (),
    forbid: Sequence[str] = (),
    as_numbers: Collection[str] = (),
    as_texts: Collection[str] = (),
    categories: Mapping[str, Collection[str]] | None = None,
    round_thresholds: bool = True,
    n_columns: int | None = None,
    warns: bool = True,
) -> Columns:
    """Choose by sums which columns are used and how they become codes.

    Parameters
    ----------
    backend : Backend
        The rows.
    max_bins : int
        The number of codes a column may have.
    min_members : int
        The number of rows that must share a category for it to be kept.
    include : sequence of str, default=()
        Columns to use although they look like identifiers.
    asked : collection of str, default=()
        Columns, if the table has them, that the user has named and that are therefore used.
    forbid : sequence of str, default=()
        Columns that the model does not use.
    as_numbers : collection of str, default=()
        Columns of 0 and 1 to read as numbers.
    as_texts : collection of str, default=()
        Columns of texts to read as texts, even if those state numbers.
    categories : mapping of str to collection of str, default=None
        Categories of columns that are kept however few rows have them, because the user has named them.
    round_thresholds : bool, default=True
        Whether thresholds are round numbers.
    n_columns : int, default=None
        Of the columns only so many, from the first on, are read; None means all.
    warns : bool, default=True
        Whether to warn of columns that are not used or need attention.

    Raises
    ------
    DataError
        There are no rows, or no column is left to use.
    """
    summary = backend.sum(TableSummary(max_bins))
    if summary.total_weight == 0:
        message = "there are no rows with a positive weight to learn from"
        raise DataError(message)
    if n_columns is not None:
        summary = summary.first(n_columns)
    names = summary.names or ()
    reading = read_columns(
        summary,
        named=has_own_names(names),
        include=(*include, *(name for name in names if name in asked)),
        forbid=forbid,
        as_numbers=as_numbers,
        as_texts=as_texts,
    )
    if warns:
        reading.warn(quiet=forbid)
    if reading.reads_texts:
        backend = backend.reading(partial(read_as, features=reading.schema.features))
    bins = choose_bins(
        reading.summary,
        reading.schema,
        max_bins,
        backend.sum,
        rounded=round_thresholds,
        min_members=min_members,
        named=categories,
        warns=warns,
    )
    return Columns(backend, reading.summary, bins.schema, bins)


def names_given(feature_weights: Any) -> tuple[str, ...]:
    """Return the columns that somebody has given a weight by name, and so wants to be used."""
    if not isinstance(feature_weights, Mapping):
        return ()
    return tuple(name for name, weight in feature_weights.items() if weight)
