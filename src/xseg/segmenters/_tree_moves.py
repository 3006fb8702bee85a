"""Moves of the tree search: grow, prune, split again, and remove a leaf to insert one elsewhere.

Every move is scored exactly, by what the rows of the sample that a tree's nodes hold add up to in each cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.cut_kernels import prefix_sums, side_costs
from xseg.core.progress import report_progress
from xseg.segmenters._tree_cells import Cells, Cut, Views
from xseg.segmenters._tree_nodes import (
    Node,
    Sample,
    get_shape,
    height,
    inner_nodes,
    leaves,
    remove_leaf,
    replace_node,
)

__all__ = ["Budget", "Insertion", "Insertions", "find_resplit", "find_split", "grow", "improve", "prune", "recut"]

_MAX_SWEEPS = 20
_START = 20_000


@dataclass(slots=True)
class Budget:
    """How much arithmetic the search may still do, counted in additions; the same on every machine.

    `place` and `n_trees` say for reports of progress which of how many trees it is for.
    """

    left: float
    place: int = 0
    n_trees: int | None = None

    @property
    def is_spent(self) -> bool:
        """Whether there is none left."""
        return self.left <= 0

    def spend(self, *factors: int) -> None:
        """Subtract the product of some sizes, and a constant for starting at all."""
        report_progress("searching trees", self.place, self.n_trees)
        self.left -= _START + float(np.prod(np.array(factors, dtype=np.float64)))


def _compute_prefix_sums(sums: NDArray[np.float64], views: Views) -> NDArray[np.float64]:
    """Return what the cells of each view add up to, from its first cell to each, shape (n_positions, n_values)."""
    out = np.empty((len(views.cells), sums.shape[1]))
    prefix_sums(sums, views.cells, views.start, out)
    return out


def _compute_side_costs(
    sample: Sample, low: NDArray[np.float64], total: NDArray[np.float64], depth: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the low sides of splits of a group cost as leaves of some depth, and what the high sides cost.

    A side that is too small costs infinity, and an empty one nothing.
    """
    rest, inside, outside = np.empty(len(total)), np.empty(len(low)), np.empty(len(low))
    side_costs(low, total, sample.values.kind, float(sample.minimum), sample.penalty * depth, rest, inside, outside)
    return inside, outside


def _is_split(sample: Sample, low: NDArray[np.float64], whole: float) -> NDArray[np.bool_]:
    """Return where both sides of a split are large enough, from the weights of the low side."""
    least = max(sample.minimum, 1e-300)
    return (low >= least) & (whole - low >= least)


def find_split(sample: Sample, node: Node) -> tuple[float, Cut] | None:
    """Return the best split of a leaf, and what its sides cost together."""
    if node.depth >= sample.max_depth or node.weight < 2 * sample.minimum or not len(sample.cells.features):
        return None
    best: tuple[float, Cut] | None = None
    for part in sample.coarse.parts(1, len(node.total)):
        best = _choose_cheaper(best, _find_split_in(sample, part, node))
    if best is not None and sample.coarse is not sample.cells:
        best = _choose_cheaper(best, _find_split_in(sample, sample.cells.select(best[1].feature), node))
    return best


def _find_split_in(sample: Sample, part: Cells, node: Node) -> tuple[float, Cut] | None:
    sums = sample.sums(part, [node])[0]
    views = part.views(sums)
    low = _compute_prefix_sums(sums, views)
    costs = np.add(*_compute_side_costs(sample, low, node.total, 0))
    costs = np.where(_is_split(sample, low[:, -1], node.weight), costs, np.inf)
    position = int(costs.argmin())
    return (float(costs[position]), part.make_cut(views, position)) if np.isfinite(costs[position]) else None


def _choose_cheaper(one: tuple[float, Cut] | None, other: tuple[float, Cut] | None) -> tuple[float, Cut] | None:
    """Return the cheaper of two, the first where they cost the same."""
    if one is None or other is None:
        return other if one is None else one
    return other if other[0] < one[0] else one


def grow(sample: Sample, node: Node, n_leaves: int) -> None:
    """Split the leaf that gains most, until there are so many below `node` or nothing gains."""
    waiting: list[tuple[float, int, Node, Cut]] = []
    turn = count()

    def offer(leaf: Node) -> None:
        found = find_split(sample, leaf)
        if found is not None and found[0] < leaf.cost:
            heappush(waiting, (found[0] - leaf.cost, next(turn), leaf, found[1]))

    for leaf in leaves(node):
        offer(leaf)
    missing = n_leaves - len(leaves(node))
    while waiting and missing > 0:
        report_progress("growing trees", n_leaves - missing, n_leaves)
        *_, leaf, cut = heappop(waiting)
        for child in sample.divide(leaf, cut):
            offer(child)
        missing -= 1


def prune(sample: Sample, node: Node, n_leaves: int) -> None:
    """Keep the cheapest subtree with at most `n_leaves` leaves: dynamic programming from the leaves up."""
    table = _tabulate(sample, node, n_leaves)
    _keep(node, int(np.argmin(table)) + 1)


def _tabulate(sample: Sample, node: Node, most: int) -> NDArray[np.float64]:
    """Write in each node the cost of its best subtree with 1, 2, ... leaves, and return that of `node`."""
    alone = node.cost + sample.penalty * node.depth * node.weight
    if node.children is None:
        node.table = np.array([alone])
        return node.table
    left, right = (_tabulate(sample, child, most) for child in node.children)
    table = np.full(min(len(left) + len(right), most), np.inf)
    table[0] = alone
    for n_left in range(1, len(left) + 1):
        n_right = np.arange(1, min(len(right), len(table) - n_left) + 1)
        slots = n_left + n_right - 1
        table[slots] = np.minimum(table[slots], left[n_left - 1] + right[n_right - 1])
    node.table = table
    return table


def _keep(node: Node, n_leaves: int) -> None:
    if n_leaves == 1 or node.children is None:
        node.cut = node.children = None
        return
    left, right = node.children
    assert left.table is not None
    assert right.table is not None
    shares = [n for n in range(1, n_leaves) if n <= len(left.table) and n_leaves - n <= len(right.table)]
    costs = [left.table[n - 1] + right.table[n_leaves - n - 1] for n in shares]
    n_left = shares[int(np.argmin(costs))]
    _keep(left, n_left)
    _keep(right, n_leaves - n_left)


def recut(sample: Sample, root: Node, budget: Budget, sweeps: int = _MAX_SWEEPS) -> Node:
    """Choose every split anew with what lies below it fixed, top down, until none changes or the sweeps are over."""
    for _ in range(sweeps):
        before, root = root, _recut_below(sample, root, budget)
        if root is before:
            break
    return root


def _recut_below(sample: Sample, node: Node, budget: Budget) -> Node:
    """Return a node with better splits; itself if nothing changed."""
    if node.children is None:
        return node
    if not (node.is_settled or budget.is_spent):
        better = find_resplit(sample, node, budget)
        if better is None:
            node.is_settled = True
        else:
            left, right = node.children
            node = sample.build((better, get_shape(left), get_shape(right)), node.rows, node.depth)
    if node.children is None:
        return node
    left, right = node.children
    children = _recut_below(sample, left, budget), _recut_below(sample, right, budget)
    return node if children == node.children else replace(node, children=children, is_settled=False)


def find_resplit(sample: Sample, node: Node, budget: Budget) -> Cut | None:
    """Return a better split of a node whose subtrees stay as they are, if there is one."""
    assert node.children is not None
    n_groups = len(leaves(node))
    budget.spend(len(node.rows) * len(sample.cells.features) + 4 * n_groups * sample.coarse.n_cells, len(node.total))
    best: tuple[float, Cut] | None = None
    for part in sample.coarse.parts(n_groups, len(node.total)):
        best = _choose_cheaper(best, _find_resplit_in(sample, part, node))
    if best is not None and sample.coarse is not sample.cells:
        best = _choose_cheaper(best, _find_resplit_in(sample, sample.cells.select(best[1].feature), node))
    return None if best is None or best[0] >= sample.compute_penalized_cost(node) - sample.min_gain else best[1]


def _find_resplit_in(sample: Sample, part: Cells, node: Node) -> tuple[float, Cut] | None:
    """Find the best split in some cells.

    Each row would reach one leaf of the left subtree and one of the right. The sums of both by leaf give the cost of
    every split: on its low side the rows are in the leaves of one subtree, on its high side in those of the other.
    """
    assert node.children is not None
    left, right = node.children
    ends = [leaves(left), leaves(right)]
    sums = sample.sums(part, ends[0] + ends[1])
    first = len(ends[0])
    # The order of categories comes from the rows where they are now.
    views = part.views(sums.sum(axis=0))
    sums[:first] += part.sums(sample.values, right.rows, sample.assign_leaves(left, right.rows), first)
    sums[first:] += part.sums(sample.values, left.rows, sample.assign_leaves(right, left.rows), len(ends[1]))
    straight, swapped = np.zeros(len(views.cells)), np.zeros(len(views.cells))
    for group, leaf in enumerate(ends[0] + ends[1]):
        low = _compute_prefix_sums(sums[group], views)
        # The last position of a view has gone through all its cells.
        inside, outside = _compute_side_costs(sample, low, low[views.start[1] - 1], leaf.depth)
        straight += inside if group < first else outside
        swapped += outside if group < first else inside
    position = int(np.minimum(straight, swapped).argmin())
    cost = min(straight[position], swapped[position])
    if not np.isfinite(cost):
        return None
    return float(cost), part.make_cut(views, position, low_left=bool(straight[position] <= swapped[position]))


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """A new leaf above `node`, and how much the cost rises (below 0: falls)."""

    rise: float
    node: Node
    cut: Cut
    leaf_left: bool

    def apply(self, sample: Sample, root: Node) -> Node:
        """Return the tree with the new leaf."""
        below = get_shape(self.node)
        shape = (self.cut, None, below) if self.leaf_left else (self.cut, below, None)
        return replace_node(root, self.node, sample.build(shape, self.node.rows, self.node.depth))


@dataclass(frozen=True, slots=True, eq=False)
class _NodeScores:
    """What new leaves above a node would cost, by position of the views.

    `low` are the sums of the low side. `rest_low` is what the rows below the node cost in its leaves, one split
    deeper, once the low side is taken away, and `rest_high` once the high side is. `best` is the rise, the position
    and whether the low side is the new leaf.
    """

    low: NDArray[np.float64]
    rest_low: NDArray[np.float64]
    rest_high: NDArray[np.float64]
    cost: float
    best: tuple[float, int, bool]


_NO_ROOM = (np.inf, 0, True)


class _PartScores:
    """Scores of new leaves in some cells, for trees that share nodes: each node is scored once.

    A new leaf above a node takes the rows on one side of a split from the leaves below the node. What remains is a
    sum over these leaves, so nodes are scored from the leaves up.
    """

    def __init__(self, sample: Sample, part: Cells, root: Node) -> None:
        self.sample, self.part = sample, part
        self.views: Views = part.views(sample.sums(part, leaves(root)).sum(axis=0))
        self._scores: dict[Node, _NodeScores] = {}

    def keep(self, root: Node) -> None:
        """Forget all nodes but those of a tree."""
        self._scores = {node: self._scores[node] for node in _all_nodes(root) if node in self._scores}

    def find(self, root: Node) -> tuple[float, Node] | None:
        """Return the node above which a new leaf raises the cost least, and that rise."""
        self.score(root)
        best = min(_all_nodes(root), key=lambda node: self._scores[node].best[0])
        rise = self._scores[best].best[0]
        return (rise, best) if np.isfinite(rise) else None

    def insertion(self, node: Node) -> Insertion:
        """Return the best new leaf above a node."""
        rise, position, is_low = self.score(node).best
        return Insertion(rise, node, self.part.make_cut(self.views, position), is_low)

    def score(self, node: Node) -> _NodeScores:
        """Score a node and those below it."""
        known = self._scores.get(node)
        if known is None:
            known = self._scores[node] = self._score_leaf(node) if node.children is None else self._score_inner(node)
        return known

    def _score_leaf(self, node: Node) -> _NodeScores:
        low = _compute_prefix_sums(self.sample.sums(self.part, [node])[0], self.views)
        inside, outside = _compute_side_costs(self.sample, low, node.total, node.depth + 1)
        cost = self.sample.compute_penalized_cost(node)
        has_room = self._has_room(node)
        best = self._choose(node, low, inside + outside, None, cost) if has_room else _NO_ROOM
        return _NodeScores(low, outside, inside, cost, best)

    def _score_inner(self, node: Node) -> _NodeScores:
        assert node.children is not None
        one, other = map(self.score, node.children)
        low = one.low + other.low
        rest_low, rest_high = one.rest_low + other.rest_low, one.rest_high + other.rest_high
        cost = one.cost + other.cost
        if not self._has_room(node):
            return _NodeScores(low, rest_low, rest_high, cost, _NO_ROOM)
        inside, outside = _compute_side_costs(self.sample, low, node.total, node.depth + 1)
        with_low, with_high = rest_low + inside, rest_high + outside
        return _NodeScores(low, rest_low, rest_high, cost, self._choose(node, low, with_low, with_high, cost))

    def _has_room(self, node: Node) -> bool:
        return node.depth + height(node) < self.sample.max_depth and node.weight >= 2 * self.sample.minimum

    def _choose(
        self,
        node: Node,
        low: NDArray[np.float64],
        with_low: NDArray[np.float64],
        with_high: NDArray[np.float64] | None,
        cost: float,
    ) -> tuple[float, int, bool]:
        cheaper = with_low if with_high is None else np.minimum(with_low, with_high)
        cheaper = np.where(_is_split(self.sample, low[:, -1], node.weight), cheaper, np.inf)
        position = int(cheaper.argmin())
        return float(cheaper[position]) - cost, position, bool(with_low[position] <= cheaper[position])


def _all_nodes(root: Node) -> Iterator[Node]:
    yield from leaves(root)
    yield from inner_nodes(root)


class Insertions:
    """The search for new leaves in the trees of one sample, in all cells."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self._whole: _PartScores | None = None

    def find(self, trees: list[Node], budget: Budget) -> tuple[int, Insertion] | None:
        """Return the tree of several, and its new leaf, with the lowest cost."""
        sample, n_values = self.sample, len(trees[0].total)
        if not len(sample.cells.features):
            return None
        n_leaves = len(leaves(trees[0]))
        budget.spend(len(trees[0].rows) * len(sample.cells.features), n_values)
        budget.spend(8 * (n_leaves + len(trees)) * sample.coarse.n_cells, n_values)
        costs = [sample.compute_penalized_cost(tree) for tree in trees]
        best: tuple[float, int, Insertion] | None = None
        for part in sample.coarse.parts(4 * (n_leaves + len(trees)), n_values):
            scores = self._scores(part, trees[0])
            for number, tree in enumerate(trees):
                found = scores.find(tree)
                if found is not None and (best is None or costs[number] + found[0] < best[0]):
                    best = costs[number] + found[0], number, scores.insertion(found[1])
        if best is None:
            return None
        _, number, insertion = best
        if sample.coarse is not sample.cells:
            fine = _PartScores(sample, sample.cells.select(insertion.cut.feature), trees[number])
            finer = fine.insertion(insertion.node)
            insertion = finer if finer.rise < insertion.rise else insertion
        return number, insertion

    def keep(self, root: Node) -> None:
        """Forget what is known of nodes that are not in a tree."""
        if self._whole is not None:
            self._whole.keep(root)

    def _scores(self, part: Cells, root: Node) -> _PartScores:
        if part is not self.sample.coarse:
            return _PartScores(self.sample, part, root)
        if self._whole is None:
            self._whole = _PartScores(self.sample, part, root)
        return self._whole


def _swap(sample: Sample, root: Node, insertions: Insertions, budget: Budget) -> Node | None:
    """Remove a leaf and add one elsewhere: the pair that lowers the cost most, if any does."""
    if root.children is None:
        return None
    cost = sample.compute_penalized_cost(root)
    # Nodes that all the smaller trees share are summed and scored once.
    smaller = [remove_leaf(sample, root, leaf) for leaf in leaves(root)]
    found = insertions.find(smaller, budget)
    if found is None:
        return None
    number, insertion = found
    if sample.compute_penalized_cost(smaller[number]) + insertion.rise >= cost - sample.min_gain:
        return None
    swapped = insertion.apply(sample, smaller[number])
    insertions.keep(swapped)
    return swapped


def _fill(sample: Sample, root: Node, n_leaves: int, insertions: Insertions, budget: Budget) -> Node:
    """Add leaves while there is room and they help."""
    while len(leaves(root)) < n_leaves:
        found = insertions.find([root], budget)
        if found is None or found[1].rise >= -sample.min_gain:
            break
        root = found[1].apply(sample, root)
    return root


def _regrow(sample: Sample, root: Node, n_leaves: int) -> Node:
    """Grow past the size and prune back."""
    grown = _copy(root)
    grow(sample, grown, len(leaves(grown)) + n_leaves)
    prune(sample, grown, n_leaves)
    return (
        grown if sample.compute_penalized_cost(grown) < sample.compute_penalized_cost(root) - sample.min_gain else root
    )


def _copy(node: Node) -> Node:
    """Return a tree whose nodes may be changed."""
    children = None if node.children is None else (_copy(node.children[0]), _copy(node.children[1]))
    return replace(node, children=children, is_settled=False)


def improve(sample: Sample, root: Node, n_leaves: int, budget: Budget) -> Node:
    """Change a tree by moves that each lower its cost, until none does or the budget is spent."""
    root = recut(sample, root, budget)
    insertions = Insertions(sample)
    while not budget.is_spent:
        before = root
        root = _fill(sample, root, n_leaves, insertions, budget)
        while not budget.is_spent and (swapped := _swap(sample, root, insertions, budget)) is not None:
            root = recut(sample, swapped, budget, 1)
        root = _regrow(sample, recut(sample, root, budget), n_leaves)
        if sample.compute_penalized_cost(root) >= sample.compute_penalized_cost(before) - sample.min_gain:
            break
    return root
