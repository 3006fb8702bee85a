"""The last word of all rows on a tree that was found on a sample: cuts chosen anew by sums, wherever the rows are."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.core.tree import LEAF, ThresholdTree
from xseg.segmenters._trees.cuts import best_difference_cut
from xseg.segmenters._trees.histograms import DifferenceHistogram, LeafSums
from xseg.segmenters._trees.leaves import share_out
from xseg.segmenters._trees.problem import Problem

__all__ = ["Candidate", "Judge", "evaluate", "refine"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A tree, the means of its segments, and the cost of its partition."""

    tree: ThresholdTree
    means: NDArray[np.float64]
    cost: float
    smallest: int


Judge: TypeAlias = Callable[[Problem, ThresholdTree, NDArray[np.float64] | None], Candidate]


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


def refine(problem: Problem, start: Candidate, judge: Judge = evaluate) -> Candidate:
    """Choose the cuts anew, level by level, keeping each level's if they help; `judge` says what a tree costs."""
    best = start
    for level in range(best.tree.depth):
        nodes = np.flatnonzero((best.tree.node_depth == level) & (best.tree.feature != LEAF))
        best = _recut(problem, best, nodes, judge)
    return best


def _recut(problem: Problem, current: Candidate, nodes: NDArray[np.intp], judge: Judge) -> Candidate:
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
    recut = judge(problem, tree, current.means)
    return recut if recut.smallest >= problem.min_weight and recut.cost < current.cost else current
