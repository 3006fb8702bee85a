"""`RuleSegmenter` as a document: the rules themselves, from which the boxes follow."""

from typing import Annotated, Any, Literal

from pydantic import Field

from xseg.exceptions import ModelFileError, RuleError
from xseg.export._boxes import BoxDocument, build_box_model, build_profile, describe_boxes
from xseg.export._columns import build_bins
from xseg.export._document import StrictDocument, check
from xseg.export._parameters import configured
from xseg.segmenters import RuleSegmenter

__all__ = ["RuleDocument", "build", "describe"]


class SavedRule(StrictDocument):
    """One rule, as it was read."""

    name: str
    rule: Annotated[str, Field(max_length=100_000)]


class RuleDocument(BoxDocument):
    """A fitted `RuleSegmenter`."""

    kind: Literal["RuleSegmenter"]
    rules: list[SavedRule]


def describe(segmenter: RuleSegmenter) -> dict[str, Any]:
    """Return what the document of fitted rules adds to that of any model."""
    return {
        **describe_boxes(segmenter),
        "rules": [{"name": name, "rule": rule} for name, rule in segmenter.rules_],
        # Rules may be given in many forms; in a file they have one.
        "parameters": {"default": segmenter.default, "n_jobs": segmenter.n_jobs},
    }


def build(document: RuleDocument) -> RuleSegmenter:
    """Build the segmenter."""
    check("rules" not in document.parameters, "parameters", "rules have a place of their own")
    pairs = [(saved.name, saved.rule) for saved in document.rules]
    segmenter = configured(RuleSegmenter, {**document.parameters, "rules": pairs})
    bins = build_bins(document.columns)
    try:
        rules, layout = segmenter._lay_out(bins)
    except RuleError as error:
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
