"""Checks of sensitive groups: proxies among columns and segments, rates of groups, and small groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.core.schema import Kind
from xseg.core.tables import Column
from xseg.governance.reviews._review_subject import FindingDraft, HeldOut, ReviewSubject, format_percent
from xseg.i18n import find_words, load_language

__all__ = [
    "Association",
    "compute_wilson_interval",
    "find_proxies",
    "find_small_groups",
    "find_small_prototypes",
    "find_small_rules",
    "find_special_categories",
    "group_values",
    "measure_associations",
    "measure_group_rates",
]

_ALPHA: Final = 0.05
_MIN_STRENGTH: Final = 0.1
_STRONG: Final = 0.5
_MAX_GROUPS: Final = 8
_BATCH: Final = 64
_SEGMENT: Final = "segment"


@dataclass(frozen=True, slots=True)
class Association:
    """How strongly one column goes with a sensitive one.

    Attributes
    ----------
    name : str
        The column, or ``"segment"``.
    strength : float
        Cramér's V, 0 to 1, corrected for its bias.
    p_value : float
        How often the strongest of all columns would look this strong by chance (max-T over permutations).
    """

    name: str
    strength: float
    p_value: float


def find_proxies(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Test every used column and the segments against every sensitive column, on people who made no segments."""
    unseen = subject.unseen
    if unseen is None:
        return
    for name, column in subject.sensitive.items():
        others = [other for other in subject.used if other != name]
        for found in _of_column(subject, unseen, name, others):
            # The segments stand for a column they ask about; that is another finding.
            if name in subject.used and found.name == _SEGMENT:
                continue
            p = min(1.0, found.p_value * len(subject.sensitive))
            if p <= _ALPHA and found.strength >= _MIN_STRENGTH:
                yield _proxy(subject, unseen, column.name, found, p)


def _proxy(subject: ReviewSubject, unseen: HeldOut, sensitive: str, found: Association, p: float) -> FindingDraft:
    evidence = {
        "sensitive": sensitive,
        "strength": round(found.strength, 4),
        "p_value": round(p, 6),
        "permutations": subject.n_permutations,
        "people": len(unseen.rows),
        "how": unseen.how,
    }
    is_segment = found.name == _SEGMENT
    what = "The segment somebody is in" if is_segment else subject.label(found.name)
    message = f"{what} goes with {subject.label(sensitive)}: Cramér's V is {found.strength:.2f}, p = {p:.2g}."
    remediation = "look at what follows from being in a segment" if is_segment else f"fit with forbid=[{found.name!r}]"
    where = f"segments and {sensitive}" if is_segment else f"features.{found.name} and {sensitive}"
    return FindingDraft("error" if found.strength >= _STRONG else "warning", where, message, remediation, evidence)


def _of_column(subject: ReviewSubject, unseen: HeldOut, sensitive: str, others: Sequence[str]) -> list[Association]:
    columns = {column.name: column for column in unseen.rows.columns}
    groups = group_values(columns[sensitive], missing=-1)
    known = groups >= 0
    if len(np.unique(groups[known])) < 2:
        return []
    candidates = {name: group_values(columns[name])[known] for name in others}
    candidates[_SEGMENT] = np.asarray(unseen.labels, dtype=np.int64)[known]
    return measure_associations(candidates, groups[known], n_permutations=subject.n_permutations, seed=subject.seed)


def group_values(column: Column, missing: int = _MAX_GROUPS) -> NDArray[np.int64]:
    """Group a column's values into at most eight groups: equally large ones of numbers, the commonest categories."""
    values = np.asarray(column.values)
    if not column.kind.is_numeric:
        counts = np.bincount(values[values >= 0], minlength=1)
        place = np.full(len(counts), _MAX_GROUPS - 1)
        order = np.argsort(-counts, kind="stable")[: _MAX_GROUPS - 1]
        place[order] = np.arange(len(order))
        return np.where(values >= 0, place[np.maximum(values, 0)], missing)
    numbers = values.astype(np.float64)
    known = ~np.isnan(numbers)
    inner = np.linspace(0, 1, _MAX_GROUPS + 1)[1:-1]
    cuts = np.unique(np.quantile(numbers[known], inner)) if known.any() else np.empty(0)
    return np.where(known, np.searchsorted(cuts, numbers, side="left"), missing)


def measure_associations(
    candidates: dict[str, NDArray[np.int64]], groups: NDArray[np.int64], *, n_permutations: int, seed: int
) -> list[Association]:
    """Measure how strongly columns go with groups, and how likely that is by chance.

    The groups are shuffled. Each column's statistic is chi-squared, in units of its own spread over the shuffles, so
    that columns of many and of few values compare; a column's p-value counts the shuffles in which the largest of all
    is as large as its own. That holds the chance of any false find, whatever the columns have to do with each other.

    Parameters
    ----------
    candidates : dict of str to ndarray of shape (n_rows,)
        Groups of each column's values, from 0.
    groups : ndarray of shape (n_rows,)
        The groups to compare with.
    n_permutations : int
        How many shuffles.
    seed : int
        Seeds them.

    Returns
    -------
    list of Association
        One for each candidate.

    References
    ----------
    Westfall and Young, "Resampling-based multiple testing", Wiley, 1993.
    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society, 2013.
    """
    indicators = [_indicators(values) for values in candidates.values()]
    starts = np.cumsum([0, *(part.shape[1] for part in indicators)])[:-1]
    table = np.hstack(indicators).T.copy()
    wanted = _indicators(groups)
    expected = table.sum(axis=1, keepdims=True) * wanted.sum(axis=0) / len(groups)
    random = np.random.default_rng(seed)
    statistics = [_chi_squared((table @ wanted)[:, None], expected, starts)]
    for first in range(0, n_permutations, _BATCH):
        rows = np.tile(groups, (min(_BATCH, n_permutations - first), 1))
        shuffled = random.permuted(rows, axis=1).T[:, :, None] == np.unique(groups)
        counts = table @ shuffled.reshape(len(groups), -1).astype(np.float32)
        statistics.append(_chi_squared(counts.reshape(len(table), len(rows), -1), expected, starts))
    pool = np.hstack(statistics)
    spread = pool.std(axis=1, keepdims=True)
    scaled = (pool - pool.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    largest = scaled.max(axis=0)
    return [
        Association(
            name,
            _cramer(float(pool[place, 0]), len(groups), indicators[place].shape[1], wanted.shape[1]),
            float((largest >= scaled[place, 0] - 1e-9).mean()),
        )
        for place, name in enumerate(candidates)
    ]


def _indicators(groups: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(groups[:, None] == np.unique(groups), dtype=np.float32)


def _chi_squared(counts: NDArray[Any], expected: NDArray[Any], starts: NDArray[Any]) -> NDArray[np.float64]:
    """Return the statistics of columns in shuffles, from counts of shape (n_values, n_shuffles, n_groups)."""
    cells = np.einsum("vkg,vg->vk", counts.astype(np.float64) ** 2, 1 / expected.astype(np.float64))
    return np.asarray(np.add.reduceat(cells, starts, axis=0) - expected.sum() / len(starts))


def _cramer(chi_squared: float, n: int, n_values: int, n_groups: int) -> float:
    r, k = (m - (m - 1) ** 2 / (n - 1) for m in (n_values, n_groups))
    if min(r, k) <= 1:
        return 0.0
    excess = max(0.0, chi_squared / n - (n_values - 1) * (n_groups - 1) / (n - 1))
    return float(min(1.0, np.sqrt(excess / (min(r, k) - 1))))


_Z: Final = 1.959963984540054
_ERROR: Final = 0.05
_FOUR_FIFTHS: Final = 0.8
_MAX_CATEGORIES: Final = 12


def find_small_groups(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find segments of fewer people than the policy allows."""
    least = subject.policy.minimum_group_size
    for segment in subject.segmenter.segments_:
        if segment.size < least:
            message = f"{segment.name!r} has {segment.size:,.0f} people; the least allowed is {least:,}."
            remediation = f"fit with min_segment_size={least}, or with fewer segments"
            yield FindingDraft(
                "error", f"segment {segment.name}", message, remediation, {"size": segment.size, "least": least}
            )


def find_small_rules(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find rules that fit fewer people than a group must have, though the segment has enough.

    Where there are fewer people than the model was made from, their number is scaled up.
    """
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
                remediation = f"fit with min_segment_size={least}"
                yield FindingDraft("error", f"segment {segment.name}", message, remediation, evidence)


def find_small_prototypes(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find prototypes that sum up fewer people than a group must have."""
    members, least = getattr(subject.segmenter, "min_members", None), subject.policy.minimum_group_size
    has_prototypes = hasattr(subject.segmenter, "prototypes_")
    if has_prototypes and members is not None and members < least:
        message = f"A prototype sums up at least {members:,} people; the least allowed is {least:,}."
        yield FindingDraft("warning", "prototypes", message, f"fit with min_members={least}", {"members": members})


def find_special_categories(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find sensitive columns that place people, and columns that look sensitive and are not marked."""
    tag = load_language(subject.policy.locale).tag
    for name in subject.used:
        feature = subject.feature(name)
        where = f"features.{name}"
        if feature.sensitive:
            agreed = [subject.policy.purposes[p].legal_basis == "consent" for p in feature.purposes]
            message = f"{subject.label(name)} is marked sensitive and places people"
            if agreed and all(agreed):
                yield FindingDraft(
                    "warning", where, f"{message}, by consent.", "check that the consent is explicit (GDPR 9(2)(a))"
                )
            else:
                yield FindingDraft("error", where, f"{message} without consent.", f"fit with forbid=[{name!r}]")
            continue
        hints = find_words(f"{name.replace('_', ' ')} {feature.label}", tag).special
        if hints:
            message = f"{subject.label(name)} hints at a special category of data and is not marked sensitive."
            yield FindingDraft(
                "warning", where, message, f"state features.{name}.sensitive: true", {"words": list(hints)}
            )


def measure_group_rates(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Return how people of each group are spread over the segments, with intervals; small groups are left out."""
    unseen = subject.unseen
    if unseen is None:
        return
    for name in subject.sensitive:
        column = next(column for column in unseen.rows.columns if column.name == name)
        groups = _find_groups(column, subject.policy.minimum_group_size)
        if len(groups) < 2:
            continue
        # Intervals that hold together decide, so that many groups and segments raise no false alarm.
        z = NormalDist().inv_cdf(1 - _ERROR / (2 * len(groups) * len(unseen.names)))
        for index, segment in enumerate(unseen.names):
            inside = {group: unseen.labels[rows] == index for group, rows in groups.items()}
            yield _rates(subject, unseen, f"segment {segment} and {name}", name, segment, inside, z)


def _rates(
    subject: ReviewSubject,
    unseen: HeldOut,
    location: str,
    sensitive: str,
    segment: str,
    inside: dict[str, NDArray[np.bool_]],
    z: float,
) -> FindingDraft:
    rates = {group: _rate(held) for group, held in inside.items()}
    order = sorted(rates, key=lambda group: rates[group]["rate"])
    least, most = order[0], order[-1]
    _, ends = compute_wilson_interval(int(inside[least].sum()), len(inside[least]), z)
    begins, _ = compute_wilson_interval(int(inside[most].sum()), len(inside[most]), z)
    apart = ends < begins and rates[least]["rate"] < _FOUR_FIFTHS * rates[most]["rate"]
    message = (
        f"Of {subject.label(sensitive)}, {format_percent(rates[least]['rate'])} of {least!r} and "
        f"{format_percent(rates[most]['rate'])} of {most!r} are in {segment!r}."
    )
    remediation = "look at what follows from being in this segment" if apart else ""
    return FindingDraft(
        "warning" if apart else "note", location, message, remediation, {"rates": rates, "how": unseen.how}
    )


def _rate(held: NDArray[np.bool_]) -> dict[str, float]:
    low, high = compute_wilson_interval(int(held.sum()), len(held))
    return {"rate": round(float(held.mean()), 4), "low": round(low, 4), "high": round(high, 4), "of": len(held)}


def compute_wilson_interval(successes: int, n: int, z: float = _Z) -> tuple[float, float]:
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


def _find_groups(column: Column, least: int) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each group that is large enough; many different numbers are parted at their quartiles."""
    codes, names = np.asarray(column.values), column.categories
    if column.kind.is_numeric:
        codes, names = _cut_numbers(codes.astype(np.float64), is_boolean=column.kind is Kind.BOOLEAN)
    rows = {name: np.flatnonzero(codes == place) for place, name in enumerate(names)}
    return {name: found for name, found in rows.items() if len(found) >= least}


def _cut_numbers(numbers: NDArray[np.float64], *, is_boolean: bool) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    known = ~np.isnan(numbers)
    values = np.unique(numbers[known])
    if len(values) <= _MAX_CATEGORIES:
        names = tuple(("no", "yes")[int(value)] if is_boolean else f"{value:g}" for value in values)
        return np.where(known, np.searchsorted(values, numbers), -1), names
    cuts = np.unique(np.quantile(numbers[known], [0.25, 0.5, 0.75]))
    between = (f"{low:g} to below {high:g}" for low, high in pairwise(cuts))
    names = (f"below {cuts[0]:g}", *between, f"{cuts[-1]:g} or more")
    return np.where(known, np.searchsorted(cuts, numbers, side="right"), -1), names
