"""Text files of rows: CSV and its relatives, read in one way whether whole or in batches.

A first pass over the file counts what the cells of each column are; a second turns them into typed columns. The counts
can be added, so the types do not depend on the size of a batch.
"""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from xseg.core.texts import TextFacts, TextKind, TextReading, parse_numbers, parse_truths, plain_numbers
from xseg.exceptions import ColumnWarning, DataError, ParameterError, warn_caller

__all__ = ["ENDINGS", "DelimitedFile", "check_column_names", "find_ending", "typed_cells"]

ENDINGS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t", ".txt": ",", ".txt.gz": ","}
_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_ROWS = 50
_FACT_ROWS = 65_536
_TEXT_TYPE = pd.Series(["text"]).dtype


def find_ending(file: Path) -> str:
    """Return which of the known endings a file's name has, or ""."""
    return max((ending for ending in ENDINGS if file.name.lower().endswith(ending)), key=len, default="")


@dataclass(frozen=True)
class _Row:
    line: int
    cells: list[str]


class DelimitedFile:
    """A text file of rows with a header.

    Parameters
    ----------
    path : Path
        The file; it may be compressed by gzip.
    separator : str, default=None
        The character between cells; None looks for a comma, a semicolon, a tab or a bar in the first rows.
    decimal : {".", ","}, default=None
        The decimal mark; None sees it from the numbers.
    encoding : str, default=None
        The encoding; None takes UTF-8, or UTF-16 if the file begins with its mark.
    columns : collection of str, default=None
        The columns to read; None, or names that are all unknown, reads every column.

    Raises
    ------
    DataError
        The file is absent, damaged or not in this encoding, its header has empty or repeated names, or its rows have
        different lengths.
    ParameterError
        An option is not allowed.
    """

    def __init__(
        self,
        path: Path,
        *,
        separator: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        columns: Collection[str] | None = None,
    ) -> None:
        _check_options(separator, decimal, encoding)
        self.path = path
        self._is_zipped = path.name.lower().endswith(".gz")
        self._encoding = encoding or self._find_encoding()
        self._separator = separator or self._find_separator()
        self._decimal = decimal
        with self._rows() as rows:
            self.names = _names(path, next(rows, None))
        known = [place for place, name in enumerate(self.names) if columns is None or name in columns]
        self._places = known or list(range(len(self.names)))
        self._readings: list[TextReading] | None = None
        self._are_whole: list[bool] = []

    def list_readings(self) -> list[TextReading]:
        """Return how each column is read; warns of columns that need attention."""
        if self._readings is None:
            facts = [TextFacts() for _ in self._places]
            n_rows = 0
            with self._rows() as rows:
                next(rows)
                for batch in self._batches(rows, _FACT_ROWS):
                    n_rows += len(batch)
                    lines = [row.line for row in batch]
                    for place, counted in zip(self._places, facts, strict=True):
                        counted.add_cells([row.cells[place] for row in batch], lines)
            if n_rows == 0:
                message = f"{self.path} has a header and no rows; a table needs at least one row"
                raise DataError(message)
            self._are_whole = [counted.n_whole == n_rows for counted in facts]
            self._readings = [self._decide_reading(counted, facts) for counted in facts]
            self._warn(self._readings)
        return self._readings

    def frames(self, batch_rows: int) -> Iterator[pd.DataFrame]:
        """Yield the rows as typed columns, so many at a time."""
        readings = self.list_readings()
        with self._rows() as rows:
            next(rows)
            for batch in self._batches(rows, batch_rows):
                columns = {
                    self.names[place]: typed_cells([row.cells[place] for row in batch], reading, is_whole=is_whole)
                    for place, reading, is_whole in zip(self._places, readings, self._are_whole, strict=True)
                }
                yield pd.DataFrame(columns)

    def _decide_reading(self, facts: TextFacts, others: Sequence[TextFacts]) -> TextReading:
        """Decide how a column is read; where it can be read in two ways, the other columns tell."""
        commas = any(other.uses_comma for other in others)
        points = any(other.n_only["."] for other in others)
        hint = None
        if commas != points:
            hint = "," if commas else "."
        elif not commas and self._separator == ";" and not facts.n_either["."]:
            hint = ","
        return facts.read(self._decimal, hint, place="line")

    def _warn(self, readings: Sequence[TextReading]) -> None:
        for place, reading in zip(self._places, readings, strict=True):
            if reading.problem:
                is_ambiguous = reading.is_ambiguous
                warning = ColumnWarning(
                    f"{self.path.name}: column {self.names[place]!r} {reading.problem}.",
                    in_python="Pass decimal=',' or decimal='.'." if is_ambiguous else "",
                    on_command_line="Use --decimal ',' or --decimal '.'." if is_ambiguous else "",
                )
                warn_caller(warning)

    def _batches(self, rows: Iterator[_Row], n_rows: int) -> Iterator[list[_Row]]:
        while batch := list(islice(rows, n_rows)):
            for row in batch:
                if len(row.cells) != len(self.names):
                    message = (
                        f"{self.path}, line {row.line}: found {len(row.cells)} cells where the header has "
                        f"{len(self.names)}; correct that row"
                    )
                    raise DataError(message)
            yield batch

    @contextmanager
    def _rows(self, separator: str | None = None) -> Iterator[Iterator[_Row]]:
        """Open the file and return its rows; blank lines are left out.

        A separator that is only tried must not fail on quotes, which mean something only beside the right one.
        """
        with self._open() as file:
            yield self._read(csv.reader(file, delimiter=separator or self._separator, strict=separator is None))

    def _read(self, reader: Any) -> Iterator[_Row]:
        try:
            for cells in reader:
                if len(cells) > 1 or "".join(cells).strip():
                    yield _Row(reader.line_num, cells)
        except csv.Error as error:
            message = (
                f"{self.path}, line {reader.line_num}: cannot be read as a table: {error}; correct the quotes there"
            )
            raise DataError(message) from error
        except UnicodeDecodeError as error:
            raise self._wrong_encoding(error) from error
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        with self._open_bytes() as binary, io.TextIOWrapper(binary, encoding=self._encoding, newline="") as file:
            yield file

    @contextmanager
    def _open_bytes(self) -> Iterator[Any]:
        opener: Callable[..., Any] = gzip.open if self._is_zipped else Path.open
        try:
            binary = opener(self.path, "rb")
        except OSError as error:
            message = f"cannot read the table {self.path}: {error.strerror}; check the path"
            raise DataError(message) from error
        with binary:
            yield binary

    def _find_encoding(self) -> str:
        with self._open_bytes() as binary:
            try:
                start = binary.read(2)
            except (OSError, EOFError, zlib.error) as error:
                raise self._unreadable(error) from error
        return "utf-16" if start in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"

    def _find_separator(self) -> str:
        """Return the character that parts the first rows into the same number of cells, the usual one first."""
        usual = ENDINGS.get(find_ending(self.path), ",")
        widths = {}
        for separator in (usual, *(other for other in _SEPARATORS if other != usual)):
            with self._rows(separator) as rows:
                sample = [len(row.cells) for row in islice(rows, _SAMPLE_ROWS)]
            if not sample:
                message = f"{self.path} is empty; a table needs a header and at least one row"
                raise DataError(message)
            if sample[0] > 1 and len(set(sample)) == 1:
                return separator
            widths[separator] = sample[0]
        return max(widths, key=lambda separator: widths[separator])

    def _wrong_encoding(self, error: UnicodeDecodeError) -> DataError:
        """Return where the file is not in its encoding, by line."""
        line, offset = 1, 0
        with self._open_bytes() as binary:
            for raw in binary:
                try:
                    raw.decode(self._encoding)
                except UnicodeDecodeError as found:
                    error, offset = found, offset + found.start
                    break
                line, offset = line + 1, offset + len(raw)
        name = "UTF-8" if self._encoding == "utf-8-sig" else self._encoding
        byte = error.object[error.start]
        return DataError(
            f"{self.path} is not {name} text: byte {offset} (line {line}) is {byte:#04x}; save it as UTF-8, or state "
            "its encoding, which for files from spreadsheets is often cp1252",
            in_python="(encoding='cp1252').",
            on_command_line="(--encoding cp1252).",
        )

    def _unreadable(self, error: Exception) -> DataError:
        if self._is_zipped:
            return DataError(f"{self.path} is not a whole gzip file: {error}; compress the table again")
        return DataError(f"{self.path} cannot be read to its end: {error}")


def _check_options(separator: str | None, decimal: str | None, encoding: str | None) -> None:
    if separator is not None and len(separator) != 1:
        message = f"separator must be one character, such as ';' or a tab, got {separator!r}"
        raise ParameterError(message)
    if decimal not in {None, ".", ","}:
        message = f"decimal must be '.' or ',', got {decimal!r}"
        raise ParameterError(message)
    if decimal is not None and decimal == separator == ",":
        message = "decimal and separator must differ, got ',' for both"
        raise ParameterError(message)
    if encoding is not None:
        try:
            "".encode(encoding)
        except LookupError as error:
            message = f"encoding must be one that Python knows, such as 'utf-8' or 'cp1252', got {encoding!r}"
            raise ParameterError(message) from error


def _names(path: Path, header: _Row | None) -> list[str]:
    if header is None:
        message = f"{path} is empty; a table needs a header and at least one row"
        raise DataError(message)
    return check_column_names(path, header.cells)


def check_column_names(path: Path, names: Sequence[str]) -> list[str]:
    """Return the names of a file's columns without spaces around them, or raise DataError.

    No column may be without a name, and no two may be called alike or differ only by spaces.
    """
    stripped = [name.strip() for name in names]
    unnamed = [place for place, name in enumerate(stripped, start=1) if not name]
    if unnamed:
        message = (
            f"{path}: column {unnamed[0]} of {len(names)} has no name; name it, or leave it out "
            "(a table saved together with row numbers has such a column)"
        )
        raise DataError(message)
    counts = Counter(" ".join(name.split()) for name in stripped)
    alike = [name for name in names if counts[" ".join(name.split())] > 1]
    if alike:
        message = (
            f"{path} has columns whose names are alike or differ only by spaces: {', '.join(map(repr, alike))}; "
            "give each a name of its own"
        )
        raise DataError(message)
    return stripped


def typed_cells(cells: Sequence[str], reading: TextReading, *, is_whole: bool) -> "pd.Series[Any]":
    """Return the cells of a column as what they state."""
    if reading.kind is TextKind.NUMBER:
        values = plain_numbers(cells) if reading.decimal == "." else None
        numbers = parse_numbers(cells, reading.decimal) if values is None else values
        return pd.Series(numbers.astype(np.int64) if is_whole else numbers)
    if reading.kind is TextKind.BOOLEAN:
        truths = parse_truths(cells)
        if reading.has_missing:
            return pd.Series(pd.array(truths, dtype="Float64")).astype("boolean")
        return pd.Series(truths == 1)
    if reading.kind is TextKind.EMPTY:
        return pd.Series(np.full(len(cells), np.nan))
    return pd.Series([cell.strip() or np.nan for cell in cells], dtype=_TEXT_TYPE)
