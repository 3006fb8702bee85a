"""Whether the people in the table have agreed, and for how long."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import ParameterError
from xseg.governance.consent import ConsentState
from xseg.governance.reviews._findings import Found, percent
from xseg.governance.reviews._subject import Subject

__all__ = ["consent_coverage", "consent_expiry", "objections"]

_SOON: Final = timedelta(days=30)


def consent_coverage(subject: Subject) -> Iterator[Found]:
    """Find people whose data are used for a purpose they have not agreed to."""
    for purpose in _agreed_purposes(subject):
        agreed = _mask(subject, purpose, subject.now)
        evidence = {"agreed": int(agreed.sum()), "people": len(agreed)}
        without = len(agreed) - int(agreed.sum())
        if without:
            message = f"{without:,} of {len(agreed):,} people have not agreed to {purpose!r}."
            mend = "leave them out, or ask them; the basis of a purpose is not exchanged because people did not agree"
            yield Found("error", f"purposes.{purpose}", message, mend, evidence)
        else:
            message = f"All {len(agreed):,} people have agreed to {purpose!r}."
            yield Found("note", f"purposes.{purpose}", message, "", evidence)


def consent_expiry(subject: Subject) -> Iterator[Found]:
    """Find consent that ends soon."""
    for purpose in _agreed_purposes(subject):
        agreed = _mask(subject, purpose, subject.now)
        ends = agreed & ~_mask(subject, purpose, subject.now + _SOON)
        if ends.any():
            message = (
                f"The consent of {int(ends.sum()):,} people ({percent(ends.mean())}) to {purpose!r} ends within "
                f"{_SOON.days} days."
            )
            evidence = {"ends": int(ends.sum()), "people": len(ends), "days": _SOON.days}
            yield Found("warning", f"purposes.{purpose}", message, "ask them again, or leave them out then", evidence)


def objections(subject: Subject) -> Iterator[Found]:
    """Find people who said no to a purpose that rests on another basis than consent."""
    states = getattr(subject.ledger, "states", None)
    if states is None:
        return
    for name, purpose in subject.served.items():
        if purpose.legal_basis in {"consent", None}:
            continue
        denied = sum(ConsentState(state).denies for state in states(subject.subjects, name, at=subject.now))
        if denied:
            message = f"{denied:,} of {len(subject.subjects or ()):,} people have said no to {name!r}."
            evidence = {"denied": denied, "people": len(subject.subjects or ())}
            yield Found(
                "error", f"purposes.{name}", message, "leave them out until their objection is decided", evidence
            )


def _agreed_purposes(subject: Subject) -> list[str]:
    return [name for name, purpose in subject.served.items() if purpose.legal_basis == "consent"]


def _mask(subject: Subject, purpose: str, at: datetime) -> NDArray[np.bool_]:
    assert subject.ledger is not None
    assert subject.subjects is not None
    answers = np.asarray(subject.ledger.mask(subject.subjects, purpose, at=at))
    if answers.shape != (len(subject.subjects),) or answers.dtype != bool:
        message = (
            f"ledger.mask gave {answers.dtype} of shape {answers.shape} for {purpose!r}; it has to say yes or no "
            f"(bool) of each of the {len(subject.subjects):,} people"
        )
        raise ParameterError(message)
    return answers
