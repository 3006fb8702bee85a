"""The search for the cheapest threshold tree of a given size.

Starts are grown, pruned to size and then refined: cuts are chosen anew with everything below them fixed, leaves are
shared out among the segments, segment means are re-estimated, until the cost stops falling. All by sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedBackend
from xseg.core.bins import N_CODES, Bins
from xseg.core.embedding import Centers
from xseg.core.tree import LEAF, ThresholdTree
from xseg.segmenters._cuts import Cut, best_cut, best_difference_cut, best_tight_cut, roundness
from xseg.segmenters._histograms import CostHistogram, DifferenceHistogram, LeafSums, SumHistogram
from xseg.segmenters._leaves import prune, share_out
from xseg.segmenters._space import NearestSums, Space

__all__ = ["STARTS", "Candidate", "Problem", "evaluate", "refine", "search"]

_HISTOGRAM_BYTES = 2**24
_GROWN_LEAVES = 3
_IMPROVEMENT = 1e-6
_MAX_SWEEPS = 20


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

    @cached_property
    def rounded(self) -> NDArray[np.int64]:
        """How round each threshold is."""
        return roundness(self.bins)

    @cached_property
    def norms(self) -> float:
        """The summed squared distance of all rows to the origin."""
        origin = self.space.embedding.centers(np.zeros((1, self.space.embedding.n_dimensions)))
        return self.backend.sum(NearestSums(self.space, origin)).cost


@dataclass(frozen=True, eq=False)
class Candidate:
    """A tree, the means of its segments, and the cost of its partition."""

    tree: ThresholdTree
    means: NDArray[np.float64]
    cost: float
    smallest: int

    def better_than(self, other: "Candidate") -> bool:
        """Whether this tree is noticeably cheaper."""
        return self.cost < other.cost * (1 - _IMPROVEMENT)


class Criterion(Protocol):
    """What a tree is grown by: a histogram to ask for, and how to read it."""

    n_values: int

    def histogram(self, problem: Problem, tree: ThresholdTree, leaves: Sequence[int]) -> NDArray[np.int64]:
        """Sum the histograms of some leaves, shape (n_leaves, n_features, 256, n_values)."""
        ...

    def cut(self, problem: Problem, histogram: NDArray[np.int64]) -> tuple[Cut | None, float]:
        """Give the best cut of one leaf, and the leaf's cost without it."""
        ...


class FollowCenters:
    """Grow by the cost of giving each leaf to one of the reference's centres."""

    def __init__(self, problem: Problem, centers: Centers) -> None:
        del problem
        self.centers = centers
        self.n_values = len(centers) + 1

    def histogram(self, problem: Problem, tree: ThresholdTree, leaves: Sequence[int]) -> NDArray[np.int64]:
        statistic = CostHistogram(problem.space, tree, leaves, problem.features, self.centers)
        return problem.backend.sum(statistic).histogram

    def cut(self, problem: Problem, histogram: NDArray[np.int64]) -> tuple[Cut | None, float]:
        cut = best_cut(histogram, problem.features, problem.bins, problem.rounded, problem.min_weight)
        return cut, float(histogram[0, :, :-1].sum(axis=0).min())


class TightLeaves:
    """Grow by how much the rows of a leaf vary about their own mean."""

    def __init__(self, problem: Problem, centers: Centers) -> None:
        del centers
        self.n_values = problem.space.embedding.n_dimensions + 1

    def histogram(self, problem: Problem, tree: ThresholdTree, leaves: Sequence[int]) -> NDArray[np.int64]:
        return problem.backend.sum(SumHistogram(problem.space, tree, leaves, problem.features)).histogram

    def cut(self, problem: Problem, histogram: NDArray[np.int64]) -> tuple[Cut | None, float]:
        unit = problem.space.matrix_unit
        cut = best_tight_cut(histogram, problem.features, problem.bins, problem.rounded, problem.min_weight, unit)
        total = histogram[0].sum(axis=0)
        return cut, -float((total[:-1] / unit) @ (total[:-1] / unit)) / max(int(total[-1]), 1)


STARTS: tuple[Callable[[Problem, Centers], Criterion], ...] = (FollowCenters, TightLeaves)


def search(problem: Problem, centers: Centers, starts: Sequence[Callable[[Problem, Centers], Criterion]]) -> Candidate:
    """Give the cheapest refined tree over all starts; among equals the shallower one."""
    trees = [grow(problem, start(problem, centers)) for start in starts]
    candidates = [refine(problem, evaluate(problem, tree)) for tree in trees]
    return min(candidates, key=lambda candidate: (candidate.cost, candidate.tree.depth))


def grow(problem: Problem, criterion: Criterion) -> ThresholdTree:
    """Grow a tree level by level, past its size, and prune it back."""
    tree = single_leaf(problem.bins)
    open_leaves = [0]
    for _ in range(problem.max_depth):
        cuts = _cuts_of(problem, tree, open_leaves[: _GROWN_LEAVES * problem.max_leaves], criterion)
        if not cuts:
            break
        tree, open_leaves = split(tree, cuts)
    return prune(problem.backend.sum(LeafSums(problem.space, tree)), problem.max_leaves)


def _cuts_of(problem: Problem, tree: ThresholdTree, leaves: list[int], criterion: Criterion) -> dict[int, Cut]:
    """Give the best cut of each leaf that has one; the leaves it helps most come first."""
    if not len(problem.features):
        return {}
    leaf_bytes = len(problem.features) * N_CODES * criterion.n_values * 8
    at_once = max(1, _HISTOGRAM_BYTES // leaf_bytes)
    gains: dict[int, tuple[float, Cut]] = {}
    for start in range(0, len(leaves), at_once):
        some = leaves[start : start + at_once]
        for leaf, histogram in zip(some, criterion.histogram(problem, tree, some), strict=True):
            cut, uncut = criterion.cut(problem, histogram)
            if cut is not None:
                gains[leaf] = uncut - cut.cost, cut
    return {leaf: gains[leaf][1] for leaf in sorted(gains, key=lambda leaf: -gains[leaf][0])}


def single_leaf(bins: Bins) -> ThresholdTree:
    """Give the tree that asks nothing."""
    nothing = np.full(1, LEAF, dtype=np.int32)
    return ThresholdTree(bins, nothing, np.zeros((1, N_CODES), dtype=bool), nothing, nothing, np.zeros(1, np.int32))


def split(tree: ThresholdTree, cuts: dict[int, Cut]) -> tuple[ThresholdTree, list[int]]:
    """Cut some leaves; gives the tree and its new leaves."""
    n_old, n_new = tree.n_nodes, 2 * len(cuts)
    leaf = np.full(n_new, LEAF, dtype=np.int32)
    feature, left, right = (np.append(values, leaf) for values in (tree.feature, tree.left, tree.right))
    goes_left = np.vstack([tree.goes_left, np.zeros((n_new, N_CODES), dtype=bool)])
    for position, (node, cut) in enumerate(cuts.items()):
        feature[node], goes_left[node] = cut.feature, cut.goes_left
        left[node], right[node] = n_old + 2 * position, n_old + 2 * position + 1
    segment = np.where(feature == LEAF, np.cumsum(feature == LEAF) - 1, -1).astype(np.int32)
    grown = ThresholdTree(tree.bins, feature, goes_left, left, right, segment)
    return grown, list(range(n_old, n_old + n_new))


def evaluate(problem: Problem, tree: ThresholdTree, means: NDArray[np.float64] | None = None) -> Candidate:
    """Share the leaves out among the segments and measure the cost; `means` are where the segments were."""
    sums = problem.backend.sum(LeafSums(problem.space, tree))
    mass, leaf_means = sums.groups.mass, sums.groups.means()
    segment, segment_means = share_out(leaf_means, mass, problem.n_segments, means)
    labels = np.full(tree.n_nodes, -1, dtype=np.int32)
    labels[tree.leaves] = segment
    segment_mass = np.bincount(segment, mass, len(segment_means))
    between = segment_mass @ np.einsum("sd,sd->s", segment_means, segment_means)
    return Candidate(replace(tree, segment=labels), segment_means, problem.norms - float(between), int(mass.min()))


def refine(problem: Problem, start: Candidate, max_sweeps: int = _MAX_SWEEPS, *, one_by_one: bool = True) -> Candidate:
    """Choose cuts anew, level by level, until a whole sweep over the levels helps no more.

    Where new cuts of a whole level do not help, they are tried `one_by_one`, or given up.
    """
    best = start
    for _ in range(max_sweeps):
        before = best
        for level in range(best.tree.depth):
            nodes = np.flatnonzero((best.tree.node_depth == level) & (best.tree.feature != LEAF))
            best = _recut(problem, best, nodes, one_by_one=one_by_one)
        if not best.better_than(before):
            break
    return best


def _recut(problem: Problem, current: Candidate, nodes: NDArray[np.intp], *, one_by_one: bool) -> Candidate:
    """Choose the cuts of some nodes of one level anew; keep the old tree if that does not help."""
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
    recut = evaluate(problem, tree, current.means)
    if recut.smallest >= problem.min_weight and recut.cost < current.cost:
        return recut
    if len(nodes) == 1 or not one_by_one:
        return current
    # One of the nodes may have spoilt it for the others: try them one at a time.
    for node in np.flatnonzero(changed):
        current = _recut(problem, current, np.array([node]), one_by_one=True)
    return current
