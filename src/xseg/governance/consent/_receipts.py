"""Receipts for statements, and for notifications of recipients that a denial was made."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import EVERY_PURPOSE, Entry, read_text, to_time

__all__ = ["Recall", "RecallReceipt", "Suppression", "make_consent_receipt"]

_CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "dct": "http://purl.org/dc/terms/",
    "schema": "https://schema.org/",
}
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560"


def make_consent_receipt(entry: Entry, *, controller: str | None = None, concept: str | None = None) -> dict[str, Any]:
    """Return a receipt for an entry of a ledger, as JSON-LD.

    It has the shape of a consent receipt with the record it is about. It is no proof by itself: sign it, or keep the
    ledger's `head` where the person can see it.

    Parameters
    ----------
    entry : Entry
        What was written down.
    controller : str, optional
        Who answers for the use of the data.
    concept : str, optional
        A term for the purpose, such as ``"dpv:PersonalisedAdvertising"``; without one the purpose stands by its id.

    Returns
    -------
    dict
        To be given to ``json.dumps``.

    Raises
    ------
    ConsentError
        It is no entry, or what is stated beside it is no text.

    References
    ----------
    ISO/IEC TS 27560:2023, "Consent record information structure".
    W3C Data Privacy Vocabularies and Controls Community Group, "Consent Records and Receipts as per ISO/IEC TS
    27560:2023 using DPV", 2024.

    Examples
    --------
    >>> from xseg.governance.consent import Ledger, make_consent_receipt
    >>> entry = Ledger().append("ann", "offers", "given", source="banner", at="2026-05-03T12:00:00Z")
    >>> make_consent_receipt(entry)["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]["@type"]
    'dpv:ConsentGiven'
    """
    if not isinstance(entry, Entry):
        message = f"a receipt is for an Entry of a ledger, not for a {type(entry).__name__}"
        raise ConsentError(message)
    for where, said in (("controller", controller), ("concept", concept)):
        if said is not None:
            read_text(said, where)
    status = {"@type": entry.state.iri, "dpv:isIndicatedAtTime": entry.at.isoformat()}
    process: dict[str, Any] = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": "dpv:Purpose" if entry.purpose == EVERY_PURPOSE else concept or entry.purpose,
    }
    if entry.feature is not None:
        process["dpv:hasPersonalData"] = entry.feature
    if controller is not None:
        process["dpv:hasDataController"] = controller
    record: dict[str, Any] = {
        "@type": "dpv:ConsentRecord",
        "dct:identifier": entry.hash,
        "dct:conformsTo": f"{_PROFILE}#record",
        "dpv:hasDataSubject": entry.subject,
        "dpv:hasConsentStatus": status,
        "dpv:hasProcess": process,
        "dpv:hasIndicationMethod": str(entry.source),
    }
    if entry.until is not None:
        record["dpv:hasDuration"] = {"@type": "dpv:UntilTimeDuration", "dct:valid": entry.until.isoformat()}
    if entry.reference:
        record["dpv:hasNotice"] = entry.reference
    return {
        "@context": _CONTEXT,
        "@type": "dpv:ConsentReceipt",
        "dct:identifier": f"receipt-{entry.number}-{entry.hash[:16]}",
        "dct:conformsTo": f"{_PROFILE}#receipt-record",
        "dct:created": entry.recorded.isoformat(),
        "schema:recipient": "dpv:DataSubject",
        "dpv:hasRecordOfActivity": record,
    }


@dataclass(frozen=True, slots=True)
class Suppression:
    """The request to a recipient to stop using an identifier for a purpose.

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
    """The outcome of one suppression.

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
    """Disclosures: which recipient was given which identifier, and when first."""

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
                order = Suppression(recipient, identifier, purpose, origin, to_time(now), to_time(received))
                receipts.append(_deliver(order, deliver))
        return receipts


def _deliver(order: Suppression, deliver: Callable[[Suppression], str]) -> RecallReceipt:
    try:
        answer = deliver(order)
    except Exception as error:  # noqa: BLE001 one recipient out of reach must not keep the others from being told
        return RecallReceipt(order, delivered=False, answer=f"{type(error).__name__}: {error}")
    if not isinstance(answer, str) or not answer:
        return RecallReceipt(order, delivered=False, answer=f"no answer: {answer!r}")
    return RecallReceipt(order, delivered=True, answer=answer)
