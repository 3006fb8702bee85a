"""Strings of IAB Europe's Transparency and Consent Framework, version 2.2 and 2.3."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from xseg.exceptions import ConsentError
from xseg.governance.consent._signals._bits import Bits, parts_of
from xseg.governance.consent._states import ConsentState

__all__ = ["PublisherConsent", "PublisherRestriction", "TcfString", "read_tcf"]

_PURPOSES = range(1, 12)
_LEGITIMATE_INTEREST = (2, *range(7, 12))
_SPECIAL_FEATURES = (1, 2)
_DISCLOSURE_NEEDED = datetime(2026, 2, 28, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RESTRICTIONS: tuple[Literal["not-allowed", "require-consent", "require-legitimate-interest"], ...] = (
    "not-allowed",
    "require-consent",
    "require-legitimate-interest",
)


@dataclass(frozen=True, slots=True)
class PublisherRestriction:
    """What a publisher keeps some vendors from.

    Attributes
    ----------
    purpose : int
        The purpose.
    kind : {"not-allowed", "require-consent", "require-legitimate-interest"}
        The restriction.
    vendors : frozenset of int
        Whom it is about.
    """

    purpose: int
    kind: Literal["not-allowed", "require-consent", "require-legitimate-interest"]
    vendors: frozenset[int]


@dataclass(frozen=True, slots=True)
class PublisherConsent:
    """What the publisher itself may do.

    Attributes
    ----------
    purposes_consent, purposes_legitimate_interest : frozenset of int
        Purposes of the framework.
    custom_consent, custom_legitimate_interest : frozenset of int
        Purposes of the publisher's own.
    """

    purposes_consent: frozenset[int]
    purposes_legitimate_interest: frozenset[int]
    custom_consent: frozenset[int]
    custom_legitimate_interest: frozenset[int]


@dataclass(frozen=True, slots=True)
class TcfString:
    """What a TC string says.

    Attributes
    ----------
    created, last_updated : datetime
        In UTC.
    cmp_id, cmp_version, consent_screen : int
        Who asked, and where.
    consent_language, publisher_country : str
        Two letters each.
    vendor_list_version, policy_version : int
        The list and the policies that were shown.
    use_non_standard_texts, purpose_one_treatment : bool
        Whether other texts were shown; whether purpose 1 was not disclosed.
    special_features : frozenset of int
        Special features opted in to.
    purposes_consent, purposes_legitimate_interest : frozenset of int
        Purposes consented to; purposes of whose legitimate interest the person was told and did not object.
    vendors_consent, vendors_legitimate_interest : frozenset of int
        Vendors likewise.
    restrictions : tuple of PublisherRestriction
        What the publisher keeps vendors from.
    disclosed_vendors : frozenset of int or None
        Vendors that were shown; None where the string (of version 2.2) does not say.
    publisher : PublisherConsent or None
        What the publisher itself may do.
    """

    created: datetime
    last_updated: datetime
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    use_non_standard_texts: bool
    special_features: frozenset[int]
    purposes_consent: frozenset[int]
    purposes_legitimate_interest: frozenset[int]
    purpose_one_treatment: bool
    publisher_country: str
    vendors_consent: frozenset[int]
    vendors_legitimate_interest: frozenset[int]
    restrictions: tuple[PublisherRestriction, ...]
    disclosed_vendors: frozenset[int] | None = None
    publisher: PublisherConsent | None = field(default=None)

    @property
    def version(self) -> Literal["2.2", "2.3"]:
        """The version whose form the string has."""
        return "2.2" if self.disclosed_vendors is None else "2.3"

    def state(self, vendor: int, purposes: Iterable[int]) -> ConsentState:
        """Return the state of consent for a vendor and all of some purposes.

        Parameters
        ----------
        vendor : int
            A number in the vendor list.
        purposes : iterable of int
            Numbers of purposes.

        Returns
        -------
        ConsentState
            `GIVEN` if the person consented to each purpose and to the vendor, the vendor was shown as far as the
            string says, and the publisher restricts none of it; `REFUSED` otherwise, for no purposes, and for purpose 1
            where the string says that it was not disclosed.

        Examples
        --------
        See `read_tcf`.
        """
        wanted = set(purposes)
        shown = self.disclosed_vendors is None or vendor in self.disclosed_vendors
        agreed = bool(wanted) and wanted <= self.purposes_consent and vendor in self.vendors_consent
        barred = any(
            restriction.purpose in wanted and vendor in restriction.vendors and restriction.kind != "require-consent"
            for restriction in self.restrictions
        )
        # Whoever was not told of a purpose cannot have agreed to it, whatever its bit says.
        untold = self.purpose_one_treatment and 1 in wanted
        return ConsentState.GIVEN if shown and agreed and not barred and not untold else ConsentState.REFUSED


def read_tcf(text: str, *, version: Literal["2.2", "2.3"] | None = None) -> TcfString:
    """Read a TC string, every bit of it.

    Parameters
    ----------
    text : str
        The string, without spaces.
    version : {"2.2", "2.3"}, optional
        The segment of disclosed vendors must be there, since nobody can see whether it was cut off, and without it
        vendors count as shown who were not. With ``"2.2"`` it may be missing where the string was last updated before
        28 February 2026: say so only of strings that come from a store of that time, whole.

    Returns
    -------
    TcfString
        What it says.

    Raises
    ------
    ConsentError
        It is truncated, too long, of another version, or sets what its version does not have.

    References
    ----------
    IAB Tech Lab, "Transparency and Consent String with Global Vendor & CMP List Formats", versions 2.2 (May 2023) and
    2.3 (April 2025).

    Examples
    --------
    >>> from xseg.governance.consent import read_tcf
    >>> read_tcf("CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    xseg.exceptions.ConsentError: the core of the TC string has policy version 2; allowed: 4 to 5; nothing ...
    """
    if version not in {None, "2.2", "2.3"}:
        message = f"version is {version!r}; allowed: None, '2.2', '2.3'"
        raise ConsentError(message)
    core, *others = parts_of(text, ".", "the TC string")
    found = _segments(others)
    disclosed, publisher = found.get(1), found.get(3)
    said = _core(
        Bits(core, "the core of the TC string"),
        disclosed if isinstance(disclosed, frozenset) else None,
        publisher if isinstance(publisher, PublisherConsent) else None,
    )
    if disclosed is None and (version != "2.2" or said.last_updated >= _DISCLOSURE_NEEDED):
        message = (
            "the TC string does not say which vendors were disclosed, as version 2.3 must; nothing is granted by it. "
            "Of a string from before 28 February 2026 that was stored whole, say version='2.2'"
        )
        raise ConsentError(message)
    return said


def _core(bits: Bits, disclosed: frozenset[int] | None, publisher: PublisherConsent | None) -> TcfString:
    bits.within(6, 2, 2, "version")
    created, updated = _time(bits), _time(bits)
    if updated < created:
        bits.refuse(f"was last updated {updated:%Y-%m-%d}, before it was created {created:%Y-%m-%d}")
    cmp_id, cmp_version, screen = bits.integer(12), bits.integer(12), bits.integer(6)
    language, vendor_list = bits.letters("a letter of the language"), bits.integer(12)
    policy = bits.within(6, 4, 5, "policy version")
    bits.within(1, 1, 1, "'service specific'")
    said = TcfString(
        created=created,
        last_updated=updated,
        cmp_id=cmp_id,
        cmp_version=cmp_version,
        consent_screen=screen,
        consent_language=language,
        vendor_list_version=vendor_list,
        policy_version=policy,
        use_non_standard_texts=bool(bits.integer(1)),
        special_features=bits.known(12, _SPECIAL_FEATURES, "special feature"),
        purposes_consent=bits.known(24, _PURPOSES, "purpose"),
        purposes_legitimate_interest=bits.known(24, _LEGITIMATE_INTEREST, "legitimate interest for purpose"),
        purpose_one_treatment=bool(bits.integer(1)),
        publisher_country=bits.letters("a letter of the country"),
        vendors_consent=bits.vendors(),
        vendors_legitimate_interest=bits.vendors(),
        restrictions=tuple(_restriction(bits) for _ in range(bits.integer(12))),
        disclosed_vendors=disclosed,
        publisher=publisher,
    )
    bits.end()
    return said


def _time(bits: Bits) -> datetime:
    return _EPOCH + timedelta(milliseconds=100 * bits.integer(36))


def _restriction(bits: Bits) -> PublisherRestriction:
    purpose = bits.within(6, 1, 11, "a restriction of purpose")
    kind = _RESTRICTIONS[bits.within(2, 0, 2, "a restriction of type")]
    return PublisherRestriction(purpose, kind, bits.ranges(65_535, "vendor"))


def _disclosed(bits: Bits) -> frozenset[int]:
    return bits.vendors()


def _publisher(bits: Bits) -> PublisherConsent:
    consent = bits.known(24, _PURPOSES, "purpose")
    interest = bits.known(24, _LEGITIMATE_INTEREST, "legitimate interest for purpose")
    custom = bits.integer(6)
    return PublisherConsent(consent, interest, bits.numbers(custom), bits.numbers(custom))


_READERS: dict[int, tuple[str, Callable[[Bits], frozenset[int] | PublisherConsent]]] = {
    1: ("disclosed vendors", _disclosed),
    3: ("publisher's purposes", _publisher),
}


def _segments(texts: list[str]) -> dict[int, frozenset[int] | PublisherConsent]:
    found: dict[int, frozenset[int] | PublisherConsent] = {}
    for text in texts:
        bits = Bits(text, "a segment of the TC string")
        kind = bits.integer(3)
        if kind not in _READERS:
            bits.refuse(f"is of type {kind}; allowed: 1 (disclosed vendors), 3 (publisher's purposes)")
        if kind in found:
            bits.refuse(f"is of type {kind}, of which there is one already")
        name, read = _READERS[kind]
        bits.what = f"the segment of {name}"
        found[kind] = read(bits)
        bits.end()
    return found
