"""Search for the tree that disagrees least with the original, by the moves of the tree search."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg.core.boxes import ThresholdTree
from xseg.core.statistics import CodedBlock
from xseg.segmenters._surrogate_labels import LabelledRows
from xseg.segmenters._tree_cells import ENTROPY, NEAREST, SQUARES, Cells, Values
from xseg.segmenters._tree_moves import Budget, grow, improve, prune
from xseg.segmenters._tree_nodes import Node, Sample, Shape, get_shape, leaves, remove_small_leaves, to_tree
from xseg.segmenters._tree_refinement import Candidate, LeafSums, Problem, merge_twins, refine
from xseg.segmenters._tree_search import EFFORTS, take_rows

__all__ = ["find_tree"]


_SPLIT_PENALTY = 1e-5
_ROUNDING = 1e-9


def find_tree(labelled: LabelledRows, problem: Problem, effort: str) -> ThresholdTree:
    """Return the best tree found; its leaves carry the most frequent group of their rows, counted on all rows."""
    how, sample = EFFORTS[effort], labelled.sample
    search = _Search(labelled, problem, take_rows(sample, how.n_rows[-1]))
    shape = search.best(how.work)
    whole = search
    if how.n_rows[-1] < sample.n_rows:
        whole = _Search(labelled, problem, take_rows(sample, sample.n_rows))
        shape = whole.improve_tree(shape, Budget(how.work / 4))
    found = label_leaves(problem, whole.tree(shape))
    if not labelled.whole and effort != "fast":
        found = refine(problem, found, label_leaves)
    return merge_twins(found.tree, found.mass)[0]


def label_leaves(problem: Problem, tree: ThresholdTree, means: NDArray[np.float64] | None = None) -> Candidate:
    """Assign to each leaf the most frequent group of its rows; the cost is the weight of all others."""
    del means
    sums = problem.backend.sum(LeafSums(problem.space, tree)).groups
    counts = sums.counts[:, 0, : problem.n_segments]
    segment = np.full(tree.n_nodes, -1, dtype=np.int32)
    segment[tree.leaves] = counts.argmax(axis=1)
    wrong = float(sums.mass.sum() - counts.max(axis=1).sum())
    vertices = problem.space.embedding.vectors[0][: problem.n_segments]
    return Candidate(replace(tree, segment=segment), vertices, wrong, sums.mass)


@dataclass(frozen=True, eq=False)
class _Search:
    """One search on some rows."""

    labelled: LabelledRows
    problem: Problem
    block: CodedBlock

    def best(self, work: float) -> Shape:
        """Improve every start, and return the tree with the fewest errors."""
        sample, starts = self._sample(NEAREST), self._starts()
        budget = Budget(work)
        found: list[Node] = []
        for place, shape in enumerate(starts):
            own = Budget(budget.left / (len(starts) - place), place, len(starts))
            before = own.left
            found += [self._root(sample, shape), improve(sample, self._root(sample, shape), self._most, own)]
            budget.left -= before - own.left
        return get_shape(min(found, key=lambda root: (sample.compute_penalized_cost(root), len(leaves(root)))))

    def improve_tree(self, shape: Shape, budget: Budget) -> Shape:
        """Improve a tree that was found on fewer rows."""
        sample = self._sample(NEAREST)
        return get_shape(improve(sample, self._root(sample, shape), self._most, budget))

    def tree(self, shape: Shape) -> ThresholdTree:
        """Convert a tree to arrays."""
        root = self._root(self._sample(NEAREST), shape)
        return to_tree(root, self._cells, self.problem.bins, self.problem.rounded)

    @property
    def _most(self) -> int:
        return self.problem.max_leaves

    @cached_property
    def _cells(self) -> Cells:
        return Cells.from_codes(self.problem.bins, self.problem.features, self.block.codes, self.block.weights)

    def _starts(self) -> list[Shape]:
        """Grow classification trees greedily by Gini, entropy and errors, and larger ones pruned by their errors."""
        target, shapes = self._sample(NEAREST), []
        for kind in (SQUARES, ENTROPY, NEAREST):
            grown = self._sample(kind)
            for n_leaves in (self._most, 3 * self._most):
                root = grown.root()
                grow(grown, root, n_leaves)
                pruned = target.build(get_shape(root), np.arange(grown.cells.n_rows))
                prune(target, pruned, self._most)
                shapes.append(get_shape(pruned))
        return shapes

    def _sample(self, kind: int) -> Sample:
        weight = float(self.block.weights.sum())
        own = np.eye(self.labelled.n_groups)[self.block.codes[:, -1]]
        values = Values.from_rows(1 - own if kind == NEAREST else own, self.block.weights, kind)
        share = self.problem.min_weight / self.problem.space.total_weight
        return Sample(
            self._cells,
            values,
            max(1, int(np.ceil((share - 1e-9) * weight))),
            self.problem.max_depth,
            penalty=_SPLIT_PENALTY if kind == NEAREST else 0.0,
            min_gain=_ROUNDING * weight,
        )

    def _root(self, sample: Sample, shape: Shape) -> Node:
        return remove_small_leaves(sample, sample.build(shape, np.arange(sample.cells.n_rows)))
