"""Strings of IAB Europe's Transparency and Consent Framework, version 2.2 and 2.3."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, NoReturn

from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import ConsentState

__all__ = ["Bits", "PublisherConsent", "PublisherRestriction", "TcfString", "read_tcf", "split_signal"]

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIX_BITS = {character: f"{value:06b}" for value, character in enumerate(_ALPHABET)}
_LONGEST = 100_000
_FIBONACCI = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987)


def split_signal(text: object, separator: str, what: str) -> list[str]:
    """Split a signal, after checking that it is text of a sane length."""
    if not isinstance(text, str):
        message = f"{what} is a {type(text).__name__}; give its text"
        raise ConsentError(message)
    if not 0 < len(text) <= _LONGEST:
        message = f"{what} has {len(text)} characters; it has 1 to {_LONGEST}"
        raise ConsentError(message)
    return text.split(separator)


class Bits:
    """Bits that are read once, from left to right, to their very end."""

    def __init__(self, text: str, what: str) -> None:
        self.what = what
        self._place = 0
        try:
            self._bits = "".join([_SIX_BITS[character] for character in text])
        except KeyError as error:
            self.fail(f"has the character {error.args[0]!r}, which is none of base64url")
        if not text:
            self.fail("is empty")

    def fail(self, found: str) -> NoReturn:
        """Raise the error that says what was found."""
        message = f"{self.what} {found}; nothing is granted by it"
        raise ConsentError(message)

    def read_bits(self, width: int) -> str:
        """Return the next bits."""
        taken = self._bits[self._place : self._place + width]
        if len(taken) < width:
            self.fail(f"ends after {len(self._bits)} bits, within a field of {width} bits")
        self._place += width
        return taken

    def read_integer(self, width: int) -> int:
        """Read an integer."""
        return int(self.read_bits(width), 2)

    def read_bounded(self, width: int, lowest: int, highest: int, name: str) -> int:
        """Read an integer between two others."""
        value = self.read_integer(width)
        if not lowest <= value <= highest:
            self.fail(f"has {name} {value}; allowed: {lowest} to {highest}")
        return value

    def read_letters(self, name: str) -> str:
        """Read two letters of six bits each."""
        return "".join(chr(ord("A") + self.read_bounded(6, 0, 25, name)) for _ in range(2))

    def read_flags(self, width: int) -> frozenset[int]:
        """Read a field of bits as the numbers, from 1, of those that are set."""
        return frozenset(number for number, bit in enumerate(self.read_bits(width), 1) if bit == "1")

    def read_known_flags(self, width: int, allowed: Iterable[int], name: str) -> frozenset[int]:
        """Read a field of bits of which only some may be set."""
        found = self.read_flags(width)
        unknown = sorted(found.difference(allowed))
        if unknown:
            self.fail(f"sets {name} {unknown[0]}, which this version does not have")
        return found

    def read_ranges(self, highest: int, name: str) -> frozenset[int]:
        """Read single numbers and inclusive ranges; none may overlap or go beyond `highest`."""
        found: set[int] = set()
        for _ in range(self.read_integer(12)):
            many = self.read_integer(1)
            first = self.read_bounded(16, 1, highest, name)
            last = self.read_bounded(16, first, highest, name) if many else first
            entry = range(first, last + 1)
            if not found.isdisjoint(entry):
                self.fail(f"lists {name} {min(found.intersection(entry))} twice")
            found.update(entry)
        return frozenset(found)

    def read_vendors(self) -> frozenset[int]:
        """Read a set of vendors: their highest number, then one bit each, or ranges."""
        highest = self.read_integer(16)
        return self.read_ranges(highest, "vendor") if self.read_integer(1) else self.read_flags(highest)

    def read_fibonacci(self) -> int:
        """Read an integer from 1 in Fibonacci coding."""
        digits = ""
        while not digits.endswith("11"):
            if len(digits) > len(_FIBONACCI):
                self.fail("has a number in Fibonacci coding that does not end")
            digits += self.read_bits(1)
        return sum(number for number, digit in zip(_FIBONACCI, digits[:-1], strict=False) if digit == "1")

    def check_end(self) -> None:
        """Check that nothing but the padding of one of the usual encoders is left: to 6, 8 or 24 bits, of zeros."""
        written, used = len(self._bits), self._place
        padded = {_round_up(used, 6), _round_up(_round_up(used, 8), 6), _round_up(used, 24)}
        if written not in padded:
            self.fail(f"has {written} bits, of which {used} are used: too many")
        if "1" in self._bits[used:]:
            self.fail(f"has bits set after its {used} bits, where there are zeros only")


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


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
        restricted = any(
            restriction.purpose in wanted and vendor in restriction.vendors and restriction.kind != "require-consent"
            for restriction in self.restrictions
        )
        # Whoever was not told of a purpose cannot have agreed to it, whatever its bit says.
        untold = self.purpose_one_treatment and 1 in wanted
        return ConsentState.GIVEN if shown and agreed and not restricted and not untold else ConsentState.REFUSED


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
    core, *others = split_signal(text, ".", "the TC string")
    found = _read_segments(others)
    disclosed, publisher = found.get(1), found.get(3)
    said = _read_core(
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


def _read_core(bits: Bits, disclosed: frozenset[int] | None, publisher: PublisherConsent | None) -> TcfString:
    bits.read_bounded(6, 2, 2, "version")
    created, updated = _read_time(bits), _read_time(bits)
    if updated < created:
        bits.fail(f"was last updated {updated:%Y-%m-%d}, before it was created {created:%Y-%m-%d}")
    cmp_id, cmp_version, screen = bits.read_integer(12), bits.read_integer(12), bits.read_integer(6)
    language, vendor_list = bits.read_letters("a letter of the language"), bits.read_integer(12)
    policy = bits.read_bounded(6, 4, 5, "policy version")
    bits.read_bounded(1, 1, 1, "'service specific'")
    said = TcfString(
        created=created,
        last_updated=updated,
        cmp_id=cmp_id,
        cmp_version=cmp_version,
        consent_screen=screen,
        consent_language=language,
        vendor_list_version=vendor_list,
        policy_version=policy,
        use_non_standard_texts=bool(bits.read_integer(1)),
        special_features=bits.read_known_flags(12, _SPECIAL_FEATURES, "special feature"),
        purposes_consent=bits.read_known_flags(24, _PURPOSES, "purpose"),
        purposes_legitimate_interest=bits.read_known_flags(24, _LEGITIMATE_INTEREST, "legitimate interest for purpose"),
        purpose_one_treatment=bool(bits.read_integer(1)),
        publisher_country=bits.read_letters("a letter of the country"),
        vendors_consent=bits.read_vendors(),
        vendors_legitimate_interest=bits.read_vendors(),
        restrictions=tuple(_read_restriction(bits) for _ in range(bits.read_integer(12))),
        disclosed_vendors=disclosed,
        publisher=publisher,
    )
    bits.check_end()
    return said


def _read_time(bits: Bits) -> datetime:
    return _EPOCH + timedelta(milliseconds=100 * bits.read_integer(36))


def _read_restriction(bits: Bits) -> PublisherRestriction:
    purpose = bits.read_bounded(6, 1, 11, "a restriction of purpose")
    kind = _RESTRICTIONS[bits.read_bounded(2, 0, 2, "a restriction of type")]
    return PublisherRestriction(purpose, kind, bits.read_ranges(65_535, "vendor"))


def _read_disclosed(bits: Bits) -> frozenset[int]:
    return bits.read_vendors()


def _read_publisher(bits: Bits) -> PublisherConsent:
    consent = bits.read_known_flags(24, _PURPOSES, "purpose")
    interest = bits.read_known_flags(24, _LEGITIMATE_INTEREST, "legitimate interest for purpose")
    custom = bits.read_integer(6)
    return PublisherConsent(consent, interest, bits.read_flags(custom), bits.read_flags(custom))


_READERS: dict[int, tuple[str, Callable[[Bits], frozenset[int] | PublisherConsent]]] = {
    1: ("disclosed vendors", _read_disclosed),
    3: ("publisher's purposes", _read_publisher),
}


def _read_segments(texts: list[str]) -> dict[int, frozenset[int] | PublisherConsent]:
    found: dict[int, frozenset[int] | PublisherConsent] = {}
    for text in texts:
        bits = Bits(text, "a segment of the TC string")
        kind = bits.read_integer(3)
        if kind not in _READERS:
            bits.fail(f"is of type {kind}; allowed: 1 (disclosed vendors), 3 (publisher's purposes)")
        if kind in found:
            bits.fail(f"is of type {kind}, of which there is one already")
        name, read = _READERS[kind]
        bits.what = f"the segment of {name}"
        found[kind] = read(bits)
        bits.check_end()
    return found
