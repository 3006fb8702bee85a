"""The search for the cheapest threshold tree of a given size, on a sample of rows.

Several starts are improved by moves that are each scored exactly. Where every segment is one leaf, a group of rows
costs what it varies about its mean, so the moves see the real cost. Where there are more leaves than segments, leaves
cost what they cost at the nearest segment mean, and leaves and means take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.search import NEAREST
from xseg.backends.coded import CodedRows
from xseg.core.embedding import Centers
from xseg.core.statistics import CodedBlock
from xseg.core.tree import ThresholdTree
from xseg.segmenters._trees.cells import Cells, Values
from xseg.segmenters._trees.leaves import share_out
from xseg.segmenters._trees.moves import Budget, allow, improve
from xseg.segmenters._trees.nodes import Node, Sample, Shape, leaves, shape_of, to_tree
from xseg.segmenters._trees.problem import Problem
from xseg.segmenters._trees.starts import STARTS, Reference, Start

__all__ = ["EFFORTS", "Effort", "search"]

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
    """A tree in the making, with what decides between trees: its cost, and the questions asked of a person."""

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
        How much fewer questions count against the price of explainability.
    """
    everything = slice(0, sample.n_rows)
    block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
    some = min(effort.n_rows, sample.n_rows)
    part = CodedBlock(block.codes[:some], block.points[:some], block.weights[:some])
    best = _Search(problem, part, centers, depth_weight).run(effort)
    whole = _Search(problem, block, centers, depth_weight)
    if some < sample.n_rows and effort.work > EFFORTS["fast"].work:
        best = whole.polished(best, Budget(effort.work / 4))
    return whole.tree(best)


class _Search:
    """One search on some rows."""

    def __init__(self, problem: Problem, block: CodedBlock, centers: Centers, depth_weight: float) -> None:
        self.problem = problem
        self.cells = Cells.of(problem.bins, problem.features, block.codes)
        self.reference = Reference.of(problem.space, block, centers)
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
        means = [self._means_of(shapes[0]), centers, centers, self._means_of(shapes[3])]
        kept = list(zip(shapes, means, strict=True))[: effort.n_turned]
        raw = [self._measure(self._root(sample, shape), at) for shape, at in kept]
        found = [self._in_turns(shape, at, Budget(effort.work / 2 / len(kept))) for shape, at in kept]
        return self._choose([*raw, *found], min(one.cost for one in raw))

    def polished(self, found: Found, budget: Budget) -> Found:
        """Improve a tree that was found on fewer rows."""
        if self.one_leaf_each:
            return self._improved(found.shape, self._price_of(found), budget)
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
            cheap = self._improved(start.shape, _MIN_PRICE, own)
            found += [cheap, self._improved(cheap.shape, self._price_of(cheap), own)]
            budget.left -= before - own.left
        return found, raw[0].cost

    def _improved(self, shape: Shape, price: float, budget: Budget) -> Found:
        sample = self._sample(self.squares, price)
        return self._measure(improve(sample, self._root(sample, shape), self.problem.n_segments, budget))

    def _in_turns(self, shape: Shape, means: NDArray[np.float64], budget: Budget) -> Found:
        """Improve the leaves for the segments' means, then the means for the leaves, and so on."""
        best: Found | None = None
        for _ in range(_MAX_TURNS):
            distances = _squared_distances(self.reference.points, means)
            values = Values.weighted(distances, self.reference.weights, NEAREST)
            sample = self._sample(values, _MIN_PRICE if best is None else self._price_of(best))
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
        segment, means = share_out(at, mass, self.problem.n_segments, previous)
        between = np.bincount(segment, mass, len(means)) @ np.einsum("sd,sd->s", means, means)
        questions = float(mass @ [leaf.depth for leaf in ends]) / self.weight
        return Found(shape_of(root), means, self.norms - float(between), questions)

    def _means_of(self, shape: Shape) -> NDArray[np.float64]:
        return self._measure(self._root(self._sample(self.squares), shape), self.reference.centers.means).means

    def _price_of(self, found: Found) -> float:
        """Return what one question more per person may cost, as a share of the reference's cost.

        One percent more of what the tree costs beyond the reference is worth `depth_weight` percent of the questions.
        """
        least = _MIN_PRICE_OF_A_RULE if self.one_leaf_each else _MIN_PRICE
        excess = found.cost / self.reference_cost - 1 if self.reference_cost > 0 else 0.0
        return max(least, self.depth_weight * excess / max(found.n_questions, 1.0)) if self.depth_weight else 0.0

    def _choose(self, found: Sequence[Found], ceiling: float) -> Found:
        """Weigh cost against questions among the trees that cost no more than the best start."""
        cheapest = min(found, key=lambda one: (one.cost, one.n_questions))
        price = self._price_of(cheapest) * self.reference_cost
        allowed = [one for one in found if one.cost <= ceiling]
        return min(allowed, key=lambda one: (one.cost + price * one.n_questions, one.cost))


def _squared_distances(points: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty((len(points), len(means)))
    for column, mean in enumerate(means):
        offsets = points - mean
        out[:, column] = np.einsum("nd,nd->n", offsets, offsets)
    return out
