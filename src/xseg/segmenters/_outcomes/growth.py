"""Growing a tree by an outcome, under least sizes and monotone constraints, and pruning it on other people."""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.search import SQUARES
from xseg.segmenters._outcomes.parts import GROW, PRUNE
from xseg.segmenters._outcomes.targets import NUMBER, Target
from xseg.segmenters._trees.cells import Cells, Cut, Values, Views
from xseg.segmenters._trees.moves import prune
from xseg.segmenters._trees.nodes import Node, Sample, Shape, leaves, shape_of

__all__ = ["Ground", "grow_and_prune"]

_GROW_PAST = 3
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class Ground:
    """Coded rows with their outcomes and parts.

    Attributes
    ----------
    cells : Cells
        The cells of all rows.
    target : Target
        Their outcomes.
    weights : ndarray of shape (n_rows, 3)
        How much each counts among those who grow, prune and estimate.
    least_share : float
        The least share of each part's weight in a leaf.
    directions : mapping of int to int
        For some features, whether the outcome may only rise (1) or only fall (-1) with the value.
    """

    cells: Cells
    target: Target
    weights: NDArray[np.int64]
    least_share: float
    directions: Mapping[int, int]

    def rows_of(self, part: int) -> NDArray[np.int64]:
        """Return the rows of a part."""
        return np.flatnonzero(self.weights[:, part] > 0)

    def outcome_sums(self) -> Values:
        """Return the outcomes of those who grow the tree, weighed; what others say is not looked at."""
        values = self.target.values
        own = self.weights[:, GROW]
        if self.target.kind == NUMBER:
            values = values - np.average(values, axis=0, weights=own)
        return Values.weighted(values, own, self.target.cost_kind)

    def part_sums(self) -> Values:
        """Return the weight of each row in its part: how large sides are, for everyone."""
        return Values(np.column_stack([self.weights, self.weights.sum(axis=1)]).astype(np.float64), SQUARES)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Between which outcomes a node must stay, so that what is above it keeps its direction."""

    low: float = -np.inf
    high: float = np.inf


def grow_and_prune(ground: Ground, max_leaves: int, max_depth: int) -> Shape:
    """Grow past the size on the first part, and keep the subtree that says most about the second."""
    values = ground.outcome_sums()
    sample = Sample(ground.cells, values, 0, max_depth)
    root = sample.root()
    _Grower(ground, sample, ground.part_sums()).grow(root, _GROW_PAST * max_leaves)
    return _pruned(ground, sample, root, max_leaves)


class _Grower:
    """Cuts leaves where the outcome differs most."""

    def __init__(self, ground: Ground, sample: Sample, sizes: Values) -> None:
        self.ground, self.sample, self.sizes = ground, sample, sizes
        total = sizes.values[:, :3].sum(axis=0)
        self.least = np.maximum(np.ceil(ground.least_share * total - 1e-9), 1.0)

    def grow(self, root: Node, n_leaves: int) -> None:
        """Cut the leaf that gains most, until there are so many or nothing gains."""
        waiting: list[tuple[float, int, Node, _Bounds, Cut]] = []
        turn = count()

        def offer(leaf: Node, bounds: _Bounds) -> None:
            found = self.best_cut(leaf, bounds)
            if found is not None:
                heappush(waiting, (found[0], next(turn), leaf, bounds, found[1]))

        offer(root, _Bounds())
        grown = 1
        while waiting and grown < n_leaves:
            _, _, leaf, bounds, cut = heappop(waiting)
            left, right = self.sample.divide(leaf, cut)
            for child, own in zip((left, right), self.bounds_below(cut, left, right, bounds), strict=True):
                offer(child, own)
            grown += 1

    def best_cut(self, leaf: Node, bounds: _Bounds) -> tuple[float, Cut] | None:
        """Return the cut that gains most, as minus its gain, if one is allowed."""
        if leaf.depth >= self.sample.max_depth or not len(self.ground.cells.features):
            return None
        cells = self.ground.cells
        sums = cells.sums(self.sample.values, leaf.rows)[0]
        sizes = cells.sums(self.sizes, leaf.rows)[0][:, :3]
        views = cells.views(sums)
        best: tuple[float, int, int] | None = None
        for view in range(len(views)):
            change = self._changes(views, view, sums, sizes, leaf, bounds)
            place = int(change.argmin()) if len(change) else 0
            if (
                len(change)
                and change[place] < -1e-9 * max(abs(leaf.cost), 1.0)
                and (best is None or change[place] < best[0])
            ):
                best = float(change[place]), view, place + 1
        return None if best is None else (best[0], cells.cut_of(views, best[1], best[2]))

    def _changes(
        self,
        views: Views,
        view: int,
        sums: NDArray[np.float64],
        sizes: NDArray[np.float64],
        leaf: Node,
        bounds: _Bounds,
    ) -> NDArray[np.float64]:
        """Return how much each cut of a view changes the cost; infinity where it is not allowed."""
        own = views.cells[views.start[view] : views.start[view + 1]]
        low = np.cumsum(sums[own], axis=0)[:-1]
        high = leaf.total - low
        low_sizes = np.cumsum(sizes[own], axis=0)[:-1]
        high_sizes = sizes[own].sum(axis=0) - low_sizes
        change = _costs(low, self.ground.target) + _costs(high, self.ground.target) - leaf.cost
        allowed = ((low_sizes >= self.least) & (high_sizes >= self.least)).all(axis=1)
        if self.ground.directions:
            allowed &= self._keeps_direction(own, low, high, bounds)
        return np.where(allowed, change, np.inf)

    def _keeps_direction(
        self, own: NDArray[np.int64], low: NDArray[np.float64], high: NDArray[np.float64], bounds: _Bounds
    ) -> NDArray[np.bool_]:
        below, above = _asked(low, self.ground.target), _asked(high, self.ground.target)
        inside = (np.minimum(below, above) >= bounds.low) & (np.maximum(below, above) <= bounds.high)
        cells = self.ground.cells
        f = int(np.searchsorted(cells.offsets, own[0], side="right")) - 1
        direction = self.ground.directions.get(int(cells.features[f]), 0)
        return np.asarray(inside & (direction * (above - below) >= 0))

    def bounds_below(self, cut: Cut, left: Node, right: Node, bounds: _Bounds) -> tuple[_Bounds, _Bounds]:
        """Return the bounds of the two sides of a cut."""
        direction = self.ground.directions.get(cut.feature, 0)
        if not direction:
            return bounds, bounds
        values = [float(_asked(side.total[None], self.ground.target)[0]) for side in (left, right)]
        middle = sum(values) / 2
        lower, upper = _Bounds(bounds.low, middle), _Bounds(middle, bounds.high)
        return (lower, upper) if values[0] <= values[1] else (upper, lower)


def _asked(totals: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    column = 0 if target.kind == NUMBER else -2
    return np.asarray(totals[:, column] / np.maximum(totals[:, -1], 1e-300))


def _costs(totals: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """Return what groups with these sums cost, as `group_cost` does for one."""
    weight = np.maximum(totals[:, -1:], 1e-300)
    values = totals[:, :-1]
    if target.kind == NUMBER:
        return np.asarray(-(values * values / weight).sum(axis=1))
    share = np.maximum(values, 0) / weight
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.asarray(-(np.maximum(values, 0) * logarithm).sum(axis=1))


def _pruned(ground: Ground, sample: Sample, root: Node, max_leaves: int) -> Shape:
    """Return the smallest subtree that predicts the second part as well as the best one, within two standard errors."""
    candidates, losses = [], []
    for n_leaves in range(1, max_leaves + 1):
        tree = sample.build(shape_of(root), root.rows)
        _judge(ground, sample, tree)
        prune(sample, tree, n_leaves)
        candidates.append(shape_of(tree))
        losses.append(_row_losses(ground, tree))
    weights = ground.weights[ground.rows_of(PRUNE), PRUNE].astype(np.float64)
    if not len(weights):
        return candidates[0]
    means = [float(np.average(loss, weights=weights)) for loss in losses]
    best = int(np.argmin(means))
    for shape, loss, mean in zip(candidates, losses, means, strict=True):
        difference = loss - losses[best]
        spread = np.sqrt(np.average((difference - difference.mean()) ** 2, weights=weights) / weights.sum())
        if mean - means[best] <= _STANDARD_ERRORS * spread:
            return shape
    return candidates[best]


def _judge(ground: Ground, sample: Sample, node: Node) -> None:
    """Set what each node costs: what its growing people lead to expect of its pruning people."""
    rows = node.rows[ground.weights[node.rows, PRUNE] > 0]
    node.cost = float(ground.weights[rows, PRUNE] @ ground.target.losses(rows, _expected(ground, node)))
    for child in node.children or ():
        _judge(ground, sample, child)


def _row_losses(ground: Ground, root: Node) -> NDArray[np.float64]:
    rows = ground.rows_of(PRUNE)
    loss = np.empty(len(ground.weights))
    for leaf in leaves(root):
        own = leaf.rows[ground.weights[leaf.rows, PRUNE] > 0]
        loss[own] = ground.target.losses(own, _expected(ground, leaf))
    return loss[rows]


def _expected(ground: Ground, node: Node) -> NDArray[np.float64]:
    weights = ground.weights[node.rows, GROW].astype(np.float64)
    return ground.target.smoothed(np.append(weights @ ground.target.values[node.rows], weights.sum()))
