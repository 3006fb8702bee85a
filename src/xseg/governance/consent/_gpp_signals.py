"""Strings of the IAB Tech Lab's Global Privacy Platform, and the Global Privacy Control.

A denial that can be read counts, even where the rest of the string is malformed; what cannot be read grants nothing and
is reported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from xseg.exceptions import ConsentError
from xseg.governance.consent._tcf_signals import Bits, TcfString, read_tcf, split_signal

__all__ = ["GPC_SCOPE", "LAYOUTS", "GppString", "UsSection", "read_gpc", "read_gpp"]

Fields = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One version of a section: its number in the header, its name, its fields, and whether it may carry GPC."""

    section: int
    name: str
    version: int
    fields: Fields
    gpc: bool


_MSPA = (("mspa_covered_transaction", 1), ("mspa_opt_out_option_mode", 1), ("mspa_service_provider_mode", 1))
_ADDITIONAL = (("additional_data_processing_consent", 1),)


def _build_national_fields(sensitive: int, children: int) -> Fields:
    return (
        ("sharing_notice", 1),
        ("sale_opt_out_notice", 1),
        ("sharing_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        ("sensitive_data_processing_opt_out_notice", 1),
        ("sensitive_data_limit_use_notice", 1),
        ("sale_opt_out", 1),
        ("sharing_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        ("sensitive_data_processing", sensitive),
        ("known_child_sensitive_data_consents", children),
        ("personal_data_consents", 1),
        *_MSPA,
    )


def _build_state_fields(
    notice: str, sensitive: int, children: int, *more: tuple[str, int], notices: Fields = ()
) -> Fields:
    return (
        (notice, 1),
        ("sale_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        *notices,
        ("sale_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        ("sensitive_data_processing", sensitive),
        ("known_child_sensitive_data_consents", children),
        *more,
        *_MSPA,
    )


_CALIFORNIA: Fields = (
    ("sale_opt_out_notice", 1),
    ("sharing_opt_out_notice", 1),
    ("sensitive_data_limit_use_notice", 1),
    ("sale_opt_out", 1),
    ("sharing_opt_out", 1),
    ("sensitive_data_processing", 9),
    ("known_child_sensitive_data_consents", 2),
    ("personal_data_consents", 1),
    *_MSPA,
)
_SHARING, _PROCESSING = "sharing_notice", "processing_notice"
_SENSITIVE_NOTICE: Fields = (("sensitive_data_processing_opt_out_notice", 1),)
_SENSITIVE_NOTICE_IOWA: Fields = (("sensitive_data_opt_out_notice", 1),)

_ALL = (
    Layout(7, "usnat", 1, _build_national_fields(12, 2), gpc=True),
    Layout(7, "usnat", 2, _build_national_fields(16, 3), gpc=True),
    Layout(8, "usca", 1, _CALIFORNIA, gpc=True),
    Layout(9, "usva", 1, _build_state_fields(_SHARING, 8, 1), gpc=False),
    Layout(10, "usco", 1, _build_state_fields(_SHARING, 7, 1), gpc=True),
    Layout(11, "usut", 1, _build_state_fields(_SHARING, 8, 1, notices=_SENSITIVE_NOTICE), gpc=False),
    Layout(12, "usct", 1, _build_state_fields(_SHARING, 8, 3), gpc=True),
    Layout(13, "usfl", 1, _build_state_fields(_PROCESSING, 8, 3, *_ADDITIONAL), gpc=False),
    Layout(14, "usmt", 1, _build_state_fields(_SHARING, 8, 3, *_ADDITIONAL), gpc=True),
    Layout(15, "usor", 1, _build_state_fields(_PROCESSING, 11, 3, *_ADDITIONAL), gpc=True),
    Layout(16, "ustx", 1, _build_state_fields(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(17, "usde", 1, _build_state_fields(_PROCESSING, 9, 5, *_ADDITIONAL), gpc=True),
    Layout(18, "usia", 1, _build_state_fields(_PROCESSING, 8, 1, notices=_SENSITIVE_NOTICE_IOWA), gpc=True),
    Layout(19, "usne", 1, _build_state_fields(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(20, "usnh", 1, _build_state_fields(_PROCESSING, 8, 3, *_ADDITIONAL), gpc=True),
    Layout(21, "usnj", 1, _build_state_fields(_PROCESSING, 10, 5, *_ADDITIONAL), gpc=True),
    Layout(22, "ustn", 1, _build_state_fields(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
    Layout(23, "usmn", 1, _build_state_fields(_PROCESSING, 8, 1, *_ADDITIONAL), gpc=True),
)
LAYOUTS = {(layout.section, layout.version): layout for layout in _ALL}


def _build_recent_fields(*fields: tuple[str, int]) -> Fields:
    """Return the fields of the sections whose agreement comes first, as encoders write them."""
    return (
        ("mspa_covered_transaction", 1),
        ("mspa_mode", 1),
        ("processing_notice", 1),
        ("sale_opt_out_notice", 1),
        ("targeted_advertising_opt_out_notice", 1),
        ("sale_opt_out", 1),
        ("targeted_advertising_opt_out", 1),
        *fields,
        *_ADDITIONAL,
    )


_CHILD = ("known_child_sensitive_data_consents", 1)
# What encoders write and what the published drafts say differ, so these sections are read for what they deny and for
# nothing else. A later segment holds the Global Privacy Control where `gpc` is true, otherwise sensitive data.
DENY_ONLY = {
    (layout.section, layout.version): layout
    for layout in (
        Layout(24, "usmd", 1, _build_recent_fields(), gpc=True),
        Layout(25, "usin", 1, _build_recent_fields(_CHILD), gpc=False),
        Layout(26, "usky", 1, _build_recent_fields(_CHILD), gpc=False),
        Layout(27, "usri", 1, _build_recent_fields(_CHILD), gpc=False),
    )
}

_SALE, _SHARING_SCOPE, _ADVERTISING = "sale", "sharing", "cross-context-advertising"
# Places (from 0) of `known_child_sensitive_data_consents` at which "no consent" is about one of the three scopes.
CHILD_DENIALS = {
    "usca": {0: _SALE, 1: _SHARING_SCOPE},
    **{name: {1: _SALE, 2: _ADVERTISING} for name in ("usct", "usmt", "usnh", "usor")},
    **{name: {1: _SALE, 2: _ADVERTISING, 3: _SALE, 4: _ADVERTISING} for name in ("usde", "usnj")},
}


GPC_SCOPE = frozenset({"sale", "sharing", "cross-context-advertising"})
_DENIALS = {
    "sale_opt_out": "sale",
    "sharing_opt_out": "sharing",
    "targeted_advertising_opt_out": "cross-context-advertising",
}
_CHILDREN, _SENSITIVE = "known_child_sensitive_data_consents", "sensitive_data_processing"
_TCF_EU, _US_PRIVACY = 2, 6
_NO = 1
_READ_WHOLE = {section for section, _ in LAYOUTS}
_READ_TO_DENY = {section for section, _ in DENY_ONLY}


@dataclass(frozen=True, slots=True)
class UsSection:
    """What a section for the United States says.

    Attributes
    ----------
    name : str
        Such as ``"usnat"``, ``"usca"``.
    version : int
        The version of the section.
    fields : mapping of str to tuple of int
        Each field as it was sent: 0 for not applicable; for notices 1 for given and 2 for not given; for opt-outs 1
        for opted out and 2 for not opted out; for consents 1 for no and 2 for yes.
    gpc : bool or None
        Whether the Global Privacy Control was on; None where the section does not say.
    """

    name: str
    version: int
    fields: Mapping[str, tuple[int, ...]]
    gpc: bool | None

    @property
    def denied(self) -> frozenset[str]:
        """What is denied: any of ``"sale"``, ``"sharing"``, ``"cross-context-advertising"``.

        By an opt-out, the Global Privacy Control, or the missing consent of somebody under age to one of the three.
        """
        if self.gpc:
            return GPC_SCOPE
        opted_out = {scope for name, scope in _DENIALS.items() if self.fields.get(name) == (_NO,)}
        children = self.fields.get(_CHILDREN, ())
        places = CHILD_DENIALS.get(self.name, {})
        return frozenset(opted_out | {places[at] for at, value in enumerate(children) if value == _NO and at in places})

    @property
    def limits_sensitive(self) -> bool:
        """Whether processing of any kind of sensitive data was opted out of, or not consented to."""
        return _NO in self.fields.get(_SENSITIVE, ())


@dataclass(frozen=True, slots=True)
class GppString:
    """What a GPP string says.

    Attributes
    ----------
    us : mapping of str to UsSection
        Sections for the United States that were read whole, by name.
    tcf : TcfString or None
        The European section; None where there is none, or where it cannot be relied on.
    unread : tuple of int
        Numbers of sections that are not read here; they neither grant nor deny.
    denials : mapping of str to UsSection
        Sections that are read for what they deny and nothing else, with the fields that deny something: those of
        ``"usmd"``, ``"usin"``, ``"usky"`` and ``"usri"``, the older ``"uspv1"``, and any section with an error.
    problems : tuple of str
        What is wrong with the string, in sentences.
    """

    us: Mapping[str, UsSection]
    tcf: TcfString | None
    unread: tuple[int, ...]
    denials: Mapping[str, UsSection] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[str, ...] = ()

    @property
    def denied(self) -> frozenset[str]:
        """What is denied in any section. Not to have opted out is no consent, so nothing is granted."""
        return frozenset().union(*(section.denied for section in self._sections()))

    @property
    def limits_sensitive(self) -> bool:
        """Whether any section denies the processing of sensitive data."""
        return any(section.limits_sensitive for section in self._sections())

    def _sections(self) -> Iterable[UsSection]:
        return (*self.us.values(), *self.denials.values())


def read_gpc(value: object) -> frozenset[str]:
    """Return what a header ``Sec-GPC`` denies.

    Parameters
    ----------
    value : str or None
        The value of the header; None where there is none.

    Returns
    -------
    frozenset of str
        ``"sale"``, ``"sharing"`` and ``"cross-context-advertising"`` if the value is ``"1"`` to the letter; nothing
        otherwise. The signal can only deny.

    References
    ----------
    W3C Privacy Working Group, "Global Privacy Control (GPC)".

    Examples
    --------
    >>> from xseg.governance.consent import read_gpc
    >>> sorted(read_gpc("1")), sorted(read_gpc("true"))
    (['cross-context-advertising', 'sale', 'sharing'], [])
    """
    return GPC_SCOPE if isinstance(value, str) and value == "1" else frozenset()


def read_gpp(text: str, *, tcf_version: Literal["2.2", "2.3"] | None = None) -> GppString:
    """Read a GPP string, every bit of the sections for the European Union and the United States.

    A section with an error does not keep the others from being read, and what it says no to counts.

    Parameters
    ----------
    text : str
        The string, without spaces.
    tcf_version : {"2.2", "2.3"}, optional
        Passed on to `read_tcf` as its `version`.

    Returns
    -------
    GppString
        What it says, and in `GppString.problems` and `GppString.unread` what of it was not understood.

    Raises
    ------
    ConsentError
        Nothing can be understood: the header cannot be read, or it lists sections of which each has an error and none
        denies anything. Whether a segment with the Global Privacy Control was cut off at its dot cannot be seen; ask
        for the header as well (`read_gpc`).

    References
    ----------
    IAB Tech Lab, "Global Privacy Platform String", version 1.0, and the technical specifications of its sections.

    Examples
    --------
    >>> from xseg.governance.consent import read_gpp
    >>> said = read_gpp("DBABLA~BVVVVVVVVWA.YA")
    >>> sorted(said.denied), said.us["usnat"].gpc
    (['cross-context-advertising', 'sale', 'sharing'], True)
    """
    header, *sections = split_signal(text, "~", "the GPP string")
    numbers = _read_header(Bits(header, "the header of the GPP string"))
    whole = len(numbers) == len(sections)
    problems = []
    if not whole:
        problems.append(
            f"the header of the GPP string lists {len(numbers)} section(s), but {len(sections)} follow; "
            "nothing is granted by it"
        )
    us: dict[str, UsSection] = {}
    denials: dict[str, UsSection] = {}
    tcf, unread = None, []
    for number, section in zip(numbers, sections, strict=False):
        try:
            if number == _TCF_EU:
                read = read_tcf(section, version=tcf_version)
                tcf = read if whole else None
            elif number in _READ_WHOLE:
                found = _read_us_section(number, section)
                us[found.name] = found
            elif (denial := _read_denial(number, section)) is not None:
                denials[denial.name] = denial
            else:
                unread.append(number)
        except ConsentError as error:
            problems.append(str(error))
            denial = _read_denial(number, section)
            if denial is not None and (denial.denied or denial.limits_sensitive):
                denials[denial.name] = denial
    if problems and tcf is None and not us and not denials:
        raise ConsentError("; ".join(problems))
    return GppString(MappingProxyType(us), tcf, tuple(unread), MappingProxyType(denials), tuple(problems))


def _read_header(bits: Bits) -> list[int]:
    """Return the numbers of the sections."""
    bits.read_bounded(6, 3, 3, "type")
    bits.read_bounded(6, 1, 1, "version")
    numbers: list[int] = []
    last = 0
    for _ in range(bits.read_integer(12)):
        many = bits.read_integer(1)
        first = last + bits.read_fibonacci()
        last = first + bits.read_fibonacci() if many else first
        if last > 4_000:
            bits.fail(f"lists section {last}, which there is not")
        numbers += range(first, last + 1)
    bits.check_end()
    return numbers


def _read_us_section(number: int, text: str) -> UsSection:
    core, *others = text.split(".")
    bits = Bits(core, f"section {number} of the GPP string")
    version = bits.read_integer(6)
    layout = LAYOUTS.get((number, version))
    if layout is None:
        bits.fail(f"is of version {version}, which is not known")
    bits.what = f"section {layout.name} of the GPP string"
    fields = {
        name: tuple(bits.read_bounded(2, int(name == "mspa_covered_transaction"), 2, name) for _ in range(count))
        for name, count in layout.fields
    }
    bits.check_end()
    _check_notices(bits, fields)
    if len(others) > layout.gpc:
        bits.fail(f"has {len(others)} segment(s) after its core; allowed: {int(layout.gpc)}")
    gpc = _read_gpc_segment(others[0], layout.name) if others else None
    return UsSection(layout.name, version, MappingProxyType(fields), gpc)


def _check_notices(bits: Bits, fields: Mapping[str, tuple[int, ...]]) -> None:
    """Raise an error for the claim that somebody did not opt out who was not told that they could."""
    for name in _DENIALS:
        if fields.get(name) == (2,) and fields.get(f"{name}_notice") != (1,):
            bits.fail(f"says that {name} was not used, but not that notice of it was given")


def _read_gpc_segment(text: str, name: str) -> bool:
    bits = Bits(text, f"the GPC segment of section {name}")
    bits.read_bounded(2, 1, 1, "type")
    gpc = bool(bits.read_integer(1))
    bits.check_end()
    return gpc


def _read_denial(number: int, text: str) -> UsSection | None:
    """Read a section for what it denies, as far as it can be read; None where it has no form that is known."""
    if number == _US_PRIVACY:
        return _read_us_privacy(text)
    core, *others = text.split(".")
    try:
        bits = Bits(core, "")
        version = bits.read_integer(6)
    except ConsentError:
        return None
    layout = LAYOUTS.get((number, version)) or DENY_ONLY.get((number, version))
    if layout is None:
        return None
    fields = _read_denying_fields(bits, layout)
    if number in _READ_TO_DENY and not layout.gpc:
        for other in others:
            fields |= _read_denying_list(other)
        return UsSection(layout.name, version, MappingProxyType(fields), None)
    gpc = True if any(map(_has_gpc_on, others)) else None
    return UsSection(layout.name, version, MappingProxyType(fields), gpc)


def _read_denying_fields(bits: Bits, layout: Layout) -> dict[str, tuple[int, ...]]:
    """Read the fields up to where the bits end, and keep of those that are no notices each "no" at its place."""
    found: dict[str, tuple[int, ...]] = {}
    for name, count in layout.fields:
        try:
            values = tuple(bits.read_integer(2) for _ in range(count))
        except ConsentError:
            break
        if name in _DENIALS or name in {_CHILDREN, _SENSITIVE}:
            found |= _keep_denials(name, values)
    return found


def _read_denying_list(text: str) -> dict[str, tuple[int, ...]]:
    try:
        bits = Bits(text, "")
        return _keep_denials(_SENSITIVE, tuple(bits.read_integer(2) for _ in range(8)))
    except ConsentError:
        return {}


def _keep_denials(name: str, values: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(_NO if value == _NO else 0 for value in values)} if _NO in values else {}


def _has_gpc_on(text: str) -> bool:
    try:
        bits = Bits(text, "")
        return bits.read_integer(2) == 1 and bits.read_integer(1) == 1
    except ConsentError:
        return False


def _read_us_privacy(text: str) -> UsSection | None:
    """Read the US Privacy string, such as "1YYN": version, notice, opt-out of sale, covered by an agreement."""
    if len(text) != 4 or text[0] != "1" or not set(text[1:].upper()) <= set("YN-"):
        return None
    fields = {"sale_opt_out": (_NO,)} if text[2].upper() == "Y" else {}
    return UsSection("uspv1", 1, MappingProxyType(fields), None)
