"""Parquet files as columns, by way of pandas only where a type needs it."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xseg._optional import require
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table, read_table, text_column

__all__ = ["parquet_tables"]

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
        return _nothing(name, array)
    return Column(name, Kind.BOOLEAN, array.cast("uint8").to_numpy(zero_copy_only=False).astype(np.float64))


def _text(name: str, array: Any) -> Column:
    """Return text as codes into its distinct values, sorted."""
    if array.null_count == len(array):
        return _nothing(name, array)
    encoded = array.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts) + 1, dtype=np.int64)
    place[order] = np.arange(len(texts))
    place[-1] = -1
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return text_column(name, place[codes], [texts[at] for at in order])


def _nothing(name: str, array: Any) -> Column:
    return Column(name, Kind.EMPTY, np.full(len(array), np.nan))
