"""Histograms of what every possible cut would do to the cost."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.distances import cost_differences
from xseg._kernels.trees import add_cut_histogram, find_nodes
from xseg.core.bins import N_CODES
from xseg.core.embedding import Centers
from xseg.core.statistics import CodedBlock
from xseg.core.tree import LEAF, ThresholdTree
from xseg.segmenters._learning.space import GroupSums, Space

__all__ = ["DifferenceHistogram", "LeafSums"]


class DifferenceHistogram:
    """A statistic: for some inner nodes, how much dearer going left is than going right, by feature and code.

    What lies below the nodes stays as it is. `histogram` has shape (n_nodes, n_features, 256, 2); the last value is
    the weight.
    """

    def __init__(
        self, space: Space, tree: ThresholdTree, nodes: NDArray[np.intp], features: NDArray[np.int64], centers: Centers
    ) -> None:
        self._arguments = (space, tree, nodes, features, centers)
        self.space = space
        self.tree = tree
        self.features = features
        self.centers = centers
        self.slot = np.full(tree.n_nodes, -1, dtype=np.int32)
        self.slot[nodes] = np.arange(len(nodes))
        self.stops = np.where(self.slot >= 0, LEAF, tree.feature).astype(np.int32)
        self.histogram = np.zeros((len(nodes), len(features), N_CODES, 2), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(*self._arguments)

    def add(self, block: CodedBlock) -> None:
        root = np.zeros(len(block.codes), dtype=np.int32)
        nodes = self._walk(block, root, self.stops)
        slots = self.slot[nodes]
        inside = slots >= 0
        left = self._segments(block, np.where(inside, self.tree.left[nodes], -1))
        right = self._segments(block, np.where(inside, self.tree.right[nodes], -1))
        values = np.empty((len(slots), 2), dtype=np.int64)
        looked_up, unit = self.space.embedding.looked_up, self.space.cost_unit
        means, tables = self.centers.means, self.centers.tables
        cost_differences(block.points, block.codes, looked_up, means, tables, left, right, block.weights, unit, values)
        add_cut_histogram(block.codes, self.features, slots, values, self.histogram)

    def merge(self, other: Self) -> None:
        self.histogram += other.histogram

    def _walk(self, block: CodedBlock, start: NDArray[np.int32], feature: NDArray[np.int32]) -> NDArray[np.int32]:
        nodes = np.empty(len(start), dtype=np.int32)
        find_nodes(block.codes, feature, self.tree.goes_left, self.tree.left, self.tree.right, start, nodes)
        return nodes

    def _segments(self, block: CodedBlock, start: NDArray[np.int32]) -> NDArray[np.int32]:
        leaves = self._walk(block, start.astype(np.int32), self.tree.feature)
        return np.where(leaves >= 0, self.tree.segment[leaves], -1).astype(np.int32)


class LeafSums:
    """A statistic: the sums of the rows in each leaf, in the order of the tree's leaves."""

    def __init__(self, space: Space, tree: ThresholdTree) -> None:
        self.space = space
        self.tree = tree
        self.position = np.full(tree.n_nodes, -1, dtype=np.int32)
        self.position[tree.leaves] = np.arange(tree.n_leaves)
        self.groups = GroupSums(space, tree.n_leaves)

    def empty(self) -> Self:
        return type(self)(self.space, self.tree)

    def add(self, block: CodedBlock) -> None:
        self.groups.add_rows(block, self.position[self.tree.apply(block.codes)])

    def merge(self, other: Self) -> None:
        self.groups.merge(other.groups)
