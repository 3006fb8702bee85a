"""What rows can be read from, a batch at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from xseg.backends.base import ahead
from xseg.backends.parquet import parquet_tables
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, UnsupportedTableError

__all__ = ["Tables", "tables_of"]

Tables = Callable[[], Iterator[Table]]


def tables_of(source: Any, batch_rows: int, wanted: Collection[str] | None, *, n_workers: int) -> Tables:
    """Give a function that starts to read the source, from its beginning unless it is an iterator.

    With several workers, the next tables are decoded while one is in use.
    """
    tables = _tables_of(source, batch_rows, wanted, use_threads=n_workers > 1)
    return tables if n_workers == 1 else lambda: ahead(tables())


def _tables_of(source: Any, batch_rows: int, wanted: Collection[str] | None, *, use_threads: bool) -> Tables:
    if isinstance(source, str | Path):
        return _file_tables(Path(source), batch_rows, wanted, use_threads=use_threads)
    if callable(source):
        return lambda: map(_read, source())
    if isinstance(source, Iterable) and not hasattr(source, "shape"):
        return lambda: map(_read, source)
    message = f"expected a path, an iterable of tables or a callable that gives one, got {type(source).__name__}"
    raise UnsupportedTableError(message)


def _read(batch: Any) -> Table:
    return read_table(batch, needs_rows=False)


def _file_tables(path: Path, batch_rows: int, wanted: Collection[str] | None, *, use_threads: bool) -> Tables:
    if not path.is_file():
        message = f"there is no file {path}"
        raise DataError(message)
    if path.suffix == ".parquet":
        return lambda: parquet_tables(path, batch_rows, wanted, use_threads=use_threads)
    if path.suffixes[-1:] == [".csv"] or path.suffixes[-2:] == [".csv", ".gz"]:
        return lambda: map(_read, _csv_tables(path, batch_rows, wanted))
    message = f"{path.name}: only .csv, .csv.gz and .parquet files are read in batches"
    raise UnsupportedTableError(message)


def _csv_tables(path: Path, batch_rows: int, wanted: Collection[str] | None) -> Iterator[pd.DataFrame]:
    """Give the wanted columns, so many rows at a time; all of them if none is there."""
    present = [name for name in pd.read_csv(path, nrows=0).columns if wanted is not None and name in wanted]
    return iter(pd.read_csv(path, chunksize=batch_rows, usecols=present or None))
