"""`TreeSegmenter` as a document."""

from typing import Annotated, Any, Literal

from pydantic import Field

from xseg.core.embedding import Coding
from xseg.export._boxes import BoxDocument, build_box_model, build_profile, describe_boxes
from xseg.export._columns import build_bins
from xseg.export._document import Finite, check
from xseg.export._nodes import NodeDocument, build_tree, describe_tree
from xseg.export._parameters import configured
from xseg.export._space import (
    CoordinateDocument,
    LookupDocument,
    build_embedding,
    build_means,
    describe_embedding,
)
from xseg.segmenters import TreeSegmenter

__all__ = ["TreeDocument", "build", "describe"]


class TreeDocument(BoxDocument):
    """A fitted `TreeSegmenter`."""

    kind: Literal["TreeSegmenter"]
    coordinates: list[CoordinateDocument]
    lookups: list[LookupDocument]
    nodes: Annotated[list[NodeDocument], Field(min_length=1)]
    means: list[list[Finite]]
    cost: Finite
    reference_cost: Finite
    mean_depth: Finite


def describe(segmenter: TreeSegmenter) -> dict[str, Any]:
    """Return what the document of a fitted tree adds to that of any model."""
    return {
        **describe_boxes(segmenter),
        **describe_embedding(segmenter.coding_.embedding, segmenter.profile_.bins),
        "nodes": describe_tree(segmenter.tree_),
        "means": segmenter.means_.tolist(),
        "cost": segmenter.cost_,
        "reference_cost": segmenter.reference_cost_,
        "mean_depth": segmenter.mean_depth_,
    }


def build(document: TreeDocument) -> TreeSegmenter:
    """Build the segmenter."""
    bins = build_bins(document.columns)
    n_segments = len(document.segment_names)
    tree = build_tree(document.nodes, n_segments, bins)
    profile = build_profile(document, bins)
    check(bool((profile.sizes > 0).all()), "counts", "a segment is empty")
    embedding = build_embedding(document.coordinates, document.lookups, bins)
    return configured(TreeSegmenter, document.parameters)._restore(
        tree=tree,
        model=build_box_model(document, tree.boxes().merged(), profile),
        profile=profile,
        coding=Coding(bins, embedding),
        means=build_means(document.means, n_segments, embedding),
        names=tuple(document.segment_names),
        costs=(document.cost, document.reference_cost),
        mean_depth=document.mean_depth,
        named=document.named,
    )
