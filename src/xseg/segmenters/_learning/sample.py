"""A sample of distinct rows that does not depend on where the rows are or in which order they come."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.hashes import mix_columns
from xseg.backends.coded import CodedRows
from xseg.core.statistics import CodedBlock

__all__ = ["RowSample", "draw_rows", "hash_block", "hash_numbers", "hash_rows"]

_ONE_ROW = np.zeros((1, 1), dtype=np.uint8)


def hash_rows(codes: NDArray[np.uint8], seed: int) -> NDArray[np.uint64]:
    """Return a seeded 64-bit hash of each row of codes: the only source of chance in a fit."""
    start = hash_numbers(np.full(1, seed % 2**64, dtype=np.uint64), _ONE_ROW)
    return hash_numbers(np.full(len(codes), start[0]), codes)


def hash_numbers(hashes: NDArray[np.uint64], numbers: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint64]:
    """Mix the columns of `numbers`, shape (n_rows or 1, n_columns), into the hashes of the rows."""
    mixed = hashes.copy()
    mix_columns(mixed, numbers)
    return mixed


def hash_block(block: CodedBlock, seed: int) -> NDArray[np.uint64]:
    """Return a seeded hash of all there is of each row."""
    return hash_numbers(hash_rows(block.codes, seed), block.points.view(np.uint32))


def draw_rows(hashes: NDArray[np.uint64], odds: NDArray[np.float64], seed: int, n_draws: int) -> NDArray[np.intp]:
    """Draw rows with probability proportional to `odds`: the first arrival of exponential clocks."""
    drawn = np.empty(n_draws, dtype=np.intp)
    with np.errstate(divide="ignore"):
        for draw in range(n_draws):
            mixed = hash_numbers(hashes, np.full((1, 1), seed * 31 + draw, dtype=np.uint64))
            uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
            drawn[draw] = np.argmin(-np.log(uniform) / odds)
    return drawn


class RowSample:
    """A statistic: distinct rows whose hash is small, with their weights; at most `capacity` of them.

    Whenever there are too many, the bound on the hash is halved, so the sample depends only on the set of rows
    (distinct sampling, Gibbons, 2001). If there are no more than `capacity` distinct rows it holds them all.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self.capacity = capacity
        self.seed = seed
        self.halvings = 0
        self._parts: list[_Rows] = []

    def empty(self) -> Self:
        return type(self)(self.capacity, self.seed)

    def add(self, block: CodedBlock) -> None:
        hashes = hash_rows(block.codes, self.seed)
        taken = (hashes <= self._bound) & (block.weights > 0)
        # Adding zero turns -0.0 into 0.0, so that equal rows have equal bytes.
        points = block.points[taken] + np.float32(0)
        self._parts.append(_Rows(block.codes[taken], points, block.weights[taken], hashes[taken]))
        if sum(len(part.hashes) for part in self._parts) > 2 * self.capacity:
            self._settle()

    def merge(self, other: Self) -> None:
        self.halvings = max(self.halvings, other.halvings)
        self._parts += other._parts
        self._settle()

    @property
    def is_everything(self) -> bool:
        """Whether no distinct row was left out."""
        return self.halvings == 0

    @property
    def _bound(self) -> np.uint64:
        return np.uint64((2**64 - 1) >> self.halvings)

    def _settle(self) -> None:
        rows = _distinct(_joined(self._parts))
        within = np.searchsorted(rows.hashes, self._bound, side="right")
        while within > self.capacity:
            self.halvings += 1
            within = np.searchsorted(rows.hashes, self._bound, side="right")
        self._parts = [rows.first(int(within))]

    def coded(self, n_workers: int) -> CodedRows:
        """Return the sample as rows to learn from."""
        self._settle()
        rows = self._parts[0]
        return CodedRows(rows.codes, rows.points, rows.weights, len(rows.codes), n_workers)


@dataclass(frozen=True, slots=True)
class _Rows:
    codes: NDArray[np.uint8]
    points: NDArray[np.float32]
    weights: NDArray[np.int64]
    hashes: NDArray[np.uint64]

    def first(self, count: int) -> "_Rows":
        return _Rows(self.codes[:count], self.points[:count], self.weights[:count], self.hashes[:count])


def _joined(parts: list[_Rows]) -> _Rows:
    names = ("codes", "points", "weights", "hashes")
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _distinct(rows: _Rows) -> _Rows:
    """Sort rows by hash and add up the weights of equal ones."""
    point_hashes = hash_numbers(np.zeros(len(rows.hashes), dtype=np.uint64), rows.points.view(np.uint32))
    order = np.lexsort((point_hashes, rows.hashes))
    codes, points, weights = rows.codes[order], rows.points[order], rows.weights[order]
    if not len(codes):
        return rows
    differs = (codes[1:] != codes[:-1]).any(axis=1) | (points[1:] != points[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], differs]))
    return _Rows(codes[starts], points[starts], np.add.reduceat(weights, starts), rows.hashes[order][starts])
