"""Groups of people: how large, how they are spread over segments, and what is said of few."""

from collections.abc import Iterator
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from xseg.core.boxes import BoxModel
from xseg.core.schema import Kind
from xseg.core.tables import Column
from xseg.governance.reviews._findings import Found, percent
from xseg.governance.reviews._subject import HeldOut, Subject
from xseg.i18n import find_words, load_language

__all__ = [
    "anonymity_of_prototypes",
    "anonymity_of_rules",
    "group_rates",
    "small_groups",
    "special_categories",
    "wilson",
]

_Z: Final = 1.959963984540054
_ERROR: Final = 0.05
_FOUR_FIFTHS: Final = 0.8
_MAX_CATEGORIES: Final = 12


def small_groups(subject: Subject) -> Iterator[Found]:
    """Find segments of fewer people than the policy allows."""
    least = subject.policy.minimum_group_size
    for segment in subject.segmenter.segments_:
        if segment.size < least:
            message = f"{segment.name!r} has {segment.size:,.0f} people; the least allowed is {least:,}."
            mend = f"fit with min_segment_size={least}, or with fewer segments"
            yield Found("error", f"segment {segment.name}", message, mend, {"size": segment.size, "least": least})


def anonymity_of_rules(subject: Subject) -> Iterator[Found]:
    """Find rules that fit fewer people than a group must have, though the segment has enough.

    Where there are fewer people than the model was made from, their number is scaled up.
    """
    if not isinstance(subject.segmenter.model_, BoxModel):
        return
    assert subject.table is not None
    least, table = subject.policy.minimum_group_size, subject.table
    scale = max(1.0, float(subject.segmenter.profile_.sizes.sum()) / len(table))
    columns = {column.name: column for column in table.columns}
    for segment in subject.segmenter.segments_:
        for rule in segment.rules if len(segment.rules) > 1 else ():
            people = int(rule.holds(columns, len(table)).sum() * scale)
            if people < least:
                message = f"A rule of {segment.name!r} fits {people:,} people; the least allowed is {least:,}: {rule}."
                evidence = {"people": people, "least": least, "rule": str(rule)}
                mend = f"fit with min_segment_size={least}"
                yield Found("error", f"segment {segment.name}", message, mend, evidence)


def anonymity_of_prototypes(subject: Subject) -> Iterator[Found]:
    """Find prototypes that sum up fewer people than a group must have."""
    members, least = getattr(subject.segmenter, "min_members", None), subject.policy.minimum_group_size
    has_prototypes = hasattr(subject.segmenter, "prototypes_")
    if has_prototypes and members is not None and members < least:
        message = f"A prototype sums up at least {members:,} people; the least allowed is {least:,}."
        yield Found("warning", "prototypes", message, f"fit with min_members={least}", {"members": members})


def special_categories(subject: Subject) -> Iterator[Found]:
    """Find sensitive columns that place people, and columns that look sensitive and are not marked."""
    tag = load_language(subject.policy.locale).tag
    for name in subject.used:
        feature = subject.feature(name)
        where = f"features.{name}"
        if feature.sensitive:
            agreed = [subject.policy.purposes[p].legal_basis == "consent" for p in feature.purposes]
            message = f"{subject.label(name)} is marked sensitive and places people"
            if agreed and all(agreed):
                yield Found(
                    "warning", where, f"{message}, by consent.", "check that the consent is explicit (GDPR 9(2)(a))"
                )
            else:
                yield Found("error", where, f"{message} without consent.", f"fit with forbid=[{name!r}]")
            continue
        hints = find_words(f"{name.replace('_', ' ')} {feature.label}", tag).special
        if hints:
            message = f"{subject.label(name)} hints at a special category of data and is not marked sensitive."
            yield Found("warning", where, message, f"state features.{name}.sensitive: true", {"words": list(hints)})


def group_rates(subject: Subject) -> Iterator[Found]:
    """Return how people of each group are spread over the segments, with intervals; small groups are left out."""
    unseen = subject.unseen
    if unseen is None:
        return
    for name in subject.sensitive:
        column = next(column for column in unseen.rows.columns if column.name == name)
        groups = _groups_of(column, subject.policy.minimum_group_size)
        if len(groups) < 2:
            continue
        # Intervals that hold together decide, so that many groups and segments raise no false alarm.
        z = NormalDist().inv_cdf(1 - _ERROR / (2 * len(groups) * len(unseen.names)))
        for index, segment in enumerate(unseen.names):
            inside = {group: unseen.labels[rows] == index for group, rows in groups.items()}
            yield _rates(subject, unseen, f"segment {segment} and {name}", name, segment, inside, z)


def _rates(
    subject: Subject,
    unseen: HeldOut,
    where: str,
    sensitive: str,
    segment: str,
    inside: dict[str, NDArray[np.bool_]],
    z: float,
) -> Found:
    rates = {group: _rate(held) for group, held in inside.items()}
    order = sorted(rates, key=lambda group: rates[group]["rate"])
    least, most = order[0], order[-1]
    _, ends = wilson(int(inside[least].sum()), len(inside[least]), z)
    begins, _ = wilson(int(inside[most].sum()), len(inside[most]), z)
    apart = ends < begins and rates[least]["rate"] < _FOUR_FIFTHS * rates[most]["rate"]
    message = (
        f"Of {subject.label(sensitive)}, {percent(rates[least]['rate'])} of {least!r} and "
        f"{percent(rates[most]['rate'])} of {most!r} are in {segment!r}."
    )
    mend = "look at what follows from being in this segment" if apart else ""
    return Found("warning" if apart else "note", where, message, mend, {"rates": rates, "how": unseen.how})


def _rate(held: NDArray[np.bool_]) -> dict[str, float]:
    low, high = wilson(int(held.sum()), len(held))
    return {"rate": round(float(held.mean()), 4), "low": round(low, 4), "high": round(high, 4), "of": len(held)}


def wilson(successes: int, n: int, z: float = _Z) -> tuple[float, float]:
    """Return Wilson's interval of a share, of 95 % unless told.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if n == 0:
        return 0.0, 1.0
    share, square = successes / n, z**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _groups_of(column: Column, least: int) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each group that is large enough; many different numbers are parted at their quartiles."""
    codes, names = np.asarray(column.values), column.categories
    if column.kind.is_numeric:
        codes, names = _parted(codes.astype(np.float64), is_boolean=column.kind is Kind.BOOLEAN)
    rows = {name: np.flatnonzero(codes == place) for place, name in enumerate(names)}
    return {name: found for name, found in rows.items() if len(found) >= least}


def _parted(numbers: NDArray[np.float64], *, is_boolean: bool) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    known = ~np.isnan(numbers)
    values = np.unique(numbers[known])
    if len(values) <= _MAX_CATEGORIES:
        names = tuple(("no", "yes")[int(value)] if is_boolean else f"{value:g}" for value in values)
        return np.where(known, np.searchsorted(values, numbers), -1), names
    cuts = np.unique(np.quantile(numbers[known], [0.25, 0.5, 0.75]))
    between = (f"{low:g} to below {high:g}" for low, high in pairwise(cuts))
    names = (f"below {cuts[0]:g}", *between, f"{cuts[-1]:g} or more")
    return np.where(known, np.searchsorted(cuts, numbers, side="right"), -1), names
