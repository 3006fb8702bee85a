"""Rows in batches: for tables larger than memory, with temporary files for typed and coded rows."""

import pickle
import shutil
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import replace
from itertools import count
from os import PathLike
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from xseg._optional import require
from xseg.backends.base import (
    BLOCK_ROWS,
    CodedRows,
    FileArray,
    Ones,
    PassCounter,
    Passes,
    add_blocks,
    ahead,
    apply_in_order,
    count_workers,
    map_blocks,
)
from xseg.backends.delimited import ENDINGS, DelimitedFile, find_ending
from xseg.core.embedding import Coding
from xseg.core.schema import Kind
from xseg.core.statistics import RawBlock, Statistic, fix_weights, weight_unit
from xseg.core.tables import Column, Table, read_table, select_columns, text_column
from xseg.exceptions import DataError, ParameterError, UnsupportedTypeError

__all__ = [
    "BatchBackend",
    "TableReader",
    "TemporaryFolder",
    "TypedRows",
    "explain_write_errors",
    "make_table_reader",
    "parquet_tables",
]

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


_under_way: ContextVar[list["TemporaryFolder"] | None] = ContextVar("under_way", default=None)


@contextmanager
def remove_folders_on_failure() -> Iterator[None]:
    """Remove the temporary folders that are made inside a ``with`` block if it ends with an exception.

    The exception's traceback holds the objects that they belong to, for as long as somebody keeps it.
    """
    made: list[TemporaryFolder] = []
    token = _under_way.set(made)
    try:
        yield
    except BaseException:
        for folder in made:
            folder.remove()
        raise
    finally:
        _under_way.reset(token)


class TemporaryFolder:
    """A folder that goes with this object, and at the latest when Python ends."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="xseg-"))
        self._numbers = count()
        self.remove = finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        if (made := _under_way.get()) is not None:
            made.append(self)

    def new_file(self) -> Path:
        """Return a path that nobody writes to yet."""
        return self.path / str(next(self._numbers))


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Raise DataError, which says what to do, where a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        message = (
            f"rows could not be written to the temporary folder {path.parent}: {error.strerror}. Make room there, or "
            "set TMPDIR to a folder with more; a table needs 9 to 13 bytes a number"
        )
        raise DataError(message) from error


_INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32)


class TypedRows:
    """Tables that are decoded once, and then come from a temporary file.

    Parameters
    ----------
    tables : callable
        Starts to read the source.
    passes : PassCounter
        Counter of the passes over the rows.
    """

    def __init__(self, tables: TableReader, passes: PassCounter) -> None:
        self._tables = tables
        self._passes = passes
        self._folder = TemporaryFolder()
        self._path: Path | None = None
        self.n_rows: int | None = None

    def read(self, *, keep: bool = True) -> Iterator[Table]:
        """Return the tables; `keep` writes them down on the way if they have not been yet."""
        if self._path is not None:
            self._passes.count("typed")
            return _written(self._path)
        self._passes.count("decoded")
        return self._keep() if keep else self._tables()

    def _keep(self) -> Iterator[Table]:
        """Decode and write; what is not written to the end does not count."""
        n_rows = 0
        path = self._folder.new_file()
        try:
            with path.open("wb") as file:
                for table in self._tables():
                    with explain_write_errors(path):
                        pickle.dump(_narrow_table(table), file, protocol=pickle.HIGHEST_PROTOCOL)
                    n_rows += len(table)
                    yield table
            self._path, self.n_rows = path, n_rows
        finally:
            if self._path is not path:
                path.unlink(missing_ok=True)


def _written(path: Path) -> Iterator[Table]:
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            table, dtypes = pickle.load(file)
            columns = zip(table.columns, dtypes, strict=True)
            yield _with_values(table, (column.values.astype(dtype, copy=False) for column, dtype in columns))


def _narrow_table(table: Table) -> tuple[Table, list[np.dtype[Any]]]:
    """Return the same values in as few bytes as hold them, and the types that they had."""
    dtypes = [column.values.dtype for column in table.columns]
    return _with_values(table, (narrow(column.values) for column in table.columns)), dtypes


def _with_values(table: Table, values: Iterable[NDArray[Any]]) -> Table:
    columns = zip(table.columns, values, strict=True)
    return replace(table, columns=tuple(replace(column, values=some) for column, some in columns))


def narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Return values in the smallest of the usual types that holds each of them exactly."""
    if values.dtype == np.float64:
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        return single if np.array_equal(single, values, equal_nan=True) else values
    if values.dtype.kind in "iu" and values.dtype.itemsize > 1 and len(values):
        low, high = int(values.min()), int(values.max())
        for dtype in _INTEGERS:
            limits = np.iinfo(dtype)
            if limits.min <= low and high <= limits.max:
                return values.astype(dtype)
    return values


S = TypeVar("S", bound=Statistic[Any])


class BatchBackend:
    """Rows that come in batches, of which only one is held at a time.

    Parameters
    ----------
    source : path, iterable of tables, or callable that gives an iterator of tables
        A CSV or Parquet file, or batches. It is read once if rows are learned from, whatever becomes of it later; of a
        text file a pass before that sees what its columns are. An iterator that can be read only once is read at once.
    columns : sequence of str, default=None
        The columns to use; None means all.
    weight_column : str, default=None
        The column that says how much each row counts.
    batch_rows : int, default=65536
        Number of rows of a file to read at a time. The result does not depend on it.
    separator, decimal, encoding : str, default=None
        Of a text file, as for `load_table`, which reads the same file to the same columns.
    n_jobs : int, default=None
        Number of threads; None and -1 mean all cores.

    Raises
    ------
    DataError, UnsupportedTypeError
        The rows cannot be used.

    Notes
    -----
    The first pass decodes the source and writes its columns to a temporary file, in the narrowest types that hold each
    value exactly: at most 8 bytes a number, mostly 4 or less. Further passes, to choose bins and scales, read that
    file. Then codes of one byte a value and coordinates of four are written, and everything else reads those. The
    files lie in the folder that `tempfile.gettempdir` names and go with the backend, on errors too. `predict` on
    rows that were not learned from writes nothing.

    Examples
    --------
    >>> import numpy as np, xseg
    >>> rows = np.array([[0.0], [0.1], [5.0], [5.2]])
    >>> backend = xseg.backends.BatchBackend([rows[:3], rows[3:]])
    >>> xseg.TreeSegmenter(n_segments=2, random_state=0).fit(backend).labels_
    array([0, 0, 1, 1], dtype=int32)
    """

    def __init__(
        self,
        source: Any,
        *,
        columns: Iterable[str] | None = None,
        weight_column: str | None = None,
        batch_rows: int = 65_536,
        separator: str | None = None,
        decimal: str | None = None,
        encoding: str | None = None,
        n_jobs: int | None = None,
    ) -> None:
        if batch_rows < 1:
            message = f"batch_rows is {batch_rows}; read at least one row at a time"
            raise ParameterError(message)
        self.columns = None if columns is None else tuple(columns)
        self.weight_column = weight_column
        self.n_workers = count_workers(n_jobs)
        wanted = None if self.columns is None else {*self.columns, *([weight_column] if weight_column else [])}
        self._convert: Callable[[Table], Table] = _return_unchanged
        self._passes = PassCounter()
        text = {"separator": separator, "decimal": decimal, "encoding": encoding}
        self._rows = TypedRows(
            make_table_reader(source, batch_rows, wanted, text, n_workers=self.n_workers), self._passes
        )
        if isinstance(source, Iterator):
            for _ in self._rows.read():
                pass
        self.weight_unit = 1.0 if weight_column is None else self._find_weight_unit(weight_column)

    @property
    def passes(self) -> Passes:
        """How often the rows were read so far."""
        return self._passes.get_counts()

    def blocks(self, *, keep: bool = True) -> Generator[RawBlock, None, None]:
        """Return the rows, a block at a time; `keep` stores the decoded blocks for later passes."""
        first = 0
        for table in self._rows.read(keep=keep):
            weights = self._weights(table)
            used = self._convert(self._used_columns(table))
            for start in range(0, len(used), BLOCK_ROWS):
                stop = start + BLOCK_ROWS
                yield RawBlock(used.rows(start, stop), weights[start:stop], first + start)
            first += len(used)

    def sum(self, statistic: S) -> S:
        """Add `statistic` over all rows."""
        return add_blocks(self.blocks(), statistic, self.n_workers)

    def map(self, function: Callable[[RawBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks of rows and join the results in the order of the rows."""
        return map_blocks(self.blocks(keep=False), function, self.n_workers, self._rows.n_rows)

    def convert_tables(self, convert: Callable[[Table], Table]) -> "BatchBackend":
        """Return a backend of the same rows, and the same files, as `convert` reads them."""
        backend = copy(self)
        backend._convert = convert
        return backend

    def encode(self, coding: Coding) -> CodedRows:
        """Turn the rows into codes and points, kept in temporary files."""
        folder = TemporaryFolder()
        paths = [folder.path / name for name in ("codes", "points", "weights")]
        n_rows = 0

        def code(block: RawBlock) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
            return *coding.code(block.table), block.weights

        with paths[0].open("wb") as codes, paths[1].open("wb") as points, paths[2].open("wb") as weights:
            for block in apply_in_order(self.blocks(), code, self.n_workers):
                with explain_write_errors(paths[0]):
                    block[0].tofile(codes)
                    block[1].tofile(points)
                    if self.weight_column is not None:
                        block[2].tofile(weights)
                n_rows += len(block[0])
        return CodedRows(
            FileArray(paths[0], np.uint8, len(coding.bins)),
            FileArray(paths[1], np.float32, len(coding.embedding.coordinates)),
            Ones() if self.weight_column is None else FileArray(paths[2], np.int64, 1),
            n_rows,
            self.n_workers,
            passes=self._passes,
            resource=folder,
        )

    def _used_columns(self, table: Table) -> Table:
        if self.columns is not None:
            return select_columns(table, self.columns)
        if self.weight_column is not None:
            return select_columns(table, [name for name in table.names if name != self.weight_column])
        return table

    def _weights(self, table: Table) -> NDArray[np.int64]:
        if self.weight_column is None or not len(table):
            return np.ones(len(table), dtype=np.int64)
        return fix_weights(select_columns(table, [self.weight_column]).columns[0].numbers(), self.weight_unit)

    def _find_weight_unit(self, weight_column: str) -> float:
        largest, whole = 0.0, True
        for table in self._rows.read():
            values = select_columns(table, [weight_column]).columns[0].numbers()
            if len(values):
                largest = max(largest, float(values.max()))
                whole = whole and bool((values == np.rint(values)).all())
        if largest == 0:
            message = f"every weight in column {weight_column!r} is zero; at least one row must count"
            raise DataError(message)
        return weight_unit(np.array([largest] if whole else [largest, largest / 3]))


def _return_unchanged(table: Table) -> Table:
    return table
