"""Tables read from files, with nothing lost in silence."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from xseg._optional import require
from xseg.backends.delimited import ENDINGS, DelimitedFile, check_column_names, find_ending, typed_cells
from xseg.core.texts import MAX_NUMBERED_CATEGORIES, TextFacts, TextKind, TextReading
from xseg.exceptions import DataError, UnsupportedTypeError

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
