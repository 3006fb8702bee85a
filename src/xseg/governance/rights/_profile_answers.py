"""Answers to a person, signals of browsers, and notifications of recipients."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from xseg.cards import AnyCard
from xseg.exceptions import ConsentError
from xseg.governance.consent import read_gpc, read_gpp
from xseg.governance.rights._action_log import ReceiptLine, SegmentBasis, UnchangedReason

__all__ = [
    "ActionEffect",
    "Answer",
    "BrowserSignals",
    "Notice",
    "Placement",
    "Send",
    "find_due_notices",
    "notify",
    "read_signals",
]


@dataclass(frozen=True, slots=True)
class Placement:
    """The segment of a person, if any, and what it follows from."""

    segment: str | None
    basis: SegmentBasis


@dataclass(frozen=True, slots=True)
class ActionEffect:
    """What an action changed, measured by asking before and after.

    Attributes
    ----------
    before, after : str or None
        The segment; None where the person is in none.
    basis : SegmentBasis
        What the person's segment now follows from.
    changed : bool
        Whether the segment, or what it follows from, is another.
    unchanged_reason : UnchangedReason or None
        Where the segment did not change and that needs saying, why not.
    """

    before: str | None
    after: str | None
    basis: SegmentBasis
    changed: bool
    unchanged_reason: UnchangedReason | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the effect as a receipt states it; the segments themselves are private and kept apart."""
        unchanged_reason = None if self.unchanged_reason is None else str(self.unchanged_reason)
        return {"basis": str(self.basis), "changed": self.changed, "unchanged_reason": unchanged_reason}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an action of a person.

    Attributes
    ----------
    card : AnyCard
        The new card, which says what became of what was asked: a `Card` where the model places the person, otherwise a
        `DecidedCard`.
    receipt : dict
        What was asked, when, its effect, and who else was told, as JSON-LD; it stands in the log under its hash.
    effect : ActionEffect
        What it changed.
    """

    card: AnyCard
    receipt: dict[str, Any]
    effect: ActionEffect


@dataclass(frozen=True, slots=True)
class BrowserSignals:
    """Signals of a browser, and the parts of them that cannot be read."""

    scope: frozenset[str]
    limits_sensitive: bool = False
    problems: tuple[str, ...] = ()
    unread: tuple[int, ...] = ()


def read_signals(sec_gpc: str | None, gpp: str | None) -> BrowserSignals:
    """Read a header ``Sec-GPC`` and a GPP string; an error in the string counts only where the header denies nothing.

    Raises
    ------
    ConsentError
        Nothing in the string can be understood, and the header does not opt out.
    """
    scope = read_gpc(sec_gpc)
    if gpp is None:
        return BrowserSignals(scope)
    try:
        said = read_gpp(gpp)
    except ConsentError as error:
        if not scope:
            raise
        return BrowserSignals(scope, problems=(str(error),))
    return BrowserSignals(scope | said.denied, said.limits_sensitive, said.problems, said.unread)


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


def find_due_notices(
    receipts: Iterable[ReceiptLine], subject: str, purpose: str, segment: str | None, named: Sequence[str], at: datetime
) -> list[Notice]:
    """Return the notices to recipients whose last information no longer holds.

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
    for receipt in receipts:
        private, details = receipt.get("private", {}), receipt["details"]
        if receipt["action"] == "release" and receipt.get("dpv:hasPurpose") == purpose:
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


def notify(notice: Notice, send: Send | None) -> tuple[bool, str]:
    """Notify one recipient; return whether they answered, and what, or why not."""
    if send is None:
        return False, _NOBODY
    try:
        answer = send(notice)
    except Exception as error:  # noqa: BLE001 one recipient out of reach must not keep the others from being told
        return False, f"{type(error).__name__}: {error}"
    return (True, answer) if isinstance(answer, str) and answer else (False, f"no answer: {answer!r}")
