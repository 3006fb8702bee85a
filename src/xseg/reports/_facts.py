"""What a report says of a model, as data."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xseg.core.bins import N_CODES
from xseg.core.boxes import LEAF, BoxModel, ThresholdTree
from xseg.core.conditions import condition_of
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.export import Approval
from xseg.ink import Figure, Quantity, condition_words, figures_of, language_of, other_categories
from xseg.policy import Policy
from xseg.reports._checks import Check, Measured, checks_of, label_of
from xseg.reports._overview import Curve, Overview, curve_of, overview_of
from xseg.reports._standing import standing_words

__all__ = ["Node", "ReportFacts", "SegmentFacts", "Trait", "gather", "segment_facts"]

_MAX_TRAITS = 6
_MIN_OFFSET = 0.03


@dataclass(frozen=True, slots=True)
class Trait:
    """A feature in which a group differs: where its people rank on average, and its middle value."""

    label: str
    rank: float
    typical: str
    everyone: str


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """One group."""

    index: int
    name: str
    size: str
    share: float
    rules: tuple[str, ...]
    traits: tuple[Trait, ...]
    too_small: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A question and its two branches, or a leaf."""

    question: str | None
    branches: tuple[tuple[str, "Node"], ...]
    segment: int | None
    people: str


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything a report says."""

    title: str
    approved: bool
    standing: tuple[str, ...]
    figures: tuple[Figure, ...]
    segments: tuple[SegmentFacts, ...]
    root: Node | None
    written: tuple[tuple[str, str], ...]
    overview: Overview | None
    curve: Curve | None
    checks: tuple[Check, ...]
    model: str


def gather(segmenter: Any, policy: Policy, measured: Measured, approval: Approval) -> ReportFacts:
    """Gather the facts of a fitted segmenter, of what was measured of it, and of who signed for it."""
    segments = segmenter.segments_
    people = segmenter.profile_.sizes.sum()
    groups = Figure(str(len(segments)), "groups", _how_made(segmenter.model_))
    figures = (
        Figure(f"{people:,.0f}", "people", "in the table the model was made from"),
        groups,
        *figures_of(segmenter),
    )
    return ReportFacts(
        title=f"{people:,.0f} people in {len(segments)} groups",
        approved=approval.state == "approved",
        standing=standing_words(approval),
        figures=figures,
        segments=tuple(segment_facts(segmenter, policy, index) for index in range(len(segments))),
        written=tuple(getattr(segmenter, "rules_", ())),
        root=_node(segmenter, policy, 0) if hasattr(segmenter, "tree_") else None,
        overview=overview_of(segmenter, lambda name: label_of(policy, name)),
        curve=None if measured.tradeoff is None else curve_of(measured.tradeoff),
        checks=checks_of(segmenter, policy, measured),
        model=approval.fingerprint,
    )


def _how_made(model: Any) -> str:
    return f"in {len(model.boxes)} rules" if isinstance(model, BoxModel) else "each person in the one that fits best"


def _quantity(policy: Policy, name: str) -> Quantity:
    feature = policy.feature(name)
    return Quantity(feature.unit, feature.number_format)


def segment_facts(segmenter: Any, policy: Policy, index: int) -> SegmentFacts:
    """Gather the facts of one group."""
    segment, profile = segmenter.segments_[index], segmenter.profile_
    ranks = profile.mean_ranks()[index]
    order = np.argsort(-np.abs(ranks - 0.5), kind="stable")
    traits = [
        Trait(
            label_of(policy, profile.bins[j].feature.name),
            float(ranks[j]),
            _typical(profile, policy, int(j), index),
            _typical(profile, policy, int(j), None),
        )
        for j in order
        if abs(ranks[j] - 0.5) > _MIN_OFFSET and profile.bins[j].feature.kind is not Kind.CATEGORY
    ]
    return SegmentFacts(
        index=index,
        name=segment.name,
        size=f"{segment.size:,.0f}",
        share=segment.share,
        rules=tuple(map(str, segment.rules)) or (segment.rule,),
        traits=tuple(traits[:_MAX_TRAITS]),
        too_small=segment.size < policy.minimum_group_size,
    )


def _typical(profile: Profile, policy: Policy, j: int, segment: int | None) -> str:
    """Return where the middle person is, to the nearest threshold below: never somebody's own value."""
    bins, code = profile.bins[j], profile.typical(j, segment)
    if code >= bins.n_codes:
        return "not known"
    inside = np.zeros(N_CODES, dtype=bool)
    inside[code] = True
    condition, quantity = condition_of(bins, inside), _quantity(policy, bins.feature.name)
    if bins.feature.kind is Kind.NUMBER and condition.lower is not None:
        return f"about {quantity.exact(condition.lower)}"
    return condition_words(condition, quantity, other_categories(condition, bins))


def _node(segmenter: Any, policy: Policy, node: int) -> Node:
    tree: ThresholdTree = segmenter.tree_
    people = f"{segmenter.profile_.sizes[tree.segment[node]]:,.0f}" if tree.feature[node] == LEAF else ""
    if tree.feature[node] == LEAF:
        return Node(None, (), int(tree.segment[node]), people)
    bins = tree.bins[tree.feature[node]]
    name = bins.feature.name
    branches = []
    for inside, child in ((tree.goes_left[node], tree.left[node]), (~tree.goes_left[node], tree.right[node])):
        condition = condition_of(bins, inside)
        words = condition_words(condition, _quantity(policy, name), other_categories(condition, bins))
        branches.append((words, _node(segmenter, policy, int(child))))
    return Node(language_of().capitalised(label_of(policy, name)), tuple(branches), None, people)
