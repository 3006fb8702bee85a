"""Search for the threshold tree of least cost with a given size, on a sample of rows.

Several starts are improved by moves that are each scored exactly. Where every segment is one leaf, the cost of a group
of rows is its variation about its mean, so the moves see the true cost. Where there are more leaves than segments, a
leaf costs its squared distance to the nearest segment mean, and leaves and means are updated in turn.

The starts follow the literature: IMM is that of Moshkovitz et al. (2020), growth on the cost of the centres that of
ExKMC (Frost et al., 2020), growth on the variation of leaves that of regression trees and, on the k-means cost, of
ExGreedy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedRows
from xseg.core.bins import N_CODES
from xseg.core.boxes import ThresholdTree
from xseg.core.embedding import Centers
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning import Space
from xseg.segmenters._tree_cells import ENTROPY, NEAREST, SQUARES, Cells, Cut, Values
from xseg.segmenters._tree_moves import Budget, grow, improve, prune, recut
from xseg.segmenters._tree_nodes import Node, Sample, Shape, get_shape, leaves, remove_small_leaves, to_tree
from xseg.segmenters._tree_refinement import Problem, group_leaves

__all__ = ["EFFORTS", "STARTS", "Effort", "Reference", "Start", "search"]


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference partition as the starts see it.

    Attributes
    ----------
    centers : Centers
        Its centres.
    distances : ndarray of shape (n_rows, n_centers)
        The squared distance of each row to each of them.
    means : ndarray of shape (n_centers, n_dimensions)
        The centres, along the same directions as `points`.
    points : ndarray of shape (n_rows, n_dimensions)
        The rows in the metric space, or along its main directions.
    weights : ndarray of shape (n_rows,)
        Their weights.
    norm : float
        The summed squared norm of the rows in the metric space, which no partition changes.
    """

    centers: Centers
    distances: NDArray[np.float64]
    means: NDArray[np.float64]
    points: NDArray[np.float64]
    weights: NDArray[np.int64]
    norm: float

    @classmethod
    def from_centers(
        cls, space: Space, block: CodedBlock, centers: Centers, axes: NDArray[np.float64] | None = None
    ) -> "Reference":
        """Measure some rows against centres, and describe both along some orthonormal axes."""
        points = space.embedding.matrix(block.codes, block.points)
        norm = float(np.einsum("nd,nd->n", points, points) @ block.weights)
        distances, means = space.distances(block, centers), centers.means
        if axes is not None:
            points, means = points @ axes, means @ axes
        return cls(centers, distances, means, points, block.weights, norm)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The nearest centre of each row."""
        return np.asarray(self.distances.argmin(axis=1))

    @property
    def squares(self) -> Values:
        """Groups cost what they vary about their mean."""
        return Values.from_rows(self.points, self.weights, SQUARES)

    @property
    def nearest_costs(self) -> Values:
        """Groups cost what they cost at the cheapest centre."""
        return Values.from_rows(self.distances, self.weights, NEAREST)

    @property
    def disagreement(self) -> Values:
        """Groups cost the entropy of their labels."""
        return Values.from_rows(np.eye(len(self.centers))[self.labels], self.weights, ENTROPY)


# More dimensions than this are reduced to as many main directions, found on so many rows: the costs of partitions into
# few groups hardly change (Cohen et al., 2015), and the search takes time in proportion to the number of columns.
_MAX_DIMENSIONS = 32
_MAX_ROWS_FOR_AXES = 1_024


def find_main_axes(points: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return the directions in which rows vary most, shape (n_dimensions, 64); None if there are not more than 64."""
    if points.shape[1] <= _MAX_DIMENSIONS:
        return None
    some = points[:_MAX_ROWS_FOR_AXES]
    weight = weights[:_MAX_ROWS_FOR_AXES].astype(np.float64)
    offsets = (some - weight @ some / weight.sum()) * np.sqrt(weight)[:, None]
    return np.asarray(np.linalg.svd(offsets, full_matrices=False)[2][:_MAX_DIMENSIONS].T)


def _grow_and_prune(sample: Sample, values: Values, n_leaves: int) -> Shape:
    own = Sample(sample.cells, values, sample.minimum, sample.max_depth)
    root = own.root()
    grow(own, root, 3 * n_leaves)
    prune(own, root, n_leaves)
    return get_shape(root)


def follow_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by the cost of giving each leaf to one of the centres."""
    return _grow_and_prune(sample, reference.nearest_costs, n_leaves)


def grow_tight_leaves(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by how much the rows of a leaf vary about their own mean: the real cost."""
    return _grow_and_prune(sample, reference.squares, n_leaves)


def follow_labels(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a classification tree on the labels."""
    return _grow_and_prune(sample, reference.disagreement, n_leaves)


def grow_on_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a tree on the centres alone, each as heavy as its cluster, until each has its leaf."""
    del n_leaves
    mass = np.bincount(reference.labels, reference.weights, len(reference.centers)).astype(np.int64)
    places = _center_codes(sample, reference)
    cells = Cells.from_codes(sample.cells.bins, _select_ordered(sample), places)
    values = Values.from_rows(reference.means, np.maximum(mass, 1), SQUARES)
    own = Sample(cells, values, 1, sample.max_depth)
    root = own.root()
    grow(own, root, len(places))
    return get_shape(root)


def grow_with_fewest_mistakes(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Part the centres by cuts that part the fewest rows from their own centre: IMM."""
    del n_leaves
    places = _center_codes(sample, reference)
    return _grow_below(sample, reference, places, sample.root(), np.arange(len(places)))


def _grow_below(
    sample: Sample, reference: Reference, places: NDArray[np.uint8], node: Node, alive: NDArray[np.int64]
) -> Shape:
    labels = reference.labels
    mistaken = np.isin(labels[node.rows], alive)
    rows = node.rows[mistaken]
    cut = _find_fewest_mistakes(sample, reference, places, rows, labels[rows], alive) if len(alive) > 1 else None
    if cut is None or node.depth >= sample.max_depth:
        return None
    left, right = sample.divide(node, cut)
    goes_left = cut.goes_left[places[alive, cut.feature]]
    return (
        cut,
        _grow_below(sample, reference, places, left, alive[goes_left]),
        _grow_below(sample, reference, places, right, alive[~goes_left]),
    )


def _find_fewest_mistakes(
    sample: Sample,
    reference: Reference,
    places: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    alive: NDArray[np.int64],
) -> Cut | None:
    best, chosen = np.inf, None
    weights = reference.weights[rows]
    for j in _select_ordered(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        lowest, highest = int(places[alive, j].min()), int(places[alive, j].max())
        if lowest == highest:
            continue
        codes = sample.cells.codes[f][rows].astype(np.int64)
        known = codes < sample.cells.bins[j].n_codes
        own = places[labels, j].astype(np.int64)
        start, stop = np.minimum(codes, own)[known], np.maximum(codes, own)[known]
        opened = np.bincount(start, weights[known], N_CODES + 1) - np.bincount(stop, weights[known], N_CODES + 1)
        mistakes = np.cumsum(opened)[lowest:highest]
        place = int(mistakes.argmin())
        if mistakes[place] < best:
            best, chosen = float(mistakes[place]), Cut(int(j), np.arange(N_CODES) <= lowest + place)
    return chosen


def _select_ordered(sample: Sample) -> NDArray[np.int64]:
    """Return the features whose codes have an order, so that a centre has one."""
    kinds = [sample.cells.bins[j].feature.kind for j in sample.cells.features]
    return sample.cells.features[[kind in {Kind.NUMBER, Kind.BOOLEAN, Kind.ORDERED} for kind in kinds]]


def _center_codes(sample: Sample, reference: Reference) -> NDArray[np.uint8]:
    """Return the code of each centre in each feature: that of the middle one of its rows."""
    places = np.zeros((len(reference.centers), len(sample.cells.bins)), dtype=np.uint8)
    labels = reference.labels
    for j in _select_ordered(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        width = sample.cells.bins[j].n_codes
        codes = sample.cells.codes[f]
        known = codes < width
        counts = np.zeros((len(places), width))
        np.add.at(counts, (labels[known], codes[known]), reference.weights[known])
        reached = np.cumsum(counts, axis=1)
        places[:, j] = (reached < reached[:, -1:] / 2).sum(axis=1)
    return places


Start: TypeAlias = Callable[[Sample, Reference, int], Shape]

STARTS: dict[str, Start] = {
    "IMM": grow_with_fewest_mistakes,
    "centres": follow_centers,
    "real cost": grow_tight_leaves,
    "labels": follow_labels,
    "tree of centres": grow_on_centers,
}


_MIN_GAIN = 1e-7
_ROUNDING = 1e-12
_MAX_TURNS = 8
_MAX_COST_RATIO = 1.03
_MIN_PENALTY = 0.001
_MIN_PENALTY_OF_A_LEAF = 0.011


@dataclass(frozen=True, slots=True)
class Effort:
    """How much arithmetic the search may do, and on which rows.

    Attributes
    ----------
    n_rows : sequence of int
        Numbers of rows of the sample to search on, one round after another. The first round improves the best starts,
        and each later one the best trees of the round before.
    work : float
        Number of additions that each round may spend.
    starts : sequence of str
        The starts.
    n_improved : int
        Number of starts to improve: those that cost least; if another round follows, once their splits have been chosen
        anew.
    n_kept : int
        Number of trees to keep from one round to the next.
    n_cells : int
        Number of cells of a feature among which splits are first looked for.
    min_gain : float
        The share of the reference's cost that a change must gain in the last round; ten times that before.
    """

    n_rows: Sequence[int]
    work: float
    starts: Sequence[str]
    n_improved: int
    n_kept: int
    n_cells: int
    min_gain: float


EFFORTS = {
    "fast": Effort((4_096,), 1.5e8, ("IMM", "real cost", "labels"), 3, 1, 24, 1e-3),
    "balanced": Effort((4_096, 16_384), 1e9, tuple(STARTS), 3, 1, 32, 1e-4),
    "thorough": Effort((16_384, 65_536), 1e10, tuple(STARTS), 6, 3, 64, 1e-6),
}


@dataclass(frozen=True, slots=True, eq=False)
class SearchedTree:
    """A tree, the means of its segments, its cost, and the mean depth of a row's leaf."""

    shape: Shape
    means: NDArray[np.float64]
    cost: float
    mean_depth: float


def search(problem: Problem, sample: CodedRows, centers: Centers, effort: Effort, depth_weight: float) -> ThresholdTree:
    """Return the best tree found.

    Parameters
    ----------
    problem : Problem
        The sizes that are allowed, and the space that costs are measured in.
    sample : CodedRows
        The rows to search on.
    centers : Centers
        The centres of the reference.
    effort : Effort
        How much arithmetic to do.
    depth_weight : float
        Weight of the mean depth against the relative cost.
    """
    blocks = [take_rows(sample, n_rows) for n_rows in effort.n_rows]
    first = take_rows(sample, _MAX_ROWS_FOR_AXES)
    axes = find_main_axes(problem.space.embedding.matrix(first.codes, first.points), first.weights)
    kept: list[SearchedTree] = []
    for turn, block in enumerate(blocks):
        is_last = len(block.codes) == sample.n_rows or turn == len(blocks) - 1
        search_round = _SearchRound(problem, block, centers, axes, depth_weight, effort, is_last=is_last)
        kept = search_round.improve_trees(kept) if turn else search_round.improve_starts()
        if is_last:
            break
    return _convert(problem, take_rows(sample, sample.n_rows), kept[0].shape)


def take_rows(sample: CodedRows, n_rows: int) -> CodedBlock:
    """Return the first rows of a sample, or all if there are fewer."""
    some = slice(0, min(n_rows, sample.n_rows))
    return CodedBlock(sample.codes[some], sample.points[some], sample.weights[some])


def _convert(problem: Problem, block: CodedBlock, shape: Shape) -> ThresholdTree:
    """Convert a tree to arrays; the rows decide between thresholds that separate them alike."""
    cells = Cells.from_codes(problem.bins, problem.features, block.codes, block.weights)
    only_weights = Values.from_rows(np.zeros((len(block.codes), 1)), block.weights, SQUARES)
    sample = Sample(cells, only_weights, _find_minimum(problem, block), problem.max_depth)
    root = remove_small_leaves(sample, sample.build(shape, np.arange(cells.n_rows)))
    return to_tree(root, cells, problem.bins, problem.rounded)


def _find_minimum(problem: Problem, block: CodedBlock) -> int:
    """Return how much weight of some rows a leaf must have, for its share of all rows to be large enough."""
    weight = float(block.weights.sum())
    share = problem.min_weight / problem.space.total_weight
    return max(1, int(np.ceil((share - 1e-9) * weight)))


class _SearchRound:
    """One round of the search, on some rows."""

    def __init__(
        self,
        problem: Problem,
        block: CodedBlock,
        centers: Centers,
        axes: NDArray[np.float64] | None,
        depth_weight: float,
        effort: Effort,
        *,
        is_last: bool,
    ) -> None:
        self.problem = problem
        self.cells = Cells.from_codes(problem.bins, problem.features, block.codes, block.weights)
        self.reference = Reference.from_centers(problem.space, block, centers, axes)
        self.depth_weight = depth_weight
        self.effort = effort
        self.is_last = is_last
        self.min_gain = effort.min_gain * (1 if is_last else 10)
        self.weight = float(block.weights.sum())
        self.minimum = _find_minimum(problem, block)

    @property
    def one_leaf_each(self) -> bool:
        """Whether every segment is one leaf."""
        return self.problem.max_leaves == self.problem.n_segments

    @cached_property
    def squares(self) -> Values:
        """Values by which a group costs its squared distances to its mean."""
        return self.reference.squares

    @cached_property
    def reference_cost(self) -> float:
        """The cost of the rows at their nearest centres."""
        return float(self.reference.distances.min(axis=1) @ self.reference.weights)

    def improve_starts(self) -> list[SearchedTree]:
        """Improve the best starts, and return the best trees, the best first."""
        problem, work = self.problem, self.effort.work
        starts = self._grow_starts(problem.n_segments)
        if not self.one_leaf_each:
            # A tree with one leaf for each segment is one start of a tree with more.
            small = self._improve_leaves(starts[0], _MIN_PENALTY, Budget(work / 4))
            starts, work = [small, *self._grow_starts(problem.max_leaves)], work * 3 / 4
        budget = Budget(work)
        if not self.is_last and len(starts) > self.effort.n_improved:
            starts = sorted((self._recut(start, budget) for start in starts), key=lambda one: one.cost)
        return self._rank(starts, self._improve_each(starts[: self.effort.n_improved], budget))

    def improve_trees(self, trees: Sequence[SearchedTree]) -> list[SearchedTree]:
        """Improve trees that were found on fewer rows; the best first."""
        known = [self._measure(self._root(self._sample(self.squares), one.shape), one.means) for one in trees]
        return self._rank(known, self._improve_each(known, Budget(self.effort.work)))

    def _grow_starts(self, n_leaves: int) -> list[SearchedTree]:
        """Return the starts of some size, the cheapest first."""
        sample = self._sample(self.squares)
        shapes = [STARTS[name](sample, self.reference, n_leaves) for name in self.effort.starts]
        previous = None if self.one_leaf_each else self.reference.means
        found = [self._measure(self._root(sample, shape), previous) for shape in shapes]
        return sorted(found, key=lambda one: one.cost)

    def _recut(self, tree: SearchedTree, budget: Budget) -> SearchedTree:
        """Choose the splits of a tree anew, twice, by how much the rows of a leaf vary."""
        sample = self._sample(self.squares)
        root = recut(sample, self._root(sample, tree.shape), budget, sweeps=2)
        return self._measure(root, None if self.one_leaf_each else tree.means)

    def _improve_each(self, trees: Sequence[SearchedTree], budget: Budget) -> list[SearchedTree]:
        """Improve trees, each with its share of what the others leave of the budget."""
        improved: list[SearchedTree] = []
        for place, tree in enumerate(trees):
            own = Budget(budget.left / (len(trees) - place), place, len(trees))
            before = own.left
            if self.one_leaf_each:
                cheap = self._improve_leaves(tree, _MIN_PENALTY, own)
                improved.append(cheap)
                if self.depth_weight:
                    improved.append(self._improve_leaves(cheap, self._compute_split_penalty(cheap), own))
            else:
                improved.append(self._improve_in_turns(tree, own, min((one.cost for one in improved), default=np.inf)))
            budget.left -= before - own.left
        return improved

    def _sample(self, values: Values, penalty: float = _MIN_PENALTY) -> Sample:
        return Sample(
            self.cells,
            values,
            self.minimum,
            self.problem.max_depth,
            penalty=penalty * self.reference_cost / self.weight if self.depth_weight else 0.0,
            min_gain=max(self.min_gain, _MIN_GAIN) * self.reference_cost + _ROUNDING * self.reference.norm,
            n_cells=self.effort.n_cells,
        )

    def _root(self, sample: Sample, shape: Shape) -> Node:
        return remove_small_leaves(sample, sample.build(shape, np.arange(self.cells.n_rows)))

    def _improve_leaves(self, tree: SearchedTree, penalty: float, budget: Budget) -> SearchedTree:
        """Improve a tree whose leaves are the segments."""
        sample = self._sample(self.squares, penalty)
        return self._measure(improve(sample, self._root(sample, tree.shape), self.problem.n_segments, budget))

    def _improve_in_turns(self, tree: SearchedTree, budget: Budget, known: float) -> SearchedTree:
        """Improve the leaves for the segments' means, then the means for the leaves, and so on.

        A tree that stays far above the cost of one that is known is given up.
        """
        best, shape, means = None, tree.shape, tree.means
        for _ in range(_MAX_TURNS):
            distances = _squared_distances(self.reference.points, means)
            values = Values.from_rows(distances, self.reference.weights, NEAREST)
            sample = self._sample(values, _MIN_PENALTY if best is None else self._compute_split_penalty(best))
            root = improve(sample, self._root(sample, shape), self.problem.max_leaves, budget)
            turn = self._measure(root, means)
            if best is not None and turn.cost >= best.cost - sample.min_gain:
                break
            best, shape, means = turn, turn.shape, turn.means
            if turn.cost > _MAX_COST_RATIO * known:
                break
        assert best is not None
        return best

    def _measure(self, root: Node, previous: NDArray[np.float64] | None = None) -> SearchedTree:
        """Assign leaves to segments, and measure the cost to their means."""
        ends = leaves(root)
        totals = np.array([self.squares.total(leaf.rows) for leaf in ends])
        mass = totals[:, -1]
        at = totals[:, :-1] / mass[:, None]
        segment, means = group_leaves(at, mass, self.problem.n_segments, previous)
        between = np.bincount(segment, mass, len(means)) @ np.einsum("sd,sd->s", means, means)
        depth = float(mass @ [leaf.depth for leaf in ends]) / self.weight
        return SearchedTree(get_shape(root), means, self.reference.norm - float(between), depth)

    def _compute_split_penalty(self, found: SearchedTree) -> float:
        """Return the penalty of one more split per row, as a share of the reference's cost.

        One percent of the mean depth weighs as much as `depth_weight` percent of what the tree costs beyond the
        reference.
        """
        least = _MIN_PENALTY_OF_A_LEAF if self.one_leaf_each else _MIN_PENALTY
        excess = found.cost / self.reference_cost - 1 if self.reference_cost > 0 else 0.0
        return max(least, self.depth_weight * excess / max(found.mean_depth, 1.0)) if self.depth_weight else 0.0

    def _rank(self, starts: Sequence[SearchedTree], improved: Sequence[SearchedTree]) -> list[SearchedTree]:
        """Return the best few trees by cost and mean depth, of those that cost no more than the best start."""
        found = [*starts, *improved]
        ceiling = min(one.cost for one in starts)
        cheapest = min(found, key=lambda one: (one.cost, one.mean_depth))
        penalty = self._compute_split_penalty(cheapest) * self.reference_cost
        ranked = sorted(found, key=lambda one: (one.cost + penalty * one.mean_depth, one.cost))
        distinct: list[SearchedTree] = []
        for one in ranked:
            if one.cost <= ceiling and all(
                (one.cost, one.mean_depth) != (other.cost, other.mean_depth) for other in distinct
            ):
                distinct.append(one)
        return distinct[: self.effort.n_kept]


def _squared_distances(points: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(points), len(means)))
    for column, mean in enumerate(means):
        offsets = points - mean
        out[:, column] = np.einsum("nd,nd->n", offsets, offsets)
    return out
