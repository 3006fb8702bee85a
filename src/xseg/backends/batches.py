"""Rows in batches: for tables larger than memory."""

import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar
from weakref import finalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._optional import require
from xseg.backends.base import BLOCK_ROWS, add_blocks, map_blocks
from xseg.backends.coded import CodedRows, FileArray
from xseg.backends.workers import count_workers
from xseg.core.embedding import Coding
from xseg.core.fixed_point import fix_weights, weight_unit
from xseg.core.statistics import RawBlock, Statistic
from xseg.core.tables import Table, match_columns, read_table
from xseg.exceptions import DataError, ParameterError, UnsupportedTableError

__all__ = ["BatchBackend"]

S = TypeVar("S", bound=Statistic[Any])
Batches = Callable[[], Iterator[Any]]


class BatchBackend:
    """Rows that come in batches, of which only one is held at a time.

    Parameters
    ----------
    source : path, iterable of tables, or callable that gives an iterator of tables
        A CSV or Parquet file, or batches. A list or a callable is read anew at every pass; an iterator that can be
        read only once is first written to a temporary file.
    columns : sequence of str, default=None
        The columns to use; None means all.
    weight_column : str, default=None
        The column that says how much each row counts.
    batch_rows : int, default=65536
        How many rows of a file to read at a time. The result does not depend on it.
    n_jobs : int, default=None
        How many threads to use; None and -1 mean every core.

    Raises
    ------
    DataError, SchemaError, ColumnTypeError, UnsupportedTableError
        The rows cannot be used.

    Notes
    -----
    Raw batches are read two or three times, to choose bins and scales; codes and coordinates are then kept in a
    temporary directory, which goes when the backend does.

    Examples
    --------
    >>> import numpy as np, xseg
    >>> rows = np.array([[0.0], [0.1], [5.0], [5.2]])
    >>> backend = xseg.BatchBackend([rows[:3], rows[3:]])
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
        n_jobs: int | None = None,
    ) -> None:
        if batch_rows < 1:
            message = f"batch_rows is {batch_rows}; read at least one row at a time"
            raise ParameterError(message)
        self.columns = None if columns is None else tuple(columns)
        self.weight_column = weight_column
        self.n_workers = count_workers(n_jobs)
        self._directory = _Directory()
        self._batches = _batches_of(source, batch_rows, self._directory.path)
        self.weight_unit = 1.0 if weight_column is None else self._find_weight_unit(weight_column)

    def blocks(self) -> Iterator[RawBlock]:
        """Give the rows, a block at a time."""
        for batch in self._batches():
            table = read_table(batch, needs_rows=False)
            weights = self._weights(table)
            if self.columns is not None:
                table = match_columns(table, self.columns)
            elif self.weight_column is not None:
                table = match_columns(table, [name for name in table.names if name != self.weight_column])
            for start in range(0, len(table), BLOCK_ROWS):
                yield RawBlock(table.rows(start, start + BLOCK_ROWS), weights[start : start + BLOCK_ROWS])

    def sum(self, statistic: S) -> S:
        """Add `statistic` over all rows."""
        return add_blocks(self.blocks(), statistic, self.n_workers)

    def map(self, function: Callable[[RawBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks of rows and join the results in the order of the rows."""
        return map_blocks(self.blocks(), function, self.n_workers)

    def encode(self, coding: Coding) -> CodedRows:
        """Turn the rows into codes and points, kept in temporary files."""
        directory = _Directory()
        paths = [directory.path / name for name in ("codes", "points", "weights")]
        n_rows = 0
        with paths[0].open("wb") as codes, paths[1].open("wb") as points, paths[2].open("wb") as weights:
            for block in self.blocks():
                block_codes, block_points = coding.code(block.table)
                block_codes.tofile(codes)
                block_points.tofile(points)
                block.weights.tofile(weights)
                n_rows += len(block.table)
        return CodedRows(
            FileArray(paths[0], np.uint8, len(coding.bins)),
            FileArray(paths[1], np.float32, len(coding.embedding.coordinates)),
            FileArray(paths[2], np.int64, 1),
            n_rows,
            self.n_workers,
            resource=directory,
        )

    def _weights(self, table: Table) -> NDArray[np.int64]:
        if self.weight_column is None or not len(table):
            return np.ones(len(table), dtype=np.int64)
        return fix_weights(match_columns(table, [self.weight_column]).columns[0].numbers(), self.weight_unit)

    def _find_weight_unit(self, weight_column: str) -> float:
        largest, whole = 0.0, True
        for batch in self._batches():
            table = match_columns(read_table(batch, needs_rows=False), [weight_column])
            values = table.columns[0].numbers()
            if len(values):
                largest = max(largest, float(values.max()))
                whole = whole and bool((values == np.rint(values)).all())
        if largest == 0:
            message = f"every weight in column {weight_column!r} is zero; at least one row must count"
            raise DataError(message)
        return weight_unit(np.array([largest] if whole else [largest, largest / 3]))


class _Directory:
    """A temporary directory that goes when nobody needs it any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="xseg-"))
        finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _batches_of(source: Any, batch_rows: int, directory: Path) -> Batches:
    if isinstance(source, str | Path):
        return _file_batches(Path(source), batch_rows)
    if callable(source):
        batches: Batches = source
        return batches
    if isinstance(source, Iterator):
        return _spooled(source, directory / "batches")
    if isinstance(source, Iterable) and not hasattr(source, "shape"):
        return lambda: iter(source)
    message = f"expected a path, an iterable of tables or a callable that gives one, got {type(source).__name__}"
    raise UnsupportedTableError(message)


def _file_batches(path: Path, batch_rows: int) -> Batches:
    if not path.is_file():
        message = f"there is no file {path}"
        raise DataError(message)
    if path.suffix == ".parquet":
        parquet = require("pyarrow.parquet", extra="parquet", purpose="reading Parquet files")

        def parquet_batches() -> Iterator[Any]:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_rows):
                    yield batch.to_pandas()

        return parquet_batches
    if path.suffixes[-1:] == [".csv"] or path.suffixes[-2:] == [".csv", ".gz"]:
        return lambda: pd.read_csv(path, chunksize=batch_rows)
    message = f"{path.name}: only .csv, .csv.gz and .parquet files are read in batches"
    raise UnsupportedTableError(message)


def _spooled(batches: Iterator[Any], path: Path) -> Batches:
    """Write batches that can be read only once to a file of our own, and read them from there."""
    n_batches = 0
    with path.open("wb") as file:
        for batch in batches:
            pickle.dump(batch, file, protocol=pickle.HIGHEST_PROTOCOL)
            n_batches += 1

    def read() -> Iterator[Any]:
        with path.open("rb") as file:
            for _ in range(n_batches):
                yield pickle.load(file)

    return read
