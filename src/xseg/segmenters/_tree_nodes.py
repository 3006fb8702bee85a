"""Trees under construction: nodes that hold rows of the sample, and what makes a tree good.

A tree is not changed by the moves of the search: they build another one, which shares the nodes that stay the same.
Only `Sample.divide` and pruning change nodes, of trees that nobody else holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.boxes import LEAF, ThresholdTree
from xseg.segmenters._tree_cells import Cells, Cut, Roundness, Values

__all__ = [
    "Node",
    "Sample",
    "Shape",
    "get_shape",
    "height",
    "inner_nodes",
    "leaves",
    "remove_leaf",
    "remove_small_leaves",
    "replace_node",
    "to_tree",
]


Shape: TypeAlias = "tuple[Cut, Shape, Shape] | None"


@dataclass(slots=True, eq=False)
class Node:
    """A node, the rows that reach it, their summed values, and what they cost as one group.

    `sums` holds the summed values by coarse cell once they were computed, `table` the best subtrees by size while a
    tree is pruned, and `is_settled` that no other split of the node is better as long as its subtrees stay.
    """

    rows: NDArray[np.int64]
    depth: int
    total: NDArray[np.float64]
    cost: float
    cut: Cut | None = None
    children: "tuple[Node, Node] | None" = None
    table: NDArray[np.float64] | None = None
    sums: NDArray[np.float64] | None = None
    is_settled: bool = False

    @property
    def weight(self) -> float:
        """The weight of the rows."""
        return float(self.total[-1])


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to search on, with what makes a tree good: a low cost and short paths.

    `penalty` is the cost of one more split per row; a change that gains less than `min_gain` is not worth making.
    Splits are first looked for among at most `n_cells` cells of a feature.
    """

    cells: Cells
    values: Values
    minimum: int
    max_depth: int
    penalty: float = 0.0
    min_gain: float = 1e-9
    n_cells: int = 32

    @cached_property
    def coarse(self) -> Cells:
        """Cells of neighbouring codes."""
        return self.cells.coarsen(self.n_cells)

    def node(self, rows: NDArray[np.int64], depth: int) -> Node:
        """Make a leaf of some rows."""
        total = self.values.total(rows)
        return Node(rows, depth, total, self.values.cost(total))

    def root(self) -> Node:
        """Make a leaf of all rows."""
        return self.node(np.arange(self.cells.n_rows), 0)

    def divide(self, node: Node, cut: Cut) -> tuple[Node, Node]:
        """Split a leaf in two."""
        left = self.cells.sides(cut, node.rows)
        node.cut = cut
        node.children = self.node(node.rows[left], node.depth + 1), self.node(node.rows[~left], node.depth + 1)
        if node.sums is not None:
            # The sums of the larger side are what the smaller one leaves.
            small, large = sorted(node.children, key=lambda child: len(child.rows))
            small.sums = self.coarse.sums(self.values, small.rows)[0]
            large.sums = node.sums - small.sums
        return node.children

    def build(self, shape: Shape, rows: NDArray[np.int64], depth: int = 0) -> Node:
        """Send rows through a shape; splits that leave a side empty are dropped."""
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

    def sums(self, part: Cells, nodes: "Sequence[Node]") -> NDArray[np.float64]:
        """Return the summed values of nodes by cell of a part, shape (n_nodes, n_cells, n_values).

        Those of all coarse cells are kept in the nodes.
        """
        wanted = [node for node in nodes if node.sums is None] if part is self.coarse else nodes
        if wanted:
            rows = np.concatenate([node.rows for node in wanted])
            groups = np.repeat(np.arange(len(wanted)), [len(node.rows) for node in wanted])
            computed = part.sums(self.values, rows, groups, len(wanted))
            if part is not self.coarse:
                return computed
            for node, own in zip(wanted, computed, strict=True):
                node.sums = own
        return np.stack([node.sums for node in nodes if node.sums is not None])

    def compute_penalized_cost(self, node: Node) -> float:
        """Return the cost of a node's leaves and of the splits that lead to them."""
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
    """Return the number of splits between a node and its deepest leaf."""
    return 0 if node.children is None else 1 + max(map(height, node.children))


def get_shape(node: Node) -> Shape:
    """Return the cuts of a tree without its rows."""
    if node.children is None or node.cut is None:
        return None
    return node.cut, get_shape(node.children[0]), get_shape(node.children[1])


def to_tree(root: Node, cells: Cells, bins: Bins, rounded: Roundness) -> ThresholdTree:
    """Convert the nodes to arrays, with the roundest among thresholds that separate the rows alike."""
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


def _round_cuts(node: Node, cells: Cells, rounded: Roundness) -> None:
    """Settle what the rows leave open: low values go left, and the threshold is the roundest between the two sides.

    Codes that no row has join the larger side.
    """
    if node.cut is None or node.children is None:
        return
    f = int(np.searchsorted(cells.features, node.cut.feature))
    bins = cells.bins[node.cut.feature]
    present = np.bincount(cells.codes[f][node.rows], minlength=N_CODES) > 0
    goes_left, known = node.cut.goes_left, np.flatnonzero(present[:MISSING])
    if bins.is_ordered and len(known) and not goes_left[known[0]]:
        goes_left, node.children = ~goes_left, node.children[::-1]
    larger_left = node.children[0].weight >= node.children[1].weight
    settled = np.full(N_CODES, larger_left)
    settled[known] = goes_left[known]
    if present[MISSING]:
        settled[MISSING] = goes_left[MISSING]
    if bins.is_ordered and len(known):
        highest_left = known[goes_left[known]][-1]
        right = known[~goes_left[known]]
        gap = np.arange(highest_left, right[0] if len(right) else MISSING)
        best = rounded.select_roundest(node.cut.feature, gap)
        settled[:MISSING] = np.arange(MISSING) <= (best[len(best) // 2] if len(right) else MISSING)
    node.cut = Cut(node.cut.feature, settled)


def replace_node(root: Node, old: Node, new: Node) -> Node:
    """Return the tree with `new`, which holds the same rows, in the place of `old`; all other nodes are shared."""
    if root is old:
        return new
    if root.children is None:
        return root
    children = replace_node(root.children[0], old, new), replace_node(root.children[1], old, new)
    return root if children == root.children else replace(root, children=children, is_settled=False)


def _absorb_leaf(sample: Sample, node: Node, leaf: Node) -> Node:
    """Return what remains of two siblings, a node and a leaf, where their parent was: the rows of both below `node`."""
    rows, depth, total = np.concatenate([node.rows, leaf.rows]), node.depth - 1, node.total + leaf.total
    merged = Node(rows, depth, total, sample.values.cost(total))
    if node.children is None or node.cut is None:
        if node.sums is not None:
            own = sample.coarse.sums(sample.values, leaf.rows)[0] if leaf.sums is None else leaf.sums
            merged.sums = node.sums + own
        return merged
    left = sample.cells.sides(node.cut, leaf.rows)
    sides = [sample.node(leaf.rows[side], depth) for side in (left, ~left)]
    merged.cut = node.cut
    merged.children = _absorb_leaf(sample, node.children[0], sides[0]), _absorb_leaf(sample, node.children[1], sides[1])
    return merged


def remove_small_leaves(sample: Sample, root: Node) -> Node:
    """Remove the leaves that are too small, the smallest first."""
    while root.children is not None:
        smallest = min(leaves(root), key=lambda leaf: leaf.weight)
        if smallest.weight >= sample.minimum:
            break
        root = remove_leaf(sample, root, smallest)
    return root


def remove_leaf(sample: Sample, root: Node, leaf: Node) -> Node:
    """Return the tree without one leaf; its rows go where its sibling's go."""
    for parent in inner_nodes(root):
        assert parent.children is not None
        if leaf in parent.children:
            sibling = parent.children[parent.children[0] is leaf]
            return replace_node(root, parent, _absorb_leaf(sample, sibling, leaf))
    return root
