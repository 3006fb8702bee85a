"""The parts of a policy as frozen data."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from xseg.policy._problems import did_you_mean

__all__ = [
    "DECLARED_PURPOSES",
    "Controller",
    "FeaturePolicy",
    "FeatureWords",
    "Frozen",
    "LegalBasis",
    "Link",
    "Purpose",
    "RightLink",
    "SegmentPolicy",
    "Source",
    "Translation",
    "Unit",
    "Vendor",
    "Wording",
    "Words",
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
        raise _refuse(reason)
    return unit


Unit = Annotated[Words | Mapping[str, Words], AfterValidator(_check_unit)]
Wording = Mapping[str, Words | Mapping[str, Words]]

DECLARED_PURPOSES = "declared_purposes"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")


def _refuse(reason: str) -> PydanticCustomError:
    # The reason is an argument, so that braces in a value are not read as a template.
    return PydanticCustomError("policy", "{reason}", {"reason": reason})


def _check_link(url: str) -> str:
    # Browsers drop tabs and line breaks inside an address, so "java\nscript:" must not pass as unknown text.
    if any(character.isspace() or not character.isprintable() for character in url):
        reason = "an address has no spaces, line breaks or invisible characters"
        raise _refuse(reason)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        reason = f"not an address: {error}"
        raise _refuse(reason) from error
    has_target = bool(parts.path) if parts.scheme == "mailto" else bool(parts.hostname)
    if parts.scheme not in {"http", "https", "mailto"} or not has_target:
        reason = "allowed: https://host/path, http://host/path or mailto:name@host"
        raise _refuse(reason)
    return url


def _link_of_text(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _check_declared(purpose: str, info: ValidationInfo) -> str:
    declared = (info.context or {}).get(DECLARED_PURPOSES)
    if declared is not None and purpose not in declared:
        known = ", ".join(declared) or "none"
        reason = f"not declared under purposes (declared: {known}).{did_you_mean(purpose, declared)}"
        raise _refuse(reason)
    return purpose


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


class FeaturePolicy(Frozen):
    """What may be said about one column, and what it may be used for.

    Every field is optional: what is not written is not claimed.

    Parameters
    ----------
    label : str, optional
        Plain words for the person, such as ``"orders in the last 90 days"``.
    unit : str or mapping of str to str, optional
        An ISO 4217 currency code such as ``"EUR"``, a word in the singular such as ``"order"``, or the word in each
        CLDR plural form such as ``{one: Bestellung, other: Bestellungen}``.
    number_format : str, optional
        A CLDR number pattern such as ``"#,##0.00"``.
    source : {"zero-party", "first-party", "second-party", "third-party", "inferred"}, optional
        Told by the person, observed by the controller, passed on by a partner, bought in, or worked out from other
        data. None means that the source is not stated.
    vendor : str, optional
        Who supplied the values; only with a second-party or third-party source.
    collected_from : str, optional
        Words for the place they came from, such as ``"your orders"``.
    window_days : int, optional
        How many days back the values look, for columns that sum something up over a time.
    purposes : sequence of str
        Ids of the purposes the column is used for, each declared in the policy.
    sensitive : bool, default=False
        Whether the column needs the protection of a special category.
    mutable : bool, optional
        Whether the person can change it. None means not stated.
    direction : {"up", "down"}, optional
        The only direction in which it can change.
    shown : bool, default=True
        Whether a card may show the value.

    Examples
    --------
    >>> from xseg.policy import FeaturePolicy
    >>> FeaturePolicy(source="first-party", collected_from="your orders").origin
    'from your orders'
    >>> FeaturePolicy().origin
    'source not stated'
    """

    label: Words | None = None
    unit: Unit | None = None
    number_format: str | None = None
    source: Source | None = None
    vendor: Words | None = None
    collected_from: Words | None = None
    window_days: Annotated[int, Field(strict=True, gt=0)] | None = None
    purposes: tuple[Annotated[str, AfterValidator(_check_declared)], ...] = ()
    sensitive: bool = False
    mutable: bool | None = None
    direction: Literal["up", "down"] | None = None
    shown: bool = True

    @field_validator("number_format")
    @classmethod
    def _check_number_format(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        # Late: babel is slow to import, and few policies need it.
        from babel.numbers import parse_pattern

        try:
            parse_pattern(pattern)
        except ValueError as error:
            reason = f"not a CLDR number pattern ({error}); write one such as '#,##0.00'"
            raise _refuse(reason) from error
        if "0" not in pattern:
            reason = "a CLDR number pattern has at least one digit 0; write one such as '#,##0.00'"
            raise _refuse(reason)
        return pattern

    @field_validator("vendor")
    @classmethod
    def _check_vendor(cls, vendor: str | None, info: ValidationInfo) -> str | None:
        # A source that is itself wrong is absent from info.data and reported on its own.
        if vendor is not None and info.data.get("source", "third-party") not in {"second-party", "third-party"}:
            source = info.data["source"] or "not stated"
            reason = f"only a second-party or third-party source has a vendor, and the source here is {source}"
            raise _refuse(reason)
        return vendor

    @property
    def origin(self) -> str:
        """Where the values came from, as a piece of a sentence.

        Returns
        -------
        str
            For example ``"you told us"``, ``"from your orders"``, ``"from partner GeoStat Ltd"`` or
            ``"source not stated"``.

        Examples
        --------
        >>> from xseg.policy import FeaturePolicy
        >>> FeaturePolicy(source="third-party", vendor="GeoStat Ltd").origin
        'from partner GeoStat Ltd'
        """
        if self.source == "zero-party":
            return f"you told us ({self.collected_from})" if self.collected_from else "you told us"
        if self.source in {"second-party", "third-party"}:
            partner = f"from partner {self.vendor}" if self.vendor else "from a partner that is not named"
            return f"{partner} ({self.collected_from})" if self.collected_from else partner
        if self.source == "inferred":
            return f"worked out from {self.collected_from}" if self.collected_from else "worked out by us"
        if self.collected_from:
            return f"from {self.collected_from}"
        return "from your dealings with us" if self.source == "first-party" else "source not stated"


class SegmentPolicy(Frozen):
    """What a person is told about one segment.

    Parameters
    ----------
    shown_name : str, optional
        What the person is told that the segment is called; without it, the segment's own name.
    name_shown : bool, default=True
        Whether a name may be shown at all; otherwise the card says "Group 1".
    sentence : str, optional
        The segment in plain words.
    consequence : str, optional
        What being in it decides, and what it does not.
    speak : str, optional
        How to speak to the people in it; for those who work with the segment, not for the people.

    Examples
    --------
    >>> from xseg.policy import SegmentPolicy
    >>> SegmentPolicy(sentence="You buy books often.").consequence is None
    True
    """

    shown_name: Words | None = None
    name_shown: Annotated[bool, Field(strict=True)] = True
    sentence: Words | None = None
    consequence: Words | None = None
    speak: Words | None = None


class FeatureWords(Frozen):
    """The words of one feature in another language.

    Parameters
    ----------
    label, collected_from : str, optional
        As in `FeaturePolicy`.
    unit : str or mapping of str to str, optional
        As in `FeaturePolicy`.

    Examples
    --------
    >>> from xseg.policy import FeatureWords
    >>> FeatureWords(label="Bestellungen", unit={"one": "Bestellung", "other": "Bestellungen"}).label
    'Bestellungen'
    """

    label: Words | None = None
    unit: Unit | None = None
    collected_from: Words | None = None


class Translation(Frozen):
    """What the policy says to people, in another language.

    Parameters
    ----------
    features : mapping of str to FeatureWords
        By column.
    segments : mapping of str to SegmentPolicy
        By segment name; `shown_name` translates the name.
    purposes, interests, rights : mapping of str to str
        Labels of purposes, legitimate interests of purposes, and labels of rights, by id.
    transfers, automation, special_categories, human_review : str, optional
        As in `Policy`.

    Examples
    --------
    >>> from xseg.policy import Translation
    >>> Translation(purposes={"offers": "welche Angebote Sie sehen"}).purposes["offers"]
    'welche Angebote Sie sehen'
    """

    features: Mapping[str, FeatureWords] = Field(default_factory=dict)
    segments: Mapping[str, SegmentPolicy] = Field(default_factory=dict)
    purposes: Mapping[str, Words] = Field(default_factory=dict)
    interests: Mapping[str, Words] = Field(default_factory=dict)
    rights: Mapping[str, Words] = Field(default_factory=dict)
    transfers: Words | None = None
    automation: Words | None = None
    special_categories: Words | None = None
    human_review: Words | None = None


Link = Annotated[RightLink, BeforeValidator(_link_of_text, json_schema_input_type=str | RightLink)]
