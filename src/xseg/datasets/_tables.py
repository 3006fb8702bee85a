"""Tables read from files, with nothing lost in silence."""

import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xseg._optional import require
from xseg.exceptions import DataError, UnsupportedTableError

_SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
# A leading zero, or more digits than a float64 holds, marks a code (a postcode, an account), not a number.
_NUMBER = re.compile(r"\s*[-+]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?\s*", re.ASCII)
_WHOLE = re.compile(r"\s*[-+]?\d+\s*", re.ASCII)
_NO_NUMBER = {"NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null"}
_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def load_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read a table of customers from a CSV, TSV or Parquet file.

    Cells that are empty or hold only spaces are missing. A text column whose other cells are all numbers becomes
    numbers, and there ``NA``, ``N/A``, ``NaN`` and ``null`` are missing as well; ``true`` and ``false`` become
    booleans. Everything else stays the text it is: ``yes`` and ``no``, dates, the word ``None``, and codes
    with leading zeros or more than 15 digits. Blank lines are skipped.

    Parameters
    ----------
    path : str or path-like
        A file that ends in ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` (all UTF-8, with a header) or ``.parquet``.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        Column names are strings.

    Raises
    ------
    DataError
        If the file is absent, empty, damaged or not UTF-8, names two columns alike or leaves one without a name,
        or has rows of different lengths. The message names the line.
    UnsupportedTableError
        If the file ends in something else.
    OptionalDependencyError
        If a Parquet file is read and pyarrow is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> from xseg.datasets import load_table
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "customers.csv"
    ...     _ = path.write_text("spend,postcode\n12.5,01067\n ,10115\n")
    ...     load_table(path)
       spend postcode
    0   12.5    01067
    1    NaN    10115
    """
    file = Path(path)
    ending = _ending(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        message = f"cannot read the table {file}: {error.strerror}; check the path"
        raise DataError(message) from error
    table = _read_parquet(file, content) if ending == ".parquet" else _read_text(file, content, ending)
    if table.empty:
        message = f"{file} has a header and no rows; a table needs at least one row"
        raise DataError(message)
    for name in table.columns:
        if _is_text(table[name]):
            table[name] = _typed(table[name])
    return table


def _ending(file: Path) -> str:
    for ending in (*_SEPARATORS, ".parquet"):
        if file.name.lower().endswith(ending):
            return ending
    known = ", ".join([*_SEPARATORS, ".parquet"])
    message = f"cannot tell how to read {file}: its name ends in {file.suffix!r}; the endings known are {known}"
    raise UnsupportedTableError(message)


def _read_parquet(file: Path, content: bytes) -> pd.DataFrame:
    purpose = "reading a Parquet file"
    pyarrow = require("pyarrow", extra="parquet", purpose=purpose)
    parquet = require("pyarrow.parquet", extra="parquet", purpose=purpose)
    try:
        stored = parquet.ParquetFile(pyarrow.BufferReader(content))
        _check_names(file, stored.schema_arrow.names)
        table: pd.DataFrame = stored.read().to_pandas()
    except pyarrow.ArrowException as error:
        message = f"{file} is not a Parquet file that can be read: {error}"
        raise DataError(message) from error
    return table.set_axis([str(name) for name in table.columns], axis=1)


def _read_text(file: Path, content: bytes, ending: str) -> pd.DataFrame:
    if ending.endswith(".gz"):
        content = _unzip(file, content)
    if not content.strip():
        message = f"{file} is empty; a table needs a header and at least one row"
        raise DataError(message)
    separator = _SEPARATORS[ending]
    names = _check_rows(file, _decode(file, content), separator)
    try:
        return pd.read_csv(
            io.BytesIO(content), sep=separator, header=0, names=names, index_col=False, dtype=str,
            keep_default_na=False, na_values=[""], encoding="utf-8-sig",
        )  # fmt: skip
    except pd.errors.ParserError as error:
        message = f"{file} cannot be read as a table: {error}"
        raise DataError(message) from error


def _unzip(file: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        message = f"{file} is not a whole gzip file: {error}; compress the table again"
        raise DataError(message) from error


def _decode(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start} (line {line}) is {content[error.start]:#04x}"
        message = f"{file} is not UTF-8 text: {found}; save it as UTF-8, or read it with pandas.read_csv(encoding=...)"
        raise DataError(message) from error


def _check_rows(file: Path, text: str, separator: str) -> list[str]:
    """Return the column names, once every row is as long as the header."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = _numbered_rows(file, reader)
    _, names = next(rows)
    _check_separator(file, names, separator)
    _check_names(file, names)
    for line, row in rows:
        if len(row) != len(names):
            message = f"{file}, line {line}: found {len(row)} cells where the header has {len(names)}; mend that row"
            raise DataError(message)
    return names


def _numbered_rows(file: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():
                yield reader.line_num, row
    except csv.Error as error:
        message = f"{file}, line {reader.line_num}: cannot be read as a table: {error}"
        raise DataError(message) from error


def _check_separator(file: Path, names: list[str], separator: str) -> None:
    if len(names) > 1:
        return
    for other, words in _OTHER_SEPARATORS.items():
        if other != separator and other in names[0]:
            message = (
                f"{file} seems to be separated by {words}: its header is {names[0][:60]!r}; "
                f"read it with pandas.read_csv(sep={other!r})"
            )
            raise DataError(message)


def _check_names(file: Path, names: list[str]) -> None:
    unnamed = [i for i, name in enumerate(names, start=1) if not name.strip()]
    if unnamed:
        message = (
            f"{file}: column {unnamed[0]} of {len(names)} has no name; name it, or leave it out "
            "(pandas writes such a column unless told index=False)"
        )
        raise DataError(message)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"{file} names several columns alike: {', '.join(map(repr, twice))}; give each a name of its own"
        raise DataError(message)


def _is_text(column: "pd.Series[Any]") -> bool:
    return isinstance(column.dtype, pd.StringDtype) or (
        column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"
    )


def _typed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a text column with blanks missing, as numbers or booleans where every cell is one."""
    codes, distinct = pd.factorize(column)
    words = [str(word) for word in distinct]
    is_blank = np.array([not word.strip() for word in words] + [True])
    known = [word for word, blank in zip(words, is_blank, strict=False) if not blank]
    if all(word in _TRUTHS for word in known) and known:
        truths: list[bool | None] = [_TRUTHS.get(word) for word in words]
        return _spread([*truths, None], codes, column, "boolean" if is_blank[codes].any() else "bool")
    if any(_NUMBER.fullmatch(word) for word in known) and all(_is_number_like(word) for word in known):
        return _numbers(words, codes, column)
    if not known:
        return pd.Series(np.nan, index=column.index, name=column.name, dtype="float64")
    return column.mask(is_blank[codes])


def _is_number_like(word: str) -> bool:
    return _NUMBER.fullmatch(word) is not None or word.strip() in _NO_NUMBER


def _numbers(words: list[str], codes: Any, column: "pd.Series[Any]") -> "pd.Series[Any]":
    # Python's float rounds correctly; pandas' own parsers may miss by the last bit.
    values = [float(word) if _NUMBER.fullmatch(word) else np.nan for word in words]
    is_whole = -1 not in codes and all(_WHOLE.fullmatch(word) for word in words)
    return _spread([*values, np.nan], codes, column, "int64" if is_whole else "float64")


def _spread(values: list[Any], codes: Any, column: "pd.Series[Any]", dtype: str) -> "pd.Series[Any]":
    """Give every row the value of its code; code -1 takes the last."""
    return pd.Series(np.array(values)[codes], index=column.index, name=column.name).astype(dtype)  # type: ignore[call-overload,no-any-return]
