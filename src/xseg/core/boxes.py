"""Models whose segments are unions of boxes, and threshold trees, whose leaves are boxes.

Memberships are 0 or 1, so their Shapley values depend on a row only through which of a box's tests it fails. That
pattern of failed tests, counted once over the population, is all an exact explanation needs; no row is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import failed_tests, find_boxes
from xseg._kernels.cut_kernels import find_nodes
from xseg._kernels.encode_kernels import add_to_cells
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.conditions import Rule, make_condition
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = ["LEAF", "BoxModel", "Boxes", "PatternCounts", "Patterns", "ThresholdTree"]


MAX_TESTS = 32
_LONGEST_TABLE = 2**14
_WORD_BITS = 64
# 2 is a primitive root modulo 67, so the powers 2**0 to 2**63 have different remainders: ``bit % 67`` is a perfect hash
# of a single set bit, from which its position is looked up.
_BIT_PLACES = np.zeros(67, dtype=np.int64)
_BIT_PLACES[[2**bit % 67 for bit in range(_WORD_BITS)]] = np.arange(_WORD_BITS)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Axis-parallel boxes that do not overlap and together cover the whole space.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    inside : ndarray of shape (n_boxes, n_features, 256)
        Which codes of each feature lie in each box.
    segment : ndarray of shape (n_boxes,)
        The segment each box belongs to.
    """

    bins: Bins
    inside: NDArray[np.bool_]
    segment: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.segment)

    def rule(self, box: int) -> Rule:
        """Return a box as conditions on raw columns."""
        tested = np.flatnonzero(~self.inside[box].all(axis=1))
        return Rule(tuple(make_condition(self.bins[j], self.inside[box, j]) for j in tested.tolist()))

    def merge_boxes(self) -> "Boxes":
        """Merge boxes of one segment that differ in a single feature and whose union is a box, until none is left."""
        inside, segment = list(self.inside), list(self.segment)
        for first, second, _ in self.merges():
            inside[first] = inside[first] | inside.pop(second)
            segment.pop(second)
        return Boxes(self.bins, np.array(inside), np.array(segment, dtype=np.int32))

    def merges(self) -> Iterator[tuple[int, int, int]]:
        """Yield the merges in order: the indices of two boxes and the feature in which they differ.

        The second is merged into the first and removed, so that the indices of the boxes behind it decrease by one.
        """
        inside, segment = list(self.inside), list(self.segment)
        first = 0
        while first < len(inside):
            second = first + 1
            while second < len(inside):
                feature = self._joining_feature(inside[first], inside[second])
                if segment[first] == segment[second] and feature is not None:
                    yield first, second, feature
                    inside[first] = inside[first] | inside.pop(second)
                    segment.pop(second)
                    # The larger box may now be mergeable with boxes that were passed over, so start again.
                    first, second = 0, 1
                else:
                    second += 1
            first += 1

    def _joining_feature(self, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> int | None:
        """Return the one feature in which two boxes differ, if their union is a box."""
        different = np.flatnonzero((one != other).any(axis=1))
        if len(different) != 1:
            return None
        feature = int(different[0])
        bins = self.bins[feature]
        if bins.is_ordered:
            codes = np.flatnonzero((one | other)[feature, : bins.n_codes])
            if len(codes) and codes[-1] - codes[0] + 1 > len(codes):
                return None
        return feature

    @cached_property
    def used_features(self) -> NDArray[np.int64]:
        """The features that some box tests."""
        return np.flatnonzero(~self.inside.all(axis=(0, 2)))

    @cached_property
    def _tested(self) -> NDArray[np.bool_]:
        return np.asarray(~self.inside.all(axis=2))

    def group_by_column(self, patterns: "Sequence[Patterns]", players: NDArray[np.int64]) -> "tuple[Patterns, ...]":
        """Convert patterns by feature to patterns by raw column: a column fails if any feature derived from it does."""
        grouped = []
        for tested, box in zip(self._tested, patterns, strict=True):
            bit = np.unique(players[tested], return_inverse=True)[1]
            by_column = np.zeros(len(box.pattern), dtype=np.uint32)
            for feature_bit, column_bit in enumerate(bit):
                by_column |= (box.pattern >> np.uint32(feature_bit) & np.uint32(1)) << np.uint32(column_bit)
            pattern, place = np.unique(by_column, return_inverse=True)
            weight = np.zeros(len(pattern), dtype=np.int64)
            np.add.at(weight, place, box.weight)
            grouped.append(Patterns(pattern, weight))
        return tuple(grouped)

    def tests(self, players: NDArray[np.int64] | None = None) -> "BoxTests":
        """Return the tests of each box, one bit each.

        Parameters
        ----------
        players : ndarray of shape (n_features,), default=None
            The raw column each feature was derived from; features of one column share a bit. By default every feature
            has its own.
        """
        players = np.arange(len(self.bins)) if players is None else players
        tested = self._tested
        player = [np.unique(players[row]) for row in tested]
        failing = np.zeros((len(self.used_features), N_CODES, len(self)), dtype=np.uint32)
        for box, columns in enumerate(player):
            for u, j in enumerate(self.used_features):
                if tested[box, j]:
                    bit = np.uint32(1 << int(np.searchsorted(columns, players[j])))
                    failing[u, ~self.inside[box, j], box] = bit
        return BoxTests(self.used_features, failing, tuple(player))


@dataclass(frozen=True, eq=False)
class BoxTests:
    """The tests of each box, one bit each.

    Attributes
    ----------
    features : ndarray of shape (n_used,)
        The features that some box tests.
    failing : ndarray of shape (n_used, 256, n_boxes)
        The bit that is set in a pattern if a code of a feature lies outside the box; 0 if it lies inside.
    players : tuple of ndarray
        For each box, the raw column that each bit stands for.
    """

    features: NDArray[np.int64]
    failing: NDArray[np.uint32]
    players: tuple[NDArray[np.int64], ...]

    def patterns(self, codes: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """Return the pattern of failed tests of each row in each box, shape (n_rows, n_boxes); 0 means inside."""
        every = np.array([0, len(self.players)])
        return self.target_patterns(codes, every, np.zeros(len(codes), dtype=np.int64))

    def target_patterns(
        self, codes: NDArray[np.uint8], first: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.uint32]:
        """Return the patterns for the boxes `first[t]` to `first[t + 1]` of each row's target t; 0 for all others."""
        patterns = np.zeros((len(codes), len(self.players)), dtype=np.uint32)
        failed_tests(codes, self.features, *self._packed, first, targets, patterns)
        return patterns

    def find(self, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the box each row lies in."""
        boxes = np.zeros(len(codes), dtype=np.int64)
        if len(self.features):
            find_boxes(codes, self.features, self._holds, _BIT_PLACES, boxes)
        return boxes

    @cached_property
    def _packed(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
        """The bits of all boxes packed into 64-bit words, and the word, shift and mask of each box."""
        word, shift = np.zeros(len(self.players), dtype=np.int64), np.zeros(len(self.players), dtype=np.uint64)
        widths = [len(players) for players in self.players]
        used, words = 0, 0
        for box, width in enumerate(widths):
            if used + width > _WORD_BITS:
                used, words = 0, words + 1
            word[box], shift[box] = words, used
            used += width
        packed = np.zeros((*self.failing.shape[:2], words + 1), dtype=np.uint64)
        for box in range(len(widths)):
            packed[:, :, word[box]] |= self.failing[:, :, box].astype(np.uint64) << shift[box]
        mask = np.array([(1 << width) - 1 for width in widths], dtype=np.uint64)
        return packed, word, shift, mask

    @cached_property
    def _holds(self) -> NDArray[np.uint64]:
        """The set of boxes that allow each code of each feature, as bits, 64 boxes to a word."""
        n_words = -(-len(self.players) // _WORD_BITS)
        holds = np.zeros((*self.failing.shape[:2], n_words), dtype=np.uint64)
        for box in range(len(self.players)):
            allowed = self.failing[:, :, box] == 0
            holds[:, :, box // _WORD_BITS] |= allowed.astype(np.uint64) << np.uint64(box % _WORD_BITS)
        return holds


@dataclass(frozen=True, eq=False)
class Patterns:
    """Weights of the patterns of failed tests of one box in a population.

    Attributes
    ----------
    pattern : ndarray of shape (n_patterns,)
        The patterns that occur, increasing; bit b is set if test b fails.
    weight : ndarray of shape (n_patterns,)
        The integer weight of the rows with each pattern.
    """

    pattern: NDArray[np.uint32]
    weight: NDArray[np.int64]


class PatternCounts:
    """A statistic: for each box, the weight of every pattern of failed tests."""

    def __init__(self, tests: BoxTests) -> None:
        self.tests = tests
        self.boxes = [Patterns(np.empty(0, np.uint32), np.empty(0, np.int64)) for _ in tests.players]

    def empty(self) -> Self:
        return type(self)(self.tests)

    def add(self, block: CodedBlock) -> None:
        patterns = self.tests.patterns(block.codes)
        counted = [_count(column, block.weights) for column in patterns.T]
        self._extend([pattern for pattern, _ in counted], [weight for _, weight in counted])

    def merge(self, other: Self) -> None:
        self._extend([box.pattern for box in other.boxes], [box.weight for box in other.boxes])

    def _extend(self, patterns: Sequence[NDArray[np.uint32]], weights: Sequence[NDArray[np.int64]]) -> None:
        for b, box in enumerate(self.boxes):
            pattern, place = np.unique(np.concatenate([box.pattern, patterns[b]]), return_inverse=True)
            weight = np.zeros(len(pattern), dtype=np.int64)
            np.add.at(weight, place, np.concatenate([box.weight, weights[b]]))
            counted = weight > 0
            self.boxes[b] = Patterns(pattern[counted], weight[counted])


def _count(pattern: NDArray[np.uint32], weight: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the patterns that occur and their weights; a short table of all of them is faster than sorting."""
    if not len(pattern) or int(pattern.max()) >= _LONGEST_TABLE:
        return pattern, weight
    table = np.zeros(int(pattern.max()) + 1, dtype=np.int64)
    add_to_cells(table, pattern.astype(np.int64, copy=False), weight)
    found = np.flatnonzero(table)
    return found.astype(np.uint32), table[found]


@dataclass(frozen=True, eq=False)
class BoxModel:
    """A model whose segments are unions of boxes, with the counts of the population that exact explanations need.

    Attributes
    ----------
    boxes : Boxes
        The boxes.
    n_segments : int
        Number of segments.
    population : tuple of Patterns
        For each box, the patterns of failed tests in the population the model was fitted on.
    """

    boxes: Boxes
    n_segments: int
    population: tuple[Patterns, ...]

    @property
    def bins(self) -> Bins:
        """How columns become codes, with the thresholds that boxes use."""
        return self.boxes.bins

    @property
    def used_features(self) -> NDArray[np.int64]:
        """The features that some box tests, in order."""
        return self.boxes.used_features

    @cached_property
    def _tests(self) -> BoxTests:
        return self.boxes.tests()

    @property
    def is_empty(self) -> bool:
        """Whether no row is left in the population."""
        return not any(len(patterns.weight) for patterns in self.population)

    def assign(self, table: Table) -> NDArray[np.int32]:
        """Return the segment of each row of a table: that of the one box it is in."""
        return self.boxes.segment[self._tests.find(self.bins.encode(table, self.used_features.tolist()))]

    def subtract_rows(self, table: Table) -> Self:
        """Return the same boxes over the population without some of its rows.

        Raises
        ------
        DataError
            A row was not part of the population.
        """
        tests = self._tests
        codes = self.bins.encode(table, tests.features.tolist())
        counted = PatternCounts(tests)
        counted.add(CodedBlock(codes, np.empty((len(codes), 0), np.float32), np.ones(len(codes), dtype=np.int64)))
        return replace(self, population=tuple(map(_fewer, self.population, counted.boxes)))

    def assigns_like(self, other: Self) -> bool:
        """Return whether another model has the very same boxes."""
        return np.array_equal(self.boxes.inside, other.boxes.inside) and np.array_equal(
            self.boxes.segment, other.boxes.segment
        )

    def counts_like(self, other: Self) -> bool:
        """Return whether another model has counted the same population."""
        one, two = self.population, other.population
        return len(one) == len(two) and all(
            np.array_equal(before.pattern, after.pattern) and np.array_equal(before.weight, after.weight)
            for before, after in zip(one, two, strict=True)
        )


def _fewer(before: Patterns, less: Patterns) -> Patterns:
    """Subtract the weights of patterns, and drop patterns with no weight left."""
    place = np.searchsorted(before.pattern, less.pattern)
    known = (place < len(before.pattern)) & (before.pattern[np.minimum(place, len(before.pattern) - 1)] == less.pattern)
    weight = before.weight.copy()
    if known.all():
        np.subtract.at(weight, place, less.weight)
    if not known.all() or (weight < 0).any():
        message = (
            "rows to subtract must be rows of the fit, and at least one of them was not in the table that was fitted; "
            "pass the rows with the values they had in fit"
        )
        raise DataError(message)
    return Patterns(before.pattern[weight > 0], weight[weight > 0])


LEAF = -1


def predict_block(tree: "ThresholdTree", block: CodedBlock) -> NDArray[np.int32]:
    """Predict the segment of each row of a block of codes."""
    return tree.predict(block.codes)


def predict_table(tree: "ThresholdTree", table: Table) -> NDArray[np.int32]:
    """Predict the segment of each row of a table, coding only the columns that the tree tests."""
    return tree.predict(tree.bins.encode(table, tree.used_features.tolist()))


@dataclass(frozen=True, eq=False)
class ThresholdTree:
    """A binary tree of splits; each leaf carries a segment.

    Nodes are numbered from the root, 0, each parent before its children.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    feature : ndarray of shape (n_nodes,)
        The feature that a node splits by; -1 in a leaf.
    goes_left : ndarray of shape (n_nodes, 256)
        Which codes of that feature go left.
    left, right : ndarray of shape (n_nodes,)
        The children; -1 in a leaf.
    segment : ndarray of shape (n_nodes,)
        The segment of a leaf; -1 elsewhere.
    """

    bins: Bins
    feature: NDArray[np.int32]
    goes_left: NDArray[np.bool_]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    segment: NDArray[np.int32]

    @property
    def n_nodes(self) -> int:
        """Number of nodes, leaves included."""
        return len(self.feature)

    @cached_property
    def leaves(self) -> NDArray[np.intp]:
        """The nodes that are leaves."""
        return np.flatnonzero(self.feature == LEAF)

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        return len(self.leaves)

    @cached_property
    def node_depth(self) -> NDArray[np.int64]:
        """Number of splits above each node, shape (n_nodes,)."""
        depth = np.zeros(self.n_nodes, dtype=np.int64)
        for node in range(self.n_nodes):
            if self.feature[node] != LEAF:
                depth[[self.left[node], self.right[node]]] = depth[node] + 1
        return depth

    @property
    def depth(self) -> int:
        """The largest number of splits above a leaf."""
        return int(self.node_depth.max())

    @property
    def threshold(self) -> NDArray[np.float64]:
        """The threshold of each node, NaN in leaves and at splits of categories; lower values go left."""
        thresholds = np.full(self.n_nodes, np.nan)
        for node in np.flatnonzero(self.feature != LEAF):
            bins = self.bins[self.feature[node]]
            if bins.feature.kind.is_numeric:
                n_left = int(self.goes_left[node, : bins.n_codes].sum())
                thresholds[node] = bins.thresholds[n_left - 1] if n_left < bins.n_codes else np.inf
        return thresholds

    def apply(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the leaf of each row of codes."""
        nodes = np.empty(len(codes), dtype=np.int32)
        find_nodes(codes, self.feature, self.goes_left, self.left, self.right, np.zeros(len(codes), np.int32), nodes)
        return nodes

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the segment of each row of codes."""
        return self.segment[self.apply(codes)]

    @cached_property
    def used_features(self) -> NDArray[np.int64]:
        """The features that some node splits by, in order."""
        return np.unique(self.feature[self.feature != LEAF]).astype(np.int64)

    def boxes(self) -> Boxes:
        """Return the leaves as boxes, in the order of `leaves`."""
        inside = np.ones((self.n_nodes, len(self.bins), N_CODES), dtype=bool)
        for node in np.flatnonzero(self.feature != LEAF):
            left, right, feature = self.left[node], self.right[node], self.feature[node]
            inside[[left, right]] = inside[node]
            inside[left, feature] &= self.goes_left[node]
            inside[right, feature] &= ~self.goes_left[node]
        return Boxes(self.bins, inside[self.leaves], self.segment[self.leaves])

    def drop_unused_thresholds(self) -> "ThresholdTree":
        """Return the same tree over bins that keep only the thresholds its nodes use."""
        bins = list(self.bins.features)
        goes_left = self.goes_left.copy()
        thresholds = self.threshold
        for j, full in enumerate(bins):
            nodes = np.flatnonzero(self.feature == j)
            if not full.feature.kind.is_numeric:
                goes_left[nodes, full.n_codes : -1] = False
                continue
            used = np.unique(thresholds[nodes][np.isfinite(thresholds[nodes])])
            bins[j] = FeatureBins(full.feature, used)
            representative = np.append(0, np.searchsorted(full.thresholds, used) + 1)
            for node in nodes:
                goes_left[node, : len(used) + 1] = self.goes_left[node, representative]
                goes_left[node, len(used) + 1 : -1] = False
        return replace(self, bins=Bins(tuple(bins)), goes_left=goes_left)
