"""Tables read from files, with nothing lost in silence, and what a segmenter will make of their columns."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from xseg._optional import require
from xseg.backends import Backend, BatchBackend, MemoryBackend
from xseg.backends.delimited import ENDINGS, DelimitedFile, check_column_names, find_ending, typed_cells
from xseg.core.bins import MAX_BINS
from xseg.core.reading import ColumnReading, has_own_names, read_columns
from xseg.core.summaries import TableSummary
from xseg.core.texts import MAX_NUMBERED_CATEGORIES, TextFacts, TextKind, TextReading
from xseg.exceptions import DataError, UnsupportedTypeError

__all__ = ["TableInspection", "inspect"]

_BATCH_ROWS = 65_536


def load_table(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    r"""Read a table of customers from a text file (CSV, TSV) or a Parquet file.

    Of text files, cells that are empty or hold only spaces are missing. A column whose other cells are all numbers
    becomes numbers, wherever they can be read in one way: plain, with a decimal comma, with marks between thousands,
    with one currency, or with a percent sign. There ``NA``, ``n/a``, ``None``, ``null``, ``-`` and their like are
    missing as well, and so are a few words such as ``ERROR``, of which a warning tells. ``true`` and ``false`` become
    booleans. Everything else stays the text it is: ``yes`` and ``no``, dates, and codes with leading zeros or more than
    15 digits. Blank lines are skipped, and spaces around names and cells are dropped. `xseg.backends.BatchBackend`
    reads the same file to the same columns.

    Parameters
    ----------
    path : str or path-like
        A file that ends in ``.csv``, ``.tsv`` or ``.txt``, also with ``.gz`` behind it (with a header), or in
        ``.parquet``.
    separator : str, default=None
        The character between cells. None sees it from the first rows: a comma, a semicolon, a tab or a bar.
    decimal : {".", ","}, default=None
        The decimal mark. None sees it from the numbers.
    encoding : str, default=None
        The encoding, such as "cp1252". None means UTF-8, or UTF-16 where the file begins with its mark.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        Column names are strings. A Parquet file knows the types of its columns; there only texts
        are read as the numbers or truth values they state.

    Raises
    ------
    DataError
        If the file is absent, empty, damaged or in another encoding, has columns that are named alike or without a
        name, or rows of different lengths. The message names the line.
    ParameterError
        If an option is not allowed.
    UnsupportedTypeError
        If the file ends in something else.
    OptionalDependencyError
        If a Parquet file is read and pyarrow is not installed.

    Warns
    -----
    ColumnWarning
        If a column of numbers holds other cells, or its numbers can be read in two ways; with counts and the line of
        the first such cell.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> from xseg.datasets import load_table
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "customers.csv"
    ...     _ = path.write_text("spend;postcode\n1.212,50;01067\n ;10115\n")
    ...     load_table(path)
        spend postcode
    0  1212.5    01067
    1     NaN    10115
    """
    file = Path(path)
    if file.name.lower().endswith(".parquet"):
        return _read_parquet(file)
    if not find_ending(file):
        known = ", ".join([*ENDINGS, ".parquet"])
        message = f"cannot tell how to read {file}: its name ends in {file.suffix!r}; the endings known are {known}"
        raise UnsupportedTypeError(message)
    rows = DelimitedFile(file, separator=separator, decimal=decimal, encoding=encoding)
    return pd.concat(rows.frames(_BATCH_ROWS), ignore_index=True)


def _read_parquet(file: Path) -> pd.DataFrame:
    purpose = "reading a Parquet file"
    pyarrow = require("pyarrow", extra="parquet", purpose=purpose)
    parquet = require("pyarrow.parquet", extra="parquet", purpose=purpose)
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"cannot read the table {file}: {error.strerror}; check the path"
        raise DataError(message) from error
    try:
        stored = parquet.ParquetFile(pyarrow.BufferReader(content))
        check_column_names(file, stored.schema_arrow.names)
        table: pd.DataFrame = stored.read().to_pandas()
    except pyarrow.ArrowException as error:
        message = f"{file} is not a Parquet file that can be read: {error}"
        raise DataError(message) from error
    if table.empty:
        message = f"{file} has a header and no rows; a table needs at least one row"
        raise DataError(message)
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    for name in table.columns:
        if isinstance(table[name].dtype, pd.StringDtype) or pd.api.types.infer_dtype(table[name]) == "string":
            table[name] = _read_texts(table[name])
    return table


def _read_texts(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column that was stored as text as the numbers or truth values it states, as a segmenter reads it."""
    cells = ["" if cell is None or cell != cell else str(cell) for cell in column.tolist()]
    facts = TextFacts()
    facts.add_cells(cells, range(len(cells)))
    reading = facts.read()
    is_whole = facts.n_whole == facts.number.n_cells
    if reading.kind is TextKind.NUMBER and is_whole and len(set(cells) - {""}) <= MAX_NUMBERED_CATEGORIES:
        reading = TextReading(TextKind.TEXT)
    return typed_cells(cells, reading, is_whole=False).set_axis(column.index)


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
