"""The parts of a policy as frozen data: who, what for, by whom, and where rights are exercised."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from xseg.policy._problems import did_you_mean

__all__ = [
    "DECLARED_PURPOSES",
    "Controller",
    "Frozen",
    "LegalBasis",
    "Link",
    "Purpose",
    "RightLink",
    "Source",
    "Unit",
    "Vendor",
    "Wording",
    "Words",
    "check_declared",
    "check_number",
    "refuse",
]

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
LegalBasis = Literal["consent", "contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest"]
Source = Literal["zero-party", "first-party", "second-party", "third-party", "inferred"]
_PLURAL_FORMS = ("zero", "one", "two", "few", "many", "other")


def _check_unit(unit: "str | Mapping[str, str]") -> "str | Mapping[str, str]":
    if isinstance(unit, str):
        return unit
    unknown = [form for form in unit if form not in _PLURAL_FORMS]
    if unknown or "other" not in unit:
        reason = f"words by plural form: {', '.join(_PLURAL_FORMS)}, of which 'other' is needed"
        raise refuse(reason)
    return unit


Unit = Annotated[Words | Mapping[str, Words], AfterValidator(_check_unit)]
Wording = Mapping[str, Words | Mapping[str, Words]]

DECLARED_PURPOSES = "declared_purposes"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")


def refuse(reason: str) -> PydanticCustomError:
    """Return the error of a value that a policy cannot have."""
    # The reason is an argument, so that braces in a value are not read as a template.
    return PydanticCustomError("policy", "{reason}", {"reason": reason})


def _check_link(url: str) -> str:
    # Browsers drop tabs and line breaks inside an address, so "java\nscript:" must not pass as unknown text.
    if any(character.isspace() or not character.isprintable() for character in url):
        reason = "an address has no spaces, line breaks or invisible characters"
        raise refuse(reason)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        reason = f"not an address: {error}"
        raise refuse(reason) from error
    has_target = bool(parts.path) if parts.scheme == "mailto" else bool(parts.hostname)
    if parts.scheme not in {"http", "https", "mailto"} or not has_target:
        reason = "allowed: https://host/path, http://host/path or mailto:name@host"
        raise refuse(reason)
    return url


def _link_of_text(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def check_declared(purpose: str, info: ValidationInfo) -> str:
    """Raise an error for a purpose that the policy does not declare."""
    declared = (info.context or {}).get(DECLARED_PURPOSES)
    if declared is not None and purpose not in declared:
        known = ", ".join(declared) or "none"
        reason = f"not declared under purposes (declared: {known}).{did_you_mean(purpose, declared)}"
        raise refuse(reason)
    return purpose


def check_number(value: Any) -> Any:
    """Raise an error for what YAML reads as a truth value or a text where a number is meant."""
    if isinstance(value, bool | str):
        reason = f"a number, got {value!r}; write one such as 0 or 99.5"
        raise refuse(reason)
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
