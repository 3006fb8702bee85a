"""Segmenters whose segments are boxes, as documents: trees, rules, surrogates and outcomes."""

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xseg.core.embedding import Coding
from xseg.core.segments import Outcome
from xseg.exceptions import ModelFileError, ParameterError
from xseg.export._model_document import (
    BoxDocument,
    CoordinateDocument,
    Count,
    Finite,
    LookupDocument,
    NodeDocument,
    StrictDocument,
    build_bins,
    build_box_model,
    build_embedding,
    build_means,
    build_profile,
    build_tree,
    check,
    configured,
    describe_boxes,
    describe_embedding,
    describe_tree,
    plain,
)
from xseg.segmenters import OutcomeSegmenter, RuleSegmenter, SurrogateSegmenter, TreeSegmenter

__all__ = [
    "OutcomeDocument",
    "RuleDocument",
    "SurrogateDocument",
    "TreeDocument",
    "build_outcome_segmenter",
    "build_rule_segmenter",
    "build_surrogate_segmenter",
    "build_tree_segmenter",
    "describe_outcome_segmenter",
    "describe_rule_segmenter",
    "describe_surrogate_segmenter",
    "describe_tree_segmenter",
]


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


def describe_tree_segmenter(segmenter: TreeSegmenter) -> dict[str, Any]:
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


def build_tree_segmenter(document: TreeDocument) -> TreeSegmenter:
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


class SavedRule(StrictDocument):
    """One rule, as it was read."""

    name: str
    rule: Annotated[str, Field(max_length=100_000)]


class RuleDocument(BoxDocument):
    """A fitted `RuleSegmenter`."""

    kind: Literal["RuleSegmenter"]
    rules: list[SavedRule]


def describe_rule_segmenter(segmenter: RuleSegmenter) -> dict[str, Any]:
    """Return what the document of fitted rules adds to that of any model."""
    return {
        **describe_boxes(segmenter),
        "rules": [{"name": name, "rule": rule} for name, rule in segmenter.rules_],
        # Rules may be given in many forms; in a file they have one.
        "parameters": {"default": segmenter.default, "n_jobs": segmenter.n_jobs},
    }


def build_rule_segmenter(document: RuleDocument) -> RuleSegmenter:
    """Build the segmenter."""
    check("rules" not in document.parameters, "parameters", "rules have a place of their own")
    pairs = [(saved.name, saved.rule) for saved in document.rules]
    segmenter = configured(RuleSegmenter, {**document.parameters, "rules": pairs})
    bins = build_bins(document.columns)
    try:
        rules, layout = segmenter._lay_out(bins)
    except ParameterError as error:
        message = f"rules: {error}"
        raise ModelFileError(message) from None
    check(list(layout.names) == document.segment_names, "segment_names", "are not those of the rules")
    profile = build_profile(document, bins)
    return segmenter._restore(
        rules=rules,
        layout=layout,
        model=build_box_model(document, layout.boxes, profile),
        profile=profile,
        named=document.named,
    )


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


def describe_surrogate_segmenter(segmenter: SurrogateSegmenter) -> dict[str, Any]:
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


def build_surrogate_segmenter(document: SurrogateDocument) -> SurrogateSegmenter:
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


def describe_outcome_segmenter(segmenter: OutcomeSegmenter) -> dict[str, Any]:
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


def build_outcome_segmenter(document: OutcomeDocument) -> OutcomeSegmenter:
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
