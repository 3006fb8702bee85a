"""What a file must hold of a fitted segmenter, as strict schemas, and the parts it is built from again.

A segmenter declares the schema of its state, describes itself by it (`get_state`) and is built from it (`from_state`).
Everything that is read from a file passes the schema before it is built.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from xseg.core.bins import MAX_BINS, N_CODES, Bins, FeatureBins
from xseg.core.boxes import LEAF, Boxes, BoxModel, Patterns, ThresholdTree
from xseg.core.embedding import MAX_COORDINATE, Embedding
from xseg.core.numbers import MAX_NUMBER
from xseg.core.schema import Feature, Kind
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.exceptions import ModelFileError

__all__ = [
    "BoxPlace",
    "BoxState",
    "ColumnDocument",
    "CoordinateDocument",
    "Count",
    "DrawnBoxState",
    "Finite",
    "LookupDocument",
    "NodeDocument",
    "PatternDocument",
    "SegmentsState",
    "StrictState",
    "TreeState",
    "build_bins",
    "build_box_model",
    "build_counted",
    "build_drawn_boxes",
    "build_embedding",
    "build_means",
    "build_names",
    "build_profile",
    "build_tree",
    "build_tree_model",
    "check",
    "describe_bins",
    "describe_counts",
    "describe_drawn_boxes",
    "describe_embedding",
    "describe_population",
    "describe_segments",
    "describe_tree",
    "select_restorable",
    "to_plain",
]

Count = Annotated[int, Field(ge=0, lt=2**63)]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class StrictState(BaseModel):
    """A part of a document: nothing is missing, nothing is left over, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def check(holds: bool, where: str, problem: str) -> None:
    """Raise an error for a document whose parts do not fit together."""
    if not holds:
        message = f"{where}: {problem}"
        raise ModelFileError(message)


class ColumnDocument(StrictState):
    """One column, and the thresholds or categories of its codes."""

    name: str
    kind: Literal["number", "boolean", "category", "ordered category", "empty", "excluded"]
    integral: bool
    has_missing: bool
    decimal: Literal[".", ","] | None
    categories: list[str]
    thresholds: list[Finite]


def describe_bins(bins: Bins) -> list[dict[str, Any]]:
    """Return a document for each column."""
    return [
        {
            "name": column.feature.name,
            "kind": str(column.feature.kind),
            "integral": column.feature.integral,
            "has_missing": column.feature.has_missing,
            "decimal": column.feature.decimal,
            "categories": list(column.categories),
            "thresholds": column.thresholds.tolist(),
        }
        for column in bins.features
    ]


def build_bins(columns: Sequence[ColumnDocument]) -> Bins:
    """Build the bins of the columns."""
    bins = Bins(tuple(_column_bins(column, f"columns.{j}") for j, column in enumerate(columns)))
    check(len(set(bins.schema.names)) == len(bins), "columns", "two columns have the same name")
    return bins


def _column_bins(column: ColumnDocument, where: str) -> FeatureBins:
    kind = Kind(column.kind)
    thresholds = np.array(column.thresholds, dtype=np.float64)
    check(bool((np.diff(thresholds) > 0).all()), f"{where}.thresholds", "must increase")
    check(len(thresholds) < MAX_BINS and len(column.categories) <= MAX_BINS, where, "has too many codes")
    check(kind.has_values or not len(thresholds), f"{where}.thresholds", "a column that is not used has none")
    check(kind.is_numeric or not len(thresholds), f"{where}.thresholds", "a category has none")
    check(not kind.is_numeric or not column.categories, f"{where}.categories", "a number has none")
    check(len(set(column.categories)) == len(column.categories), f"{where}.categories", "repeats itself")
    categories = tuple(column.categories)
    return FeatureBins(
        Feature(column.name, kind, categories, column.integral, column.has_missing, column.decimal),
        thresholds,
        categories,
    )


def describe_counts(profile: SegmentProfile) -> list[list[list[int]]]:
    """Return the counts of each segment by column: one for each code, and one for missing values."""
    return [
        [[*row[: bins.n_codes].tolist(), int(row[-1])] for row, bins in zip(rows, profile.bins.features, strict=True)]
        for rows in profile.counts
    ]


def _build_counts(document: Sequence[Sequence[Sequence[Count]]], n_segments: int, bins: Bins) -> NDArray[np.int64]:
    """Build the counts of a profile."""
    counts = np.zeros((n_segments, len(bins), N_CODES), dtype=np.int64)
    check(len(document) == len(counts), "counts", "needs a row for each segment")
    for s, rows in enumerate(document):
        check(len(rows) == len(bins), f"counts.{s}", "needs a row for each column")
        for j, row in enumerate(rows):
            check(len(row) == bins[j].n_codes + 1, f"counts.{s}.{j}", "needs a number for each code")
            counts[s, j, : len(row) - 1], counts[s, j, -1] = row[:-1], row[-1]
    sizes = counts.sum(axis=2)
    check(bool((sizes == sizes[:, :1]).all() and sizes.sum() > 0), "counts", "columns hold different totals")
    return counts


def build_counted(
    counts: Sequence[Sequence[Sequence[Count]]], n_segments: int, bins: Bins, unit: float
) -> SegmentProfile:
    """Build the profile of segments from counts and the unit that they are in."""
    check(unit > 0, "weight_unit", "must be positive")
    with np.errstate(over="ignore"):
        profile = SegmentProfile(bins, _build_counts(counts, n_segments, bins), unit)
        sizes = profile.sizes
    check(bool(np.isfinite(sizes).all() and 0 < sizes.sum() < np.inf), "weight_unit", "makes sizes that are no numbers")
    return profile


class PatternDocument(StrictState):
    """How much of the population fails which tests of one box."""

    pattern: list[Count]
    weight: list[Count]


class SegmentsState(StrictState):
    """What is known of the segments and the population of any fitted segmenter."""

    columns: Annotated[list[ColumnDocument], Field(min_length=1)]
    named: bool
    segment_names: Annotated[list[str], Field(min_length=1)]
    names_given: list[bool]
    counts: list[list[list[Count]]]
    weight_unit: Finite


class BoxState(SegmentsState):
    """A fitted segmenter whose segments are unions of boxes, but for the boxes."""

    population: list[PatternDocument]


def describe_segments(profile: SegmentProfile, names: SegmentNames, *, named: bool) -> dict[str, Any]:
    """Return the parts of a state that every segmenter has."""
    return {
        "columns": describe_bins(profile.bins),
        "named": named,
        "segment_names": list(names.names),
        "names_given": list(names.given),
        "counts": describe_counts(profile),
        "weight_unit": profile.unit,
    }


def build_names(document: SegmentsState) -> SegmentNames:
    """Build the names of the segments."""
    fits = len(document.names_given) == len(document.segment_names)
    check(fits, "names_given", "needs true or false for each segment")
    return SegmentNames(tuple(document.segment_names), tuple(document.names_given))


def describe_population(model: BoxModel) -> list[dict[str, Any]]:
    """Return how much of the population fails which tests, for each box."""
    return [{"pattern": box.pattern.tolist(), "weight": box.weight.tolist()} for box in model.population]


def build_profile(document: SegmentsState, bins: Bins) -> SegmentProfile:
    """Build the counts of each segment."""
    return build_counted(document.counts, len(document.segment_names), bins, document.weight_unit)


def build_box_model(document: BoxState, boxes: Boxes, profile: SegmentProfile) -> BoxModel:
    """Build the model that explanations read."""
    check(len(document.population) == len(boxes), "population", "needs an entry for each box")
    total = int(profile.counts[:, 0].sum())
    inside = [0] * len(profile.counts)
    patterns = []
    for b, (box, players) in enumerate(zip(document.population, boxes.tests().players, strict=True)):
        where = f"population.{b}"
        check(len(box.pattern) == len(box.weight), where, "needs a weight for each pattern")
        check(len(set(box.pattern)) == len(box.pattern), where, "repeats itself")
        check(all(pattern < 2 ** len(players) for pattern in box.pattern), where, "a pattern has too many tests")
        check(sum(box.weight) == total, where, "the weights do not add up to the population")
        patterns.append(Patterns(np.array(box.pattern, dtype=np.uint32), np.array(box.weight, dtype=np.int64)))
        inside[boxes.segment[b]] += sum(
            weight for pattern, weight in zip(box.pattern, box.weight, strict=True) if pattern == 0
        )
    check(inside == profile.counts[:, 0].sum(axis=1).tolist(), "population", "contradicts the counts")
    return BoxModel(boxes, len(profile.counts), tuple(patterns))


class NodeDocument(StrictState):
    """One node of the tree: a cut, or the segment of a leaf."""

    column: Count | None = None
    threshold: Finite | None = None
    categories_left: list[str] | None = None
    missing_left: bool | None = None
    left: Count | None = None
    right: Count | None = None
    segment: Count | None = None


class TreeState(BoxState):
    """A fitted segmenter whose boxes are the leaves of one tree."""

    nodes: Annotated[list[NodeDocument], Field(min_length=1)]
    mean_depth: Finite


def describe_tree(tree: ThresholdTree) -> list[dict[str, Any]]:
    """Return a document for each node."""
    return [_describe_node(tree, node) for node in range(tree.n_nodes)]


def _describe_node(tree: ThresholdTree, node: int) -> dict[str, Any]:
    column = int(tree.feature[node])
    if column < 0:
        return {"segment": int(tree.segment[node])}
    bins, goes_left = tree.bins[column], tree.goes_left[node]
    cut: dict[str, Any] = {"column": column, "missing_left": bool(goes_left[-1])}
    if not bins.feature.kind.is_numeric:
        cut["categories_left"] = [name for code, name in enumerate(bins.categories) if goes_left[code]]
    elif np.isfinite(tree.threshold[node]):
        cut["threshold"] = float(tree.threshold[node])
    return {**cut, "left": int(tree.left[node]), "right": int(tree.right[node])}


def build_tree(nodes: Sequence[NodeDocument], n_segments: int, bins: Bins) -> ThresholdTree:
    """Build the tree, over bins that keep only the thresholds it uses."""
    n_nodes = len(nodes)
    feature, left, right, segment = (np.full(n_nodes, LEAF, dtype=np.int32) for _ in range(4))
    goes_left = np.zeros((n_nodes, N_CODES), dtype=bool)
    parents = np.zeros(n_nodes, dtype=np.int64)
    for number, node in enumerate(nodes):
        where = f"nodes.{number}"
        if node.segment is not None:
            check(node == NodeDocument(segment=node.segment), where, "a leaf has a segment and nothing else")
            check(node.segment < n_segments, f"{where}.segment", "there is no such segment")
            segment[number] = node.segment
            continue
        if node.column is None or node.left is None or node.right is None:
            message = f"{where}: needs a column and two children, or a segment"
            raise ModelFileError(message)
        check(all(number < child < n_nodes for child in (node.left, node.right)), where, "children must be later nodes")
        check(node.column < len(bins), f"{where}.column", "there is no such column")
        feature[number], left[number], right[number] = node.column, node.left, node.right
        goes_left[number] = _goes_left(node, bins[node.column], where)
        np.add.at(parents, np.array([node.left, node.right]), 1)
    check(bool((parents[1:] == 1).all()), "nodes", "every node but the first must be the child of exactly one other")
    check(set(segment[segment >= 0].tolist()) == set(range(n_segments)), "nodes", "every segment must have a leaf")
    return ThresholdTree(bins, feature, goes_left, left, right, segment).drop_unused_thresholds()


def _goes_left(node: NodeDocument, bins: FeatureBins, where: str) -> NDArray[np.bool_]:
    goes_left = np.zeros(N_CODES, dtype=bool)
    check(node.missing_left is not None, f"{where}.missing_left", "must be true or false")
    if bins.feature.kind.is_numeric:
        check(node.categories_left is None, f"{where}.categories_left", "a number is cut by a threshold")
        place = len(bins.thresholds)
        if node.threshold is not None:
            place = int(np.searchsorted(bins.thresholds, node.threshold))
            known = place < len(bins.thresholds) and bins.thresholds[place] == node.threshold
            check(bool(known), f"{where}.threshold", "is not one of the column's thresholds")
        goes_left[: place + 1] = True
    else:
        names = node.categories_left
        check(names is not None and node.threshold is None, where, "a category is cut by categories_left")
        assert names is not None
        check(set(names) <= set(bins.categories), f"{where}.categories_left", "names a category that is not known")
        goes_left[[bins.categories.index(name) for name in names]] = True
    goes_left[-1] = bool(node.missing_left)
    return goes_left


class CoordinateDocument(StrictState):
    """A column that is a coordinate of the metric space."""

    column: Count
    shift: Finite
    factor: Finite
    bound: Finite


class LookupDocument(StrictState):
    """A column whose codes have places in the metric space; the last place is that of missing values."""

    column: Count
    places: list[list[Finite]]


def describe_embedding(embedding: Embedding, bins: Bins) -> dict[str, Any]:
    """Return the documents of the coordinates and of the columns that are looked up."""
    names = ("column", "shift", "factor", "bound")
    columns = (embedding.coordinates, embedding.shift, embedding.factor, embedding.bound)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "coordinates": [dict(zip(names, row, strict=True)) for row in rows],
        "lookups": [
            {"column": j, "places": [*vectors[: bins[j].n_codes].tolist(), vectors[-1].tolist()]}
            for j, vectors in zip(embedding.looked_up.tolist(), embedding.vectors, strict=True)
        ],
    }


def build_embedding(
    coordinates: Sequence[CoordinateDocument], lookups: Sequence[LookupDocument], bins: Bins
) -> Embedding:
    """Build the metric space."""
    used = [*(place.column for place in coordinates), *(place.column for place in lookups)]
    check(len(set(used)) == len(used) and all(j < len(bins) for j in used), "coordinates", "a column is not known")
    vectors = []
    for number, lookup in enumerate(lookups):
        n_codes = bins[lookup.column].n_codes
        widths = {len(place) for place in lookup.places}
        check(len(lookup.places) == n_codes + 1 and len(widths) == 1, f"lookups.{number}", "needs a place per code")
        places = np.array(lookup.places)
        vectors.append(np.vstack([places[:-1], np.tile(places[-1], (N_CODES - n_codes, 1))]))
    for number, place in enumerate(coordinates):
        fits = abs(place.shift) <= MAX_NUMBER and abs(place.shift * place.factor) <= MAX_COORDINATE
        check(fits, f"coordinates.{number}", f"must place 0 within {MAX_COORDINATE:g} of the origin")
    columns = [(place.column, place.shift, place.factor, place.bound) for place in coordinates]
    numbers = np.array(columns, dtype=np.float64).reshape(-1, 4)
    return Embedding(
        coordinates=numbers[:, 0].astype(np.int64),
        shift=numbers[:, 1].copy(),
        factor=numbers[:, 2].copy(),
        bound=numbers[:, 3].copy(),
        looked_up=np.array([lookup.column for lookup in lookups], dtype=np.int64),
        vectors=tuple(vectors),
    )


def build_means(means: Sequence[Sequence[float]], n_segments: int, embedding: Embedding) -> NDArray[np.float64]:
    """Build the place of each segment in the metric space."""
    fits = len(means) == n_segments and all(len(row) == embedding.n_dimensions for row in means)
    check(fits, "means", "needs one place per segment")
    return np.array(means, dtype=np.float64).reshape(n_segments, embedding.n_dimensions)


_NOT_SAVED = "not saved"


def to_plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it; what it cannot hold is described and not restored."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else {_NOT_SAVED: repr(value)}


def select_restorable(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a file could hold."""
    return {name: value for name, value in given.items() if not (isinstance(value, dict) and _NOT_SAVED in value)}


class BoxPlace(StrictState):
    """One box: its segment, and the codes that it allows of each column that it tests."""

    segment: Count
    codes: dict[str, list[Annotated[int, Field(ge=0, lt=N_CODES)]]]


class DrawnBoxState(BoxState):
    """A fitted segmenter whose boxes stand in the file as they are."""

    box_columns: list[ColumnDocument]
    boxes: Annotated[list[BoxPlace], Field(min_length=1)]


def describe_drawn_boxes(boxes: Boxes) -> dict[str, Any]:
    """Return boxes by the codes that they allow."""
    names = boxes.bins.schema.names
    drawn = [
        {
            "segment": segment,
            "codes": {names[j]: np.flatnonzero(inside[j]).tolist() for j in np.flatnonzero(~inside.all(axis=1))},
        }
        for segment, inside in zip(boxes.segment.tolist(), boxes.inside, strict=True)
    ]
    return {"box_columns": describe_bins(boxes.bins), "boxes": drawn}


def build_drawn_boxes(state: DrawnBoxState) -> Boxes:
    """Build boxes from the codes that they allow."""
    bins, n_segments = build_bins(state.box_columns), len(state.segment_names)
    names = bins.schema.names
    check(list(names) == [column.name for column in state.columns], "box_columns", "are not the columns")
    inside = np.ones((len(state.boxes), len(bins), N_CODES), dtype=bool)
    for b, box in enumerate(state.boxes):
        check(box.segment < n_segments, f"boxes.{b}.segment", "there is no such segment")
        check(set(box.codes) <= set(names), f"boxes.{b}.codes", "names a column that is not known")
        for name, codes in box.codes.items():
            inside[b, names.index(name)] = np.isin(np.arange(N_CODES), codes)
    segment = np.array([box.segment for box in state.boxes], dtype=np.int32)
    check(set(segment.tolist()) == set(range(n_segments)), "boxes", "every segment must have a box")
    return Boxes(bins, inside, segment)


def build_tree_model(state: TreeState) -> tuple[ThresholdTree, BoxModel, SegmentProfile]:
    """Build tree, boxes and counts."""
    bins = build_bins(state.columns)
    tree = build_tree(state.nodes, len(state.segment_names), bins)
    profile = build_profile(state, bins)
    return tree, build_box_model(state, tree.boxes().merge_boxes(), profile), profile
