"""What a report says of a model, as data."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xseg.core.bins import N_CODES
from xseg.core.boxes import BoxModel
from xseg.core.conditions import condition_of
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.core.tree import LEAF, ThresholdTree
from xseg.export import fingerprint
from xseg.ink import Figure, Quantity, capitalised, condition_words, figures_of, one_line, other_categories
from xseg.metrics import Structure
from xseg.policy import Policy

__all__ = ["Check", "Node", "ReportFacts", "SegmentFacts", "Trait", "gather"]

_MOST_TRAITS = 6
_LEAST_OFFSET = 0.03
_FAITHFUL = 0.8


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
class Check:
    """Something to look at, or that is well."""

    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything a report says."""

    title: str
    figures: tuple[Figure, ...]
    segments: tuple[SegmentFacts, ...]
    root: Node | None
    written: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...]
    model: str


def gather(segmenter: Any, policy: Policy, found: Structure | None = None) -> ReportFacts:
    """Gather the facts of a fitted segmenter; `found` says whether the people it came from form groups at all."""
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
        figures=figures,
        segments=tuple(_segment(segmenter, policy, index) for index in range(len(segments))),
        written=tuple(getattr(segmenter, "rules_", ())),
        root=_node(segmenter, policy, 0) if hasattr(segmenter, "tree_") else None,
        checks=(*_structure_checks(segmenter, found), *_checks(segmenter, policy)),
        model=fingerprint(segmenter),
    )


def _how_made(model: Any) -> str:
    return f"in {len(model.boxes)} rules" if isinstance(model, BoxModel) else "each person in the one that fits best"


def _label(policy: Policy, name: str) -> str:
    return one_line(policy.feature(name).label or name)


def _quantity(policy: Policy, name: str) -> Quantity:
    feature = policy.feature(name)
    return Quantity(feature.unit, feature.number_format)


def _segment(segmenter: Any, policy: Policy, index: int) -> SegmentFacts:
    segment, profile = segmenter.segments_[index], segmenter.profile_
    ranks = profile.mean_ranks()[index]
    order = np.argsort(-np.abs(ranks - 0.5), kind="stable")
    traits = [
        Trait(
            _label(policy, profile.bins[j].feature.name),
            float(ranks[j]),
            _typical(profile, policy, int(j), index),
            _typical(profile, policy, int(j), None),
        )
        for j in order
        if abs(ranks[j] - 0.5) > _LEAST_OFFSET and profile.bins[j].feature.kind is not Kind.CATEGORY
    ]
    return SegmentFacts(
        index=index,
        name=segment.name,
        size=f"{segment.size:,.0f}",
        share=segment.share,
        rules=tuple(map(str, segment.rules)) or (segment.rule,),
        traits=tuple(traits[:_MOST_TRAITS]),
        too_small=segment.size < policy.minimum_group_size,
    )


def _typical(profile: Profile, policy: Policy, j: int, segment: int | None) -> str:
    """Say where the middle person is, to the nearest threshold below: never somebody's own value."""
    bins, code = profile.bins[j], profile.typical(j, segment)
    if code >= bins.n_codes:
        return "not known"
    inside = np.zeros(N_CODES, dtype=bool)
    inside[code] = True
    condition, quantity = condition_of(bins, inside), _quantity(policy, bins.feature.name)
    if bins.feature.kind is Kind.NUMBER and condition.lower is not None:
        return f"about {quantity.with_unit(quantity.exact(condition.lower), condition.lower)}"
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
    return Node(capitalised(_label(policy, name)), tuple(branches), None, people)


def _checks(segmenter: Any, policy: Policy) -> list[Check]:
    names = segmenter.profile_.bins.schema.names
    used = [names[j] for j in segmenter.model_.used_features]
    small = [segment.name for segment in segmenter.segments_ if segment.size < policy.minimum_group_size]
    unstated = [_label(policy, name) for name in used if policy.feature(name).source is None]
    sensitive = [_label(policy, name) for name in used if policy.feature(name).sensitive]
    least = policy.minimum_group_size
    return [
        *_stand_in_checks(segmenter),
        _check(small, f"Every group has at least {least} people.", f"Groups with fewer than {least} people"),
        _check(unstated, "The source of every feature asked about is stated.", "No source is stated for"),
        _check(sensitive, "No feature marked sensitive is asked about.", "Sensitive features are asked about"),
        Check(
            policy.controller is not None,
            "It is stated who answers for the model."
            if policy.controller
            else "It is not stated who answers for the model.",
        ),
        Check(True, f"{len(used)} of {len(names)} columns are asked about; the others are not needed to place anyone."),
    ]


def _structure_checks(segmenter: Any, found: Structure | None) -> list[Check]:
    """Say whether there is something to find: among the people, or in the outcome that segments were made for."""
    checks = [] if found is None else [Check(found.found, str(found))]
    if hasattr(segmenter, "structure_found_"):
        tested = f"tested on people who had no part in choosing the groups, p = {segmenter.p_value_:.2g}"
        differs = segmenter.structure_found_
        sentence = (
            "The outcome differs between groups" if differs else "No structure found: the outcome does not differ"
        )
        checks.append(Check(differs, f"{sentence} ({tested})."))
    return checks


def _stand_in_checks(segmenter: Any) -> list[Check]:
    """Say how well a stand-in stands in; nothing for a model that is its own."""
    if not hasattr(segmenter, "fidelity_by_segment_"):
        return []
    original = one_line(segmenter.original_name_)
    weak = [
        f"{_group_name(segmenter, one)} ({one.recall:.0%} found)"
        for one in segmenter.fidelity_by_segment_
        if min(one.recall, one.precision or 0.0) < _FAITHFUL
    ]
    return [
        Check(True, f"The rules stand in for another method ({original}), and are exact for themselves only."),
        _check(
            weak,
            f"Every group of the original is met by {_FAITHFUL:.0%} or more, both ways.",
            f"Groups of the original that are met by less than {_FAITHFUL:.0%}",
        ),
    ]


def _group_name(segmenter: Any, one: Any) -> str:
    return str(segmenter.segment_names_[one.segment]) if one.segment is not None else f"{one.label!r}, without a rule"


def _check(found: list[str], well: str, otherwise: str) -> Check:
    return Check(not found, f"{otherwise}: {', '.join(map(one_line, found))}." if found else well)
