"""Moves of the tree search: grow, prune, split again, and remove a leaf to insert one elsewhere.

Every move is scored exactly on the rows of the sample, which the nodes of a tree under construction hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.cut_kernels import scan_cuts, scan_insertions, scan_recuts, view_totals
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.boxes import LEAF, ThresholdTree
from xseg.segmenters._tree_cells import Cells, Cut, Values

__all__ = [
    "Budget",
    "Node",
    "Sample",
    "Shape",
    "allow",
    "get_shape",
    "grow",
    "height",
    "improve",
    "inner_nodes",
    "leaves",
    "prune",
    "recut",
    "to_tree",
]


Shape: TypeAlias = "tuple[Cut, Shape, Shape] | None"


@dataclass(slots=True, eq=False)
class Node:
    """A node, the rows that reach it, their summed values, and what they cost as one group."""

    rows: NDArray[np.int64]
    depth: int
    total: NDArray[np.float64]
    cost: float
    cut: Cut | None = None
    children: "tuple[Node, Node] | None" = None
    table: NDArray[np.float64] | None = None

    @property
    def weight(self) -> float:
        """The weight of the rows."""
        return float(self.total[-1])


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to search on, with what makes a tree good: cheap groups, and few questions.

    `penalty` is the cost of one more split per row; a change that gains less than `least_gain` is not
    worth making.
    """

    cells: Cells
    values: Values
    minimum: int
    max_depth: int
    penalty: float = 0.0
    least_gain: float = 1e-9

    def node(self, rows: NDArray[np.int64], depth: int) -> Node:
        """Make a leaf of some rows."""
        total = self.values.total(rows)
        return Node(rows, depth, total, self.values.cost(total))

    def root(self) -> Node:
        """Make a leaf of all rows."""
        return self.node(np.arange(self.cells.n_rows), 0)

    def divide(self, node: Node, cut: Cut) -> tuple[Node, Node]:
        """Cut a leaf in two."""
        left = self.cells.sides(cut, node.rows)
        node.cut = cut
        node.children = self.node(node.rows[left], node.depth + 1), self.node(node.rows[~left], node.depth + 1)
        return node.children

    def build(self, shape: Shape, rows: NDArray[np.int64], depth: int = 0) -> Node:
        """Send rows through a shape; cuts that leave a side empty are dropped."""
        node = self.node(rows, depth)
        if shape is None:
            return node
        cut, left_shape, right_shape = shape
        left = self.cells.sides(cut, rows)
        n_left = int(np.count_nonzero(left))
        if n_left in {0, len(rows)}:
            return self.build(left_shape if n_left else right_shape, rows, depth)
        node.cut = cut
        node.children = (
            self.build(left_shape, rows[left], depth + 1),
            self.build(right_shape, rows[~left], depth + 1),
        )
        return node

    def compute_price(self, node: Node) -> float:
        """Return the cost of a node's leaves and of the questions that lead to them."""
        return sum(leaf.cost + self.penalty * leaf.depth * leaf.weight for leaf in leaves(node))

    def assign_leaves(self, node: Node, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return which leaf below `node`, in the order of `leaves`, each row would reach."""
        place = np.zeros(len(rows), dtype=np.int64)
        self._send(node, rows, np.arange(len(rows)), place, 0)
        return place

    def _send(
        self, node: Node, rows: NDArray[np.int64], at: NDArray[np.int64], place: NDArray[np.int64], first: int
    ) -> int:
        if node.children is None or node.cut is None:
            place[at] = first
            return first + 1
        left = self.cells.sides(node.cut, rows)
        first = self._send(node.children[0], rows[left], at[left], place, first)
        return self._send(node.children[1], rows[~left], at[~left], place, first)


def leaves(node: Node) -> list[Node]:
    """Return the leaves below a node, from left to right."""
    return [node] if node.children is None else leaves(node.children[0]) + leaves(node.children[1])


def inner_nodes(node: Node) -> Iterator[Node]:
    """Return the nodes that are cut, each before those below it."""
    if node.children is not None:
        yield node
        for child in node.children:
            yield from inner_nodes(child)


def height(node: Node) -> int:
    """Return the most questions asked below a node."""
    return 0 if node.children is None else 1 + max(map(height, node.children))


def get_shape(node: Node) -> Shape:
    """Return the cuts of a tree without its rows."""
    if node.children is None or node.cut is None:
        return None
    return node.cut, get_shape(node.children[0]), get_shape(node.children[1])


def to_tree(root: Node, cells: Cells, bins: Bins, rounded: NDArray[np.int64]) -> ThresholdTree:
    """Convert the nodes to arrays, with the roundest among thresholds that do the same to the rows."""
    nodes: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        nodes.append(node)
        _round_cuts(node, cells, rounded)
        stack += reversed(node.children or ())
    number = {id(node): position for position, node in enumerate(nodes)}
    feature, left, right = (np.full(len(nodes), LEAF, dtype=np.int32) for _ in range(3))
    goes_left = np.zeros((len(nodes), N_CODES), dtype=bool)
    for position, node in enumerate(nodes):
        if node.children is not None and node.cut is not None:
            feature[position], goes_left[position] = node.cut.feature, node.cut.goes_left
            left[position], right[position] = (number[id(child)] for child in node.children)
    segment = np.where(feature == LEAF, np.cumsum(feature == LEAF) - 1, LEAF).astype(np.int32)
    return ThresholdTree(bins, feature, goes_left, left, right, segment)


def _round_cuts(node: Node, cells: Cells, rounded: NDArray[np.int64]) -> None:
    """Decide what the rows leave open: low values go left, with the roundest threshold in the gap between the rows.

    Codes that no row has join the larger side.
    """
    if node.cut is None or node.children is None:
        return
    f = int(np.searchsorted(cells.features, node.cut.feature))
    bins = cells.bins[node.cut.feature]
    present = np.bincount(cells.cells[f, node.rows] - cells.offsets[f], minlength=bins.n_codes + 1) > 0
    goes_left, known = node.cut.goes_left, np.flatnonzero(present[:-1])
    if bins.is_ordered and len(known) and not goes_left[known[0]]:
        goes_left, node.children = ~goes_left, node.children[::-1]
    larger_left = node.children[0].weight >= node.children[1].weight
    settled = np.full(N_CODES, larger_left)
    settled[known] = goes_left[known]
    if present[-1]:
        settled[MISSING] = goes_left[MISSING]
    if bins.is_ordered and len(known):
        highest_left = known[goes_left[known]][-1]
        right = known[~goes_left[known]]
        gap = np.arange(highest_left, right[0] if len(right) else MISSING)
        roundness = rounded[node.cut.feature, gap]
        best = gap[roundness == roundness.max()]
        settled[:MISSING] = np.arange(MISSING) <= (best[len(best) // 2] if len(right) else MISSING)
    node.cut = Cut(node.cut.feature, settled)


_MAX_SWEEPS = 20
_START = 20_000


@dataclass(slots=True)
class Budget:
    """How much arithmetic the search may still do, counted in additions; the same on every machine."""

    left: float

    @property
    def is_spent(self) -> bool:
        """Whether there is none left."""
        return self.left <= 0

    def spend(self, *factors: int) -> None:
        """Subtract the product of some sizes, and a constant for starting at all."""
        self.left -= _START + float(np.prod(np.array(factors, dtype=np.float64)))


def best_cut(sample: Sample, node: Node) -> tuple[float, Cut] | None:
    """Return the best cut of a leaf, and what its sides cost together."""
    if node.depth >= sample.max_depth or node.weight < 2 * sample.minimum or not len(sample.cells.features):
        return None
    best: tuple[float, Cut] | None = None
    for part in sample.cells.parts(1, len(node.total)):
        sums = part.sums(sample.values, node.rows)[0]
        views = part.views(sums)
        costs, places = np.empty(len(views)), np.empty(len(views), dtype=np.int64)
        scan_cuts(sums, node.total, views.cells, views.start, sample.values.kind, float(sample.minimum), costs, places)
        view = int(costs.argmin())
        if costs[view] < (np.inf if best is None else best[0]):
            best = float(costs[view]), part.make_cut(views, view, int(places[view]))
    return best


def grow(sample: Sample, node: Node, n_leaves: int) -> None:
    """Cut the leaf that gains most, until there are so many below `node` or nothing gains."""
    waiting: list[tuple[float, int, Node, Cut]] = []
    turn = count()

    def offer(leaf: Node) -> None:
        found = best_cut(sample, leaf)
        if found is not None and found[0] < leaf.cost:
            heappush(waiting, (found[0] - leaf.cost, next(turn), leaf, found[1]))

    for leaf in leaves(node):
        offer(leaf)
    missing = n_leaves - len(leaves(node))
    while waiting and missing > 0:
        *_, leaf, cut = heappop(waiting)
        for child in sample.divide(leaf, cut):
            offer(child)
        missing -= 1


def prune(sample: Sample, node: Node, n_leaves: int) -> None:
    """Keep the cheapest subtree with at most `n_leaves` leaves: dynamic programming from the leaves up."""
    table = _tabulate(sample, node, n_leaves)
    _keep(node, int(np.argmin(table)) + 1)


def _tabulate(sample: Sample, node: Node, most: int) -> NDArray[np.float64]:
    """Write in each node the price of its best subtree with 1, 2, ... leaves."""
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
    prices = [left.table[n - 1] + right.table[n_leaves - n - 1] for n in shares]
    n_left = shares[int(np.argmin(prices))]
    _keep(left, n_left)
    _keep(right, n_leaves - n_left)


def allow(sample: Sample, root: Node) -> Node:
    """Remove the leaves that are too small, the smallest first."""
    while root.children is not None:
        smallest = min(leaves(root), key=lambda leaf: leaf.weight)
        if smallest.weight >= sample.minimum:
            break
        root = sample.build(_remove_leaf(root, smallest), root.rows)
    return root


def recut(sample: Sample, root: Node, budget: Budget, sweeps: int = _MAX_SWEEPS) -> Node:
    """Choose every cut anew with what lies below it fixed, top down, until no cut changes or the sweeps are over."""
    for _ in range(sweeps):
        shape = _recut_below(sample, root, budget)
        if shape is None:
            break
        root = sample.build(shape[0], root.rows)
    return root


def _recut_below(sample: Sample, node: Node, budget: Budget) -> tuple[Shape] | None:
    """Return the new shape of a node in a tuple, or None if nothing changed."""
    if node.children is None or node.cut is None:
        return None
    changed = False
    if not budget.is_spent:
        better = _better_cut(sample, node, budget)
        if better is not None:
            node = sample.build(
                (better, get_shape(node.children[0]), get_shape(node.children[1])), node.rows, node.depth
            )
            changed = True
    if node.children is None or node.cut is None:
        return (None,) if changed else None
    below = [_recut_below(sample, child, budget) for child in node.children]
    if not changed and below == [None, None]:
        return None
    left, right = (
        get_shape(child) if found is None else found[0] for child, found in zip(node.children, below, strict=True)
    )
    return ((node.cut, left, right),)


def _better_cut(sample: Sample, node: Node, budget: Budget) -> Cut | None:
    assert node.children is not None
    left, right = node.children
    left_leaves, right_leaves = leaves(left), leaves(right)
    groups = np.concatenate(
        [sample.assign_leaves(left, node.rows), len(left_leaves) + sample.assign_leaves(right, node.rows)]
    )
    n_groups = len(left_leaves) + len(right_leaves)
    budget.spend(2 * len(node.rows) * len(sample.cells.features) + n_groups * sample.cells.n_cells, len(node.total))
    depths = np.array([leaf.depth for leaf in left_leaves + right_leaves], dtype=np.float64)
    rows, least, best, whole = np.concatenate([node.rows, node.rows]), np.inf, None, None
    for part in sample.cells.parts(n_groups, len(node.total)):
        sums = part.sums(sample.values, rows, groups, n_groups)
        # Every row stands in two groups, so an order of categories comes from half of them.
        views = part.views(sums[: len(left_leaves)].sum(axis=0))
        whole = view_totals(sums, views.first) if whole is None else whole
        price, view, place, side = scan_recuts(
            sums,
            whole,
            len(left_leaves),
            views.cells,
            views.start,
            sample.values.kind,
            float(sample.minimum),
            sample.penalty,
            depths,
        )
        if price < least:
            least, best = price, part.make_cut(views, view, place, low_left=side == 0)
    return None if best is None or least >= sample.compute_price(node) - sample.least_gain else best


@dataclass(frozen=True, slots=True, eq=False)
class _Insertion:
    """A new leaf above `node`, and how much the price rises (below 0: falls)."""

    rise: float
    node: Node
    cut: Cut
    leaf_left: bool

    def shape(self, root: Node) -> Shape:
        """Return the tree with the new leaf."""
        if root is self.node:
            below = get_shape(root)
            return (self.cut, None, below) if self.leaf_left else (self.cut, below, None)
        if root.children is None or root.cut is None:
            return None
        return root.cut, self.shape(root.children[0]), self.shape(root.children[1])


def _best_insertion(sample: Sample, root: Node, budget: Budget) -> _Insertion | None:
    """Find the new leaf, anywhere in the tree, after which the price is lowest."""
    if not len(sample.cells.features):
        return None
    ends = leaves(root)
    place_of = {id(leaf): place for place, leaf in enumerate(ends)}
    budget.spend(len(root.rows) * len(sample.cells.features), len(root.total))
    nodes = [
        node
        for node in [*ends, *inner_nodes(root)]
        if node.depth + height(node) < sample.max_depth and node.weight >= 2 * sample.minimum
    ]
    for node in nodes:
        budget.spend(len(leaves(node)), sample.cells.n_cells, len(root.total))
    prices = np.full(len(nodes), np.inf)
    cuts: list[tuple[Cut, bool] | None] = [None] * len(nodes)
    reached, whole = sample.assign_leaves(root, root.rows), None
    for part in sample.cells.parts(len(ends), len(root.total)) if nodes else ():
        sums = part.sums(sample.values, root.rows, reached, len(ends))
        views = part.views(sums.sum(axis=0))
        whole = view_totals(sums, views.first) if whole is None else whole
        for place, node in enumerate(nodes):
            own = leaves(node)
            groups = np.array([place_of[id(leaf)] for leaf in own])
            price, view, at, side = scan_insertions(
                sums,
                whole[groups],
                groups,
                views.cells,
                views.start,
                sample.values.kind,
                float(sample.minimum),
                sample.penalty,
                np.array([leaf.depth for leaf in own], dtype=np.float64),
                float(node.depth),
            )
            if price < prices[place]:
                prices[place], cuts[place] = price, (part.make_cut(views, view, at), side == 0)
    best: _Insertion | None = None
    for node, price, found in zip(nodes, prices, cuts, strict=True):
        rise = float(price) - sample.compute_price(node)
        if found is not None and rise < (-sample.least_gain if best is None else best.rise):
            best = _Insertion(rise, node, *found)
    return best


def _remove_leaf(node: Node, leaf: Node) -> Shape:
    """Return the tree without one leaf; its rows go where its sibling's go."""
    if node.children is None or node.cut is None:
        return None
    left, right = node.children
    if leaf is left:
        return get_shape(right)
    if leaf is right:
        return get_shape(left)
    return node.cut, _remove_leaf(left, leaf), _remove_leaf(right, leaf)


def _swap(sample: Sample, root: Node, budget: Budget) -> Node | None:
    """Remove a leaf and add one elsewhere, the first such pair that helps; those that cost least to lose first."""
    price = sample.compute_price(root)
    lost = [sample.build(_remove_leaf(root, leaf), root.rows) for leaf in leaves(root)] if root.children else []
    for smaller in sorted(lost, key=sample.compute_price):
        base = sample.compute_price(smaller)
        if budget.is_spent:
            return None
        found = _best_insertion(sample, smaller, budget)
        if found is not None and base + found.rise < price - sample.least_gain:
            return sample.build(found.shape(smaller), root.rows)
    return None


def _fill(sample: Sample, root: Node, n_leaves: int, budget: Budget) -> Node:
    """Add leaves while there is room and they help."""
    while len(leaves(root)) < n_leaves:
        found = _best_insertion(sample, root, budget)
        if found is None:
            break
        root = sample.build(found.shape(root), root.rows)
    return root


def _regrow(sample: Sample, root: Node, n_leaves: int) -> Node:
    """Grow past the size and prune back."""
    grown = sample.build(get_shape(root), root.rows)
    grow(sample, grown, len(leaves(grown)) + n_leaves)
    prune(sample, grown, n_leaves)
    return grown if sample.compute_price(grown) < sample.compute_price(root) - sample.least_gain else root


def improve(sample: Sample, root: Node, n_leaves: int, budget: Budget) -> Node:
    """Change a tree by moves that each make it cheaper, until none does or the budget is spent."""
    root = recut(sample, root, budget)
    while not budget.is_spent:
        before = root
        root = _fill(sample, root, n_leaves, budget)
        while (swapped := _swap(sample, root, budget)) is not None:
            root = recut(sample, swapped, budget, 1)
        root = _regrow(sample, recut(sample, root, budget), n_leaves)
        if sample.compute_price(root) >= sample.compute_price(before) - sample.least_gain:
            break
    return root
