"""Trees in the making: nodes that know their rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.tree import LEAF, ThresholdTree
from xseg.segmenters._trees.cells import Cells, Cut, Values

__all__ = ["Node", "Sample", "Shape", "height", "inner_nodes", "leaves", "shape_of", "to_tree"]

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

    `penalty` is the price of asking one person one question more; a change that gains less than `least_gain` is not
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

    def price(self, node: Node) -> float:
        """Return the cost of a node's leaves and of the questions that lead to them."""
        return sum(leaf.cost + self.penalty * leaf.depth * leaf.weight for leaf in leaves(node))

    def reached(self, node: Node, rows: NDArray[np.int64]) -> NDArray[np.int64]:
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

    def is_allowed(self, node: Node) -> bool:
        """Whether every leaf is large enough and none too deep."""
        return all(leaf.weight >= self.minimum and leaf.depth <= self.max_depth for leaf in leaves(node))


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


def shape_of(node: Node) -> Shape:
    """Return the cuts of a tree without its rows."""
    if node.children is None or node.cut is None:
        return None
    return node.cut, shape_of(node.children[0]), shape_of(node.children[1])


def to_tree(root: Node, cells: Cells, bins: Bins, rounded: NDArray[np.int64]) -> ThresholdTree:
    """Convert the nodes to arrays, with the roundest among thresholds that do the same to the rows."""
    nodes: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        nodes.append(node)
        _settle(node, cells, rounded)
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


def _settle(node: Node, cells: Cells, rounded: NDArray[np.int64]) -> None:
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
