"""Rows as typed columns in a file of our own: what only the first pass has to decode."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.backends.files import TemporaryFolder, room_for
from xseg.backends.passes import PassCounter
from xseg.backends.sources import Tables
from xseg.core.tables import Table

__all__ = ["TypedRows"]

_INTEGERS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32)


class TypedRows:
    """Tables that are decoded once, and then come from a temporary file.

    Parameters
    ----------
    tables : callable
        Starts to read the source.
    passes : PassCounter
        Told of every pass.
    """

    def __init__(self, tables: Tables, passes: PassCounter) -> None:
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
                    with room_for(path):
                        pickle.dump(_narrowed(table), file, protocol=pickle.HIGHEST_PROTOCOL)
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


def _narrowed(table: Table) -> tuple[Table, list[np.dtype[Any]]]:
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
