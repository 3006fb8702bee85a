"""The append-only log of what people asked for, and the status of a person that follows from it."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import ConsentError
from xseg.governance.append_only import AppendOnlyLog
from xseg.governance.consent import ConsentState
from xseg.governance.rights._person_record import is_json

__all__ = [
    "INTENT",
    "ActionLog",
    "LastStatements",
    "ReceiptLine",
    "RightsStatus",
    "SegmentBasis",
    "UnchangedReason",
    "find_last_statements",
    "replay_receipts",
]

ReceiptLine: TypeAlias = Mapping[str, Any]


class SegmentBasis(StrEnum):
    """What the segment of a person follows from."""

    MODEL = "model"
    CHOSEN = "chosen"
    NO_CONSENT = "no_consent"
    OBJECTED = "objected"
    RESTRICTED = "restricted"
    NOT_PROFILED = "not_profiled"
    ERASED = "erased"
    UNKNOWN = "unknown"


class UnchangedReason(StrEnum):
    """Why an action left the segment as it was; each is the key of a message."""

    NOT_USED = "not_used"
    SAME_SEGMENT = "same_segment"
    PENDING = "pending"
    ALREADY_IN_EFFECT = "already_in_effect"
    DENIED_BY_LINK = "denied_by_link"
    OTHER_DECISION = "other_decision"


@dataclass(frozen=True, slots=True)
class RightsStatus:
    """The state of a person's requests that are not in the consent ledger.

    Attributes
    ----------
    corrections : dict of str to object
        Values that the person corrected.
    pending : dict of int to tuple of str and object
        Corrections that wait for a human, by the number of their case: the feature and the value.
    chosen : str or None
        The segment that the person chose.
    objections : frozenset of int
        Their objections to the use that were not refused or withdrawn, by number: each of them keeps the person out.
    marketing_objections : frozenset of int
        Their objections to marketing that they have not withdrawn, likewise.
    decided : frozenset of int
        The cases that a human has decided; a second decision of the same case counts for nothing.
    restricted, not_profiled, erased : bool
        What the person asked for.
    """

    corrections: Mapping[str, Any] = field(default_factory=dict)
    pending: Mapping[int, tuple[str, Any]] = field(default_factory=dict)
    chosen: str | None = None
    objections: frozenset[int] = frozenset()
    marketing_objections: frozenset[int] = frozenset()
    decided: frozenset[int] = frozenset()
    restricted: bool = False
    not_profiled: bool = False
    erased: bool = False

    def find_exclusion(self) -> SegmentBasis | None:
        """Return the strongest request that excludes the person from every segment; None if there is none."""
        for asked, why in (
            (self.erased, SegmentBasis.ERASED),
            (bool(self.objections or self.marketing_objections), SegmentBasis.OBJECTED),
            (self.restricted, SegmentBasis.RESTRICTED),
            (self.not_profiled, SegmentBasis.NOT_PROFILED),
        ):
            if asked:
                return why
        return None

    def apply(self, receipt: ReceiptLine) -> "RightsStatus":
        """Return the status after one more receipt."""
        transition = _TRANSITIONS.get(receipt["action"])
        return self if transition is None else transition(self, receipt)


def replay_receipts(receipts: Iterable[ReceiptLine], purpose: str) -> RightsStatus:
    """Return the status of a person for a purpose, computed from all their receipts.

    What is erased is erased for every purpose.
    """
    status = RightsStatus()
    for receipt in receipts:
        if receipt["action"] == "erase" or receipt.get("dpv:hasPurpose") == purpose:
            status = status.apply(receipt)
    return status


_Transition = Callable[[RightsStatus, ReceiptLine], RightsStatus]


def _set_flags(**changes: Any) -> _Transition:
    return lambda status, _receipt: replace(status, **changes)


def _private(receipt: ReceiptLine) -> Mapping[str, Any]:
    private: Mapping[str, Any] = receipt.get("private", {})
    return private


def _apply_correction(status: RightsStatus, receipt: ReceiptLine) -> RightsStatus:
    # A log of an earlier version may hold a value that is none, such as Infinity: the one before it goes on being used.
    if "value" not in _private(receipt) or not is_json(_private(receipt)["value"]):
        return status
    feature, value = receipt["details"]["feature"], _private(receipt)["value"]
    # The last word about a feature counts, so that an older one no longer waits.
    pending = {number: one for number, one in status.pending.items() if one[0] != feature}
    if receipt["details"].get("pending"):
        return replace(status, pending={**pending, receipt["number"]: (feature, value)})
    return replace(status, corrections={**status.corrections, feature: value}, pending=pending)


def _apply_choice(status: RightsStatus, receipt: ReceiptLine) -> RightsStatus:
    return replace(status, chosen=_private(receipt).get("segment"))


def _apply_objection(status: RightsStatus, receipt: ReceiptLine) -> RightsStatus:
    return replace(status, objections=status.objections | {receipt["number"]})


def _apply_marketing_objection(status: RightsStatus, receipt: ReceiptLine) -> RightsStatus:
    return replace(status, marketing_objections=status.marketing_objections | {receipt["number"]})


def _apply_decision(status: RightsStatus, receipt: ReceiptLine) -> RightsStatus:
    case, upheld = receipt["details"]["case"], receipt["details"]["upheld"]
    if case in status.decided:
        return status
    pending = dict(status.pending)
    confirmed = pending.pop(case, None)
    corrections = dict(status.corrections)
    if confirmed is not None and upheld is True:
        corrections[confirmed[0]] = confirmed[1]
    return replace(
        status,
        corrections=corrections,
        pending=pending,
        chosen=_private(receipt).get("segment") or status.chosen,
        objections=status.objections - ({case} if upheld is False else frozenset()),
        decided=status.decided | {case},
    )


# What transition from each action, besides what the ledger holds.
_TRANSITIONS: Final[Mapping[str, _Transition]] = {
    "correct": _apply_correction,
    "choose": _apply_choice,
    "decide": _apply_decision,
    "object": _apply_objection,
    "object_marketing": _apply_marketing_objection,
    "restrict": _set_flags(restricted=True),
    "leave": _set_flags(not_profiled=True),
    # Each of these ends one kind of no, and no other.
    "lift": _set_flags(restricted=False),
    "withdraw_objection": _set_flags(objections=frozenset()),
    "withdraw_marketing_objection": _set_flags(marketing_objections=frozenset()),
    "rejoin": _set_flags(not_profiled=False),
    "erase": lambda status, _receipt: RightsStatus(erased=True, decided=status.decided),
}


# The action of the line that is written before anything is done.
INTENT: Final = "intent"


class ActionLog(AppendOnlyLog):
    """Receipts in the order they were given, each with a hash over itself and the one before it.

    It is where a profile remembers what people said: give it a file, and nothing is forgotten when a process ends.
    What is personal in a receipt (a corrected value, a person's own words) stands beside it under a salted digest, and
    is removed by `forget`; the chain goes on holding.

    Parameters
    ----------
    path : path-like, optional
        The file, JSON Lines; each receipt is on the disk before `append` returns, and what other processes write to it
        is seen. Without a file the log lives in memory.

    Raises
    ------
    ConsentError
        The file cannot be read, or is not what was written.

    Examples
    --------
    >>> from xseg.governance.rights import ActionLog
    >>> log = ActionLog()
    >>> first = log.append({"action": "object", "subject": "ann"}, private={"reason": "too many offers"})
    >>> log.forget(lambda receipt: receipt["subject"] == "ann")
    1
    >>> log.verify(), [line.get("action", "forgotten") for line in log]
    (None, ['object', 'forgotten'])
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._by_subject: dict[str, list[int]] = defaultdict(list)
        super().__init__(path)

    def __sklearn_clone__(self) -> "ActionLog":
        """Return itself: clones of an estimator go on asking the one log that is kept."""
        return self

    def find_receipts(self, subject: str) -> list[Mapping[str, Any]]:
        """Return the receipts of one person, the oldest first.

        What was decided, and could not be carried out to the end, is there too, with ``"unfinished": True``: it
        counts from the moment at which it was written down.
        """
        with self._lock:
            lines = self._refresh()
            return _collect_receipts(deepcopy([lines[number] for number in self._by_subject.get(subject, ())]))

    def list_unfinished(self, subject: str) -> list[Mapping[str, Any]]:
        """Return the receipts of what one person decided and what could not be carried out to the end."""
        return [receipt for receipt in self.find_receipts(subject) if receipt.get("unfinished")]

    def get_status(self, subject: str, purpose: str) -> RightsStatus:
        """Return the status of one person for a purpose, without what is in the ledger."""
        return replay_receipts(self.find_receipts(subject), purpose)

    def is_excluded(self, subjects: Iterable[str], purpose: str) -> NDArray[np.bool_]:
        """Return who asked to be in no segment for a purpose.

        Parameters
        ----------
        subjects : iterable of str of length n
            Whom to ask about.
        purpose : str
            What for.

        Returns
        -------
        ndarray of bool of shape (n,)
            True for those who objected, had their data set aside or erased, or stay out, and for those of whom a no
            was written down here that perhaps did not reach the ledger (see `Profile.settle`).
        """
        self._refresh()
        return np.array(
            [name in self._by_subject and self._is_excluded(name, purpose) for name in map(str, subjects)], dtype=bool
        )

    def _is_excluded(self, subject: str, purpose: str) -> bool:
        receipts = self.find_receipts(subject)
        unheard = any(
            what_for == purpose
            for receipt in receipts
            if receipt.get("unfinished")
            for what_for, *_ in read_statements(receipt["details"])
        )
        return unheard or replay_receipts(receipts, purpose).find_exclusion() is not None

    def find_decision_basis(self, subject: str, purpose: str) -> str | None:
        """Return what keeps somebody out of every segment for a purpose, if they asked for it."""
        blocked = self.get_status(subject, purpose).find_exclusion()
        return None if blocked is None else blocked.value

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, head: str | None = None) -> "ActionLog":
        """Open a log that is there, and check it.

        Parameters
        ----------
        path : path-like
            The file.
        head : str, optional
            What `head` was when the log was last seen; without it a log that was cut short is not found.

        Raises
        ------
        ConsentError
            It is not there, cannot be read, or was changed.
        """
        if not Path(path).is_file():
            message = f"there is no log {path}"
            raise ConsentError(message)
        log = cls(path)
        log.verify(head)
        return log

    def _extend(self, lines: list[dict[str, Any]]) -> None:
        if not self._lines:
            self._by_subject.clear()
        for number, line in enumerate(lines, len(self._lines)):
            if "subject" in line:
                self._by_subject[str(line["subject"])].append(number)
        super()._extend(lines)


def _collect_receipts(lines: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Return receipts: of each action the line that says how it ended, or if there is none, the line that began it."""
    ended = {line.get("details", {}).get("intent") for line in lines}
    return [
        line if line.get("action") != INTENT else line | line["details"]["action"] | {"unfinished": True}
        for line in lines
        if line.get("action") != INTENT or line["number"] not in ended
    ]


@dataclass(frozen=True, slots=True)
class _Word:
    """The last statement about a purpose or a feature."""

    number: int
    denies: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class LastStatements:
    """The last statements of one person.

    Attributes
    ----------
    words : dict
        The last word about each purpose, and each feature of it.
    marketing : dict of str to _Word
        The last no to marketing as a whole, by the action that said it; each holds for purposes that are declared
        later too.
    """

    words: dict[tuple[str, str | None], _Word]
    marketing: dict[str, _Word]

    def find_denial_time(self, purpose: str, *, marketing: bool) -> datetime | None:
        """Return when a purpose was denied, if that is the last word about it."""
        own = self.words.get((purpose, None))
        blanket = max(self.marketing.values(), key=lambda word: word.number, default=None) if marketing else None
        if blanket is not None and (own is None or own.number < blanket.number):
            return blanket.at
        return own.at if own is not None and own.denies else None

    def find_withheld(self, purpose: str) -> dict[str, datetime]:
        """Return the features that are withheld from a purpose, and since when."""
        return {
            feature: word.at
            for (what_for, feature), word in self.words.items()
            if what_for == purpose and feature is not None and word.denies
        }


def read_statements(details: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Return the statements of a receipt: purpose, state, feature and time of each; none where it made none.

    Raises
    ------
    ConsentError
        The log was written before statements had this name. Without them a denial would be overlooked.
    """
    if "said" in details:
        message = "the log was written by an earlier version, whose statements this one does not read; use that version"
        raise ConsentError(message)
    statements: Sequence[Sequence[Any]] = details.get("statements", ())
    return statements


def find_last_statements(receipts: Iterable[ReceiptLine]) -> LastStatements:
    """Collect the last statements in a person's receipts."""
    words: dict[tuple[str, str | None], _Word] = {}
    marketing: dict[str, _Word] = {}
    for receipt in receipts:
        details = receipt["details"]
        for purpose, state, feature, at in read_statements(details):
            denies = ConsentState(state).denies
            words[purpose, feature] = _Word(receipt["number"], denies, datetime.fromisoformat(at))
        if details.get("marketing"):
            said_at = datetime.fromisoformat(details.get("at", receipt["dct:created"]))
            marketing[receipt["action"]] = _Word(receipt["number"], denies=True, at=said_at)
        if receipt["action"] == "withdraw_marketing_objection":
            marketing.pop("object_marketing", None)
    return LastStatements(words, marketing)
