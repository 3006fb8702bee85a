"""Roles of the columns of a table: which are used, as what kind, and which need attention.

`inspect`, `fit` and the command line all call `read_columns`, so that the first reports what the others do. It decides
by counts over all rows only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xseg.core.identifiers import number_evidence, text_evidence
from xseg.core.numbers import NumberSummary
from xseg.core.schema import Kind, Schema, suggest_name
from xseg.core.summaries import CategoryCounts, TableSummary
from xseg.core.texts import MAX_NUMBERED_CATEGORIES, TextKind, parse_numbers, parse_truths
from xseg.exceptions import (
    ColumnWarning,
    DataError,
    IdentifierWarning,
    warn_caller,
)

__all__ = ["ColumnReading", "TableReading", "has_own_names", "read_columns"]

_FEW_OUTLIERS = 0.001
_MIN_OUTLIERS = 3
_FAR = 30.0
_MIN_CARRIED = 0.95
_MIN_ROWS_FOR_OUTLIERS = 50

_DATES = (
    "holds dates, which have no meaning as a distance between rows, so it is not used. Derive numbers from it, such "
    "as the days since each date"
)
_DAYS = (
    "In pandas: table['{name} days'] = (pandas.Timestamp.now() - pandas.to_datetime(table['{name}'])).dt.days; "
    "xseg.rfm_table makes recency, frequency and spend of transactions"
)
_NUMBERED_DAYS = (
    "In pandas: days = pandas.to_datetime(table['{name}'].astype(str)), then "
    "table['{name} days'] = (pandas.Timestamp.now() - days).dt.days"
)
_TO_NUMBERS = "In pandas: table['{name}'] = pandas.to_numeric(table['{name}'], errors='coerce')"
_CLIP = "In pandas: table['{name}'] = table['{name}'].clip(lower, upper)"


@dataclass(frozen=True, slots=True)
class ColumnReading:
    """The role of one column, as a segmenter reads it.

    Attributes
    ----------
    name : str
        The column's name.
    kind : str
        Kind of the column: "number", "boolean", "category", "ordered category", "date", "identifier" or "empty".
    is_used : bool
        Whether a segmenter uses it.
    n_rows : int
        The number of rows.
    n_missing : int
        Number of missing values.
    n_distinct : int or None
        The number of different values; estimated, to about 3 %, for numbers with more than 4,096. None for dates that
        came as dates.
    evidence : str
        Evidence that the column is an identifier; "" if it is not.
    problem : str
        What is unusual about the column, and what to do about it; "" if nothing is.
    advice : str
        How to do that in Python; "" if nothing is to be done.
    """

    name: str
    kind: str
    is_used: bool
    n_rows: int
    n_missing: int
    n_distinct: int | None
    evidence: str = ""
    problem: str = ""
    advice: str = ""


@dataclass(frozen=True, eq=False)
class TableReading:
    """The roles of the columns of a table.

    Attributes
    ----------
    summary : TableSummary
        The counts of the columns as they are read: of texts as the numbers they state, of excluded columns none.
    schema : Schema
        Their features.
    columns : tuple of ColumnReading
        One reading per column.
    reads_texts : bool
        Whether texts are read as numbers or truth values, so that rows must be converted.
    """

    summary: TableSummary
    schema: Schema
    columns: tuple[ColumnReading, ...]
    reads_texts: bool

    @property
    def identifiers(self) -> tuple[ColumnReading, ...]:
        """The columns that look like identifiers and are not used."""
        return tuple(column for column in self.columns if column.evidence and not column.is_used)

    def warn(self, quiet: Collection[str] = ()) -> None:
        """Issue one warning for the identifiers, and one for each column that needs attention.

        Parameters
        ----------
        quiet : collection of str, default=()
            Columns that are left out on purpose, for which there are no warnings.
        """
        found = [column for column in self.identifiers if column.name not in quiet]
        if found:
            first, *others = (f"{column.name!r} ({column.evidence})" for column in found)
            listed = f"columns {', '.join([first, *others[:-1]])} and {others[-1]}" if others else f"column {first}"
            many = "look like identifiers and are" if others else "looks like an identifier and is"
            names, them = [column.name for column in found], "them" if others else "it"
            options = " ".join(f"--include {name!r}" for name in names)
            warn_caller(
                IdentifierWarning(
                    f"{listed} {many} not used.",
                    in_python=f"Pass include={names!r} to use {them}.",
                    on_command_line=f"Use {options} to use {them}.",
                )
            )
        for column in self.columns:
            if column.problem and column.name not in quiet:
                message = f"column {column.name!r} {column.problem}."
                advice = f"{column.advice}." if column.advice else ""
                warn_caller(ColumnWarning(message, in_python=advice))


@dataclass(frozen=True, slots=True)
class _Read:
    """A column as it is read: its kind, its counts, the decimal mark of its texts, and what is wrong with it."""

    kind: Kind
    summary: NumberSummary | CategoryCounts | None
    decimal: str | None = None
    problem: str = ""
    advice: str = ""


def has_own_names(names: Sequence[str]) -> bool:
    """Return whether columns came with names, rather than as an array whose columns are called x0, x1, ..."""
    return tuple(names) != tuple(f"x{j}" for j in range(len(names)))


def read_columns(
    summary: TableSummary,
    *,
    named: bool,
    include: Sequence[str] = (),
    forbid: Sequence[str] = (),
    as_numbers: Collection[str] = (),
    as_texts: Collection[str] = (),
) -> TableReading:
    """Decide how the columns of a table are read.

    Parameters
    ----------
    summary : TableSummary
        The counts of the columns as they came.
    named : bool
        Whether the columns have names of their own; of an array no column is excluded as an identifier.
    include : sequence of str, default=()
        Columns to use although they look like identifiers.
    forbid : sequence of str, default=()
        Columns that are not to be used by the model.
    as_numbers : collection of str, default=()
        Columns of 0 and 1 to read as numbers.
    as_texts : collection of str, default=()
        Columns of texts to read as texts, even if those state numbers.

    Raises
    ------
    DataError
        `include` names a column that the table does not have.
    DataError
        `include` names a column of dates.
    DataError
        No column is left to use.
    """
    given = summary.schema()
    for name in include:
        if name not in given.names:
            message = f"include must name columns of the table, got {name!r}{suggest_name(name, given.names)}"
            raise DataError(message)
    read = [_read(summary, j, named=named, as_numbers=as_numbers, as_texts=as_texts) for j in range(len(given))]
    evidence = [
        _evidence(name, column) if named and name not in include else ""
        for name, column in zip(given.names, read, strict=True)
    ]
    dates = [column.kind is Kind.DATE for column in read]
    for name, column, is_date in zip(given.names, read, dates, strict=True):
        if is_date and name in include:
            message = f"include must name columns that can be used, got {name!r}, which {column.problem}"
            raise DataError(message)
    _keep_one(given.names, evidence, dates, forbid)
    kinds, columns = [], []
    for j, column in enumerate(read):
        is_out = bool(evidence[j]) or dates[j]
        kinds.append(Kind.EXCLUDED if is_out else column.kind)
        columns.append(None if is_out else column.summary)
    readings = tuple(
        _describe_column(name, column, why, summary)
        for name, column, why in zip(given.names, read, evidence, strict=True)
    )
    used = summary.replace_columns(kinds, columns)
    features = tuple(
        replace(feature, decimal=column.decimal) for feature, column in zip(used.schema(), read, strict=True)
    )
    reads_texts = any(
        feature.kind.has_values and feature.kind.is_numeric and kind is Kind.CATEGORY
        for feature, kind in zip(features, summary.kinds, strict=True)
    )
    return TableReading(used, Schema(features), readings, reads_texts)


def _keep_one(names: Sequence[str], evidence: list[str], dates: Sequence[bool], forbid: Sequence[str]) -> None:
    """Keep the last column that would otherwise be excluded as an identifier."""
    usable = [j for j, name in enumerate(names) if not dates[j] and name not in forbid]
    if usable and all(evidence[j] for j in usable):
        evidence[usable[-1]] = ""
    elif not usable and any(dates):
        message = (
            "at least one column must be usable, and all hold dates or are in forbid; pass a column of numbers or "
            "categories"
        )
        raise DataError(message)


def _read(
    summary: TableSummary, j: int, *, named: bool, as_numbers: Collection[str], as_texts: Collection[str]
) -> _Read:
    kind, counts, name = summary.kinds[j], summary.columns[j], (summary.names or ())[j]
    if kind is Kind.DATE:
        return _Read(kind, counts, problem=_DATES, advice=_DAYS)
    if isinstance(counts, CategoryCounts):
        return _Read(kind, counts) if counts.declared or name in as_texts else _read_texts(counts, summary)
    if counts is None or not counts.known:
        return _Read(kind, counts)
    return _read_numbers(kind, counts, named=named, as_number=name in as_numbers)


def _read_numbers(
    kind: Kind, counts: NumberSummary, *, named: bool, as_number: bool, decimal: str | None = None
) -> _Read:
    if kind is Kind.NUMBER and named and counts.are_dates:
        problem = f"holds dates written as numbers, such as {counts.low:.0f}; " + _DATES.partition(", ")[2]
        return _Read(Kind.DATE, counts, problem=problem, advice=_NUMBERED_DAYS)
    if kind is Kind.NUMBER and not as_number and _is_flag(counts):
        return _Read(Kind.BOOLEAN, counts, decimal)
    problem = _outliers(counts)
    return _Read(kind, counts, decimal, problem, _CLIP if problem else "")


def _is_flag(counts: NumberSummary) -> bool:
    return counts.distinct is not None and counts.distinct.tolist() == [0.0, 1.0]


def _read_texts(counts: CategoryCounts, summary: TableSummary) -> _Read:
    reading = counts.text_facts().read()
    texts = list(counts.rows)
    if reading.kind is TextKind.DATE:
        return _Read(Kind.DATE, counts, problem=_DATES, advice=_DAYS)
    if reading.kind is TextKind.BOOLEAN:
        truths = counts.as_numbers(parse_truths(texts), summary.max_distinct)
        return _Read(Kind.BOOLEAN, truths, ".")
    advice = _TO_NUMBERS if reading.problem else ""
    if reading.kind is not TextKind.NUMBER:
        return _Read(Kind.CATEGORY, counts, problem=reading.problem, advice=advice)
    numbers = counts.as_numbers(parse_numbers(texts, reading.decimal), summary.max_distinct)
    if not reading.problem and numbers.integral and numbers.n_distinct <= MAX_NUMBERED_CATEGORIES:
        return _Read(Kind.CATEGORY, counts)
    read = _read_numbers(Kind.NUMBER, numbers, named=True, as_number=False, decimal=reading.decimal)
    return replace(read, problem=reading.problem, advice=advice) if reading.problem else read


def _evidence(name: str, column: _Read) -> str:
    counts = column.summary
    if isinstance(counts, CategoryCounts) and column.kind is not Kind.DATE and counts.n_rows:
        return text_evidence(name, len(counts.rows), counts.n_rows, next(iter(counts.rows)))
    if isinstance(counts, NumberSummary) and column.kind is Kind.NUMBER and counts.integral and counts.known:
        return number_evidence(name, counts.n_distinct, counts.n_rows, counts.low, counts.high)
    return ""


def _outliers(counts: NumberSummary) -> str:
    """Return a problem if a few values are so far from the others that they make up nearly all of the variance."""
    if counts.n_rows < _MIN_ROWS_FOR_OUTLIERS:
        return ""
    places, weights = counts.places()
    mass = weights / weights.sum()
    middle = float(places[np.searchsorted(np.cumsum(mass), 0.5)])
    # Halves, since the difference of two large numbers may be infinite.
    distance = np.abs(places / 2 - middle / 2)
    farthest = np.argsort(-distance, kind="stable")
    few = max(_MIN_OUTLIERS / counts.n_rows, _FEW_OUTLIERS) + 1e-12
    n_few = int(np.searchsorted(np.cumsum(mass[farthest]), few, side="right"))
    for n_far in range(1, min(n_few, len(places) - 2) + 1):
        rest = np.sort(places[farthest[n_far:]])
        spread = float(rest[-1] / 2 - rest[0] / 2)
        if spread > 0 and distance[farthest[n_far - 1]] > _FAR * spread:
            scaled = distance / distance[farthest[0]]
            carried = mass * scaled * scaled
            if carried[farthest[:n_far]].sum() >= _MIN_CARRIED * carried.sum():
                n_rows = max(1, round(float(mass[farthest[:n_far]].sum()) * counts.n_rows))
                return _far_away(counts, n_rows, float(rest[0]), float(rest[-1]), is_high=places[farthest[0]] > middle)
    return ""


def _far_away(counts: NumberSummary, n_rows: int, low: float, high: float, *, is_high: bool) -> str:
    value, row = (counts.high, counts.high_row) if is_high else (counts.low, counts.low_row)
    values = "1 value" if n_rows == 1 else f"{n_rows:,} values"
    lie, carry = ("lies", "carries") if n_rows == 1 else ("lie", "carry")
    return (
        f"has {values} of {counts.n_rows:,} that {lie} far from all others (first: {value:g}, row {row}; the others "
        f"are between {low:g} and {high:g}) and {carry} its whole variance, so the other differences hardly count. "
        "Correct or clear them, or limit the column to a sensible range"
    )


def _describe_column(name: str, column: _Read, evidence: str, summary: TableSummary) -> ColumnReading:
    counts: Any = column.summary
    n_known = 0 if counts is None else counts.n_rows
    n_distinct: int | None
    if isinstance(counts, CategoryCounts):
        n_distinct = len(counts.rows)
    else:
        n_distinct = 0 if counts is None else counts.n_distinct
        if column.kind is Kind.DATE and counts is not None and not counts.are_dates:
            n_distinct = None
    kind = "identifier" if evidence else str(column.kind)
    return ColumnReading(
        name=name,
        kind=kind,
        is_used=not evidence and column.kind.has_values,
        n_rows=summary.n_rows,
        n_missing=summary.n_rows - n_known,
        n_distinct=n_distinct,
        evidence=evidence,
        problem="" if evidence else column.problem,
        advice="" if evidence else column.advice.format(name=name),
    )
