"""Checks of the policy against the model: columns, purposes, recipients, rights, cards and consent."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.cards import lint_words, make_cards
from xseg.exceptions import DefinitionError, ParameterError
from xseg.governance.consent import ConsentState
from xseg.governance.reviews._review_subject import FindingDraft, ReviewSubject, Severity, format_percent
from xseg.policy import RIGHTS, Purpose, derive_rights, is_marketing

__all__ = [
    "find_expiring_consent",
    "find_harder_exits",
    "find_long_windows",
    "find_missing_card_content",
    "find_missing_consent",
    "find_missing_controller",
    "find_missing_legal_bases",
    "find_missing_objection",
    "find_missing_purposes",
    "find_missing_recipients",
    "find_missing_retention",
    "find_missing_right_links",
    "find_missing_sources",
    "find_missing_withdrawal",
    "find_objections",
    "find_undeclared_features",
    "find_unsuitable_names",
    "find_unused_features",
    "find_unused_purposes",
]

_WINDOW_IN_NAME: Final = re.compile(r"(?:^|_)(\d{1,4})d(?:ays)?(?:_|$)")
_WINDOW_IN_LABEL: Final = re.compile(r"\b(?:last|past|previous) (\d{1,4}) days\b", re.IGNORECASE)


def find_undeclared_features(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find columns that the model uses, or was made from, and the policy does not name."""
    for name in subject.names:
        if name in subject.policy.features or name in subject.forbidden:
            continue
        if name in subject.used:
            message = f"The model asks about the column {name!r}, and the policy does not name it."
            yield FindingDraft(
                "error", f"features.{name}", message, f"declare it under features.{name}, or fit without it"
            )
        else:
            message = f"The model was made from the column {name!r}, and the policy does not name it."
            yield FindingDraft("warning", f"features.{name}", message, f"declare it, or fit with forbid=[{name!r}]")


def find_unused_features(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find columns that the policy names and the model does not use."""
    known = {*subject.names, *(() if subject.table is None else subject.table.names)}
    for name, feature in subject.policy.features.items():
        where = f"features.{name}"
        if name not in known and not (feature.sensitive and subject.table is None):
            message = f"The policy names the column {name!r}, which the model does not have."
            yield FindingDraft("warning", where, message, "correct the name, or remove it")
        elif name not in subject.used and not feature.sensitive:
            message = f"The policy declares {subject.label(name)}, which places nobody."
            yield FindingDraft("note", where, message, "consider not collecting it for this")


def find_missing_sources(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find used columns whose source is not stated, or whose supplier is not named."""
    for name in subject.used:
        feature = subject.feature(name)
        if feature.source is None:
            message = f"It is not stated where {subject.label(name)} comes from."
            yield FindingDraft("error", f"features.{name}.source", message, "state the source")
        elif feature.source in {"second-party", "third-party"} and feature.vendor is None:
            message = f"{subject.label(name)} comes from a partner that is not named."
            yield FindingDraft("error", f"features.{name}.vendor", message, "name the vendor")


def find_missing_purposes(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find used columns without a purpose."""
    for name in subject.used:
        if not subject.feature(name).purposes:
            message = f"{subject.label(name)} places people, and serves no declared purpose."
            yield FindingDraft(
                "error", f"features.{name}.purposes", message, "state what it is used for, or fit without it"
            )


def find_unused_purposes(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find purposes that nothing is used for."""
    declared = {purpose for feature in subject.policy.features.values() for purpose in feature.purposes}
    for name in subject.policy.purposes:
        if name not in declared:
            message = f"No column serves the purpose {name!r}."
            yield FindingDraft("warning", f"purposes.{name}", message, "remove it, or say which columns serve it")
        elif name not in subject.served:
            message = f"No column that places people serves the purpose {name!r}."
            yield FindingDraft("note", f"purposes.{name}", message, "check whether the segments are used for it")


def find_missing_recipients(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find that nobody is said to receive the segments."""
    if not subject.policy.recipients:
        message = "It is not stated who receives the segments."
        yield FindingDraft("warning", "recipients", message, "list everyone who does, by name")


def find_missing_controller(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find that nobody answers for the model."""
    if subject.policy.controller is None:
        yield FindingDraft(
            "error", "controller", "It is not stated who answers for the model.", "state name and contact"
        )


def find_missing_legal_bases(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find purposes without a legal basis, and interests that are not stated."""
    for name, purpose in subject.served.items():
        if purpose.legal_basis is None:
            message = f"The purpose {name!r} has no legal basis."
            yield FindingDraft("error", f"purposes.{name}.legal_basis", message, "state the basis under Article 6 GDPR")
        elif purpose.legal_basis == "legitimate-interest" and purpose.interest is None:
            message = f"The purpose {name!r} rests on a legitimate interest that is not stated."
            yield FindingDraft("warning", f"purposes.{name}.interest", message, "state the interest")


def find_missing_retention(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find purposes for which it is not said how long data are kept."""
    for name, purpose in subject.served.items():
        if purpose.retention_days is None:
            message = f"It is not stated how long data are kept for {name!r}."
            yield FindingDraft("warning", f"purposes.{name}.retention_days", message, "state it in days")


def find_long_windows(subject: ReviewSubject) -> Iterator[FindingDraft]:
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
                yield FindingDraft(
                    "error", f"features.{name}", message, "shorten the window, or state what is kept", evidence
                )


def _window_in_words(name: str, label: str) -> int | None:
    found = _WINDOW_IN_NAME.search(name) or _WINDOW_IN_LABEL.search(label)
    return None if found is None else int(found[1])


_WITHDRAW: Final = ("withdraw", "switch_off")
_OBJECT: Final = ("object", "not_profiled")
_OBJECT_MARKETING: Final = ("object_marketing", "object", "not_profiled", "switch_off")
_SAME: Final = {"withdraw": _WITHDRAW, "object": _OBJECT, "object_marketing": _OBJECT_MARKETING}
_LEAVE: Final = tuple(dict.fromkeys((*_WITHDRAW, *_OBJECT, *_OBJECT_MARKETING)))


def find_missing_withdrawal(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find consent that cannot be withdrawn."""
    for name, purpose in subject.served.items():
        if purpose.legal_basis == "consent" and not _has_link(subject, _WITHDRAW):
            message = f"People agree to {name!r}, and no link lets them withdraw."
            yield FindingDraft("error", f"purposes.{name}", message, "state rights.withdraw or rights.switch_off")


def find_missing_objection(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find uses that people may object to and no link lets them."""
    for name, purpose in subject.served.items():
        wanted = _find_objection_rights(purpose)
        if wanted and not _has_link(subject, wanted):
            message = f"People may object to {name!r}, and no link lets them."
            yield FindingDraft("error", f"purposes.{name}", message, f"state rights.{wanted[0]}")


def find_missing_right_links(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find rights that follow from the legal bases and have no link."""
    can_write = subject.policy.controller is not None
    for right in derive_rights(subject.served.values()):
        if _has_link(subject, _SAME.get(right, (right,))):
            continue
        message = f"The right {right!r} ({RIGHTS[right]}) has no link"
        ending = "; people have to write." if can_write else ", and there is nobody to write to."
        yield FindingDraft(
            "note" if can_write else "warning", f"rights.{right}", message + ending, f"state rights.{right}"
        )


def find_harder_exits(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find rights that take more steps than agreeing took."""
    for name, purpose in subject.served.items():
        agreeing = purpose.steps_to_agree
        for right in _LEAVE:
            link = subject.policy.rights.get(right)
            if agreeing is None or link is None or link.steps is None or link.steps <= agreeing:
                continue
            message = f"It takes {agreeing} steps to agree to {name!r}, and {link.steps} to leave through {right!r}."
            evidence = {"steps_to_agree": agreeing, "steps": link.steps, "right": right, "purpose": name}
            where = f"rights.{right}.steps"
            yield FindingDraft(
                "error", where, message, "make leaving as easy as agreeing (GDPR Article 7(3))", evidence
            )


def _find_objection_rights(purpose: Purpose) -> tuple[str, ...]:
    if purpose.legal_basis in {"legitimate-interest", "public-task"}:
        return _OBJECT
    return _OBJECT_MARKETING if is_marketing(purpose) else ()


def _has_link(subject: ReviewSubject, rights: tuple[str, ...]) -> bool:
    return any(right in subject.policy.rights for right in rights)


# No card knows what one person agreed to; a ledger does.
_OF_THE_LEDGER: Final = frozenset({"consent", "opt_out_status"})


def find_unsuitable_names(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find words of the policy, and names of segments, that may not stand on a card."""
    for unfit in lint_words(subject.policy, subject.segmenter.segment_names_):
        severity: Severity = "error" if unfit.kind == "special category" else "warning"
        message = f"{unfit.where} ({unfit.locale}) says {', '.join(map(repr, unfit.words))} ({unfit.kind})."
        yield FindingDraft(severity, unfit.where, message, "say it otherwise", {"words": list(unfit.words)})


def find_missing_card_content(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find what a card should say and cannot, because the policy does not state it."""
    known = {name: said for name, said in subject.policy.features.items() if name in subject.names}
    policy = subject.policy.model_copy(update={"features": known})
    labels = np.asarray(subject.segmenter.predict(subject.rows))
    _, first = np.unique(labels, return_index=True)
    rows = subject.rows.take(first)
    # What an original says of a person is no field that a policy could state.
    agreement: list[Any] = ["not known"] * len(first)
    try:
        cards = list(make_cards(subject.segmenter, rows, policy=policy, at=subject.at, agreement=agreement))
    except DefinitionError as error:
        yield FindingDraft("error", "cards", f"No card can be made: {error}.", "correct the policy's words first")
        return
    missing: dict[str, tuple[str, str, list[str]]] = {}
    for card in cards:
        for field in card.completeness():
            if field.state == "missing" and field.key not in _OF_THE_LEDGER:
                told = missing.setdefault(field.key, (field.source, field.needs or "", []))
                told[2].append(card.segment.name)
    for key, (source, needs, segments) in missing.items():
        whose = "Cards" if len(segments) == len(cards) else f"Cards of {', '.join(map(repr, segments))}"
        message = f"{whose} do not state {key!r} ({source})."
        yield FindingDraft(
            "warning", f"card field {key}", message, f"state {needs}" if needs else "", {"segments": segments}
        )


_SOON: Final = timedelta(days=30)


def find_missing_consent(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find people whose data are used for a purpose they have not agreed to."""
    for purpose in _agreed_purposes(subject):
        agreed = _mask(subject, purpose, subject.at)
        evidence = {"agreed": int(agreed.sum()), "people": len(agreed)}
        without = len(agreed) - int(agreed.sum())
        if without:
            message = f"{without:,} of {len(agreed):,} people have not agreed to {purpose!r}."
            remediation = (
                "leave them out, or ask them; the basis of a purpose is not exchanged because people did not agree"
            )
            yield FindingDraft("error", f"purposes.{purpose}", message, remediation, evidence)
        else:
            message = f"All {len(agreed):,} people have agreed to {purpose!r}."
            yield FindingDraft("note", f"purposes.{purpose}", message, "", evidence)


def find_expiring_consent(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find consent that ends soon."""
    for purpose in _agreed_purposes(subject):
        agreed = _mask(subject, purpose, subject.at)
        ends = agreed & ~_mask(subject, purpose, subject.at + _SOON)
        if ends.any():
            message = (
                f"The consent of {int(ends.sum()):,} people ({format_percent(ends.mean())}) to {purpose!r} ends within "
                f"{_SOON.days} days."
            )
            evidence = {"ends": int(ends.sum()), "people": len(ends), "days": _SOON.days}
            yield FindingDraft(
                "warning", f"purposes.{purpose}", message, "ask them again, or leave them out then", evidence
            )


def find_objections(subject: ReviewSubject) -> Iterator[FindingDraft]:
    """Find people who said no to a purpose that rests on another basis than consent."""
    states = getattr(subject.ledger, "states", None)
    if states is None:
        return
    for name, purpose in subject.served.items():
        if purpose.legal_basis in {"consent", None}:
            continue
        denied = sum(ConsentState(state).denies for state in states(subject.ids, name, at=subject.at))
        if denied:
            message = f"{denied:,} of {len(subject.ids or ()):,} people have said no to {name!r}."
            evidence = {"denied": denied, "people": len(subject.ids or ())}
            yield FindingDraft(
                "error", f"purposes.{name}", message, "leave them out until their objection is decided", evidence
            )


def _agreed_purposes(subject: ReviewSubject) -> list[str]:
    return [name for name, purpose in subject.served.items() if purpose.legal_basis == "consent"]


def _mask(subject: ReviewSubject, purpose: str, at: datetime) -> NDArray[np.bool_]:
    assert subject.ledger is not None
    assert subject.ids is not None
    answers = np.asarray(subject.ledger.mask(subject.ids, purpose, at=at))
    if answers.shape != (len(subject.ids),) or answers.dtype != bool:
        message = (
            f"ledger.mask gave {answers.dtype} of shape {answers.shape} for {purpose!r}; it has to say yes or no "
            f"(bool) of each of the {len(subject.ids):,} people"
        )
        raise ParameterError(message)
    return answers
