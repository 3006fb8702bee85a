"""States of consent, and sources of statements about it."""

from enum import StrEnum

__all__ = ["TERMS", "ConsentSource", "ConsentState"]


class ConsentState(StrEnum):
    """The last known state of a consent, in the terms of the Data Privacy Vocabulary.

    Only `GIVEN` and `RENEWED` allow anything. `TERMINATED` is the end of an agreement by either side; the vocabulary
    has no word of its own for it, and `iri` gives the nearest, revoked.

    References
    ----------
    W3C Data Privacy Vocabularies and Controls Community Group, "Data Privacy Vocabulary (DPV)", version 2, consent
    status.

    Examples
    --------
    >>> from xseg.core.consent_states import ConsentState
    >>> ConsentState.GIVEN.allows, ConsentState.REQUESTED.allows
    (True, False)
    >>> ConsentState.DEFERRED.iri
    'dpv:ConsentRequestDeferred'
    """

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    DEFERRED = "deferred"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    GIVEN = "given"
    RENEWED = "renewed"

    @property
    def allows(self) -> bool:
        """Whether the state is valid for processing."""
        return self in {ConsentState.GIVEN, ConsentState.RENEWED}

    @property
    def denies(self) -> bool:
        """Whether consent was explicitly denied: refused, withdrawn, revoked, invalidated or terminated."""
        return self in _DENIALS

    @property
    def iri(self) -> str:
        """The term of the Data Privacy Vocabulary, as a compact IRI."""
        return f"dpv:{TERMS[self]}"


_DENIALS = frozenset(
    {
        ConsentState.REFUSED,
        ConsentState.WITHDRAWN,
        ConsentState.REVOKED,
        ConsentState.INVALIDATED,
        ConsentState.TERMINATED,
    }
)
TERMS = {
    ConsentState.UNKNOWN: "ConsentUnknown",
    ConsentState.REQUESTED: "ConsentRequested",
    ConsentState.DEFERRED: "ConsentRequestDeferred",
    ConsentState.REFUSED: "ConsentRefused",
    ConsentState.WITHDRAWN: "ConsentWithdrawn",
    ConsentState.REVOKED: "ConsentRevoked",
    ConsentState.INVALIDATED: "ConsentInvalidated",
    ConsentState.TERMINATED: "ConsentRevoked",
    ConsentState.EXPIRED: "ConsentExpired",
    ConsentState.GIVEN: "ConsentGiven",
    ConsentState.RENEWED: "RenewedConsentGiven",
}


class ConsentSource(StrEnum):
    """Source of a statement about consent.

    A grant by `BUSINESS`, such as a default setting, is recorded but is not consent and never allows anything; a
    denial by it counts.

    Examples
    --------
    >>> from xseg.core.consent_states import ConsentSource
    >>> ConsentSource("banner")
    <ConsentSource.BANNER: 'banner'>
    """

    DEVICE = "device"
    ACCOUNT = "account"
    BANNER = "banner"
    SIGNAL = "signal"
    STAFF = "staff"
    BUSINESS = "business"
