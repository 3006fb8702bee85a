"""The parts of a policy as frozen data: who, what for, by whom, and the rights that follow."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from xseg.core.schema import suggest_name
from xseg.policy.yaml_files import Frozen, Words

__all__ = [
    "DECLARED_PURPOSES",
    "RIGHTS",
    "Controller",
    "LegalBasis",
    "Link",
    "Purpose",
    "RightLink",
    "Source",
    "Unit",
    "Vendor",
    "Wording",
    "build_error",
    "check_number",
    "check_purpose_declared",
    "derive_rights",
    "is_marketing",
]

LegalBasis = Literal["consent", "contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest"]
Source = Literal["zero-party", "first-party", "second-party", "third-party", "inferred"]
_PLURAL_FORMS = ("zero", "one", "two", "few", "many", "other")


def _check_unit(unit: "str | Mapping[str, str]") -> "str | Mapping[str, str]":
    if isinstance(unit, str):
        return unit
    unknown = [form for form in unit if form not in _PLURAL_FORMS]
    if unknown or "other" not in unit:
        reason = f"words by plural form: {', '.join(_PLURAL_FORMS)}, of which 'other' is needed"
        raise build_error(reason)
    return unit


Unit = Annotated[Words | Mapping[str, Words], AfterValidator(_check_unit)]
Wording = Mapping[str, Words | Mapping[str, Words]]

DECLARED_PURPOSES = "declared_purposes"


def build_error(reason: str) -> PydanticCustomError:
    """Return the error of a value that a policy cannot have."""
    # The reason is an argument, so that braces in a value are not read as a template.
    return PydanticCustomError("policy", "{reason}", {"reason": reason})


def _check_link(url: str) -> str:
    # Browsers drop tabs and line breaks inside an address, so "java\nscript:" must not pass as unknown text.
    if any(character.isspace() or not character.isprintable() for character in url):
        reason = "an address has no spaces, line breaks or invisible characters"
        raise build_error(reason)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        reason = f"not an address: {error}"
        raise build_error(reason) from error
    has_target = bool(parts.path) if parts.scheme == "mailto" else bool(parts.hostname)
    if parts.scheme not in {"http", "https", "mailto"} or not has_target:
        reason = "allowed: https://host/path, http://host/path or mailto:name@host"
        raise build_error(reason)
    return url


def _link_of_text(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def check_purpose_declared(purpose: str, info: ValidationInfo) -> str:
    """Raise an error for a purpose that the policy does not declare."""
    declared = (info.context or {}).get(DECLARED_PURPOSES)
    if declared is not None and purpose not in declared:
        known = ", ".join(declared) or "none"
        reason = f"not declared under purposes (declared: {known}).{suggest_name(purpose, declared, sentence=True)}"
        raise build_error(reason)
    return purpose


def check_number(value: Any) -> Any:
    """Raise an error for what YAML reads as a truth value or a text where a number is meant."""
    if isinstance(value, bool | str):
        reason = f"a number, got {value!r}; write one such as 0 or 99.5"
        raise build_error(reason)
    return value


class Controller(Frozen):
    """Who answers for the use of the data.

    Parameters
    ----------
    name : str
        The organisation, as the person knows it.
    contact : str
        Where the person writes to: an e-mail address, a page or a postal address.
    authority : str, optional
        The supervisory authority to which the person may complain.
    officer : str, optional
        The data protection officer, with where to write to.

    Examples
    --------
    >>> from xseg.policy import Controller
    >>> Controller(name="Harbour Books", contact="privacy@harbour.example").name
    'Harbour Books'
    """

    name: Words
    contact: Words
    authority: Words | None = None
    officer: Words | None = None


class Purpose(Frozen):
    """One thing that segments are used for.

    Parameters
    ----------
    label : str
        Plain words for the person, such as ``"choosing which offers you see"``.
    concept : str, optional
        A term of the W3C Data Privacy Vocabulary, such as ``"dpv:PersonalisedAdvertising"``.
    legal_basis : {"consent", "contract", "legal-obligation", "vital-interest", "public-task", \
"legitimate-interest"}, optional
        The basis under Article 6 GDPR. It decides which rights a card shows.
    interest : str, optional
        The legitimate interest, where that is the basis.
    retention_days : int, optional
        For how many days the data are kept for this purpose.
    obligatory : bool, optional
        Whether the person has to give the data, by law or contract. None means not stated.
    marketing : bool, optional
        Whether this is direct marketing, to which a person may object without giving a reason. None means that the
        `concept` decides.
    steps_to_agree : int, optional
        How many steps it takes to agree to this, from the page where it is asked: clicks, fields, confirmations.

    References
    ----------
    W3C Data Privacy Vocabularies and Controls Community Group, "Data Privacy Vocabulary (DPV)", version 2.

    Examples
    --------
    >>> from xseg.policy import Purpose
    >>> Purpose(label="choosing which offers you see", legal_basis="consent").legal_basis
    'consent'
    """

    label: Words
    concept: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*:[A-Za-z][A-Za-z0-9_-]*$")] | None = None
    legal_basis: LegalBasis | None = None
    interest: Words | None = None
    obligatory: Annotated[bool, Field(strict=True)] | None = None
    marketing: Annotated[bool, Field(strict=True)] | None = None
    retention_days: Annotated[int, Field(strict=True, gt=0)] | None = None
    steps_to_agree: Annotated[int, Field(strict=True, ge=1)] | None = None


class RightLink(Frozen):
    """Where a person exercises one right.

    Parameters
    ----------
    label : str, optional
        Words for the link. Without them a card uses its own words for the right, in the person's language.
    url : str
        An address that begins with ``https:``, ``http:`` or ``mailto:``; every other kind is refused.
    steps : int, optional
        How many steps it takes from there until the right is exercised, counted as for agreeing.

    Examples
    --------
    >>> from xseg.policy import RightLink
    >>> RightLink(label="ask our privacy team", url="https://harbour.example/contact").url
    'https://harbour.example/contact'
    """

    label: Words | None = None
    url: Annotated[str, AfterValidator(_check_link)]
    steps: Annotated[int, Field(strict=True, ge=1)] | None = None


class Vendor(Frozen):
    """What is known of a company that supplies values.

    Parameters
    ----------
    contract : bool, optional
        Whether a contract binds it. None means not stated.
    audited : date, optional
        When it was last audited.
    propagates_opt_out : bool, optional
        Whether somebody's objection reaches it. None means not stated.

    Examples
    --------
    >>> from xseg.policy import Vendor
    >>> Vendor(contract=True, audited="2026-09-01").audited.year
    2026
    """

    contract: Annotated[bool, Field(strict=True)] | None = None
    audited: date | None = None
    propagates_opt_out: Annotated[bool, Field(strict=True)] | None = None


Link = Annotated[RightLink, BeforeValidator(_link_of_text, json_schema_input_type=str | RightLink)]


# What the person may do, and where it is written.
RIGHTS: Final = {
    "access": "GDPR Article 15; CCPA 1798.110",
    "correct": "GDPR Article 16; CCPA 1798.106",
    "erase": "GDPR Article 17; CCPA 1798.105",
    "restrict": "GDPR Article 18",
    "port": "GDPR Article 20",
    "withdraw": "GDPR Article 7(3)",
    "object": "GDPR Article 21(1)",
    "object_marketing": "GDPR Article 21(2) and (3)",
    "opt_out": "CCPA 1798.120 and 1798.135",
    "limit_sensitive": "CCPA 1798.121",
    "recipients": "GDPR Article 15(1)(c); C-154/21",
    "contest": "GDPR Article 22(3)",
    "person": "GDPR Article 22(3)",
    "not_profiled": "DSA Articles 27(3) and 38",
    "choose": "DSA Articles 26(1)(d) and 27(3)",
    "switch_off": "GDPR Article 7(3); DSA Article 27(3)",
    "complain": "GDPR Article 77",
}
_ALWAYS: Final = ("access", "correct", "erase", "restrict", "recipients", "complain")
_BY_BASIS: Final[dict[LegalBasis, tuple[str, ...]]] = {
    "consent": ("withdraw", "port"),
    "contract": ("port",),
    "legal-obligation": (),
    "vital-interest": (),
    "public-task": ("object",),
    "legitimate-interest": ("object",),
}
# Article 17(3)(b): what the law tells a company to keep, it need not erase.
_NOT_BY_BASIS: Final[dict[LegalBasis, tuple[str, ...]]] = {"legal-obligation": ("erase",)}
_MARKETING_CONCEPTS: Final = frozenset(
    {"Marketing", "DirectMarketing", "PersonalisedAdvertising", "TargetedAdvertising"}
)


def derive_rights(purposes: Iterable[Purpose]) -> tuple[str, ...]:
    """Return the rights that follow from the legal bases of some purposes, in the order of `RIGHTS`.

    Parameters
    ----------
    purposes : iterable of Purpose
        What the data are used for. One without a legal basis gives the rights that every basis gives.

    Returns
    -------
    tuple of str
        Ids of rights; a right that any of the purposes gives is there.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 7 and 15 to 22 and 77.

    Examples
    --------
    >>> from xseg.policy import Purpose, derive_rights
    >>> derive_rights([Purpose(label="offers", legal_basis="consent", concept="dpv:PersonalisedAdvertising")])
    ('access', 'correct', 'erase', 'restrict', 'port', 'withdraw', 'object_marketing', 'recipients', 'complain')
    """
    given: set[str] = set()
    for purpose in purposes:
        basis = purpose.legal_basis
        rights = {*_ALWAYS, *(_BY_BASIS[basis] if basis else ())}
        given |= rights - set(_NOT_BY_BASIS.get(basis, ()) if basis else ())
        if is_marketing(purpose):
            given.add("object_marketing")
    return tuple(right for right in RIGHTS if right in given)


def is_marketing(purpose: Purpose) -> bool:
    """Return whether a purpose is direct marketing, to which a person may object without giving a reason."""
    if purpose.marketing is not None:
        return purpose.marketing
    return purpose.concept is not None and purpose.concept.partition(":")[2] in _MARKETING_CONCEPTS
