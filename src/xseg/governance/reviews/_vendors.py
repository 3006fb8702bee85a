"""Who supplies what, how much hangs on it, and what doing without would cost."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xseg.governance.reviews._findings import Found, Severity, percent
from xseg.governance.reviews._subject import Subject
from xseg.metrics import compare
from xseg.policy import Vendor

__all__ = [
    "vendor_audits",
    "vendor_contracts",
    "vendor_opt_outs",
    "vendor_shares",
    "vendors_unused",
    "without_partners",
    "zero_party",
]

_STALE: Final = timedelta(days=365)
_FROM_PARTNERS: Final = frozenset({"second-party", "third-party"})


def vendor_contracts(subject: Subject) -> Iterator[Found]:
    """Find suppliers without a contract."""
    for name, vendor in _vendors(subject).items():
        if vendor.contract is not True:
            how = "there is none" if vendor.contract is False else "none is stated"
            message = f"Columns come from {name}, and of a contract {how}."
            severity: Severity = "error" if vendor.contract is False else "warning"
            yield Found(severity, f"vendors.{name}.contract", message, "make a contract, or fit without its columns")


def vendor_audits(subject: Subject) -> Iterator[Found]:
    """Find suppliers that were never audited, or long ago."""
    today = subject.now.date()
    for name, vendor in _vendors(subject).items():
        if vendor.audited is None:
            message = f"Columns come from {name}, and no audit is stated."
        elif vendor.audited > today:
            message = f"The audit of {name} is dated {vendor.audited}, after this review."
        elif today - vendor.audited > _STALE:
            message = f"{name} was last audited on {vendor.audited}, more than a year ago."
        else:
            continue
        evidence = {"audited": None if vendor.audited is None else vendor.audited.isoformat()}
        yield Found("warning", f"vendors.{name}.audited", message, "audit it, and state the date", evidence)


def vendor_opt_outs(subject: Subject) -> Iterator[Found]:
    """Find suppliers whom an objection does not reach."""
    for name, vendor in _vendors(subject).items():
        if vendor.propagates_opt_out is not True:
            stated = vendor.propagates_opt_out is False
            how = "does not reach" if stated else "is not said to reach"
            message = f"Somebody's objection {how} {name}."
            where = f"vendors.{name}.propagates_opt_out"
            yield Found("error" if stated else "warning", where, message, "agree with it how objections are passed on")


def vendors_unused(subject: Subject) -> Iterator[Found]:
    """Find suppliers that the policy lists and nothing that places people comes from."""
    for name in subject.policy.vendors:
        if name not in _vendors(subject):
            message = f"The policy lists {name}, and nothing that places people comes from it."
            yield Found("note", f"vendors.{name}", message, "check whether it is still needed")


def vendor_shares(subject: Subject) -> Iterator[Found]:
    """Return how much of the explanation hangs on each supplier, and on third parties."""
    shares: dict[str, float] = defaultdict(float)
    for name in subject.used:
        feature = subject.feature(name)
        if feature.source in _FROM_PARTNERS:
            shares[feature.vendor or "a partner that is not named"] += subject.shares[name]
    for vendor, share in shares.items():
        message = f"{percent(share)} of what places people hangs on {vendor}."
        yield Found("note", f"vendors.{vendor}", message, "", {"share": round(share, 4)})
    bought = float(sum(subject.shares[name] for name in subject.used if subject.feature(name).source == "third-party"))
    message = f"{percent(bought)} of what places people was bought from third parties."
    yield Found("note", "third parties", message, "", {"share": round(bought, 4)})


def zero_party(subject: Subject) -> Iterator[Found]:
    """Return how much of the explanation rests on what people told themselves, and on every other source."""
    shares: dict[str, float] = defaultdict(float)
    for name in subject.used:
        shares[subject.feature(name).source or "not stated"] += subject.shares[name]
    told = shares.get("zero-party", 0.0)
    message = f"{percent(told)} of what places people is what they told themselves."
    yield Found("note", "sources", message, "", {source: round(share, 4) for source, share in sorted(shares.items())})


def without_partners(subject: Subject) -> Iterator[Found]:
    """Return what it would cost to do without third-party data."""
    bought = [name for name in subject.used if subject.feature(name).source == "third-party"]
    if not bought:
        return
    counted = [name for name in subject.names if subject.feature(name).source == "third-party"]
    evidence: dict[str, Any] = {"without": counted}
    fitted = subject.refitted(subject.rows, without=counted) if set(subject.used) - set(bought) else None
    if fitted is None:
        message = f"What it would cost to do without {', '.join(bought)} cannot be told: the model cannot be made anew."
        yield Found("note", "third parties", message, "fit without them by hand and compare", evidence)
        return
    agreement = agreement_of(subject.segmenter.predict(subject.rows), fitted.predict(subject.rows))
    table = compare({"with": subject.segmenter, "without": fitted}, subject.rows, n_resamples=0, random_state=0)
    told: Any = table.to_dict("index")
    evidence["agreement"] = round(agreement, 4)
    evidence |= {f"price_{which}": _finite(told[which]["price"]) for which in ("with", "without")}
    message = f"Without third-party data {percent(agreement)} of people would be in the same segment"
    if told["with"]["cost"] > 0:
        evidence["cost_ratio"] = _finite(told["without"]["cost"] / told["with"]["cost"])
        message += f", and segments would cost {evidence['cost_ratio'] - 1:+.1%}"
    message += "."
    yield Found("note", "third parties", message, "weigh whether it is needed", evidence)


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def agreement_of(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the share of people in the same segment, segments of the one matched with those of the other."""
    n = int(max(one.max(), other.max())) + 1
    together = np.bincount(np.asarray(one, dtype=np.int64) * n + other, minlength=n * n).reshape(n, n)
    rows, columns = linear_sum_assignment(-together)
    return float(together[rows, columns].sum() / len(one))


def _vendors(subject: Subject) -> dict[str, Vendor]:
    """Return what is known of those who supply used columns."""
    named = dict.fromkeys(subject.feature(name).vendor for name in subject.used)
    return {name: subject.policy.vendors.get(name, Vendor()) for name in named if name is not None}
