"""`SurrogateSegmenter` as a document: the stand-in and how faithful it is, without the original."""

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xseg.export._boxes import BoxDocument, build_box_model, build_profile, describe_boxes
from xseg.export._columns import build_bins
from xseg.export._document import Count, Finite, check
from xseg.export._nodes import NodeDocument, build_tree, describe_tree
from xseg.export._parameters import configured, plain
from xseg.segmenters import SurrogateSegmenter

__all__ = ["SurrogateDocument", "build", "describe"]

LabelDocument: TypeAlias = int | Finite | str | bool | None


class SurrogateDocument(BoxDocument):
    """A fitted `SurrogateSegmenter`.

    `labels` are those of the original, `groups` which of them each segment stands for, and `confusion` how many people
    of each segment the original gives each label.
    """

    kind: Literal["SurrogateSegmenter"]
    nodes: Annotated[list[NodeDocument], Field(min_length=1)]
    original_name: str
    labels: Annotated[list[LabelDocument], Field(min_length=1, max_length=255)]
    noise: Count | None
    groups: list[Count]
    confusion: list[list[Count]]
    mean_depth: Finite


def describe(segmenter: SurrogateSegmenter) -> dict[str, Any]:
    """Return what the document of a fitted stand-in adds to that of any model."""
    parameters = segmenter.get_params(deep=False)
    return {
        **describe_boxes(segmenter),
        # The original stays where it is; the name says what it was.
        "parameters": {name: plain(value) for name, value in parameters.items() if name != "estimator"},
        "nodes": describe_tree(segmenter.tree_),
        "original_name": segmenter.original_name_,
        "labels": list(segmenter._groups.labels),
        "noise": segmenter._groups.noise,
        "groups": segmenter._stands_for.tolist(),
        "confusion": segmenter._confusion.tolist(),
        "mean_depth": segmenter.mean_depth_,
    }


def build(document: SurrogateDocument) -> SurrogateSegmenter:
    """Build the segmenter; the original is not part of it, so `agreement` needs to be told what it says."""
    check("estimator" not in document.parameters, "parameters", "the original is never part of a file")
    bins = build_bins(document.columns)
    tree = build_tree(document.nodes, len(document.segment_names), bins)
    profile = build_profile(document, bins)
    check(bool((profile.sizes > 0).all()), "counts", "a segment is empty")
    _check_labels(document)
    segmenter = configured(SurrogateSegmenter, document.parameters)
    segmenter.estimator_, segmenter.original_name_ = None, document.original_name
    return segmenter._restore(
        tree=tree,
        model=build_box_model(document, tree.boxes().merged(), profile),
        profile=profile,
        names=tuple(document.segment_names),
        labels=tuple(document.labels),
        noise=document.noise,
        stands_for=document.groups,
        confusion=_confusion(document, profile.counts[:, 0].sum(axis=1)),
        mean_depth=document.mean_depth,
        named=document.named,
    )


def _check_labels(document: SurrogateDocument) -> None:
    n_labels = len(document.labels)
    check(len({(type(label), label) for label in document.labels}) == n_labels, "labels", "repeat themselves")
    check(document.noise is None or document.noise == n_labels - 1, "noise", "must be the last label")
    fits = len(document.groups) == len(document.segment_names) and all(group < n_labels for group in document.groups)
    check(fits, "groups", "needs one label for each segment")
    check(sorted(set(document.groups)) == document.groups, "groups", "must be in the order of the labels")


def _confusion(document: SurrogateDocument, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    n_segments, n_labels = len(document.segment_names), len(document.labels)
    fits = len(document.confusion) == n_segments and all(len(row) == n_labels for row in document.confusion)
    check(fits, "confusion", "needs a number for each segment and label")
    check([sum(row) for row in document.confusion] == sizes.tolist(), "confusion", "contradicts the counts")
    return np.array(document.confusion, dtype=np.int64)
