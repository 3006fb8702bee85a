"""What a policy says of columns and segments, and in other languages."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from xseg.policy._policy_parts import Source, Unit, build_error, check_number, check_purpose_declared
from xseg.policy.yaml_files import Frozen, Words

__all__ = ["FeaturePolicy", "FeatureWords", "SegmentPolicy", "Traits", "Translation"]

# A number as YAML reads it; true and false are none.
Bound = Annotated[float, BeforeValidator(check_number), Field(allow_inf_nan=False)]


class Traits(Frozen):
    """Words for people with high or low values of one feature.

    Cards name a segment with them that has no name of its own, where its rule asks for no more than a lower bound
    (`high`) or an upper bound (`low`).

    Parameters
    ----------
    high, low : str, optional
        Such as ``"people who order often"``.

    Examples
    --------
    >>> from xseg.policy import Traits
    >>> Traits(high="people who order often").low is None
    True
    """

    high: Words | None = None
    low: Words | None = None


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
    traits : Traits, optional
        Words for people with high and with low values, from which cards make the name of a segment that has none.
    minimum, maximum : float, optional
        The smallest and the largest number that the column can hold. A person's correction beyond them is refused, and
        one within them counts at once.

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
    purposes: tuple[Annotated[str, AfterValidator(check_purpose_declared)], ...] = ()
    sensitive: bool = False
    mutable: bool | None = None
    direction: Literal["up", "down"] | None = None
    shown: bool = True
    traits: Traits | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None

    @field_validator("maximum")
    @classmethod
    def _check_range(cls, maximum: float | None, info: ValidationInfo) -> float | None:
        minimum = info.data.get("minimum")
        if maximum is not None and minimum is not None and maximum < minimum:
            reason = f"maximum must be at least minimum ({minimum:g}), got {maximum:g}; exchange or correct them"
            raise build_error(reason)
        return maximum

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
            raise build_error(reason) from error
        if "0" not in pattern:
            reason = "a CLDR number pattern has at least one digit 0; write one such as '#,##0.00'"
            raise build_error(reason)
        return pattern

    @field_validator("vendor")
    @classmethod
    def _check_vendor(cls, vendor: str | None, info: ValidationInfo) -> str | None:
        # A source that is itself wrong is absent from info.data and reported on its own.
        if vendor is not None and info.data.get("source", "third-party") not in {"second-party", "third-party"}:
            source = info.data["source"] or "not stated"
            reason = f"only a second-party or third-party source has a vendor, and the source here is {source}"
            raise build_error(reason)
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
        What the person is told that the segment is called; without it, the name that people gave it
        (`segment_names=`), or one made of `traits`, or "Group A". A name that was proposed is never shown.
    name_shown : bool, default=True
        Whether a name may be shown at all; otherwise the card says "Group A".
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
    traits : Traits, optional
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
    traits: Traits | None = None


class Translation(Frozen):
    """What the policy says to people, in another language.

    Parameters
    ----------
    features : mapping of str to FeatureWords
        By column.
    segments : mapping of str to SegmentPolicy
        By segment name or index; `shown_name` translates the name.
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
