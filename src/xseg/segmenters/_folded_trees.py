"""Conversion of a pipeline that ends in a tree into the same tree over raw columns in raw units."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from xseg.core.bins import MISSING, N_CODES, Bins, FeatureBins, reduce_codes
from xseg.core.boxes import LEAF, Boxes, BoxModel, Patterns, ThresholdTree
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.exceptions import UnsupportedTypeError
from xseg.segmenters._derivations import Derivation, DerivationKind, find_derivations
from xseg.segmenters._names import propose_names
from xseg.segmenters._pipelines import Route
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._raw_columns import Probe, RawColumn, raw_columns
from xseg.segmenters._tree import TreeBoxes

__all__ = ["fold_tree"]


_MIN_CHECKED = 512


def fold_tree(route: Route, sources: NDArray[np.int64], model: Any) -> Any:
    """Return the tree over raw columns that a pipeline is; `sources` holds the raw column of each transformed one."""
    segmenter = route.segmenter
    if not isinstance(segmenter, TreeBoxes):
        message = (
            f"{type(segmenter).__name__} behind steps that transform (first: {route.steps[0][0]!r}) has no equal over "
            "raw columns; give the segmenter the raw table, which it scales by itself, or a tree in its place"
        )
        raise UnsupportedTypeError(message)
    names, named = _raw_names(model)
    derivations = find_derivations(list(route.steps), len(names))
    usual = [_usual(j, derivations, segmenter.profile_.bins) for j in range(len(names))]
    profile = segmenter.profile_
    try:
        probe = Probe(route, profile.bins, names, named=named, usual=usual)
        probe.codes({0: [usual[0]]})
        columns = raw_columns(probe, derivations, profile, _tested_codes(segmenter.tree_, profile.bins))
    except (TypeError, ValueError) as error:
        if isinstance(error, UnsupportedTypeError):
            raise
        message = f"a step refuses values that were asked about to tell rules in raw units: {error}"
        raise UnsupportedTypeError(message) from error
    folded = _Folding(segmenter, columns, sources).build(named=named)
    _check_alike(folded, segmenter, probe, columns)
    return folded


def _tested_codes(tree: ThresholdTree, bins: Bins) -> dict[int, set[int]]:
    """Return, for each feature that a tree tests, the codes in `bins` that it parts from the code before them."""
    # A fitted tree keeps only the thresholds that it tests.
    return {
        j: set((np.searchsorted(bins[j].thresholds, tree.bins[j].thresholds) + 1).tolist())
        for j in tree.used_features.tolist()
    }


def _check_alike(
    folded: FittedSegmenter, segmenter: FittedSegmenter, probe: Probe, columns: Sequence[RawColumn]
) -> None:
    """Compare both on made-up rows that hold every value at which anything could change."""
    draw = np.random.default_rng(0)
    n_rows = max(_MIN_CHECKED, *(len(column.values) for column in columns))
    places = [draw.permutation(np.arange(n_rows) % len(column.values)) for column in columns]
    values = {j: [column.values[k] for k in places[j]] for j, column in enumerate(columns)}
    rows, transformed = probe.pass_through(values)
    if (folded.predict(rows) != segmenter.predict(transformed)).any():
        message = (
            "the steps do not treat each column apart from the others, or answer differently when asked again, so the "
            "tree has no equal over raw columns"
        )
        raise UnsupportedTypeError(message)


def _raw_names(model: Pipeline) -> tuple[list[str], bool]:
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names], True
    return [f"x{j}" for j in range(model.n_features_in_)], False


def _usual(column: int, derivations: Sequence[Derivation], bins: Bins) -> float | str:
    """Return a value that every step takes."""
    for d, derivation in enumerate(derivations):
        if derivation.source == column:
            if derivation.categories:
                return str(derivation.categories[0])
            if derivation.first is not None:
                return derivation.first
            if derivation.kind is DerivationKind.MONOTONE and derivation.untouched and bins[d].categories:
                return bins[d].categories[0]
    edges = [derivation.edges for derivation in derivations if derivation.source == column and len(derivation.edges)]
    # Logarithms, roots and logits all take a half.
    return float(edges[0][0]) if edges else 0.5


class _Folding:
    """Rebuilds a tree, its boxes and its counts over raw columns."""

    def __init__(self, segmenter: TreeBoxes, columns: Sequence[RawColumn], sources: NDArray[np.int64]) -> None:
        self.segmenter, self.columns, self.sources = segmenter, columns, sources
        self.bins = Bins(tuple(column.bins for column in columns))
        self.profile = SegmentProfile(
            self.bins, np.stack([column.counts for column in columns], axis=1), segmenter.profile_.unit
        )
        self._nodes: list[tuple[int, NDArray[np.bool_], int, int, int]] = []

    def build(self, *, named: bool) -> TreeBoxes:
        """Build the fitted segmenter."""
        tree = self._tree()
        boxes = tree.boxes().merge_boxes()
        model = BoxModel(boxes, self.segmenter.n_segments_, self._population(boxes))
        folded: TreeBoxes = clone(self.segmenter)
        folded._restore(
            tree=tree,
            model=model,
            profile=self.profile,
            names=self._names(model),
            mean_depth=self.segmenter.mean_depth_,
            named=named,
            **self.segmenter._get_state_over(self.bins),
        )
        return folded

    def _names(self, model: BoxModel) -> SegmentNames:
        """Keep names that were given; propose the others again, of raw columns."""
        proposed = propose_names(self.segmenter.profile_, self.segmenter.model_)
        anew = propose_names(self.profile, model)
        given = tuple(name is not None for name in self.segmenter.public_names_)
        kept = zip(self.segmenter.segment_names_, given, proposed, anew, strict=True)
        names = tuple(new if name == old and not is_given else name for name, is_given, old, new in kept)
        return SegmentNames(names, given)

    def _find_left_codes(self, node: int) -> tuple[int, NDArray[np.bool_]]:
        """Return the raw column that a node asks about, and which raw codes go left."""
        tree: ThresholdTree = self.segmenter.tree_
        d = int(tree.feature[node])
        column = self.columns[self.sources[d]]
        codes = column.codes[:, column.derived.index(d)]
        reduced = reduce_codes(self.segmenter.profile_.bins[d], tree.bins[d])
        left = tree.goes_left[node, reduced[codes]]
        return int(self.sources[d]), np.where(self._possible(int(self.sources[d])), left, False)

    def _possible(self, j: int) -> NDArray[np.bool_]:
        possible = np.zeros(N_CODES, dtype=bool)
        possible[: self.bins[j].n_codes] = possible[MISSING] = True
        return possible

    def _tree(self) -> ThresholdTree:
        reached = np.array([self._possible(j) for j in range(len(self.columns))])
        self._grow(0, reached)
        feature, goes_left, left, right, segment = (np.array(part) for part in zip(*self._nodes, strict=True))
        as_int = [part.astype(np.int32) for part in (feature, left, right, segment)]
        return ThresholdTree(self.bins, as_int[0], goes_left, *as_int[1:]).drop_unused_thresholds()

    def _grow(self, node: int, reached: NDArray[np.bool_]) -> int:
        """Add the part of the tree below a node as far as anybody can reach it; returns its number."""
        tree: ThresholdTree = self.segmenter.tree_
        if tree.feature[node] == LEAF:
            self._nodes.append((LEAF, np.zeros(N_CODES, bool), LEAF, LEAF, int(tree.segment[node])))
            return len(self._nodes) - 1
        column, left = self._find_left_codes(node)
        sides = [reached[column] & left, reached[column] & ~left]
        children = [int(tree.left[node]), int(tree.right[node])]
        for side, other in ((0, 1), (1, 0)):
            if not sides[side].any():
                return self._grow(children[other], reached)
        if self.bins[column].feature.kind.is_numeric:
            low_first, sides = self._as_threshold(column, reached[column], sides)
            children = children if low_first else children[::-1]
        place = len(self._nodes)
        self._nodes.append((column, np.zeros(N_CODES, bool), 0, 0, LEAF))
        numbers = []
        for side, child in zip(sides, children, strict=True):
            below = reached.copy()
            below[column] &= side
            numbers.append(self._grow(child, below))
        self._nodes[place] = (column, sides[0], numbers[0], numbers[1], LEAF)
        return place

    def _as_threshold(
        self, column: int, reached: NDArray[np.bool_], sides: list[NDArray[np.bool_]]
    ) -> tuple[bool, list[NDArray[np.bool_]]]:
        """Sort the lower numbers first, and let codes that no row here has follow them."""
        known = np.flatnonzero(reached[:MISSING])
        first = [int(np.flatnonzero(side[:MISSING])[0]) if side[:MISSING].any() else N_CODES for side in sides]
        low_first = first[0] < first[1]
        low, high = sides if low_first else sides[::-1]
        lower, upper = known[low[known]], known[high[known]]
        if len(lower) and len(upper) and lower[-1] > upper[0]:
            message = (
                f"the segmenter asks whether {self.bins[column].feature.name!r} is in a bin, so that a rule would have "
                "a gap in raw units; give KBinsDiscretizer encode='ordinal', or leave it out"
            )
            raise UnsupportedTypeError(message)
        end = int(upper[0]) if len(upper) else self.bins[column].n_codes
        goes = np.zeros(N_CODES, dtype=bool)
        goes[:end], goes[MISSING] = True, low[MISSING]
        return low_first, [goes, self._possible(column) & ~goes]

    def _population(self, wanted: Boxes) -> tuple[Patterns, ...]:
        """Return the patterns of failed tests of the boxes over raw columns, from those of the transformed ones."""
        old: BoxModel = self.segmenter.model_
        grouped = old.boxes.group_by_column(old.population, self.sources)
        players = old.boxes.tests(self.sources).players
        inside = np.array([self._find_codes_inside(box, wanted.bins) for box in range(len(old.boxes))])
        possible = np.array([_find_codes(bins) for bins in wanted.bins.features])
        # Boxes without a possible raw value in some column hold no row.
        real = np.flatnonzero((inside & possible).any(axis=2).all(axis=1))
        boxes = Boxes(wanted.bins, inside[real], old.boxes.segment[real])
        counts = [_count_by_columns(grouped[box], players[box]) for box in real]
        # Counts are joined in the order in which `merge_boxes` joins the boxes, so that both lists stay parallel.
        for first, second, feature in boxes.merges():
            counts[first] = _join_counts(counts[first], counts.pop(second), feature)
        found = {
            _pack_box(boxes_inside): place for place, boxes_inside in enumerate(boxes.merge_boxes().inside & possible)
        }
        try:
            places = [found[_pack_box(box)] for box in wanted.inside & possible]
        except KeyError:
            message = "the boxes of this tree join differently over raw columns, so its counts cannot be carried over"
            raise UnsupportedTypeError(message) from None
        return tuple(_patterns(counts[place], wanted.inside[b]) for b, place in enumerate(places))

    def _find_codes_inside(self, box: int, bins: Bins) -> NDArray[np.bool_]:
        """Return which raw codes, of bins with fewer thresholds, lie in a box over transformed columns."""
        old: Boxes = self.segmenter.model_.boxes
        inside = np.ones((len(bins), N_CODES), dtype=bool)
        for j, column in enumerate(self.columns):
            full = np.ones(N_CODES, dtype=bool)
            for place, d in enumerate(column.derived):
                reduced = reduce_codes(self.segmenter.profile_.bins[d], old.bins[d])
                full &= old.inside[box, d, reduced[column.codes[:, place]]]
            inside[j] = full
            if bins[j].feature.kind.is_numeric:
                first = np.append(0, np.searchsorted(column.bins.thresholds, bins[j].thresholds) + 1)
                inside[j, : len(first)] = full[first]
        inside |= ~np.array([_find_codes(one) for one in bins.features])
        return inside


def _find_codes(bins: FeatureBins) -> NDArray[np.bool_]:
    """Return which codes a column can have; missing values have the last one."""
    codes = np.zeros(N_CODES, dtype=bool)
    codes[: bins.n_codes] = codes[MISSING] = True
    return codes


def _pack_box(inside: NDArray[np.bool_]) -> bytes:
    """Return a box as bytes, which can be a key."""
    return np.packbits(inside).tobytes()


def _count_by_columns(patterns: Patterns, players: NDArray[np.int64]) -> "Counter[frozenset[int]]":
    """Return the weight of the rows that fail each set of columns of a box."""
    counts: Counter[frozenset[int]] = Counter()
    for pattern, weight in zip(patterns.pattern.tolist(), patterns.weight.tolist(), strict=True):
        failed = frozenset(int(player) for bit, player in enumerate(players) if pattern >> bit & 1)
        counts[failed] += weight
    return counts


def _join_counts(
    one: "Counter[frozenset[int]]", other: "Counter[frozenset[int]]", feature: int
) -> "Counter[frozenset[int]]":
    """Return the same counts for the union of two disjoint boxes that differ in one column, `feature`."""
    # A row within `feature` of the other box fails it in `one`, but no longer in the union: its weight moves from the
    # set with `feature` to the set without. Rows that fail `feature` in both boxes are counted the same by both.
    joined = Counter(one)
    for failed, weight in other.items():
        if feature not in failed:
            joined[failed] += weight
            joined[failed | {feature}] -= weight
    return +joined


def _patterns(counts: "Counter[frozenset[int]]", inside: NDArray[np.bool_]) -> Patterns:
    """Return counts by sets of failed columns as patterns, one bit for each column that the box tests."""
    tested = np.flatnonzero(~inside.all(axis=1)).tolist()
    bits = {column: 1 << bit for bit, column in enumerate(tested)}
    by_pattern: Counter[int] = Counter()
    for failed, weight in counts.items():
        by_pattern[sum(bits[column] for column in failed if column in bits)] += weight
    ordered = sorted(by_pattern)
    return Patterns(
        np.array(ordered, dtype=np.uint32), np.array([by_pattern[pattern] for pattern in ordered], dtype=np.int64)
    )
