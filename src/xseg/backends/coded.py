"""Rows as codes and points, in memory or in files of our own."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xseg.backends.base import BLOCK_ROWS, PassCounter, add_blocks, map_blocks
from xseg.core.statistics import CodedBlock, Statistic

__all__ = ["CodedRows", "FileArray", "Ones"]

S = TypeVar("S", bound=Statistic[Any])


class RowArray(Protocol):
    """What a block is sliced from: an array, or a file that reads like one."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return consecutive rows."""
        ...


class FileArray:
    """A two-dimensional array in a file of raw values, read a slice at a time (so it never fills memory)."""

    def __init__(self, path: Path, dtype: DTypeLike, n_columns: int) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.n_columns = n_columns

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        row_bytes = self.dtype.itemsize * self.n_columns
        if row_bytes == 0:
            return np.empty((rows.stop - rows.start, 0), dtype=self.dtype)
        count = (rows.stop - rows.start) * self.n_columns
        values = np.fromfile(self.path, self.dtype, count, offset=rows.start * row_bytes)
        return values.reshape(-1, self.n_columns)


class Ones:
    """The weights of rows that all count alike, which need no file."""

    def __getitem__(self, rows: slice) -> NDArray[np.int64]:
        return np.ones(rows.stop - rows.start, dtype=np.int64)


class CodedRows:
    """The coded backend for rows within reach of this process."""

    def __init__(
        self,
        codes: RowArray,
        points: RowArray,
        weights: RowArray,
        n_rows: int,
        n_workers: int,
        *,
        passes: PassCounter | None = None,
        resource: object = None,
    ) -> None:
        self.codes = codes
        self.points = points
        self.weights = weights
        self.n_rows = n_rows
        self.n_workers = n_workers
        self._passes = passes
        self._resource = resource

    def take_first(self, n_rows: int) -> "CodedRows":
        """Return the first rows alone, or all if there are fewer."""
        some = slice(0, min(n_rows, self.n_rows))
        return CodedRows(self.codes[some], self.points[some], self.weights[some], some.stop, self.n_workers)

    def blocks(self) -> Iterator[CodedBlock]:
        """Return the rows, a block at a time."""
        if self._passes is not None:
            self._passes.count("coded")
        for start in range(0, self.n_rows, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.n_rows))
            yield _LazyBlock(self, rows)

    def sum(self, statistic: S) -> S:
        """Add `statistic` over all rows."""
        return add_blocks(self.blocks(), statistic, self.n_workers)

    def map(self, function: Callable[[CodedBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks and join the results in the order of the rows."""
        return map_blocks(self.blocks(), function, self.n_workers, self.n_rows)


class _LazyBlock(CodedBlock):
    """Some rows of which a sum reads only what it needs, in its own thread: many need no points."""

    def __init__(self, source: CodedRows, rows: slice) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "rows", rows)

    source: CodedRows
    rows: slice

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        return self.source.codes[self.rows]

    @cached_property
    def points(self) -> NDArray[np.float32]:
        return self.source.points[self.rows]

    @cached_property
    def weights(self) -> NDArray[np.int64]:
        return self.source.weights[self.rows].reshape(-1)
