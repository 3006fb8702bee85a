"""Checks of columns: which of them are needed, and what depends on each supplier."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xseg.governance.reviews._review_subject import (
    FindingDraft,
    Imitation,
    Refit,
    Refits,
    ReviewSubject,
    Severity,
    format_percent,
)
from xseg.metrics import compare
from xseg.policy import Vendor

__all__ = [
    "find_missing_audits",
    "find_missing_contracts",
    "find_missing_opt_outs",
    "find_unneeded_columns",
    "find_unused_vendors",
    "measure_cost_without_partners",
    "measure_vendor_shares",
    "measure_zero_party_share",
]

_ENOUGH: Final = 0.95
_MANY_NEEDLESS: Final = 1 / 3
_STILL_THERE: Final = 0.5
_MAX_REFITS: Final = 12
_NOT_TOLD: Final = f"without any one of them fewer than {format_percent(_ENOUGH)} are placed the same"
_NOT_MADE: Final = (
    f"made anew without any one of them, fewer than {format_percent(_ENOUGH)} are placed the same or another column is "
    "asked about instead"
)
_NOT_CONFIRMED: Final = "what looked needless was not confirmed by other people"
_CANNOT: Final = "the model cannot be made anew without more than the people"


@dataclass(frozen=True, slots=True)
class _Step:
    """A column taken away, and how many people are still placed the same."""

    column: str
    agreement: float


@dataclass(frozen=True, slots=True)
class _Needed:
    """Columns from which people are placed the same, how they were found, and why it may be all of them."""

    how: Literal["refit", "imitated"]
    used: tuple[str, ...]
    columns: tuple[str, ...]
    dropped: tuple[_Step, ...]
    agreement: float
    least: tuple[str, float]
    why_all: str

    @property
    def gone(self) -> list[str]:
        return [name for name in self.used if name not in self.columns]

    @property
    def is_wasteful(self) -> bool:
        """Whether many columns could go: a few people are little of the whole, and may be all of their segment."""
        return len(self.gone) > _MANY_NEEDLESS * len(self.used) and self.least[1] >= _STILL_THERE

    @property
    def remediation(self) -> str:
        if not self.gone:
            return ""
        if self.how == "refit":
            return f"fit with forbid={self.gone}"
        return f"learn a stand-in (xseg.SurrogateSegmenter) that asks about {', '.join(self.columns)} alone"

    @property
    def sentence(self) -> str:
        k, d = len(self.columns), len(self.used)
        if not self.gone:
            return f"{d} of {d} columns needed: {self.why_all}."
        segment, met = self.least
        return (
            f"{k} of {d} columns needed: {format_percent(self.agreement)} of people are placed the same by "
            f"{', '.join(self.columns)} (least of {segment!r}: {format_percent(met)})."
        )

    @property
    def evidence(self) -> dict[str, Any]:
        segment, met = self.least
        return {
            "how": self.how,
            "needed": len(self.columns),
            "of": len(self.used),
            "columns": list(self.columns),
            "dropped": [{"column": step.column, "agreement": round(step.agreement, 4)} for step in self.dropped],
            "agreement": round(self.agreement, 4),
            "least": {"segment": segment, "agreement": round(met, 4)},
        }


def find_unneeded_columns(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find the fewest used columns from which people are placed as they are.

    Columns are taken away one by one, each time one that is missed little. The model is made anew without them from
    some of the people and tried on others. Where it does not come back even from all columns, or cannot be made anew,
    a tree that imitates the segments has to do.
    """
    if len(subject.used) < 2:
        return
    imitation, refits = Imitation(subject), Refits(subject)
    imitated = _find_by_imitation(subject, imitation)
    whole, why_not = _refit_on_all_columns(refits)
    found = imitated if whole is None else _find_by_refitting(subject, imitation, refits, whole)
    message, evidence = found.sentence, found.evidence
    evidence |= {"people": refits.people, "refits": refits.made}
    if whole is None:
        evidence["why_imitated"] = why_not
        message += f" This is told from an imitation, since {why_not}."
    else:
        if refits.ended:
            message += f" The search ended after {_MAX_REFITS} refits: fewer may do."
        evidence |= {"ended": refits.ended, "from_all": round(whole.agreement, 4), "imitated": imitated.evidence}
        if len(imitated.columns) < len(found.columns):
            message += f" To imitate the segments, {len(imitated.columns)} would do ({', '.join(imitated.columns)})."
    wasteful = next((one for one in (found, imitated) if one.is_wasteful), None)
    yield FindingDraft(
        "note" if wasteful is None else "warning", "features", message, (wasteful or found).remediation, evidence
    )


def _find_by_imitation(subject: ReviewSubject, imitation: Imitation) -> _Needed:
    kept, agreement, dropped = list(subject.used), imitation.agreement(subject.used), []
    while len(kept) > 1:
        best, least_missed = imitation.least_missed(kept)[0]
        if best < _ENOUGH:
            break
        kept.remove(least_missed)
        agreement = best
        dropped.append(_Step(least_missed, best))
    least = _find_worst_segment(subject, imitation.same(kept), imitation.asked)
    why_all = (
        _NOT_TOLD if agreement >= _ENOUGH else f"even from all of them only {format_percent(agreement)} can be told"
    )
    return _Needed("imitated", subject.used, tuple(kept), tuple(dropped), agreement, least, why_all)


def _refit_on_all_columns(refits: Refits) -> tuple[Refit | None, str]:
    """Make the model anew from all columns, to see whether it comes back; if it does not, say why."""
    if refits.are_too_few:
        return None, f"{3 * refits.people:,} people are too few to make it anew"
    whole = refits.without(())
    if whole is None:
        return None, _CANNOT
    if whole.agreement < _ENOUGH:
        return None, (
            f"made anew from all columns of {refits.people:,} people it places only {format_percent(whole.agreement)} "
            "the same"
        )
    return whole, ""


def _find_by_refitting(subject: ReviewSubject, imitation: Imitation, refits: Refits, whole: Refit) -> _Needed:
    found = _eliminate(subject, imitation, refits)
    steps, made = _confirm(subject, refits, found, whole)
    least = _find_worst_segment(subject, made.same, made.asked)
    why_all = _NOT_CONFIRMED if found else _NOT_MADE
    left = tuple(_list_remaining(subject, _list_removed(steps)))
    return _Needed("refit", subject.used, left, tuple(steps), made.agreement, least, why_all)


def _confirm(subject: ReviewSubject, refits: Refits, steps: list[_Step], whole: Refit) -> tuple[list[_Step], Refit]:
    """Make the model once more from people who had no part in the choice: what was chosen had looked well."""
    while steps:
        again = refits.without(_list_removed(steps), confirmed=True)
        if again is not None and _is_sufficient(again, _list_remaining(subject, _list_removed(steps))):
            return steps, again
        steps = steps[: len(steps) // 2]
    return [], whole


def _eliminate(subject: ReviewSubject, imitation: Imitation, refits: Refits) -> list[_Step]:
    steps = list[_Step]()
    while step := _find_next_step(subject, imitation, refits, _list_removed(steps)):
        steps.append(step)
    return steps


def _find_next_step(subject: ReviewSubject, imitation: Imitation, refits: Refits, gone: list[str]) -> _Step | None:
    """Find a column that can go too: those that are missed least by the imitation are tried first."""
    kept = _list_remaining(subject, gone)
    for one in _order_by_need(subject, imitation, kept) if len(kept) > 1 else ():
        if refits.made >= _MAX_REFITS:
            refits.ended = True
            return None
        tried = refits.without([*gone, one])
        if tried is not None and _is_sufficient(tried, kept):
            return _Step(one, tried.agreement)
    return None


def _order_by_need(subject: ReviewSubject, imitation: Imitation, kept: list[str]) -> list[str]:
    missed = {one: round(agreement, 2) for agreement, one in imitation.least_missed(kept)}
    return sorted(kept, key=lambda one: (-missed[one], subject.shares[one]))


def _is_sufficient(refit: Refit, left: list[str]) -> bool:
    """Return whether people are placed the same, and no other column is asked about instead."""
    return refit.agreement >= _ENOUGH and set(refit.asks_about) <= set(left)


def _list_remaining(subject: ReviewSubject, gone: list[str]) -> list[str]:
    return [name for name in subject.used if name not in gone]


def _list_removed(steps: list[_Step]) -> list[str]:
    return [step.column for step in steps]


def _find_worst_segment(subject: ReviewSubject, same: Any, segments: Any) -> tuple[str, float]:
    """Return the segment whose people are placed the same least often, and the share of them who are."""
    shares = {int(segment): float(same[segments == segment].mean()) for segment in np.unique(segments)}
    least = min(shares, key=shares.__getitem__)
    return subject.segmenter.segment_names_[least], shares[least]


_STALE: Final = timedelta(days=365)
_FROM_PARTNERS: Final = frozenset({"second-party", "third-party"})


def find_missing_contracts(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find suppliers without a contract."""
    for name, vendor in _list_vendors(subject).items():
        if vendor.contract is not True:
            how = "there is none" if vendor.contract is False else "none is stated"
            message = f"Columns come from {name}, and of a contract {how}."
            severity: Severity = "error" if vendor.contract is False else "warning"
            yield FindingDraft(
                severity, f"vendors.{name}.contract", message, "make a contract, or fit without its columns"
            )


def find_missing_audits(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find suppliers that were never audited, or long ago."""
    today = subject.at.date()
    for name, vendor in _list_vendors(subject).items():
        if vendor.audited is None:
            message = f"Columns come from {name}, and no audit is stated."
        elif vendor.audited > today:
            message = f"The audit of {name} is dated {vendor.audited}, after this review."
        elif today - vendor.audited > _STALE:
            message = f"{name} was last audited on {vendor.audited}, more than a year ago."
        else:
            continue
        evidence = {"audited": None if vendor.audited is None else vendor.audited.isoformat()}
        yield FindingDraft("warning", f"vendors.{name}.audited", message, "audit it, and state the date", evidence)


def find_missing_opt_outs(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find suppliers whom an objection does not reach."""
    for name, vendor in _list_vendors(subject).items():
        if vendor.propagates_opt_out is not True:
            stated = vendor.propagates_opt_out is False
            how = "does not reach" if stated else "is not said to reach"
            message = f"Somebody's objection {how} {name}."
            where = f"vendors.{name}.propagates_opt_out"
            yield FindingDraft(
                "error" if stated else "warning", where, message, "agree with it how objections are passed on"
            )


def find_unused_vendors(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find suppliers that the policy lists and nothing that places people comes from."""
    for name in subject.policy.vendors:
        if name not in _list_vendors(subject):
            message = f"The policy lists {name}, and nothing that places people comes from it."
            yield FindingDraft("note", f"vendors.{name}", message, "check whether it is still needed")


def measure_vendor_shares(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Return how much of the explanation hangs on each supplier, and on third parties."""
    shares: dict[str, float] = defaultdict(float)
    for name in subject.used:
        feature = subject.feature(name)
        if feature.source in _FROM_PARTNERS:
            shares[feature.vendor or "a partner that is not named"] += subject.shares[name]
    for vendor, share in shares.items():
        message = f"{format_percent(share)} of what places people hangs on {vendor}."
        yield FindingDraft("note", f"vendors.{vendor}", message, "", {"share": round(share, 4)})
    bought = float(sum(subject.shares[name] for name in subject.used if subject.feature(name).source == "third-party"))
    message = f"{format_percent(bought)} of what places people was bought from third parties."
    yield FindingDraft("note", "third parties", message, "", {"share": round(bought, 4)})


def measure_zero_party_share(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Return how much of the explanation rests on what people told themselves, and on every other source."""
    shares: dict[str, float] = defaultdict(float)
    for name in subject.used:
        shares[subject.feature(name).source or "not stated"] += subject.shares[name]
    told = shares.get("zero-party", 0.0)
    message = f"{format_percent(told)} of what places people is what they told themselves."
    yield FindingDraft(
        "note", "sources", message, "", {source: round(share, 4) for source, share in sorted(shares.items())}
    )


def measure_cost_without_partners(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Return what it would cost to do without third-party data."""
    bought = [name for name in subject.used if subject.feature(name).source == "third-party"]
    if not bought:
        return
    counted = [name for name in subject.names if subject.feature(name).source == "third-party"]
    evidence: dict[str, Any] = {"without": counted}
    fitted = subject.refit(subject.rows, without=counted) if set(subject.used) - set(bought) else None
    if fitted is None:
        message = f"What it would cost to do without {', '.join(bought)} cannot be told: the model cannot be made anew."
        yield FindingDraft("note", "third parties", message, "fit without them by hand and compare", evidence)
        return
    agreement = compute_agreement(subject.segmenter.predict(subject.rows), fitted.predict(subject.rows))
    table = compare({"with": subject.segmenter, "without": fitted}, subject.rows, n_resamples=0, random_state=0)
    told: Any = table.to_dict("index")
    evidence["agreement"] = round(agreement, 4)
    evidence |= {f"relative_cost_{which}": _finite(told[which]["relative_cost"]) for which in ("with", "without")}
    message = f"Without third-party data {format_percent(agreement)} of people would be in the same segment"
    if told["with"]["cost"] > 0:
        evidence["cost_ratio"] = _finite(told["without"]["cost"] / told["with"]["cost"])
        message += f", and segments would cost {evidence['cost_ratio'] - 1:+.1%}"
    message += "."
    yield FindingDraft("note", "third parties", message, "weigh whether it is needed", evidence)


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def compute_agreement(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the share of people in the same segment, segments of the one matched with those of the other."""
    n = int(max(one.max(), other.max())) + 1
    together = np.bincount(np.asarray(one, dtype=np.int64) * n + other, minlength=n * n).reshape(n, n)
    rows, columns = linear_sum_assignment(-together)
    return float(together[rows, columns].sum() / len(one))


def _list_vendors(subject: ReviewSubject) -> dict[str, Vendor]:
    """Return what is known of those who supply used columns."""
    named = dict.fromkeys(subject.feature(name).vendor for name in subject.used)
    return {name: subject.policy.vendors.get(name, Vendor()) for name in named if name is not None}
