"""Telling those who received a segment that it no longer holds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from xseg.governance.rights._standing import Told

__all__ = ["Notice", "Send", "due", "sent"]

_NOBODY: Final = "nobody sends notices here; tell them"
_STOPPED: Final = object()


@dataclass(frozen=True, slots=True)
class Notice:
    """What a recipient is told about one identifier.

    Attributes
    ----------
    recipient, identifier, purpose : str
        Who is told, about whom, and what the segment was used for.
    action : {"stop", "replace"}
        Not to use it any more, or to use another segment instead.
    segment : str or None
        The segment to use instead.
    at : datetime
        From when on.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 19.
    """

    recipient: str
    identifier: str
    purpose: str
    action: Literal["stop", "replace"]
    segment: str | None
    at: datetime


Send = Callable[[Notice], str]


def due(
    receipts: Iterable[Told], subject: str, purpose: str, segment: str | None, named: Sequence[str], at: datetime
) -> list[Notice]:
    """Return what has to be told: to everyone whose last word from us no longer holds.

    Parameters
    ----------
    receipts : iterable of mapping
        All receipts of the person.
    subject, purpose : str
        Who, and what for.
    segment : str or None
        Where the person is now.
    named : sequence of str
        The recipients whom the policy names; others are told to stop.
    at : datetime
        When.
    """
    heard: dict[str, Any] = {}
    for told in receipts:
        private, details = told.get("private", {}), told["details"]
        if told["action"] == "release" and told.get("dpv:hasPurpose") == purpose:
            heard[details["recipient"]] = private.get("segment")
        for one in details.get("recipients", ()):
            if one["purpose"] == purpose and one["delivered"]:
                heard[one["recipient"]] = _STOPPED if one["action"] == "stop" else private.get("after")
    notices = []
    for recipient, last in heard.items():
        wanted = segment if recipient in named else None
        if last is _STOPPED or (wanted is not None and last == wanted):
            continue
        action: Literal["stop", "replace"] = "stop" if wanted is None else "replace"
        notices.append(Notice(recipient, subject, purpose, action, wanted, at))
    return notices


def sent(notice: Notice, send: Send | None) -> tuple[bool, str]:
    """Notify one recipient; return whether they answered, and what, or why not."""
    if send is None:
        return False, _NOBODY
    try:
        answer = send(notice)
    except Exception as error:  # noqa: BLE001 one recipient out of reach must not keep the others from being told
        return False, f"{type(error).__name__}: {error}"
    return (True, answer) if isinstance(answer, str) and answer else (False, f"no answer: {answer!r}")
