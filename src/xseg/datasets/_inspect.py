"""What a segmenter will make of the columns of a table, before anything is fitted."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from xseg.backends import Backend, BatchBackend, MemoryBackend
from xseg.core.bins import MAX_BINS
from xseg.core.reading import ColumnReading, has_own_names, read_columns
from xseg.core.summaries import TableSummary
from xseg.exceptions import DataError

__all__ = ["TableInspection", "inspect"]

_WIDTH = 80
_STYLE = "text-align:left;vertical-align:top;padding:2px 8px"
_NUMBER_STYLE = "text-align:right;vertical-align:top;padding:2px 8px"


@dataclass(frozen=True, repr=False)
class TableInspection(Sequence[ColumnReading]):
    """The columns of a table as segmenters read them; a sequence of `ColumnReading`, also by name.

    Attributes
    ----------
    columns : tuple of ColumnReading
        One for each column.
    n_rows : int
        The number of rows.
    """

    columns: tuple[ColumnReading, ...]
    n_rows: int

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[ColumnReading]:
        return iter(self.columns)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.columns[key]
        for column in self.columns:
            if column.name == key:
                return column
        message = f"there is no column {key!r}; there are {', '.join(repr(column.name) for column in self.columns)}"
        raise DataError(message)

    @property
    def excluded_columns(self) -> tuple[str, ...]:
        """The columns that are not used: identifiers, dates and empty columns."""
        return tuple(column.name for column in self.columns if not column.is_used)

    @property
    def problems(self) -> tuple[ColumnReading, ...]:
        """The columns that need attention."""
        return tuple(column for column in self.columns if column.evidence or column.problem)

    def to_frame(self) -> pd.DataFrame:
        """Return the columns as a table.

        Returns
        -------
        pandas.DataFrame of shape (n_columns, 6)
            ``kind``, ``is_used``, ``n_missing``, ``n_distinct`` and ``note``, by the names of the columns.
        """
        rows = [
            {
                "column": column.name,
                "kind": column.kind,
                "is_used": column.is_used,
                "n_missing": column.n_missing,
                "n_distinct": column.n_distinct,
                "note": _note(column),
            }
            for column in self.columns
        ]
        return pd.DataFrame(rows).set_index("column").astype({"n_distinct": "Int64"})

    def __repr__(self) -> str:
        return f"<TableInspection: {self.n_rows:,} rows, {self._sentence()}>"

    def __str__(self) -> str:
        width = max([6, *(len(column.name) for column in self.columns)])
        lines = [f"{self.n_rows:,} rows, {self._sentence()}", ""]
        lines.append(f"{'column':{width}}  {'kind':16}  {'missing':>9}  {'distinct':>9}")
        for column in self.columns:
            distinct = "" if column.n_distinct is None else f"{column.n_distinct:,}"
            lines.append(f"{column.name:{width}}  {column.kind:16}  {column.n_missing:>9,}  {distinct:>9}")
        notes = [(column.name, _note(column)) for column in self.columns if _note(column)]
        if notes:
            lines.append("")
            lines += [f"{name}: {note}" for name, note in notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th style="{_NUMBER_STYLE if name in ("missing", "distinct") else _STYLE}">{name}</th>'
            for name in ("column", "kind", "used", "missing", "distinct", "note")
        )
        body = "".join(_html_row(column) for column in self.columns)
        return (
            f"<div><p>{self.n_rows:,} rows, {escape(self._sentence())}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _sentence(self) -> str:
        n_used = sum(column.is_used for column in self.columns)
        return f"{len(self.columns)} columns, of which {n_used} can be used"


def _html_row(column: ColumnReading) -> str:
    distinct = "" if column.n_distinct is None else f"{column.n_distinct:,}"
    cells = [
        (_STYLE, column.name),
        (_STYLE, column.kind),
        (_STYLE, "yes" if column.is_used else "no"),
        (_NUMBER_STYLE, f"{column.n_missing:,}"),
        (_NUMBER_STYLE, distinct),
        (_STYLE, _note(column)),
    ]
    return "<tr>" + "".join(f'<td style="{style}">{escape(text)}</td>' for style, text in cells) + "</tr>"


def _note(column: ColumnReading) -> str:
    if column.evidence:
        return f"looks like an identifier ({column.evidence}) and is not used"
    return f"{column.problem}." if column.problem else ""


def inspect(X: Any, *, include: Sequence[str] = ()) -> TableInspection:
    """Report how segmenters read each column of a table, before anything is fitted.

    `fit` decides in the same way, so what is reported here is what it does: which columns look like identifiers and are
    left out, which hold dates, which texts state numbers, which numbers are flags of 0 and 1, and which cells are not
    like the others.

    Parameters
    ----------
    X : table, array, Backend, or path of shape (n_rows, n_features)
        The rows. A path is read as by `BatchBackend`.
    include : sequence of str, default=()
        As for the segmenters: columns to use although they look like identifiers.

    Returns
    -------
    TableInspection
        One reading per column; it prints as a table.

    Raises
    ------
    DataError, UnsupportedTypeError
        The rows cannot be read.

    Examples
    --------
    >>> import pandas as pd, xseg
    >>> table = pd.DataFrame({
    ...     "customer_id": range(1, 41),
    ...     "spend": ["12.50", "8.00", "n/a", "31.25"] * 10,
    ...     "complained": [0, 0, 0, 1] * 10,
    ... })
    >>> print(xseg.inspect(table))
    40 rows, 3 columns, of which 2 can be used
    <BLANKLINE>
    column       kind                missing   distinct
    customer_id  identifier                0         40
    spend        number                   10          3
    complained   boolean                   0          2
    <BLANKLINE>
    customer_id: looks like an identifier (40 different whole numbers in 40 rows) and is not used
    """
    if isinstance(X, str | os.PathLike):
        X = BatchBackend(X)
    backend = X if isinstance(X, Backend) else MemoryBackend(X)
    summary = backend.sum(TableSummary(MAX_BINS))
    if summary.n_rows == 0:
        message = "there are no rows to inspect; give a table with at least one"
        raise DataError(message)
    names = summary.names or ()
    reading = read_columns(summary, named=has_own_names(names), include=include)
    return TableInspection(reading.columns, summary.n_rows)
