"""What people said about the purposes of a model, as facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.cards._fact_types import ConsentAnswer, ConsentFact, ConsentFacts, PurposeFact
from xseg.exceptions import ConsentError
from xseg.governance.consent import ConsentSource, ConsentState, Entry, Identities, Ledger
from xseg.governance.consent._consents import Consents

__all__ = ["Asking", "Said", "asking_of"]

# Where a purpose rests on consent, or it is not stated on what, silence is no.
_ASKS_FIRST: Final = frozenset({"consent", None})
_ANSWERS: Final[Mapping[ConsentState, ConsentAnswer]] = {
    ConsentState.REFUSED: "denied",
    ConsentState.WITHDRAWN: "denied",
    ConsentState.REVOKED: "denied",
    ConsentState.INVALIDATED: "ended",
    ConsentState.TERMINATED: "ended",
    ConsentState.EXPIRED: "ended",
}


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A question to a ledger.

    Attributes
    ----------
    consents : Consents
        The ledger.
    subjects : sequence of str
        Whom about, by row.
    at : datetime
        As of when, with a time zone.
    """

    consents: Consents
    subjects: Sequence[str]
    at: datetime


def asking_of(
    ledger: Ledger | None, identities: Identities | None, ids: Sequence[str] | None, at: datetime
) -> Asking | None:
    """Prepare to ask a ledger, if there is one."""
    if ledger is None:
        return None
    if ids is None:
        message = "a ledger is asked about people by their ids, and there are none; give ids"
        raise ConsentError(message)
    return Asking(Consents(ledger, identities), ids, at)


class Said:
    """What some people said about some purposes; the ledger is asked once for each purpose.

    Parameters
    ----------
    asking : Asking
        The ledger, and whom about.
    purposes : sequence of PurposeFact
        What about.
    """

    def __init__(self, asking: Asking, purposes: Sequence[PurposeFact]) -> None:
        self._ledger, self._at = asking.consents.ledger, asking.at
        self._asked = [(purpose, *_answers(asking, purpose.purpose)) for purpose in purposes]

    def facts(self, row: int) -> ConsentFacts:
        """Return what one person said."""
        said = []
        for purpose, entries, allowed, by_link in self._asked:
            entry = self._ledger[int(entries[row])] if entries[row] >= 0 else None
            answer = self._answer(purpose, entry, allowed=bool(allowed[row]), by_link=bool(by_link[row]))
            said.append(_fact(purpose, entry, answer))
        return ConsentFacts(asked=self._at, said=tuple(said))

    def _answer(self, purpose: PurposeFact, entry: Entry | None, *, allowed: bool, by_link: bool) -> ConsentAnswer:
        silent: ConsentAnswer = "not_given" if purpose.legal_basis in _ASKS_FIRST else "not_denied"
        own = silent if entry is None else self._own(entry, silent)
        if by_link and own != "denied" and own != "denied_by_signal":
            return "denied_by_link"
        return "given" if allowed else own

    def _own(self, entry: Entry, silent: ConsentAnswer) -> ConsentAnswer:
        """Return what somebody's own word comes to, if it is no consent."""
        if entry.state.allows:
            # A grant that does not count has run out, or was never the person's own.
            return "ended" if entry.until is not None and entry.until <= self._at else silent
        # What the company denies by itself, the person did not say.
        answer = silent if entry.source is ConsentSource.BUSINESS else _ANSWERS.get(entry.state, silent)
        return "denied_by_signal" if answer == "denied" and entry.source is ConsentSource.SIGNAL else answer


def _answers(asking: Asking, purpose: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    consents, subjects, at = asking.consents, asking.subjects, asking.at
    return (
        consents.ledger.deciding(subjects, purpose, at=at),
        consents.mask(subjects, purpose, at=at),
        consents.denied_by_link(subjects, purpose, at=at),
    )


def _fact(purpose: PurposeFact, entry: Entry | None, answer: ConsentAnswer) -> ConsentFact:
    known: Mapping[str, Any] = {"state": ConsentState.UNKNOWN, "source": None, "on": None, "until": None}
    if entry is not None:
        until = None if entry.until is None else entry.until.date()
        known = {"state": entry.state, "source": entry.source, "on": entry.at.date(), "until": until}
    return ConsentFact(purpose=purpose.purpose, label=purpose.label, answer=answer, **known)
