"""What people said about the purposes of a model, as facts, and what cards ask of those who keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from xseg.cards._fact_types import ConsentAnswer, ConsentFact, ConsentFacts, DecisionBasis, PurposeFact
from xseg.core.consent_states import ConsentSource, ConsentState
from xseg.exceptions import ConsentError
from xseg.segmenters import SegmenterOrPipeline

__all__ = [
    "AdmittedRowsLike",
    "ConsentGateLike",
    "ConsentLedger",
    "ConsentLookup",
    "ConsentQuestion",
    "ConsentStatement",
    "IdentityLinks",
    "is_consent_gate",
    "prepare_question",
]

# Where a purpose rests on consent, or it is not stated on what, silence is no.
_REQUIRES_CONSENT: Final = frozenset({"consent", None})
_ANSWERS: Final[Mapping[ConsentState, ConsentAnswer]] = {
    ConsentState.REFUSED: "denied",
    ConsentState.WITHDRAWN: "denied",
    ConsentState.REVOKED: "denied",
    ConsentState.INVALIDATED: "ended",
    ConsentState.TERMINATED: "ended",
    ConsentState.EXPIRED: "ended",
}


class ConsentStatement(Protocol):
    """A statement of a person about one purpose; `xseg.governance.consent.Entry` is one."""

    @property
    def state(self) -> ConsentState:
        """What was said."""

    @property
    def source(self) -> ConsentSource:
        """Where it came from."""

    @property
    def at(self) -> datetime:
        """When it was said."""

    @property
    def until(self) -> datetime | None:
        """From when on it no longer counts; None means that it does not end by itself."""


class ConsentLedger(Protocol):
    """What cards ask a ledger of consents; `xseg.governance.consent.Ledger` is one."""

    def find_deciding_entries(self, subjects: Any, purpose: str, *, at: datetime) -> NDArray[np.int64]:
        """Return the number of the statement that decides for each subject, -1 where there is none."""

    def has_consent(self, subjects: Any, purpose: str, *, at: datetime) -> NDArray[np.bool_]:
        """Return which subjects have agreed to a purpose."""

    def __getitem__(self, number: int) -> ConsentStatement:
        """Return a statement by its number."""

    def digest_state(self) -> str:
        """Return a digest of everything that was stated so far."""


class IdentityLinks(Protocol):
    """What cards ask of links between identifiers; `xseg.governance.consent.Identities` is one."""

    def mask(self, ledger: Any, subjects: Any, purpose: str, *, at: datetime) -> NDArray[np.bool_]:
        """Return which subjects have agreed, and no denial of a linked identifier has reached."""

    def is_denied_by_link(self, ledger: Any, subjects: Any, purpose: str, *, at: datetime) -> NDArray[np.bool_]:
        """Return which subjects a denial of a linked identifier has reached."""

    def digest_state(self) -> str:
        """Return a digest of the links that count."""


class AdmittedRowsLike(Protocol):
    """The rows of those who agreed, as a model may see them."""

    @property
    def X(self) -> Any:
        """The rows; what is withheld is missing."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Where they were."""

    @property
    def n_rows(self) -> int:
        """How many rows there were."""


class ConsentGateLike(Protocol):
    """What cards ask of a segmenter that sees only who agreed; `xseg.governance.consent.ConsentGate` is one."""

    segmenter_: Any
    policy: Any
    ledger: Any
    identities: Any

    def admit(self, X: Any, *, ids: Any, at: datetime) -> AdmittedRowsLike:
        """Return the rows of those who agree."""

    def resolve_time(self, at: datetime) -> datetime:
        """Return the time about which the gate asks, where `at` is the time of the call."""

    def find_decision_basis(self, subject: str) -> DecisionBasis:
        """Return why a subject who is not admitted is in no group."""

    def describe_exclusions(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """Return digests of everything besides ledger and links on which admission depends."""


def is_consent_gate(segmenter: SegmenterOrPipeline) -> TypeGuard[ConsentGateLike]:
    """Return whether a segmenter, fitted or not, is one that asks who agreed."""
    return callable(getattr(segmenter, "find_decision_basis", None))


@dataclass(frozen=True, slots=True, eq=False)
class ConsentQuestion:
    """A query to a ledger.

    Attributes
    ----------
    ledger : ConsentLedger
        The ledger.
    identities : IdentityLinks or None
        Links over which denials spread.
    subjects : sequence of str
        Whom about, by row.
    at : datetime
        As of when, with a time zone.
    """

    ledger: ConsentLedger
    identities: IdentityLinks | None
    subjects: Sequence[str]
    at: datetime

    def ask(self, purpose: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the deciding statement of each subject, who agreed, and whom a linked denial has reached."""
        ledger, links, subjects, at = self.ledger, self.identities, self.subjects, self.at
        deciding = ledger.find_deciding_entries(subjects, purpose, at=at)
        if links is None:
            return deciding, ledger.has_consent(subjects, purpose, at=at), np.zeros(len(subjects), dtype=bool)
        return (
            deciding,
            links.mask(ledger, subjects, purpose, at=at),
            links.is_denied_by_link(ledger, subjects, purpose, at=at),
        )


def prepare_question(
    ledger: ConsentLedger | None, identities: IdentityLinks | None, ids: Sequence[str] | None, at: datetime
) -> ConsentQuestion | None:
    """Prepare to ask a ledger, if there is one.

    Raises
    ------
    ConsentError
        There is a ledger, and there are no ids.
    """
    if ledger is None:
        return None
    if ids is None:
        message = "a ledger is asked about people by their ids, and there are none; give ids"
        raise ConsentError(message)
    return ConsentQuestion(ledger, identities, ids, at)


class ConsentLookup:
    """What some people said about some purposes; the ledger is asked once for each purpose.

    Parameters
    ----------
    question : ConsentQuestion
        The ledger, and whom about.
    purposes : sequence of PurposeFact
        What about.
    """

    def __init__(self, question: ConsentQuestion, purposes: Sequence[PurposeFact]) -> None:
        self._ledger, self._at = question.ledger, question.at
        self._answers = [(purpose, *question.ask(purpose.purpose)) for purpose in purposes]

    def facts(self, row: int) -> ConsentFacts:
        """Return what one person said."""
        said = []
        for purpose, numbers, allowed, by_link in self._answers:
            statement = self._ledger[int(numbers[row])] if numbers[row] >= 0 else None
            answer = self._answer(purpose, statement, allowed=bool(allowed[row]), by_link=bool(by_link[row]))
            said.append(_consent_fact(purpose, statement, answer))
        return ConsentFacts(at=self._at, statements=tuple(said))

    def _answer(
        self, purpose: PurposeFact, statement: ConsentStatement | None, *, allowed: bool, by_link: bool
    ) -> ConsentAnswer:
        silent: ConsentAnswer = "not_given" if purpose.legal_basis in _REQUIRES_CONSENT else "not_denied"
        own = silent if statement is None else self._own_answer(statement, silent)
        if by_link and own != "denied" and own != "denied_by_signal":
            return "denied_by_link"
        return "given" if allowed else own

    def _own_answer(self, statement: ConsentStatement, silent: ConsentAnswer) -> ConsentAnswer:
        """Return the answer that a person's own statement gives where it is not a valid consent."""
        if statement.state.allows:
            # A grant that does not count has run out, or was never the person's own.
            return "ended" if statement.until is not None and statement.until <= self._at else silent
        # What the company denies by itself, the person did not say.
        answer = silent if statement.source is ConsentSource.BUSINESS else _ANSWERS.get(statement.state, silent)
        return "denied_by_signal" if answer == "denied" and statement.source is ConsentSource.SIGNAL else answer


def _consent_fact(purpose: PurposeFact, statement: ConsentStatement | None, answer: ConsentAnswer) -> ConsentFact:
    known: Mapping[str, Any] = {"state": ConsentState.UNKNOWN, "source": None, "on": None, "until": None}
    if statement is not None:
        until = None if statement.until is None else statement.until.date()
        known = {"state": statement.state, "source": statement.source, "on": statement.at.date(), "until": until}
    return ConsentFact(purpose=purpose.purpose, label=purpose.label, answer=answer, **known)
