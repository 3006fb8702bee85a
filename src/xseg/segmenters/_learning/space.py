"""The sums that partitions of the rows are judged by."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.distances import add_group_sums, nearest, squared_distances
from xseg.core.bins import N_CODES
from xseg.core.embedding import Centers, Embedding
from xseg.core.fixed_point import fixed_unit
from xseg.core.statistics import CodedBlock

__all__ = ["GroupSums", "NearestSums", "Space"]


@dataclass(frozen=True, eq=False)
class Space:
    """The metric space, with the units in which sums over all rows fit into 62 bits."""

    embedding: Embedding
    total_weight: int
    units: NDArray[np.float64]
    cost_unit: float

    @classmethod
    def of(cls, embedding: Embedding, total_weight: int) -> Self:
        """Choose the units for rows of this total weight."""
        units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        return cls(embedding, total_weight, units, fixed_unit(embedding.largest_distance, total_weight))

    def distances(self, block: CodedBlock, centers: Centers) -> NDArray[np.float64]:
        """Return the squared distance of each row to each centre."""
        out = np.empty((len(block.codes), len(centers)))
        looked_up = self.embedding.looked_up
        squared_distances(block.points, block.codes, looked_up, centers.transposed, centers.tables, out)
        return out


class GroupSums:
    """Sums over rows in groups: weight, coordinates, and counts of looked-up codes."""

    def __init__(self, space: Space, n_groups: int) -> None:
        embedding = space.embedding
        self.space = space
        self.mass = np.zeros(n_groups, dtype=np.int64)
        self.sums = np.zeros((n_groups, len(embedding.coordinates)), dtype=np.int64)
        self.counts = np.zeros((n_groups, len(embedding.looked_up), N_CODES), dtype=np.int64)

    def add_rows(self, block: CodedBlock, groups: NDArray[np.int32]) -> None:
        """Add each row of a block to its group."""
        looked_up, units = self.space.embedding.looked_up, self.space.units
        add_group_sums(
            block.points, block.codes, looked_up, groups, block.weights, units, self.sums, self.counts, self.mass
        )

    def merge(self, other: Self) -> None:
        """Add the other sums."""
        self.mass += other.mass
        self.sums += other.sums
        self.counts += other.counts

    def means(self) -> NDArray[np.float64]:
        """Return the mean of each group, shape (n_groups, n_dimensions)."""
        return self.space.embedding.means(self.sums, self.space.units, self.counts, self.mass)


class NearestSums:
    """A statistic: the sums of the rows nearest to each centre, and their cost."""

    def __init__(self, space: Space, centers: Centers) -> None:
        self.space = space
        self.centers = centers
        self.groups = GroupSums(space, len(centers))
        self.fixed_cost = 0

    def empty(self) -> Self:
        return type(self)(self.space, self.centers)

    def add(self, block: CodedBlock) -> None:
        labels = np.empty(len(block.codes), dtype=np.int32)
        best = np.empty(len(block.codes))
        nearest(self.space.distances(block, self.centers), labels, best)
        self.groups.add_rows(block, labels)
        self.fixed_cost += int(np.rint(best * self.space.cost_unit).astype(np.int64) @ block.weights)

    def merge(self, other: Self) -> None:
        self.groups.merge(other.groups)
        self.fixed_cost += other.fixed_cost

    @property
    def cost(self) -> float:
        """The summed squared distance of the rows to their nearest centre."""
        return self.fixed_cost / self.space.cost_unit
