"""Sums over the rows nearest to each centre, and the centres that those sums lead to."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.distances import add_code_counts, add_group_sums, nearest
from xseg.core.bins import MISSING, N_CODES
from xseg.core.statistics import CodedBlock
from xseg.segmenters._prototypes.space import Centres, PrototypeSpace

__all__ = ["NearestCounts"]

_NONE = np.empty(0, dtype=np.int64)


class NearestCounts:
    """A statistic: counts of codes and sums of points of the rows nearest to each centre, and their distance."""

    def __init__(self, space: PrototypeSpace, centres: Centres) -> None:
        self.space = space
        self.centres = centres
        self.scores = space.scores(centres)
        self.counts = np.zeros((len(centres), space.n_features, N_CODES), dtype=np.int64)
        self.sums = np.zeros((len(centres), len(space.embedding.coordinates)), dtype=np.int64)
        self.mass = np.zeros(len(centres), dtype=np.int64)
        self.fixed_cost = 0

    def empty(self) -> Self:
        return type(self)(self.space, self.centres)

    def add(self, block: CodedBlock) -> None:
        space = self.space
        labels, best = np.empty(len(block.codes), dtype=np.int32), np.empty(len(block.codes))
        nearest(-self.scores.of(block.codes, block.points), labels, best)
        add_code_counts(block.codes, labels, block.weights, self.counts)
        no_counts = self.counts[:, :0]
        add_group_sums(
            block.points, block.codes, _NONE, labels, block.weights, space.units, self.sums, no_counts, self.mass
        )
        self.fixed_cost += int(np.rint(best * space.cost_unit).astype(np.int64) @ block.weights)

    def merge(self, other: Self) -> None:
        self.counts += other.counts
        self.sums += other.sums
        self.mass += other.mass
        self.fixed_cost += other.fixed_cost

    @property
    def cost(self) -> float:
        """The summed distance of the rows to their nearest centre."""
        return self.fixed_cost / self.space.cost_unit

    def moved(self) -> Centres:
        """Return the centres that the rows counted here would rather have, feature by feature."""
        embedding = self.space.embedding
        known = self.counts[:, embedding.coordinates, :MISSING]
        if self.space.squared:
            weight = known.sum(axis=2)
            numbers = self.sums / self.space.units / np.maximum(weight, 1)
            numbers = np.where(weight > 0, numbers, self.centres.numbers)
        else:
            numbers = _medians(known, self.space.levels, self.centres.numbers)
        codes = _middle_codes(self.counts[:, embedding.looked_up, :MISSING], self.space, self.centres.codes)
        return Centres(numbers, codes)


def _medians(
    known: NDArray[np.int64], levels: NDArray[np.float64], unknown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the level of the middle person of each group in each coordinate, shape (n_groups, n_points)."""
    reached = np.cumsum(known, axis=2)
    total = reached[:, :, -1]
    code = (2 * reached >= total[:, :, None]).argmax(axis=2)
    return np.where(total > 0, levels[np.arange(len(levels)), code], unknown)


def _middle_codes(known: NDArray[np.int64], space: PrototypeSpace, unknown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the code nearest to the people of each group: the commonest category, the middle of an order."""
    codes = unknown.copy()
    for f, pair in enumerate(space.pairs):
        seen = np.flatnonzero(known[:, f].any(axis=0))
        if len(seen):
            # No BLAS: its sums could depend on the number of threads.
            distance = np.einsum("ga,ab->gb", known[:, f][:, seen].astype(np.float64), pair[np.ix_(seen, seen)])
            codes[:, f] = np.where(known[:, f].any(axis=1), seen[distance.argmin(axis=1)], unknown[:, f])
    return codes
