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

from xseg._kernels.cut_kernels import ENTROPY, NEAREST, SQUARES
from xseg.backends.base import CodedRows
from xseg.core.bins import N_CODES
from xseg.core.boxes import ThresholdTree
from xseg.core.embedding import Centers
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning import Space
from xseg.segmenters._tree_cells import Cells, Cut, Values
from xseg.segmenters._tree_moves import (
    Budget,
    Node,
    Sample,
    Shape,
    allow,
    get_shape,
    grow,
    improve,
    leaves,
    prune,
    to_tree,
)
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
    points : ndarray of shape (n_rows, n_dimensions)
        The rows in the metric space.
    weights : ndarray of shape (n_rows,)
        Their weights.
    """

    centers: Centers
    distances: NDArray[np.float64]
    points: NDArray[np.float64]
    weights: NDArray[np.int64]

    @classmethod
    def from_centers(cls, space: Space, block: CodedBlock, centers: Centers) -> "Reference":
        """Measure some rows against centres."""
        points = space.embedding.matrix(block.codes, block.points)
        return cls(centers, space.distances(block, centers), points, block.weights)

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


def _grown(sample: Sample, values: Values, n_leaves: int) -> Shape:
    own = Sample(sample.cells, values, sample.minimum, sample.max_depth)
    root = own.root()
    grow(own, root, 3 * n_leaves)
    prune(own, root, n_leaves)
    return get_shape(root)


def follow_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by the cost of giving each leaf to one of the centres."""
    return _grown(sample, reference.nearest_costs, n_leaves)


def grow_tight_leaves(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by how much the rows of a leaf vary about their own mean: the real cost."""
    return _grown(sample, reference.squares, n_leaves)


def follow_labels(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a classification tree on the labels."""
    return _grown(sample, reference.disagreement, n_leaves)


def part_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a tree on the centres alone, each as heavy as its cluster, until each has its leaf."""
    del n_leaves
    mass = np.bincount(reference.labels, reference.weights, len(reference.centers)).astype(np.int64)
    places = _center_codes(sample, reference)
    cells = Cells.from_codes(sample.cells.bins, _numbers(sample), places)
    values = Values.from_rows(reference.centers.means, np.maximum(mass, 1), SQUARES)
    own = Sample(cells, values, 1, sample.max_depth)
    root = own.root()
    grow(own, root, len(places))
    return get_shape(root)


def fewest_mistakes(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Part the centres by cuts that part the fewest rows from their own centre: IMM."""
    del n_leaves
    places = _center_codes(sample, reference)
    return _split_mistaken(sample, reference, places, sample.root(), np.arange(len(places)))


def _split_mistaken(
    sample: Sample, reference: Reference, places: NDArray[np.uint8], node: Node, alive: NDArray[np.int64]
) -> Shape:
    labels = reference.labels
    mistaken = np.isin(labels[node.rows], alive)
    rows = node.rows[mistaken]
    cut = _least_mistaken(sample, reference, places, rows, labels[rows], alive) if len(alive) > 1 else None
    if cut is None or node.depth >= sample.max_depth:
        return None
    left, right = sample.divide(node, cut)
    goes_left = cut.goes_left[places[alive, cut.feature]]
    return (
        cut,
        _split_mistaken(sample, reference, places, left, alive[goes_left]),
        _split_mistaken(sample, reference, places, right, alive[~goes_left]),
    )


def _least_mistaken(
    sample: Sample,
    reference: Reference,
    places: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    alive: NDArray[np.int64],
) -> Cut | None:
    best, chosen = np.inf, None
    weights = reference.weights[rows]
    for j in _numbers(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        lowest, highest = int(places[alive, j].min()), int(places[alive, j].max())
        if lowest == highest:
            continue
        codes = sample.cells.cells[f, rows] - sample.cells.offsets[f]
        known = codes < sample.cells.bins[j].n_codes
        own = places[labels, j].astype(np.int64)
        start, stop = np.minimum(codes, own)[known], np.maximum(codes, own)[known]
        opened = np.bincount(start, weights[known], N_CODES + 1) - np.bincount(stop, weights[known], N_CODES + 1)
        mistakes = np.cumsum(opened)[lowest:highest]
        place = int(mistakes.argmin())
        if mistakes[place] < best:
            best, chosen = float(mistakes[place]), Cut(int(j), np.arange(N_CODES) <= lowest + place)
    return chosen


def _numbers(sample: Sample) -> NDArray[np.int64]:
    """Return the features in which a centre has a place."""
    kinds = [sample.cells.bins[j].feature.kind for j in sample.cells.features]
    return sample.cells.features[[kind in {Kind.NUMBER, Kind.BOOLEAN, Kind.ORDERED} for kind in kinds]]


def _center_codes(sample: Sample, reference: Reference) -> NDArray[np.uint8]:
    """Return the code of each centre in each feature: that of the middle one of its rows."""
    places = np.zeros((len(reference.centers), len(sample.cells.bins)), dtype=np.uint8)
    labels = reference.labels
    for j in _numbers(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        width = sample.cells.bins[j].n_codes
        codes = sample.cells.cells[f] - sample.cells.offsets[f]
        known = codes < width
        counts = np.zeros((len(places), width))
        np.add.at(counts, (labels[known], codes[known]), reference.weights[known])
        reached = np.cumsum(counts, axis=1)
        places[:, j] = (reached < reached[:, -1:] / 2).sum(axis=1)
    return places


Start: TypeAlias = Callable[[Sample, Reference, int], Shape]

STARTS: dict[str, Start] = {
    "IMM": fewest_mistakes,
    "centres": follow_centers,
    "real cost": grow_tight_leaves,
    "labels": follow_labels,
    "tree of centres": part_centers,
}


_NOTICEABLE = 1e-7
_ROUNDING = 1e-12
_MAX_TURNS = 8
_MIN_PRICE = 0.001
_MIN_PRICE_OF_A_RULE = 0.011


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look.

    Attributes
    ----------
    n_rows : int
        How many rows of the sample to search on before all of them are looked at.
    work : float
        How many additions the search may spend on all its starts together, and again on all rows of the sample.
    starts : sequence of str
        Which starts to improve.
    n_turned : int
        How many trees with more leaves than segments to improve.
    """

    n_rows: int
    work: float
    starts: Sequence[str]
    n_turned: int


EFFORTS = {
    "fast": Effort(4_096, 1e8, ("IMM", "real cost", "labels"), 2),
    "balanced": Effort(12_288, 4e9, tuple(STARTS), 4),
    "thorough": Effort(2**20, 1e11, tuple(STARTS), 4),
}


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A tree in the making, with what decides between trees: its cost, and the questions asked of a row."""

    shape: Shape
    means: NDArray[np.float64]
    cost: float
    n_questions: float


def search(problem: Problem, sample: CodedRows, centers: Centers, effort: Effort, depth_weight: float) -> ThresholdTree:
    """Return the best tree found.

    Parameters
    ----------
    problem : Problem
        What is looked for.
    sample : CodedRows
        The rows to look on.
    centers : Centers
        Those of the reference.
    effort : Effort
        How hard to look.
    depth_weight : float
        How much fewer questions count against the relative cost.
    """
    everything = slice(0, sample.n_rows)
    block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
    some = min(effort.n_rows, sample.n_rows)
    part = CodedBlock(block.codes[:some], block.points[:some], block.weights[:some])
    best = _Search(problem, part, centers, depth_weight).run(effort)
    whole = _Search(problem, block, centers, depth_weight)
    if some < sample.n_rows and effort.work > EFFORTS["fast"].work:
        best = whole.improve_tree(best, Budget(effort.work / 4))
    return whole.tree(best)


class _Search:
    """One search on some rows."""

    def __init__(self, problem: Problem, block: CodedBlock, centers: Centers, depth_weight: float) -> None:
        self.problem = problem
        self.cells = Cells.from_codes(problem.bins, problem.features, block.codes)
        self.reference = Reference.from_centers(problem.space, block, centers)
        self.depth_weight = depth_weight
        self.weight = float(block.weights.sum())
        share = problem.min_weight / problem.space.total_weight
        self.minimum = max(1, int(np.ceil(share * self.weight - 1e-9 * self.weight)))

    @property
    def one_leaf_each(self) -> bool:
        """Whether every segment is one leaf."""
        return self.problem.max_leaves == self.problem.n_segments

    @cached_property
    def squares(self) -> Values:
        """What groups vary about their own means."""
        return self.reference.squares

    @cached_property
    def norms(self) -> float:
        """The summed squared norm of the rows, which no partition changes."""
        points = self.reference.points
        return float(np.einsum("nd,nd->n", points, points) @ self.reference.weights)

    @cached_property
    def reference_cost(self) -> float:
        """What the rows cost at their nearest centres."""
        return float(self.reference.distances.min(axis=1) @ self.reference.weights)

    def run(self, effort: Effort) -> Found:
        """Improve every start, and return the best tree."""
        found, ceiling = self._one_leaf_each(
            [STARTS[name] for name in effort.starts], effort.work / (2 - self.one_leaf_each)
        )
        if self.one_leaf_each:
            return self._choose(found, ceiling)
        sample, n_leaves = self._sample(self.squares), self.problem.max_leaves
        centers = self.reference.centers.means
        shapes = [min(found, key=lambda one: one.cost).shape]
        shapes += [STARTS[name](sample, self.reference, n_leaves) for name in ("centres", "IMM", "real cost")]
        means = [self._compute_means(shapes[0]), centers, centers, self._compute_means(shapes[3])]
        kept = list(zip(shapes, means, strict=True))[: effort.n_turned]
        raw = [self._measure(self._root(sample, shape), at) for shape, at in kept]
        found = [self._in_turns(shape, at, Budget(effort.work / 2 / len(kept))) for shape, at in kept]
        return self._choose([*raw, *found], min(one.cost for one in raw))

    def improve_tree(self, found: Found, budget: Budget) -> Found:
        """Improve a tree that was found on fewer rows."""
        if self.one_leaf_each:
            return self._improve(found.shape, self._compute_split_penalty(found), budget)
        return self._in_turns(found.shape, found.means, budget)

    def tree(self, found: Found) -> ThresholdTree:
        """Convert a tree to arrays."""
        root = self._root(self._sample(self.squares), found.shape)
        return to_tree(root, self.cells, self.problem.bins, self.problem.rounded)

    def _sample(self, values: Values, price: float = _MIN_PRICE) -> Sample:
        return Sample(
            self.cells,
            values,
            self.minimum,
            self.problem.max_depth,
            penalty=price * self.reference_cost / self.weight if self.depth_weight else 0.0,
            least_gain=_NOTICEABLE * self.reference_cost + _ROUNDING * self.norms,
        )

    def _root(self, sample: Sample, shape: Shape) -> Node:
        return allow(sample, sample.build(shape, np.arange(self.cells.n_rows)))

    def _one_leaf_each(self, starts: Sequence[Start], work: float) -> tuple[list[Found], float]:
        """Improve trees with one leaf for each segment; returns also the cost of the best start."""
        sample, n_segments = self._sample(self.squares), self.problem.n_segments
        shapes = [start(sample, self.reference, n_segments) for start in starts]
        raw = sorted((self._measure(self._root(sample, shape)) for shape in shapes), key=lambda one: one.cost)
        found = list(raw)
        budget = Budget(work)
        for position, start in enumerate(raw):
            own = Budget(budget.left / (len(raw) - position))
            before = own.left
            cheap = self._improve(start.shape, _MIN_PRICE, own)
            found += [cheap, self._improve(cheap.shape, self._compute_split_penalty(cheap), own)]
            budget.left -= before - own.left
        return found, raw[0].cost

    def _improve(self, shape: Shape, price: float, budget: Budget) -> Found:
        sample = self._sample(self.squares, price)
        return self._measure(improve(sample, self._root(sample, shape), self.problem.n_segments, budget))

    def _in_turns(self, shape: Shape, means: NDArray[np.float64], budget: Budget) -> Found:
        """Improve the leaves for the segments' means, then the means for the leaves, and so on."""
        best: Found | None = None
        for _ in range(_MAX_TURNS):
            distances = _squared_distances(self.reference.points, means)
            values = Values.from_rows(distances, self.reference.weights, NEAREST)
            sample = self._sample(values, _MIN_PRICE if best is None else self._compute_split_penalty(best))
            root = improve(sample, self._root(sample, shape), self.problem.max_leaves, budget)
            turn = self._measure(root, means)
            if best is not None and turn.cost >= best.cost - sample.least_gain:
                break
            best, shape, means = turn, turn.shape, turn.means
        assert best is not None
        return best

    def _measure(self, root: Node, previous: NDArray[np.float64] | None = None) -> Found:
        """Share leaves out among the segments, and return the real cost."""
        ends = leaves(root)
        totals = np.array([self.squares.total(leaf.rows) for leaf in ends])
        mass = totals[:, -1]
        at = totals[:, :-1] / mass[:, None]
        segment, means = group_leaves(at, mass, self.problem.n_segments, previous)
        between = np.bincount(segment, mass, len(means)) @ np.einsum("sd,sd->s", means, means)
        questions = float(mass @ [leaf.depth for leaf in ends]) / self.weight
        return Found(get_shape(root), means, self.norms - float(between), questions)

    def _compute_means(self, shape: Shape) -> NDArray[np.float64]:
        return self._measure(self._root(self._sample(self.squares), shape), self.reference.centers.means).means

    def _compute_split_penalty(self, found: Found) -> float:
        """Return what one more split per row may cost, as a share of the reference's cost.

        One percent more of what the tree costs beyond the reference is worth `depth_weight` percent of the questions.
        """
        least = _MIN_PRICE_OF_A_RULE if self.one_leaf_each else _MIN_PRICE
        excess = found.cost / self.reference_cost - 1 if self.reference_cost > 0 else 0.0
        return max(least, self.depth_weight * excess / max(found.n_questions, 1.0)) if self.depth_weight else 0.0

    def _choose(self, found: Sequence[Found], ceiling: float) -> Found:
        """Weigh cost against questions among the trees that cost no more than the best start."""
        cheapest = min(found, key=lambda one: (one.cost, one.n_questions))
        price = self._compute_split_penalty(cheapest) * self.reference_cost
        allowed = [one for one in found if one.cost <= ceiling]
        return min(allowed, key=lambda one: (one.cost + price * one.n_questions, one.cost))


def _squared_distances(points: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(points), len(means)))
    for column, mean in enumerate(means):
        offsets = points - mean
        out[:, column] = np.einsum("nd,nd->n", offsets, offsets)
    return out
