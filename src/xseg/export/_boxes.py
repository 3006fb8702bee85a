"""What saved models made of boxes have in common: columns, counts over the segments, patterns over the population."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from xseg.core.bins import Bins
from xseg.core.boxes import Boxes, BoxModel, Patterns
from xseg.core.profiles import Profile
from xseg.export._columns import ColumnDocument, build_counted, describe_bins, describe_counts
from xseg.export._document import Count, Finite, ModelDocument, StrictDocument, check
from xseg.segmenters import BoxSegmenter

__all__ = ["BoxDocument", "PatternDocument", "build_box_model", "build_profile", "describe_boxes"]


class PatternDocument(StrictDocument):
    """How much of the population fails which tests of one box."""

    pattern: list[Count]
    weight: list[Count]


class BoxDocument(ModelDocument):
    """A fitted segmenter whose segments are unions of boxes."""

    columns: Annotated[list[ColumnDocument], Field(min_length=1)]
    named: bool
    segment_names: Annotated[list[str], Field(min_length=1)]
    counts: list[list[list[Count]]]
    weight_unit: Finite
    population: list[PatternDocument]


def describe_boxes(segmenter: BoxSegmenter) -> dict[str, Any]:
    """Return the parts of the document that are about boxes, but for the boxes, which each kind says in its own way."""
    profile = segmenter.profile_
    return {
        "columns": describe_bins(profile.bins),
        "named": hasattr(segmenter, "feature_names_in_"),
        "segment_names": list(segmenter.segment_names_),
        "counts": describe_counts(profile),
        "weight_unit": profile.unit,
        "population": [
            {"pattern": box.pattern.tolist(), "weight": box.weight.tolist()} for box in segmenter.model_.population
        ],
    }


def build_profile(document: BoxDocument, bins: Bins) -> Profile:
    """Build the counts of each segment."""
    return build_counted(document.counts, len(document.segment_names), bins, document.weight_unit)


def build_box_model(document: BoxDocument, boxes: Boxes, profile: Profile) -> BoxModel:
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
