"""Strings of the IAB Tech Lab's Global Privacy Platform, and the Global Privacy Control."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from xseg.consent._signals._bits import Bits, parts_of
from xseg.consent._signals._tcf import TcfString, read_tcf
from xseg.consent._signals._us_layouts import LAYOUTS
from xseg.exceptions import SignalError

__all__ = ["GPC_SCOPE", "GppString", "UsSection", "read_gpc", "read_gpp"]

GPC_SCOPE = frozenset({"sale", "sharing", "cross-context-advertising"})
_DENIALS = {
    "sale_opt_out": "sale",
    "sharing_opt_out": "sharing",
    "targeted_advertising_opt_out": "cross-context-advertising",
}
_TCF_EU = 2
_READ_SECTIONS = {section for section, _ in LAYOUTS}


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
        """What the person opted out of: any of ``"sale"``, ``"sharing"``, ``"cross-context-advertising"``."""
        opted_out = {scope for name, scope in _DENIALS.items() if self.fields.get(name) == (1,)}
        return GPC_SCOPE if self.gpc else frozenset(opted_out)


@dataclass(frozen=True, slots=True)
class GppString:
    """What a GPP string says.

    Attributes
    ----------
    us : mapping of str to UsSection
        Sections for the United States, by name.
    tcf : TcfString or None
        The European section.
    unread : tuple of int
        Numbers of sections that are not read here; they neither grant nor deny.
    """

    us: Mapping[str, UsSection]
    tcf: TcfString | None
    unread: tuple[int, ...]

    @property
    def denied(self) -> frozenset[str]:
        """What the person opted out of in any section. Not to have opted out is no consent, so nothing is granted."""
        return frozenset().union(*(section.denied for section in self.us.values()))


def read_gpc(value: object) -> frozenset[str]:
    """Say what a header ``Sec-GPC`` denies.

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
    >>> from xseg.consent import read_gpc
    >>> sorted(read_gpc("1")), sorted(read_gpc("true"))
    (['cross-context-advertising', 'sale', 'sharing'], [])
    """
    return GPC_SCOPE if isinstance(value, str) and value == "1" else frozenset()


def read_gpp(text: str) -> GppString:
    """Read a GPP string, every bit of the sections for the European Union and the United States.

    Parameters
    ----------
    text : str
        The string, without spaces.

    Returns
    -------
    GppString
        What it says.

    Raises
    ------
    SignalError
        It is truncated, too long, of an unknown version, or contradicts itself. Whether a segment with the Global
        Privacy Control was cut off at its dot cannot be seen; ask for the header as well (`read_gpc`).

    References
    ----------
    IAB Tech Lab, "Global Privacy Platform String", version 1.0, and the technical specifications of its sections.

    Examples
    --------
    >>> from xseg.consent import read_gpp
    >>> said = read_gpp("DBABLA~BVVVVVVVVWA.YA")
    >>> sorted(said.denied), said.us["usnat"].gpc
    (['cross-context-advertising', 'sale', 'sharing'], True)
    """
    header, *sections = parts_of(text, "~", "the GPP string")
    numbers = _header(Bits(header, "the header of the GPP string"))
    if len(numbers) != len(sections):
        message = (
            f"the header of the GPP string lists {len(numbers)} section(s), but {len(sections)} follow; "
            "nothing is granted by it"
        )
        raise SignalError(message)
    us: dict[str, UsSection] = {}
    tcf, unread = None, []
    for number, section in zip(numbers, sections, strict=True):
        if number == _TCF_EU:
            tcf = read_tcf(section)
        elif number in _READ_SECTIONS:
            read = _us_section(number, section)
            us[read.name] = read
        else:
            unread.append(number)
    return GppString(MappingProxyType(us), tcf, tuple(unread))


def _header(bits: Bits) -> list[int]:
    bits.within(6, 3, 3, "type")
    bits.within(6, 1, 1, "version")
    numbers: list[int] = []
    last = 0
    for _ in range(bits.integer(12)):
        many = bits.integer(1)
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if many else first
        if last > 4_000:
            bits.refuse(f"lists section {last}, which there is not")
        numbers += range(first, last + 1)
    bits.end()
    if not numbers:
        bits.refuse("lists no section")
    return numbers


def _us_section(number: int, text: str) -> UsSection:
    core, *others = text.split(".")
    bits = Bits(core, f"section {number} of the GPP string")
    version = bits.integer(6)
    layout = LAYOUTS.get((number, version))
    if layout is None:
        bits.refuse(f"is of version {version}, which is not known")
    bits.what = f"section {layout.name} of the GPP string"
    fields = {
        name: tuple(bits.within(2, int(name == "mspa_covered_transaction"), 2, name) for _ in range(count))
        for name, count in layout.fields
    }
    bits.end()
    _check_notices(bits, fields)
    if len(others) > layout.gpc:
        bits.refuse(f"has {len(others)} segment(s) after its core; allowed: {int(layout.gpc)}")
    gpc = _gpc_segment(others[0], layout.name) if others else None
    return UsSection(layout.name, version, MappingProxyType(fields), gpc)


def _check_notices(bits: Bits, fields: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse the claim that somebody did not opt out who was not told that they could."""
    for name in _DENIALS:
        if fields.get(name) == (2,) and fields.get(f"{name}_notice") != (1,):
            bits.refuse(f"says that {name} was not used, but not that notice of it was given")


def _gpc_segment(text: str, name: str) -> bool:
    bits = Bits(text, f"the GPC segment of section {name}")
    bits.within(2, 1, 1, "type")
    gpc = bool(bits.integer(1))
    bits.end()
    return gpc
