"""Rows in memory."""

from collections.abc import Callable, Generator
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import BLOCK_ROWS, CodedRows, add_blocks, apply_in_order, count_workers, map_blocks
from xseg.core.embedding import Coding
from xseg.core.statistics import RawBlock, Statistic, check_weights
from xseg.core.tables import Table, read_table

__all__ = ["MemoryBackend"]

S = TypeVar("S", bound=Statistic[Any])


class MemoryBackend:
    """Rows of a table or array in memory.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_features)
        The rows.
    sample_weight : array-like of shape (n_rows,), default=None
        How much each row counts; 2 is the same as the row twice, 0 the same as leaving it out.
    n_jobs : int, default=None
        Number of threads; None and -1 mean all cores.

    Raises
    ------
    DataError, UnsupportedTypeError
        The rows or weights cannot be used.

    Examples
    --------
    >>> import xseg
    >>> backend = xseg.backends.MemoryBackend([[0.0], [0.1], [5.0], [5.2]])
    >>> xseg.TreeSegmenter(n_segments=2, random_state=0).fit(backend).labels_
    array([0, 0, 1, 1], dtype=int32)
    """

    def __init__(self, X: Any, sample_weight: object = None, *, n_jobs: int | None = None) -> None:
        self.table = read_table(X)
        self.weights, self.weight_unit = check_weights(sample_weight, len(self.table))
        self.n_workers = count_workers(n_jobs)

    def blocks(self) -> Generator[RawBlock, None, None]:
        """Return the rows, a block at a time."""
        for start in range(0, len(self.table), BLOCK_ROWS):
            stop = start + BLOCK_ROWS
            yield RawBlock(self.table.rows(start, stop), self.weights[start:stop], start)

    def sum(self, statistic: S) -> S:
        """Add `statistic` over all rows."""
        return add_blocks(self.blocks(), statistic, self.n_workers)

    def map(self, function: Callable[[RawBlock], NDArray[Any]]) -> NDArray[Any]:
        """Apply `function` to blocks and join the results in the order of the rows."""
        return map_blocks(self.blocks(), function, self.n_workers, len(self.table))

    def convert_tables(self, convert: Callable[[Table], Table]) -> "MemoryBackend":
        """Return a backend of the same rows as `convert` reads them."""
        backend = copy(self)
        backend.table = convert(self.table)
        return backend

    def encode(self, coding: Coding) -> CodedRows:
        """Turn the rows into codes and points, held in memory."""
        n_rows = len(self.table)
        codes = np.empty((n_rows, len(coding.bins)), dtype=np.uint8)
        points = np.empty((n_rows, len(coding.embedding.coordinates)), dtype=np.float32)

        def write(start: int) -> None:
            rows = slice(start, start + BLOCK_ROWS)
            codes[rows], points[rows] = coding.code(self.table.rows(start, start + BLOCK_ROWS))

        for _ in apply_in_order((start for start in range(0, n_rows, BLOCK_ROWS)), write, self.n_workers):
            pass
        return CodedRows(codes, points, self.weights, n_rows, self.n_workers)
