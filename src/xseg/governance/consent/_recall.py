"""Who was given which identifier, and telling them to stop."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from xseg.governance.consent._times import moment

__all__ = ["Recall", "RecallReceipt", "Suppression"]


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a recipient is told: not to use an identifier for a purpose any more.

    Attributes
    ----------
    recipient, identifier, purpose : str
        Who, which and what for.
    origin : str
        The identifier with which the denial was made.
    at : datetime
        From when on, in UTC.
    received : datetime
        When the recipient was first given the identifier, in UTC.
    """

    recipient: str
    identifier: str
    purpose: str
    origin: str
    at: datetime
    received: datetime

    @property
    def hash(self) -> str:
        """SHA-256 over the fields as JSON, by which the order can be named."""
        said = [self.recipient, self.identifier, self.purpose, self.origin, self.at, self.received]
        return sha256(json.dumps(list(map(str, said))).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RecallReceipt:
    """What became of one suppression.

    Attributes
    ----------
    suppression : Suppression
        What was sent.
    delivered : bool
        Whether the recipient answered.
    answer : str
        The answer, or why there is none.
    """

    suppression: Suppression
    delivered: bool
    answer: str

    @property
    def recipient(self) -> str:
        """Who was told."""
        return self.suppression.recipient

    @property
    def identifier(self) -> str:
        """What about."""
        return self.suppression.identifier


@dataclass(eq=False)
class Recall:
    """Who was given which identifier, and when first."""

    _given: dict[str, dict[str, int]] = field(default_factory=dict)

    def note(self, identifier: str, recipient: str, at: int) -> None:
        """Write down that a recipient was given an identifier."""
        received = self._given.setdefault(identifier, {})
        received[recipient] = min(at, received.get(recipient, at))

    def send(
        self,
        identifiers: Sequence[str],
        origin: str,
        purpose: str,
        now: int,
        deliver: Callable[[Suppression], str],
    ) -> list[RecallReceipt]:
        """Notify each recipient of each identifier, whatever becomes of the others."""
        receipts = []
        for identifier in identifiers:
            for recipient, received in self._given.get(identifier, {}).items():
                order = Suppression(recipient, identifier, purpose, origin, _time(now), _time(received))
                receipts.append(_delivered(order, deliver))
        return receipts


def _delivered(order: Suppression, deliver: Callable[[Suppression], str]) -> RecallReceipt:
    try:
        answer = deliver(order)
    except Exception as error:  # noqa: BLE001 one recipient out of reach must not keep the others from being told
        return RecallReceipt(order, delivered=False, answer=f"{type(error).__name__}: {error}")
    if not isinstance(answer, str) or not answer:
        return RecallReceipt(order, delivered=False, answer=f"no answer: {answer!r}")
    return RecallReceipt(order, delivered=True, answer=answer)


def _time(micros: int) -> datetime:
    time = moment(micros)
    assert time is not None
    return time
