"""What is well with a model, and what to look at."""

from dataclasses import dataclass
from typing import Any

from xseg.ink import found_words, language_of, one_line
from xseg.metrics import Stability, Structure, Tradeoff
from xseg.policy import Policy

__all__ = ["Check", "Measured", "checks_of", "label_of"]

_FAITHFUL = 0.8
_COMES_BACK = 0.75
_FROM_PARTNERS = frozenset({"second-party", "third-party"})


@dataclass(frozen=True, slots=True)
class Measured:
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


def checks_of(segmenter: Any, policy: Policy, measured: Measured) -> tuple[Check, ...]:
    """Check a model against its policy and its measurements."""
    return (
        *_structure_checks(segmenter, measured.structure),
        *_stability_checks(measured.stability),
        *_of_the_policy(segmenter, policy),
    )


def label_of(policy: Policy, name: str) -> str:
    """Return the label of a feature."""
    return one_line(policy.feature(name).label or name)


def _stability_checks(stability: Stability | None) -> list[Check]:
    if stability is None:
        return []
    weak = [f"{one.name} ({one.jaccard:.0%})" for one in stability.segments if one.jaccard < _COMES_BACK]
    well = "Every group comes back when other people are asked."
    return [_check(weak, well, "Groups of which less than 75% comes back when other people are asked")]


def _of_the_policy(segmenter: Any, policy: Policy) -> list[Check]:
    names = segmenter.profile_.bins.schema.names
    used = [names[j] for j in segmenter.model_.used_features]
    small = [segment.name for segment in segmenter.segments_ if segment.size < policy.minimum_group_size]
    unstated = [label_of(policy, name) for name in used if policy.feature(name).source is None]
    sensitive = [label_of(policy, name) for name in used if policy.feature(name).sensitive]
    bought = [label_of(policy, name) for name in used if policy.feature(name).source in _FROM_PARTNERS]
    tag = language_of(policy.locale).tag
    hints = [segment.name for segment in segmenter.segments_ if found_words(segment.name, tag).special]
    least = policy.minimum_group_size
    return [
        *_stand_in_checks(segmenter),
        _check(small, f"Every group has at least {least} people.", f"Groups with fewer than {least} people"),
        _check(unstated, "The source of every feature asked about is stated.", "No source is stated for"),
        _check(sensitive, "No feature marked sensitive is asked about.", "Sensitive features are asked about"),
        _check(bought, "Nothing asked about comes from partners.", "What partners supplied is asked about"),
        _check(hints, "No name hints at a special category of data.", "Names hint at special categories of data"),
        Check(
            policy.controller is not None,
            "It is stated who answers for the model."
            if policy.controller
            else "It is not stated who answers for the model.",
        ),
        Check(True, f"{len(used)} of {len(names)} columns are asked about; the others are not needed to place anyone."),
    ]


def _structure_checks(segmenter: Any, found: Structure | None) -> list[Check]:
    """Return whether there is something to find: among the people, or in the outcome that segments were made for."""
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
    """Return how well a stand-in stands in; nothing for a model that is its own."""
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
