"""The contract between fitting and the place of the rows, and what backends share: passes, threads, coded rows."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from numbers import Integral
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xseg.core.embedding import Coding
from xseg.core.progress import report_progress, run_in_threads
from xseg.core.statistics import CodedBlock, RawBlock, Statistic
from xseg.core.tables import Table
from xseg.exceptions import ParameterError

__all__ = [
    "BLOCK_ROWS",
    "Backend",
    "CodedBackend",
    "CodedRows",
    "FileArray",
    "Ones",
    "PassCounter",
    "Passes",
    "add_blocks",
    "ahead",
    "apply_in_order",
    "count_workers",
    "map_blocks",
]

BLOCK_ROWS = 16_384
_END = object()

B = TypeVar("B")
R = TypeVar("R")
S = TypeVar("S", bound=Statistic[Any])


class CodedBackend(Protocol):
    """Rows as codes and points, which `Backend.encode` makes.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    """

    n_rows: int

    def sum(self, statistic: S) -> S:
        """Return the sum of `statistic` over all rows; the argument itself stays as it is.

        Each part of the rows is added to a copy that `statistic.empty()` makes; copies are merged in any order.
        """
        ...

    def map(self, function: Callable[[CodedBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks of rows and join the results in the order of the rows."""
        ...


@runtime_checkable
class Backend(Protocol):
    """Rows as they came, wherever they are.

    A fit asks for sums of statistics and for arrays with one entry per row, so one algorithm serves rows in memory, in
    files larger than memory and on other machines. Statistics, functions and codings that a backend is given can be
    pickled; they hold parameters but neither rows nor fitted segmenters. `xseg.testing.check_backend` checks an
    implementation.

    Attributes
    ----------
    weight_unit : float
        Integer weight that stands for a sample weight of 1; `check_weights` computes it.
    """

    weight_unit: float

    def sum(self, statistic: S) -> S:
        """Return the sum of `statistic` over all rows; the argument itself stays as it is.

        Each part of the rows is added to a copy that `statistic.empty()` makes; copies are merged in any order.
        """
        ...

    def map(self, function: Callable[[RawBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks of rows and join the results in the order of the rows."""
        ...

    def convert_tables(self, convert: Callable[[Table], Table]) -> "Backend":
        """Return a backend of the same rows as `convert` reads them: texts as the numbers they state, for example."""
        ...

    def encode(self, coding: Coding) -> CodedBackend:
        """Turn the rows into codes and points, once, for the many passes to come."""
        ...


_READING = "adding over rows"


def add_blocks(blocks: Generator[B, None, None], statistic: S, n_workers: int) -> S:
    """Add a statistic over blocks, each worker into its own copy."""
    with closing(blocks):
        return _add_blocks(blocks, statistic, n_workers)


def _add_blocks(blocks: Iterator[B], statistic: S, n_workers: int) -> S:
    lock = Lock()

    def take() -> B | None:
        with lock:
            return next(blocks, None)

    def work(total: S) -> S:
        while (block := take()) is not None:
            report_progress(_READING)
            total.add(block)
        return total

    first = next(blocks, None)
    total = statistic.empty()
    if first is None:
        return total
    second = next(blocks, None)
    if second is None or n_workers == 1:
        total.add(first)
        blocks = chain([] if second is None else [second], blocks)
        return work(total)
    blocks = chain([first, second], blocks)
    for part in run_in_threads(work, [statistic.empty() for _ in range(n_workers)], n_workers, _READING):
        total.merge(part)
    return total


def apply_in_order(
    blocks: Generator[B, None, None], function: Callable[[B], R], n_workers: int
) -> Generator[R, None, None]:
    """Return what a function makes of each block, in order, with a bounded number of blocks under way."""
    with closing(blocks):
        yield from run_in_threads(function, blocks, n_workers, _READING)


def map_blocks(
    blocks: Generator[B, None, None], function: Callable[[B], NDArray[Any]], n_workers: int, n_rows: int | None = None
) -> NDArray[Any]:
    """Apply a function to blocks and join the results in order; `n_rows`, if known, spares a second copy of them."""
    results = apply_in_order(blocks, function, n_workers)
    if not n_rows:
        return np.concatenate(list(results))
    first = next(results)
    joined = np.empty((n_rows, *first.shape[1:]), dtype=first.dtype)
    stop = 0
    for result in chain([first], results):
        start, stop = stop, stop + len(result)
        joined[start:stop] = result
    return joined


def ahead(items: Iterator[B], depth: int = 2) -> Iterator[B]:
    """Return the items, of which a thread of its own prepares the next `depth`."""
    with ThreadPoolExecutor(1) as pool:
        pending = deque(pool.submit(next, items, _END) for _ in range(depth))
        while (item := pending.popleft().result()) is not _END:
            pending.append(pool.submit(next, items, _END))
            yield item  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Passes:
    """How often the rows of a backend were read so far.

    Attributes
    ----------
    decoded : int
        Passes over the source: files decoded, tables read.
    typed : int
        Passes over its columns as numbers and codes of categories, from a temporary file.
    coded : int
        Passes over the rows as codes of one byte and coordinates.
    """

    decoded: int = 0
    typed: int = 0
    coded: int = 0

    def __str__(self) -> str:
        return f"{self.decoded} decoded, {self.typed} typed, {self.coded} coded"


class PassCounter:
    """Counts passes by kind, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = {"decoded": 0, "typed": 0, "coded": 0}

    def count(self, kind: str) -> None:
        """Count one more pass."""
        with self._lock:
            self._counts[kind] += 1

    def get_counts(self) -> Passes:
        """Return the counts."""
        with self._lock:
            return Passes(**self._counts)


def count_workers(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` asks for; None and -1 mean every core this process may use.

    Raises
    ------
    ParameterError
        It is no whole number, 0, or asks for more cores to be left free than the machine has.
    """
    # All but one core is one core where there is only one.
    most_left_free = max(os.cpu_count() or 1, 2)
    is_whole = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not is_whole or n_jobs == 0 or n_jobs < -most_left_free):
        message = (
            f"n_jobs must be None, a whole number from 1 on, or one from -{most_left_free} to -1 (every core), "
            f"got {n_jobs!r}"
        )
        raise ParameterError(message)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        return available
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)


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

    def blocks(self) -> Generator[CodedBlock, None, None]:
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
