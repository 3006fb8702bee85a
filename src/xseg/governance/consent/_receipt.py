"""A receipt for a statement, for the person who made it."""

from typing import Any

from xseg.exceptions import ConsentError
from xseg.governance.consent._entries import EVERY_PURPOSE, Entry, read_text

__all__ = ["receipt"]

_CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "dct": "http://purl.org/dc/terms/",
    "schema": "https://schema.org/",
}
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560"


def receipt(entry: Entry, *, controller: str | None = None, concept: str | None = None) -> dict[str, Any]:
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
    >>> from xseg.governance.consent import Ledger, receipt
    >>> entry = Ledger().append("ann", "offers", "given", source="banner", at="2026-05-03T12:00:00Z")
    >>> receipt(entry)["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]["@type"]
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
