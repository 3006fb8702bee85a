"""What the policy says of columns, purposes and recipients, beside what the model uses."""

import re
from collections.abc import Iterator
from typing import Final

from xseg.governance.reviews._findings import Found
from xseg.governance.reviews._subject import Subject

__all__ = [
    "controller",
    "legal_bases",
    "purposes_missing",
    "purposes_unused",
    "recipients",
    "retention",
    "sources",
    "undeclared",
    "unused",
    "windows",
]

_WINDOW_IN_NAME: Final = re.compile(r"(?:^|_)(\d{1,4})d(?:ays)?(?:_|$)")
_WINDOW_IN_LABEL: Final = re.compile(r"\b(?:last|past|previous) (\d{1,4}) days\b", re.IGNORECASE)


def undeclared(subject: Subject) -> Iterator[Found]:
    """Find columns that the model uses, or was made from, and the policy does not name."""
    for name in subject.names:
        if name in subject.policy.features or name in subject.forbidden:
            continue
        if name in subject.used:
            message = f"The model asks about the column {name!r}, and the policy does not name it."
            yield Found("error", f"features.{name}", message, f"declare it under features.{name}, or fit without it")
        else:
            message = f"The model was made from the column {name!r}, and the policy does not name it."
            yield Found("warning", f"features.{name}", message, f"declare it, or fit with forbid=[{name!r}]")


def unused(subject: Subject) -> Iterator[Found]:
    """Find columns that the policy names and the model does not use."""
    known = {*subject.names, *(() if subject.table is None else subject.table.names)}
    for name, feature in subject.policy.features.items():
        where = f"features.{name}"
        if name not in known and not (feature.sensitive and subject.table is None):
            message = f"The policy names the column {name!r}, which the model does not have."
            yield Found("warning", where, message, "correct the name, or remove it")
        elif name not in subject.used and not feature.sensitive:
            message = f"The policy declares {subject.label(name)}, which places nobody."
            yield Found("note", where, message, "consider not collecting it for this")


def sources(subject: Subject) -> Iterator[Found]:
    """Find used columns whose source is not stated, or whose supplier is not named."""
    for name in subject.used:
        feature = subject.feature(name)
        if feature.source is None:
            message = f"It is not stated where {subject.label(name)} comes from."
            yield Found("error", f"features.{name}.source", message, "state the source")
        elif feature.source in {"second-party", "third-party"} and feature.vendor is None:
            message = f"{subject.label(name)} comes from a partner that is not named."
            yield Found("error", f"features.{name}.vendor", message, "name the vendor")


def purposes_missing(subject: Subject) -> Iterator[Found]:
    """Find used columns without a purpose."""
    for name in subject.used:
        if not subject.feature(name).purposes:
            message = f"{subject.label(name)} places people, and serves no declared purpose."
            yield Found("error", f"features.{name}.purposes", message, "state what it is used for, or fit without it")


def purposes_unused(subject: Subject) -> Iterator[Found]:
    """Find purposes that nothing is used for."""
    declared = {purpose for feature in subject.policy.features.values() for purpose in feature.purposes}
    for name in subject.policy.purposes:
        if name not in declared:
            message = f"No column serves the purpose {name!r}."
            yield Found("warning", f"purposes.{name}", message, "remove it, or say which columns serve it")
        elif name not in subject.served:
            message = f"No column that places people serves the purpose {name!r}."
            yield Found("note", f"purposes.{name}", message, "check whether the segments are used for it")


def recipients(subject: Subject) -> Iterator[Found]:
    """Find that nobody is said to receive the segments."""
    if not subject.policy.recipients:
        message = "It is not stated who receives the segments."
        yield Found("warning", "recipients", message, "list everyone who does, by name")


def controller(subject: Subject) -> Iterator[Found]:
    """Find that nobody answers for the model."""
    if subject.policy.controller is None:
        yield Found("error", "controller", "It is not stated who answers for the model.", "state name and contact")


def legal_bases(subject: Subject) -> Iterator[Found]:
    """Find purposes without a legal basis, and interests that are not stated."""
    for name, purpose in subject.served.items():
        if purpose.legal_basis is None:
            message = f"The purpose {name!r} has no legal basis."
            yield Found("error", f"purposes.{name}.legal_basis", message, "state the basis under Article 6 GDPR")
        elif purpose.legal_basis == "legitimate-interest" and purpose.interest is None:
            message = f"The purpose {name!r} rests on a legitimate interest that is not stated."
            yield Found("warning", f"purposes.{name}.interest", message, "state the interest")


def retention(subject: Subject) -> Iterator[Found]:
    """Find purposes for which it is not said how long data are kept."""
    for name, purpose in subject.served.items():
        if purpose.retention_days is None:
            message = f"It is not stated how long data are kept for {name!r}."
            yield Found("warning", f"purposes.{name}.retention_days", message, "state it in days")


def windows(subject: Subject) -> Iterator[Found]:
    """Find columns that look farther back than data are kept."""
    for name in subject.used:
        feature = subject.feature(name)
        days, read = feature.window_days, "stated"
        if days is None:
            days, read = _window_in_words(name, feature.label or ""), "read from its name or label"
        for purpose in feature.purposes:
            kept = subject.policy.purposes[purpose].retention_days
            if days is not None and kept is not None and days > kept:
                message = (
                    f"{subject.label(name)} looks back {days:,} days ({read}), and for {purpose!r} data are kept for "
                    f"{kept:,} days."
                )
                evidence = {"window_days": days, "retention_days": kept, "window": read}
                yield Found("error", f"features.{name}", message, "shorten the window, or state what is kept", evidence)


def _window_in_words(name: str, label: str) -> int | None:
    found = _WINDOW_IN_NAME.search(name) or _WINDOW_IN_LABEL.search(label)
    return None if found is None else int(found[1])
