"""Sources of rows, read a batch at a time: tables, Parquet files, text files and iterators of tables."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from xseg._optional import require
from xseg.backends.base import ahead
from xseg.backends.delimited import ENDINGS, DelimitedFile, find_ending
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table, read_table, text_column
from xseg.exceptions import DataError, UnsupportedTypeError

__all__ = ["TableReader", "make_table_reader", "parquet_tables"]


# Without pre-buffering and with a buffer of our own, memory does not grow with the file or its row groups.
_BUFFER_BYTES = 2**20


def parquet_tables(
    path: Path, batch_rows: int, wanted: Collection[str] | None, *, use_threads: bool
) -> Iterator[Table]:
    """Return the wanted columns of a file, so many rows at a time; all of them if none is there."""
    pyarrow = require("pyarrow", extra="parquet", purpose="reading Parquet files")
    parquet = require("pyarrow.parquet", extra="parquet", purpose="reading Parquet files")
    with parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
        schema = file.schema_arrow
        present = [name for name in schema.names if wanted is not None and name in wanted]
        direct = _direct_columns(pyarrow.types, schema)
        for batch in file.iter_batches(batch_rows, columns=present or None, use_threads=use_threads):
            if set(batch.schema.names) <= direct.keys():
                columns = tuple(direct[name](name, batch.column(name)) for name in batch.schema.names)
                yield Table(columns, batch.num_rows, named=True)
            else:
                yield read_table(batch.to_pandas(), needs_rows=False)


def _direct_columns(types: Any, schema: Any) -> dict[str, Any]:
    """Return how to read each column that numpy can hold as it is; none that pandas would hide or refuse."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    hidden = {name for name in index if isinstance(name, str)}
    readers = {}
    for field in schema:
        readable = field.name not in hidden and schema.names.count(field.name) == 1
        if readable and (types.is_integer(field.type) or types.is_float32(field.type) or types.is_float64(field.type)):
            readers[field.name] = _number
        elif readable and types.is_boolean(field.type):
            readers[field.name] = _boolean
        elif readable and (types.is_string(field.type) or types.is_large_string(field.type)):
            readers[field.name] = _text
    return readers


def _number(name: str, array: Any) -> Column:
    return Column(name, Kind.NUMBER, array.to_numpy(zero_copy_only=False))


def _boolean(name: str, array: Any) -> Column:
    if array.null_count == len(array):
        return _make_empty_column(name, array)
    return Column(name, Kind.BOOLEAN, array.cast("uint8").to_numpy(zero_copy_only=False).astype(np.float64))


def _text(name: str, array: Any) -> Column:
    """Return text as codes into its distinct values, sorted."""
    if array.null_count == len(array):
        return _make_empty_column(name, array)
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts) + 1, dtype=np.int64)
    place[order] = np.arange(len(texts))
    place[-1] = -1
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return text_column(name, place[codes], [texts[at] for at in order])


def _make_empty_column(name: str, array: Any) -> Column:
    return Column(name, Kind.EMPTY, np.full(len(array), np.nan))


TableReader = Callable[[], Iterator[Table]]


def make_table_reader(
    source: Any, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, n_workers: int
) -> TableReader:
    """Return a function that starts to read the source, from its beginning unless it is an iterator.

    `text` holds the separator, decimal mark and encoding of a text file, as far as they are known.

    With several workers, the next tables are decoded while one is in use.
    """
    tables = _open_source(source, batch_rows, wanted, text, use_threads=n_workers > 1)
    return tables if n_workers == 1 else lambda: ahead(tables())


def _open_source(
    source: Any, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, use_threads: bool
) -> TableReader:
    if isinstance(source, str | PathLike):
        return _file_tables(Path(source), batch_rows, wanted, text, use_threads=use_threads)
    if callable(source):
        return lambda: map(_read, source())
    if isinstance(source, Iterable) and not hasattr(source, "shape"):
        return lambda: map(_read, source)
    message = f"expected a path, an iterable of tables or a callable that gives one, got {type(source).__name__}"
    raise UnsupportedTypeError(message)


def _read(batch: Any) -> Table:
    return read_table(batch, needs_rows=False)


def _file_tables(
    path: Path, batch_rows: int, wanted: Collection[str] | None, text: Mapping[str, str | None], *, use_threads: bool
) -> TableReader:
    if not path.is_file():
        message = f"there is no file {path}"
        raise DataError(message)
    if path.name.lower().endswith(".parquet"):
        return lambda: parquet_tables(path, batch_rows, wanted, use_threads=use_threads)
    if find_ending(path):
        file = DelimitedFile(path, columns=wanted, **text)
        file.list_readings()
        return lambda: map(_read, file.frames(batch_rows))
    known = ", ".join([*ENDINGS, ".parquet"])
    message = f"cannot tell how to read {path}: its name ends in {path.suffix!r}; the endings known are {known}"
    raise UnsupportedTypeError(message)
