"""A threshold tree as flat arrays."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.trees import find_nodes
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.boxes import Boxes

__all__ = ["LEAF", "ThresholdTree"]

LEAF = -1


@dataclass(frozen=True, eq=False)
class ThresholdTree:
    """A binary tree of cuts; each leaf carries a segment.

    Nodes are numbered from the root, 0, each parent before its children.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    feature : ndarray of shape (n_nodes,)
        The feature a node cuts; -1 in a leaf.
    goes_left : ndarray of shape (n_nodes, 256)
        Which codes of that feature go left.
    left, right : ndarray of shape (n_nodes,)
        The children; -1 in a leaf.
    segment : ndarray of shape (n_nodes,)
        The segment of a leaf; -1 elsewhere.
    """

    bins: Bins
    feature: NDArray[np.int32]
    goes_left: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    segment: NDArray[np.int32]

    @property
    def n_nodes(self) -> int:
        """How many nodes there are, leaves included."""
        return len(self.feature)

    @cached_property
    def leaves(self) -> NDArray[np.intp]:
        """The nodes that are leaves."""
        return np.flatnonzero(self.feature == LEAF)

    @property
    def n_leaves(self) -> int:
        """How many leaves there are."""
        return len(self.leaves)

    @cached_property
    def node_depth(self) -> NDArray[np.int64]:
        """How many questions lead to each node, shape (n_nodes,)."""
        depth = np.zeros(self.n_nodes, dtype=np.int64)
        for node in range(self.n_nodes):
            if self.feature[node] != LEAF:
                depth[[self.left[node], self.right[node]]] = depth[node] + 1
        return depth

    @property
    def depth(self) -> int:
        """The most questions a row is asked."""
        return int(self.node_depth.max())

    @property
    def threshold(self) -> NDArray[np.float64]:
        """The threshold of each node, NaN in leaves and where categories are cut; below it goes left."""
        thresholds = np.full(self.n_nodes, np.nan)
        for node in np.flatnonzero(self.feature != LEAF):
            bins = self.bins[self.feature[node]]
            if bins.feature.kind.is_numeric:
                n_left = int(self.goes_left[node, : bins.n_codes].sum())
                thresholds[node] = bins.thresholds[n_left - 1] if n_left < bins.n_codes else np.inf
        return thresholds

    def apply(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the leaf of each row of codes."""
        nodes = np.empty(len(codes), dtype=np.int32)
        find_nodes(codes, self.feature, self.goes_left, self.left, self.right, np.zeros(len(codes), np.int32), nodes)
        return nodes

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the segment of each row of codes."""
        return self.segment[self.apply(codes)]

    @cached_property
    def used_features(self) -> NDArray[np.int64]:
        """The features that some node cuts, in order."""
        return np.unique(self.feature[self.feature != LEAF]).astype(np.int64)

    def boxes(self) -> Boxes:
        """Return the leaves as boxes, in the order of `leaves`."""
        inside = np.ones((self.n_nodes, len(self.bins), N_CODES), dtype=bool)
        for node in np.flatnonzero(self.feature != LEAF):
            left, right, feature = self.left[node], self.right[node], self.feature[node]
            inside[[left, right]] = inside[node]
            inside[left, feature] &= self.goes_left[node]
            inside[right, feature] &= ~self.goes_left[node]
        return Boxes(self.bins, inside[self.leaves], self.segment[self.leaves])

    def reduced(self) -> "ThresholdTree":
        """Return the same tree over bins that keep only the thresholds its nodes use."""
        bins = list(self.bins.features)
        goes_left = self.goes_left.copy()
        thresholds = self.threshold
        for j, full in enumerate(bins):
            nodes = np.flatnonzero(self.feature == j)
            if not full.feature.kind.is_numeric:
                goes_left[nodes, full.n_codes : -1] = False
                continue
            used = np.unique(thresholds[nodes][np.isfinite(thresholds[nodes])])
            bins[j] = FeatureBins(full.feature, used)
            representative = np.append(0, np.searchsorted(full.thresholds, used) + 1)
            for node in nodes:
                goes_left[node, : len(used) + 1] = self.goes_left[node, representative]
                goes_left[node, len(used) + 1 : -1] = False
        return replace(self, bins=Bins(tuple(bins)), goes_left=goes_left)
