"""Threshold trees as documents."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.boxes import LEAF, ThresholdTree
from xseg.exceptions import ModelFileError
from xseg.export._document import Count, Finite, StrictDocument, check

__all__ = ["NodeDocument", "build_tree", "describe_tree"]


class NodeDocument(StrictDocument):
    """One node of the tree: a cut, or the segment of a leaf."""

    column: Count | None = None
    threshold: Finite | None = None
    categories_left: list[str] | None = None
    missing_left: bool | None = None
    left: Count | None = None
    right: Count | None = None
    segment: Count | None = None


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
    return ThresholdTree(bins, feature, goes_left, left, right, segment).reduced()


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
