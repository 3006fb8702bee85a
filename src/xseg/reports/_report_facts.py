"""What a report says of a model, as data: figures, groups, rules, pictures, checks and approval."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from xseg.core.bins import N_CODES
from xseg.core.boxes import LEAF
from xseg.core.conditions import make_condition
from xseg.core.schema import Kind
from xseg.core.segments import SegmentProfile
from xseg.export import Approval, SignOff
from xseg.i18n import Quantity, condition_words, find_words, load_language, one_line, other_categories
from xseg.metrics import Stability, Structure, Tradeoff
from xseg.policy import Policy
from xseg.segmenters import FittedSegmenter, FittedSurrogate, FittedTree, TestedSegmenter, check_segmenter

__all__ = [
    "Check",
    "Curve",
    "Figure",
    "Measurements",
    "Node",
    "RankMap",
    "ReportFacts",
    "SegmentFacts",
    "Trait",
    "approval_words",
    "build_rank_map",
    "check_model",
    "collect_report_facts",
    "compute_figures",
    "draw_curve",
    "get_label",
    "segment_facts",
]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it counts, and how to read it."""

    value: str
    what: str
    how: str


def format_relative_cost(ratio: float) -> str:
    """Write a relative cost as the difference from that of the reference, such as ``+5.2%``."""
    return f"{ratio - 1:+.1%}"


_FIGURES: Final[tuple[tuple[str, Callable[[float], str], str, str], ...]] = (
    ("fidelity_", "{:.1%}".format, "fidelity", "the share of people whom the original puts into the same group"),
    ("mean_depth_", "{:.1f}".format, "questions", "asked per person, on average"),
    ("relative_cost_", format_relative_cost, "cost", "the sum of squared distances, compared with k-means"),
    ("lower_bound_", "{:.3f}".format, "mean log-likelihood", "of the people in the table; higher fits better"),
)


def compute_figures(segmenter: FittedSegmenter) -> list[Figure]:
    """Return the figures a fitted segmenter has.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> [figure.what for figure in compute_figures(segmenter)]
    ['questions', 'cost']
    """
    checked = check_segmenter(segmenter)
    return [
        Figure(write(getattr(checked, name)), what, how)
        for name, write, what, how in _FIGURES
        if hasattr(checked, name)
    ]


_FAITHFUL = 0.8
_COMES_BACK = 0.75
_FROM_PARTNERS = frozenset({"second-party", "third-party"})


@dataclass(frozen=True, slots=True)
class Measurements:
    """What was measured of a model besides itself; None where it was not.

    Attributes
    ----------
    structure : Structure or None
        Whether the people form groups at all.
    stability : Stability or None
        Whether the groups come back when others are asked.
    tradeoff : Tradeoff or None
        What more or fewer rules would cost.
    """

    structure: Structure | None = None
    stability: Stability | None = None
    tradeoff: Tradeoff | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at, or that is well."""

    passed: bool
    sentence: str


def check_model(segmenter: FittedSegmenter, policy: Policy, measured: Measurements) -> tuple[Check, ...]:
    """Check a model against its policy and its measurements."""
    return (
        *_structure_checks(segmenter, measured.structure),
        *_stability_checks(measured.stability),
        *_policy_checks(segmenter, policy),
    )


def get_label(policy: Policy, name: str) -> str:
    """Return the label of a feature."""
    return one_line(policy.feature(name).label or name)


def _stability_checks(stability: Stability | None) -> list[Check]:
    if stability is None:
        return []
    weak = [f"{one.name} ({one.jaccard:.0%})" for one in stability.segments if one.jaccard < _COMES_BACK]
    well = "Every group comes back when other people are asked."
    return [_make_check(weak, well, "Groups of which less than 75% comes back when other people are asked")]


def _policy_checks(segmenter: FittedSegmenter, policy: Policy) -> list[Check]:
    names = segmenter.profile_.bins.schema.names
    used = [names[j] for j in segmenter.model_.used_features]
    small = [segment.name for segment in segmenter.segments_ if segment.size < policy.minimum_group_size]
    unstated = [get_label(policy, name) for name in used if policy.feature(name).source is None]
    sensitive = [get_label(policy, name) for name in used if policy.feature(name).sensitive]
    bought = [get_label(policy, name) for name in used if policy.feature(name).source in _FROM_PARTNERS]
    tag = load_language(policy.locale).tag
    hints = [segment.name for segment in segmenter.segments_ if find_words(segment.name, tag).special]
    least = policy.minimum_group_size
    return [
        *_stand_in_checks(segmenter),
        _make_check(small, f"Every group has at least {least} people.", f"Groups with fewer than {least} people"),
        _make_check(unstated, "The source of every feature asked about is stated.", "No source is stated for"),
        _make_check(sensitive, "No feature marked sensitive is asked about.", "Sensitive features are asked about"),
        _make_check(bought, "Nothing asked about comes from partners.", "What partners supplied is asked about"),
        _make_check(hints, "No name hints at a special category of data.", "Names hint at special categories of data"),
        Check(
            policy.controller is not None,
            "It is stated who answers for the model."
            if policy.controller
            else "It is not stated who answers for the model.",
        ),
        Check(True, f"{len(used)} of {len(names)} columns are asked about; the others are not needed to place anyone."),
    ]


def _structure_checks(segmenter: FittedSegmenter, found: Structure | None) -> list[Check]:
    """Return whether there is something to find: among the people, or in the outcome that segments were made for."""
    checks = [] if found is None else [Check(found.found, str(found))]
    if isinstance(segmenter, TestedSegmenter):
        tested = f"tested on people who had no part in choosing the groups, p = {segmenter.p_value_:.2g}"
        differs = segmenter.structure_found_
        sentence = (
            "The outcome differs between groups" if differs else "No structure found: the outcome does not differ"
        )
        checks.append(Check(differs, f"{sentence} ({tested})."))
    return checks


def _stand_in_checks(segmenter: FittedSegmenter) -> list[Check]:
    """Return how well a stand-in stands in; nothing for a model that is its own."""
    if not isinstance(segmenter, FittedSurrogate):
        return []
    original = one_line(segmenter.original_name_)
    weak = [
        f"{_group_name(segmenter, one)} ({one.recall:.0%} found)"
        for one in segmenter.fidelity_by_segment_
        if min(one.recall, one.precision or 0.0) < _FAITHFUL
    ]
    return [
        Check(True, f"The rules stand in for another method ({original}), and are exact for themselves only."),
        _make_check(
            weak,
            f"Every group of the original is met by {_FAITHFUL:.0%} or more, both ways.",
            f"Groups of the original that are met by less than {_FAITHFUL:.0%}",
        ),
    ]


def _group_name(segmenter: FittedSegmenter, one: Any) -> str:
    return str(segmenter.segment_names_[one.segment]) if one.segment is not None else f"{one.label!r}, without a rule"


def _make_check(found: list[str], well: str, otherwise: str) -> Check:
    return Check(not found, f"{otherwise}: {', '.join(map(one_line, found))}." if found else well)


_SIGNED = {"draft": "taken back", "reviewed": "reviewed", "approved": "approved"}


def approval_words(approval: Approval) -> tuple[str, ...]:
    """Write whether a model is approved, and then who signed for it, when, until when and on which review."""
    return (_heading(approval), *(_describe_sign_off(sign_off) for sign_off in reversed(approval.counting)))


def _heading(approval: Approval) -> str:
    if approval.state == "approved":
        return "This model is approved."
    if approval.state == "reviewed":
        return "This model is not approved. It was reviewed."
    nobody = " Nobody has signed for it." if not approval.counting else ""
    return f"This model is not approved. It is a draft.{nobody}"


def _describe_sign_off(sign_off: SignOff) -> str:
    until = "" if sign_off.expires is None else f", until {_day(date.fromisoformat(sign_off.expires))}"
    review = f"{sign_off.review[:4]}-{sign_off.review[4:8]}"
    what = _SIGNED[sign_off.state].capitalize()
    return f"{what} by {one_line(sign_off.by)} on {_day(sign_off.day)}{until}, on review {review}."


def _day(day: date) -> str:
    return load_language().date(day)


_MAX_COLUMNS = 8
_MIN_SPREAD = 0.06
_WIDTH, _HEIGHT = 600.0, 220.0


@dataclass(frozen=True, slots=True)
class RankMap:
    """Where the people of each group rank on average, 0 to 1, in the features that tell groups apart the most."""

    features: tuple[str, ...]
    ranks: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The relative cost by the number of rules, drawn into 600 by 220 units."""

    points: tuple[tuple[float, float, int, str, bool], ...]
    line: str
    elbow: int


def build_rank_map(segmenter: FittedSegmenter, label: Callable[[str], str]) -> RankMap | None:
    """Gather the map of a model; None where no number tells its groups apart."""
    profile = segmenter.profile_
    ranks = profile.mean_ranks()
    ordered = [j for j, bins in enumerate(profile.bins.features) if bins.feature.kind is not Kind.CATEGORY]
    spread = ranks.max(axis=0) - ranks.min(axis=0)
    chosen = [j for j in sorted(ordered, key=lambda j: -spread[j]) if spread[j] > _MIN_SPREAD][:_MAX_COLUMNS]
    if not chosen or len(ranks) < 2:
        return None
    return RankMap(
        tuple(label(profile.bins[j].feature.name) for j in chosen),
        tuple(tuple(float(rank) for rank in line) for line in ranks[:, chosen]),
    )


def draw_curve(tradeoff: Tradeoff) -> Curve:
    """Draw the curve of cost against rules."""
    leaves = np.array([point.leaves for point in tradeoff.points], dtype=np.float64)
    costs = np.array([point.relative_cost for point in tradeoff.points])
    x = _scale_to_unit(leaves) * _WIDTH
    y = (1 - _scale_to_unit(costs)) * _HEIGHT
    points = tuple(
        (
            float(left),
            float(top),
            point.leaves,
            format_relative_cost(point.relative_cost),
            point.leaves == tradeoff.elbow,
        )
        for left, top, point in zip(x, y, tradeoff.points, strict=True)
    )
    return Curve(points, " ".join(f"{left:.1f},{top:.1f}" for left, top, *_ in points), tradeoff.elbow)


def _scale_to_unit(values: Any) -> Any:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)


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
    rank_map: RankMap | None
    curve: Curve | None
    checks: tuple[Check, ...]
    model: str


def collect_report_facts(
    segmenter: FittedSegmenter, policy: Policy, measured: Measurements, approval: Approval
) -> ReportFacts:
    """Gather the facts of a fitted segmenter, of what was measured of it, and of who signed for it."""
    segments = segmenter.segments_
    people = segmenter.profile_.sizes.sum()
    groups = Figure(str(len(segments)), "groups", _describe_model(segmenter))
    figures = (
        Figure(f"{people:,.0f}", "people", "in the table the model was made from"),
        groups,
        *compute_figures(segmenter),
    )
    return ReportFacts(
        title=f"{people:,.0f} people in {len(segments)} groups",
        approved=approval.state == "approved",
        standing=approval_words(approval),
        figures=figures,
        segments=tuple(segment_facts(segmenter, policy, index) for index in range(len(segments))),
        written=tuple(getattr(segmenter, "rules_", ())),
        root=_node(segmenter, policy, 0) if isinstance(segmenter, FittedTree) else None,
        rank_map=build_rank_map(segmenter, lambda name: get_label(policy, name)),
        curve=None if measured.tradeoff is None else draw_curve(measured.tradeoff),
        checks=check_model(segmenter, policy, measured),
        model=approval.fingerprint,
    )


def _describe_model(segmenter: FittedSegmenter) -> str:
    boxes = segmenter.model_.boxes
    return "each person in the one that fits best" if boxes is None else f"in {len(boxes)} rules"


def _quantity(policy: Policy, name: str) -> Quantity:
    feature = policy.feature(name)
    return Quantity(feature.unit, feature.number_format)


def segment_facts(segmenter: FittedSegmenter, policy: Policy, index: int) -> SegmentFacts:
    """Gather the facts of one group."""
    segment, profile = segmenter.segments_[index], segmenter.profile_
    ranks = profile.mean_ranks()[index]
    order = np.argsort(-np.abs(ranks - 0.5), kind="stable")
    traits = [
        Trait(
            get_label(policy, profile.bins[j].feature.name),
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


def _typical(profile: SegmentProfile, policy: Policy, j: int, segment: int | None) -> str:
    """Return where the middle person is, to the nearest threshold below: never somebody's own value."""
    bins, code = profile.bins[j], profile.typical(j, segment)
    if code >= bins.n_codes:
        return "not known"
    inside = np.zeros(N_CODES, dtype=bool)
    inside[code] = True
    condition, quantity = make_condition(bins, inside), _quantity(policy, bins.feature.name)
    if bins.feature.kind is Kind.NUMBER and condition.lower is not None:
        return f"about {quantity.exact(condition.lower)}"
    return condition_words(condition, quantity, other_categories(condition, bins))


def _node(segmenter: FittedTree, policy: Policy, node: int) -> Node:
    tree = segmenter.tree_
    people = f"{segmenter.profile_.sizes[tree.segment[node]]:,.0f}" if tree.feature[node] == LEAF else ""
    if tree.feature[node] == LEAF:
        return Node(None, (), int(tree.segment[node]), people)
    bins = tree.bins[tree.feature[node]]
    name = bins.feature.name
    branches = []
    for inside, child in ((tree.goes_left[node], tree.left[node]), (~tree.goes_left[node], tree.right[node])):
        condition = make_condition(bins, inside)
        words = condition_words(condition, _quantity(policy, name), other_categories(condition, bins))
        branches.append((words, _node(segmenter, policy, int(child))))
    return Node(load_language().capitalise(get_label(policy, name)), tuple(branches), None, people)
