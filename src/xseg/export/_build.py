"""From a checked document to a fitted segmenter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MAX_BINS, N_CODES, Bins, FeatureBins
from xseg.core.boxes import Boxes, BoxModel, Patterns
from xseg.core.embedding import Coding, Embedding
from xseg.core.profiles import Profile
from xseg.core.schema import Feature, Kind
from xseg.core.tree import LEAF, ThresholdTree
from xseg.exceptions import ModelFileError, ParameterError
from xseg.export._document import ColumnDocument, ModelDocument, NodeDocument
from xseg.segmenters import TreeSegmenter

__all__ = ["build"]


def build(document: ModelDocument) -> TreeSegmenter:
    """Build the segmenter; whatever in the document does not fit together is refused."""
    bins = Bins(tuple(_column_bins(column, f"columns.{j}") for j, column in enumerate(document.columns)))
    _check(len(set(bins.schema.names)) == len(bins), "columns", "two columns have the same name")
    tree = _tree(document, bins)
    boxes = tree.boxes().merged()
    profile = Profile(bins, _counts(document, bins), document.weight_unit)
    _check(document.weight_unit > 0, "weight_unit", "must be positive")
    segmenter = TreeSegmenter(**_parameters(document.parameters))
    try:
        segmenter._check_parameters()
    except ParameterError as error:
        _check(False, "parameters", str(error))
    return segmenter._restore(
        tree=tree,
        model=BoxModel(boxes, len(document.segment_names), _population(document, boxes, profile)),
        profile=profile,
        coding=Coding(bins, _embedding(document, bins)),
        means=_means(document),
        names=tuple(document.segment_names),
        costs=(document.cost, document.reference_cost),
        mean_depth=document.mean_depth,
        named=document.named,
    )


def _check(holds: bool, where: str, problem: str) -> None:
    if not holds:
        message = f"{where}: {problem}"
        raise ModelFileError(message)


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    known = TreeSegmenter._get_param_names()
    unknown = sorted(set(given) - set(known))
    _check(not unknown, "parameters", f"unknown parameter(s) {', '.join(unknown)}")
    return {name: value for name, value in given.items() if not (isinstance(value, dict) and "not saved" in value)}


def _column_bins(column: ColumnDocument, where: str) -> FeatureBins:
    kind = Kind(column.kind)
    thresholds = np.array(column.thresholds, dtype=np.float64)
    _check(bool((np.diff(thresholds) > 0).all()), f"{where}.thresholds", "must increase")
    _check(len(thresholds) < MAX_BINS and len(column.categories) <= MAX_BINS, where, "has too many codes")
    _check(kind.is_numeric or not len(thresholds), f"{where}.thresholds", "a category has none")
    _check(not kind.is_numeric or not column.categories, f"{where}.categories", "a number has none")
    _check(len(set(column.categories)) == len(column.categories), f"{where}.categories", "repeats itself")
    categories = tuple(column.categories)
    return FeatureBins(
        Feature(column.name, kind, categories, column.integral, column.has_missing), thresholds, categories
    )


def _tree(document: ModelDocument, bins: Bins) -> ThresholdTree:
    n_nodes = len(document.nodes)
    feature, left, right, segment = (np.full(n_nodes, LEAF, dtype=np.int32) for _ in range(4))
    goes_left = np.zeros((n_nodes, N_CODES), dtype=bool)
    parents = np.zeros(n_nodes, dtype=np.int64)
    for number, node in enumerate(document.nodes):
        where = f"nodes.{number}"
        if node.segment is not None:
            _check(node == NodeDocument(segment=node.segment), where, "a leaf has a segment and nothing else")
            _check(node.segment < len(document.segment_names), f"{where}.segment", "there is no such segment")
            segment[number] = node.segment
            continue
        if node.column is None or node.left is None or node.right is None:
            message = f"{where}: needs a column and two children, or a segment"
            raise ModelFileError(message)
        _check(
            all(number < child < n_nodes for child in (node.left, node.right)), where, "children must be later nodes"
        )
        _check(node.column < len(bins), f"{where}.column", "there is no such column")
        feature[number], left[number], right[number] = node.column, node.left, node.right
        goes_left[number] = _goes_left(node, bins[node.column], where)
        np.add.at(parents, np.array([node.left, node.right]), 1)
    _check(bool((parents[1:] == 1).all()), "nodes", "every node but the first must be the child of exactly one other")
    labels = set(segment[segment >= 0].tolist())
    _check(labels == set(range(len(document.segment_names))), "nodes", "every segment must have a leaf")
    return ThresholdTree(bins, feature, goes_left, left, right, segment).reduced()


def _goes_left(node: NodeDocument, bins: FeatureBins, where: str) -> NDArray[np.bool_]:
    goes_left = np.zeros(N_CODES, dtype=bool)
    _check(node.missing_left is not None, f"{where}.missing_left", "must be true or false")
    if bins.feature.kind.is_numeric:
        _check(node.categories_left is None, f"{where}.categories_left", "a number is cut by a threshold")
        place = len(bins.thresholds)
        if node.threshold is not None:
            place = int(np.searchsorted(bins.thresholds, node.threshold))
            known = place < len(bins.thresholds) and bins.thresholds[place] == node.threshold
            _check(bool(known), f"{where}.threshold", "is not one of the column's thresholds")
        goes_left[: place + 1] = True
    else:
        names = node.categories_left
        _check(names is not None and node.threshold is None, where, "a category is cut by categories_left")
        assert names is not None
        _check(set(names) <= set(bins.categories), f"{where}.categories_left", "names a category that is not known")
        goes_left[[bins.categories.index(name) for name in names]] = True
    goes_left[-1] = bool(node.missing_left)
    return goes_left


def _counts(document: ModelDocument, bins: Bins) -> NDArray[np.int64]:
    counts = np.zeros((len(document.segment_names), len(bins), N_CODES), dtype=np.int64)
    _check(len(document.counts) == len(counts), "counts", "needs a row for each segment")
    for s, rows in enumerate(document.counts):
        _check(len(rows) == len(bins), f"counts.{s}", "needs a row for each column")
        for j, row in enumerate(rows):
            _check(len(row) == bins[j].n_codes + 1, f"counts.{s}.{j}", "needs a number for each code")
            counts[s, j, : len(row) - 1], counts[s, j, -1] = row[:-1], row[-1]
    sizes = counts.sum(axis=2)
    _check(bool((sizes == sizes[:, :1]).all() and (sizes > 0).all()), "counts", "columns hold different totals")
    return counts


def _population(document: ModelDocument, boxes: Boxes, profile: Profile) -> tuple[Patterns, ...]:
    _check(len(document.population) == len(boxes), "population", "needs an entry for each box")
    total = int(profile.counts[:, 0].sum())
    patterns = []
    for b, (box, players) in enumerate(zip(document.population, boxes.tests().players, strict=True)):
        where = f"population.{b}"
        _check(len(box.pattern) == len(box.weight), where, "needs a weight for each pattern")
        _check(all(pattern < 2 ** len(players) for pattern in box.pattern), where, "a pattern has too many tests")
        _check(sum(box.weight) == total, where, "the weights do not add up to the population")
        patterns.append(Patterns(np.array(box.pattern, dtype=np.uint32), np.array(box.weight, dtype=np.int64)))
    return tuple(patterns)


def _embedding(document: ModelDocument, bins: Bins) -> Embedding:
    used = [*(place.column for place in document.coordinates), *(place.column for place in document.lookups)]
    _check(len(set(used)) == len(used) and all(j < len(bins) for j in used), "coordinates", "a column is not known")
    vectors = []
    for number, lookup in enumerate(document.lookups):
        n_codes = bins[lookup.column].n_codes
        widths = {len(place) for place in lookup.places}
        _check(len(lookup.places) == n_codes + 1 and len(widths) == 1, f"lookups.{number}", "needs a place per code")
        places = np.array(lookup.places)
        vectors.append(np.vstack([places[:-1], np.tile(places[-1], (N_CODES - n_codes, 1))]))
    columns = [(place.column, place.shift, place.factor, place.bound) for place in document.coordinates]
    numbers = np.array(columns, dtype=np.float64).reshape(-1, 4)
    return Embedding(
        coordinates=numbers[:, 0].astype(np.int64),
        shift=numbers[:, 1].copy(),
        factor=numbers[:, 2].copy(),
        bound=numbers[:, 3].copy(),
        looked_up=np.array([lookup.column for lookup in document.lookups], dtype=np.int64),
        vectors=tuple(vectors),
    )


def _means(document: ModelDocument) -> NDArray[np.float64]:
    n_dimensions = len(document.coordinates) + sum(len(lookup.places[0]) for lookup in document.lookups)
    fits = len(document.means) == len(document.segment_names)
    _check(fits and all(len(row) == n_dimensions for row in document.means), "means", "needs one place per segment")
    return np.array(document.means, dtype=np.float64).reshape(-1, n_dimensions)
