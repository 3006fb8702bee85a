"""Refinement of a tree, found on a small sample, by sums over all rows or a large sample of them.

Splits are chosen again level by level from histograms of cost differences, and leaves are assigned to segments from
their sums alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import cost_differences
from xseg._kernels.cut_kernels import add_cut_histogram, find_nodes
from xseg.backends.base import CodedBackend, CodedRows
from xseg.core.bins import N_CODES, Bins
from xseg.core.boxes import LEAF, ThresholdTree
from xseg.core.embedding import Centers
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning import GroupSums, NearestSums, RowSample, Space
from xseg.segmenters._tree_cells import Roundness, best_difference_cut

__all__ = [
    "Candidate",
    "DifferenceHistogram",
    "LeafSums",
    "Problem",
    "TreeEvaluation",
    "evaluate",
    "group_leaves",
    "merge_twins",
    "refine",
]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is searched for, and over which rows."""

    backend: CodedBackend
    space: Space
    bins: Bins
    features: NDArray[np.int64]
    n_segments: int
    max_leaves: int
    max_depth: int
    min_weight: int
    n_workers: int

    @cached_property
    def rounded(self) -> Roundness:
        """How round each threshold is."""
        return Roundness(self.bins)

    @cached_property
    def norms(self) -> float:
        """The summed squared distance of all rows to the origin."""
        origin = self.space.embedding.centers(np.zeros((1, self.space.embedding.n_dimensions)))
        return self.backend.sum(NearestSums(self.space, origin)).cost

    def with_rows(self, rows: CodedRows) -> "Problem":
        """Return the same problem over a sample of the rows."""
        total_weight = int(rows.weights[: rows.n_rows].sum())
        min_weight = max(1, ceil(self.min_weight * total_weight / self.space.total_weight))
        space = Space.from_embedding(self.space.embedding, total_weight)
        return replace(self, backend=rows, space=space, min_weight=min_weight)


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


_MAX_ROUNDS = 100


def compact(tree: ThresholdTree, leaf: NDArray[np.bool_]) -> tuple[ThresholdTree, list[int]]:
    """Turn the nodes marked `leaf` into leaves and drop what lies below them; returns also which nodes were kept.

    Nodes are numbered in preorder.
    """
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if not leaf[node] and tree.feature[node] != LEAF:
            stack += [int(tree.right[node]), int(tree.left[node])]
    new = np.full(tree.n_nodes + 1, LEAF, dtype=np.int32)
    new[order] = np.arange(len(order))
    ends = leaf[order] | (tree.feature[order] == LEAF)
    goes_left = np.where(ends[:, None], False, tree.goes_left[order])
    segment = np.where(ends, np.where(tree.segment[order] >= 0, tree.segment[order], np.cumsum(ends) - 1), -1)
    kept = replace(
        tree,
        feature=np.where(ends, LEAF, tree.feature[order]).astype(np.int32),
        goes_left=goes_left,
        left=np.where(ends, LEAF, new[tree.left[order]]).astype(np.int32),
        right=np.where(ends, LEAF, new[tree.right[order]]).astype(np.int32),
        segment=segment.astype(np.int32),
    )
    return kept, order


def merge_twins(tree: ThresholdTree, mass: NDArray[np.int64]) -> tuple[ThresholdTree, NDArray[np.int64]]:
    """Drop cuts both of whose sides are one segment; returns also the weights of the leaves, which were `mass`."""
    segment, weight = tree.segment.copy(), np.zeros(tree.n_nodes, dtype=np.int64)
    weight[tree.leaves] = mass
    for node in reversed(range(tree.n_nodes)):
        if tree.feature[node] != LEAF:
            left, right = tree.left[node], tree.right[node]
            segment[node] = segment[left] if segment[left] == segment[right] else -1
            weight[node] = weight[left] + weight[right]
    merged, order = compact(replace(tree, segment=segment), segment >= 0)
    return merged, weight[order][merged.leaves]


def group_leaves(
    means: NDArray[np.float64], mass: NDArray[np.int64], n_segments: int, previous: NDArray[np.float64] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return each leaf to a segment so that leaves of a segment are alike: k-means over weighted leaf means.

    Starts from Ward's merging (Ward, 1963) and from where the segments were; the cheaper result wins.

    Returns
    -------
    segment : ndarray of shape (n_leaves,)
    segment_means : ndarray of shape (n_segments, n_dimensions)
    """
    n_leaves = len(mass)
    if n_leaves <= n_segments:
        return np.arange(n_leaves, dtype=np.int32), means
    starts = [_ward(means, mass, n_segments)]
    if previous is not None and len(previous) == n_segments:
        starts.append(_find_nearest(means, previous))
    results = [_lloyd(means, mass, labels, n_segments) for labels in starts]
    labels = min(results, key=lambda labels: _compute_spread(means, mass, labels, n_segments))
    return labels.astype(np.int32), _group_means(means, mass, labels, n_segments)


def _ward(means: NDArray[np.float64], mass: NDArray[np.int64], n_groups: int) -> NDArray[np.intp]:
    labels = np.arange(len(mass))
    centers, weights = means.copy(), mass.astype(np.float64)
    alive = list(range(len(mass)))
    while len(alive) > n_groups:
        some, weight = centers[alive], weights[alive]
        apart = ((some[:, None] - some[None]) ** 2).sum(axis=2)
        dearness = apart * (weight[:, None] * weight[None]) / np.maximum(weight[:, None] + weight[None], 1)
        np.fill_diagonal(dearness, np.inf)
        first, second = sorted(np.unravel_index(int(dearness.argmin()), dearness.shape))
        a, b = alive[first], alive[second]
        total = max(weights[a] + weights[b], 1.0)
        centers[a] = (centers[a] * weights[a] + centers[b] * weights[b]) / total
        weights[a] += weights[b]
        labels[labels == b] = a
        alive.remove(b)
    return np.searchsorted(alive, labels)


def _lloyd(
    means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int
) -> NDArray[np.intp]:
    for _ in range(_MAX_ROUNDS):
        moved = _find_nearest(means, _group_means(means, mass, labels, n_groups))
        if len(np.unique(moved)) < n_groups or (moved == labels).all():
            return labels
        labels = moved
    return labels


def _find_nearest(means: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.asarray(((means[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1))


def _group_means(
    means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int
) -> NDArray[np.float64]:
    member = labels[:, None] == np.arange(n_groups)
    weight = member * mass[:, None]
    return np.asarray(weight.T @ means / np.maximum(weight.sum(axis=0), 1)[:, None])


def _compute_spread(
    means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int
) -> float:
    if len(np.unique(labels)) < n_groups:
        return np.inf
    offsets = means - _group_means(means, mass, labels, n_groups)[labels]
    return float(mass @ np.einsum("ld,ld->l", offsets, offsets))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A tree, the means of its segments, the cost of its partition, and the weights of its leaves."""

    tree: ThresholdTree
    means: NDArray[np.float64]
    cost: float
    mass: NDArray[np.int64]


TreeEvaluation: TypeAlias = Callable[[Problem, ThresholdTree, NDArray[np.float64] | None], Candidate]


def evaluate(problem: Problem, tree: ThresholdTree, means: NDArray[np.float64] | None = None) -> Candidate:
    """Share the leaves out among the segments and measure the cost; `means` are where the segments were."""
    sums = problem.backend.sum(LeafSums(problem.space, tree))
    mass, leaf_means = sums.groups.mass, sums.groups.means()
    segment, segment_means = group_leaves(leaf_means, mass, problem.n_segments, means)
    labels = np.full(tree.n_nodes, -1, dtype=np.int32)
    labels[tree.leaves] = segment
    segment_mass = np.bincount(segment, mass, len(segment_means))
    between = segment_mass @ np.einsum("sd,sd->s", segment_means, segment_means)
    return Candidate(replace(tree, segment=labels), segment_means, problem.norms - float(between), mass)


# Splits are chosen anew from so many distinct rows at most, or from fewer rows of a wide table. A tree has
# dozens of thresholds, so a quarter of a million rows place them as well as all rows do.
_MAX_ROWS = 2**18
_MAX_VALUES = 2**26
_SEED = 0


def refine(problem: Problem, start: Candidate, evaluation: TreeEvaluation = evaluate) -> Candidate:
    """Choose the splits anew, on all rows or a large sample; keep the tree if that does not help on all rows.

    `evaluation` measures a tree.
    """
    capacity = min(_MAX_ROWS, max(1, _MAX_VALUES // len(problem.bins)))
    sample = problem.backend.sum(RowSample(capacity, _SEED))
    if sample.is_everything or not sample.is_representative(problem.space.total_weight):
        return _refine_by_level(problem, start, evaluation)
    some = problem.with_rows(sample.to_rows(problem.n_workers))
    refined = _refine_by_level(some, evaluation(some, start.tree, start.means), evaluation)
    found = evaluation(problem, refined.tree, refined.means)
    if not _is_large_enough(problem, found):
        # A leaf that just reaches the minimum in the sample may miss it among all rows.
        small = found.tree.leaves[found.mass < problem.min_weight]
        parents = np.flatnonzero(np.isin(found.tree.left, small) | np.isin(found.tree.right, small))
        found = _choose_splits(problem, found, parents, evaluation)
    if not _is_large_enough(problem, found):
        return _refine_by_level(problem, start, evaluation)
    return found if found.cost < start.cost or not _is_large_enough(problem, start) else start


def _refine_by_level(problem: Problem, start: Candidate, evaluation: TreeEvaluation) -> Candidate:
    """Choose the splits anew, level by level, and keep those of a level if they help."""
    best = start
    for level in range(best.tree.depth):
        nodes = np.flatnonzero((best.tree.node_depth == level) & (best.tree.feature != LEAF))
        recut = _choose_splits(problem, best, nodes, evaluation)
        best = recut if _is_large_enough(problem, recut) and recut.cost < best.cost else best
    return best


def _is_large_enough(problem: Problem, candidate: Candidate) -> bool:
    return bool(candidate.mass.min() >= problem.min_weight)


def _choose_splits(
    problem: Problem, current: Candidate, nodes: NDArray[np.intp], evaluation: TreeEvaluation
) -> Candidate:
    """Choose the splits of some nodes anew; one below another of them stays, and the candidate if none changes."""
    centers = problem.space.embedding.centers(current.means)
    statistic = DifferenceHistogram(problem.space, current.tree, nodes, problem.features, centers)
    feature, goes_left = current.tree.feature.copy(), current.tree.goes_left.copy()
    for node, histogram in zip(nodes, problem.backend.sum(statistic).histogram, strict=True):
        cut = best_difference_cut(histogram, problem.features, problem.bins, problem.rounded, problem.min_weight)
        if cut is not None:
            feature[node], goes_left[node] = cut.feature, cut.goes_left
    changed = (feature != current.tree.feature) | (goes_left != current.tree.goes_left).any(axis=1)
    if not changed.any():
        return current
    tree = replace(current.tree, feature=feature, goes_left=goes_left)
    return evaluation(problem, tree, current.means)
