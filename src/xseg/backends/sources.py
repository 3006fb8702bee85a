"""What rows can be read from, a batch at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from xseg.backends.base import ahead
from xseg.backends.delimited import ENDINGS, DelimitedFile, ending_of
from xseg.backends.parquet import parquet_tables
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, UnsupportedTableError

__all__ = ["Tables", "tables_of"]

Tables = Callable[[], Iterator[Table]]


def tables_of(
    source: Any, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, n_workers: int
) -> Tables:
    """Return a function that starts to read the source, from its beginning unless it is an iterator.

    `text` holds the separator, decimal mark and encoding of a text file, as far as they are known.

    With several workers, the next tables are decoded while one is in use.
    """
    tables = _tables_of(source, batch_rows, wanted, text, use_threads=n_workers > 1)
    return tables if n_workers == 1 else lambda: ahead(tables())


def _tables_of(
    source: Any, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, use_threads: bool
) -> Tables:
    if isinstance(source, str | PathLike):
        return _file_tables(Path(source), batch_rows, wanted, text, use_threads=use_threads)
    if callable(source):
        return lambda: map(_read, source())
    if isinstance(source, Iterable) and not hasattr(source, "shape"):
        return lambda: map(_read, source)
    message = f"expected a path, an iterable of tables or a callable that gives one, got {type(source).__name__}"
    raise UnsupportedTableError(message)


def _read(batch: Any) -> Table:
    return read_table(batch, needs_rows=False)


def _file_tables(
    path: Path, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, use_threads: bool
) -> Tables:
    if not path.is_file():
        message = f"there is no file {path}"
        raise DataError(message)
    if path.name.lower().endswith(".parquet"):
        return lambda: parquet_tables(path, batch_rows, wanted, use_threads=use_threads)
    if ending_of(path):
        file = DelimitedFile(path, columns=wanted, **text)
        file.readings()
        return lambda: map(_read, file.frames(batch_rows))
    known = ", ".join([*ENDINGS, ".parquet"])
    message = f"cannot tell how to read {path}: its name ends in {path.suffix!r}; the endings known are {known}"
    raise UnsupportedTableError(message)
