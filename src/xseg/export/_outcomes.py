"""`OutcomeSegmenter` as a document: the tree, and what is known of the outcome in each leaf."""

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from xseg.core.segments import Outcome
from xseg.export._boxes import BoxDocument, build_box_model, build_profile, describe_boxes
from xseg.export._columns import build_bins
from xseg.export._document import Finite, StrictDocument, check
from xseg.export._nodes import NodeDocument, build_tree, describe_tree
from xseg.export._parameters import configured, plain
from xseg.segmenters import OutcomeSegmenter

__all__ = ["OutcomeDocument", "build", "describe"]

ClassDocument: TypeAlias = int | Finite | str | bool


class EstimateDocument(StrictDocument):
    """An outcome in one segment; a missing end means that nothing bounds it, a missing estimate that none is known."""

    estimate: Finite | None
    low: Finite | None
    high: Finite | None
    n: Finite
    value: str | None


class OutcomeDocument(BoxDocument):
    """A fitted `OutcomeSegmenter`."""

    kind: Literal["OutcomeSegmenter"]
    nodes: Annotated[list[NodeDocument], Field(min_length=1)]
    outcome_kind: Literal["binary", "number", "categories"]
    classes: list[ClassDocument]
    outcomes: list[list[EstimateDocument]]
    expected: list[list[Finite]]
    expected_of_all: list[Finite]
    gain: Finite
    p_value: Annotated[Finite, Field(ge=0, le=1)]
    mean_depth: Finite


def describe(segmenter: OutcomeSegmenter) -> dict[str, Any]:
    """Return what the document of a fitted segmenter adds to that of any model."""
    return {
        **describe_boxes(segmenter),
        "nodes": describe_tree(segmenter.tree_),
        "outcome_kind": segmenter.outcome_kind_,
        "classes": plain(list(segmenter.classes_)),
        "outcomes": [[_estimate(outcome) for outcome in segment.outcomes] for segment in segmenter.segments_],
        "expected": segmenter._expected.tolist(),
        "expected_of_all": segmenter._expected_of_all.tolist(),
        "gain": segmenter.gain_,
        "p_value": segmenter.p_value_,
        "mean_depth": segmenter.mean_depth_,
    }


def build(document: OutcomeDocument) -> OutcomeSegmenter:
    """Build the segmenter."""
    bins = build_bins(document.columns)
    n_segments = len(document.segment_names)
    tree = build_tree(document.nodes, n_segments, bins)
    profile = build_profile(document, bins)
    n_values = max(1, len(document.classes))
    fits = len(document.expected) == n_segments and all(len(row) == n_values for row in document.expected)
    check(
        fits and len(document.expected_of_all) == n_values, "expected", "needs a number for each segment and category"
    )
    told = n_values if document.outcome_kind == "categories" else 1
    fits = len(document.outcomes) == n_segments and all(len(row) == told for row in document.outcomes)
    check(fits, "outcomes", "needs an estimate for each segment and category")
    return configured(OutcomeSegmenter, document.parameters)._restore(
        tree=tree,
        model=build_box_model(document, tree.boxes().merged(), profile),
        profile=profile,
        names=tuple(document.segment_names),
        kind=document.outcome_kind,
        classes=tuple(document.classes),
        outcomes=[tuple(_outcome(one) for one in row) for row in document.outcomes],
        expected=np.array(document.expected, dtype=np.float64),
        expected_of_all=np.array(document.expected_of_all, dtype=np.float64),
        gain=document.gain,
        p_value=document.p_value,
        mean_depth=document.mean_depth,
        named=document.named,
    )


def _estimate(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: getattr(outcome, name) for name in ("estimate", "low", "high")}
    return {
        **{name: float(number) if np.isfinite(number) else None for name, number in numbers.items()},
        "n": outcome.n,
        "value": outcome.value,
    }


def _outcome(document: EstimateDocument) -> Outcome:
    return Outcome(
        np.nan if document.estimate is None else document.estimate,
        -np.inf if document.low is None else document.low,
        np.inf if document.high is None else document.high,
        document.n,
        document.value,
    )
