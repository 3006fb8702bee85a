"""The policy file as frozen data, in other languages, and compared with another policy."""

import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, TypeVar
from warnings import warn

from pydantic import BaseModel, Field, ValidationError

from xseg.core.schema import suggest_name
from xseg.exceptions import DefinitionError, UnknownSegmentsWarning
from xseg.policy._feature_policy import FeaturePolicy, FeatureWords, SegmentPolicy, Traits, Translation
from xseg.policy._policy_parts import (
    DECLARED_PURPOSES,
    Controller,
    Link,
    Purpose,
    RightLink,
    Vendor,
    Wording,
    is_marketing,
)
from xseg.policy.yaml_files import POLICY, FileKind, KeyPath, Lines, Words, YamlFile, describe_errors, dump_yaml

__all__ = ["STATEMENTS", "Policy", "is_narrower", "translate_fields"]

_Part = TypeVar("_Part", bound=BaseModel)
STATEMENTS: Final = ("special_categories", "transfers", "automation", "human_review")
"""What a policy states in its own words, in the order in which cards say it: fields of policy, translation and card."""


def translate_fields(policy: "Policy", words: Translation) -> dict[str, Any]:
    """Return the fields of a policy that a translation says in other words."""
    return {
        "features": {
            **policy.features,
            **{
                name: _with_words(policy.features.get(name, FeaturePolicy()), said)
                for name, said in words.features.items()
            },
        },
        "segments": {
            **policy.segments,
            **{
                name: _with_words(policy.segments.get(name, SegmentPolicy()), said)
                for name, said in words.segments.items()
            },
        },
        "purposes": {
            name: purpose.model_copy(
                update=_field("label", words.purposes.get(name)) | _field("interest", words.interests.get(name))
            )
            for name, purpose in policy.purposes.items()
        },
        "rights": {
            name: link.model_copy(update=_field("label", words.rights.get(name)))
            for name, link in policy.rights.items()
        },
        **{name: getattr(words, name) for name in STATEMENTS if getattr(words, name) is not None},
    }


# What is said to people of features and segments.
_TOLD: Final = {
    "features": ("label", "unit", "collected_from"),
    "segments": ("shown_name", "sentence", "consequence"),
}


def _is_worded(stated: str | Mapping[str, str] | None) -> bool:
    """Return whether a text has words; the code of a currency is written as the language writes it."""
    return stated is not None and not (isinstance(stated, str) and re.fullmatch("[A-Z]{3}", stated))


def _list_stated(words: BaseModel | None) -> frozenset[str]:
    return frozenset() if words is None else frozenset(words.model_fields_set)


def _with_words(stated: _Part, said: BaseModel) -> _Part:
    """Return a part with the words that a translation has for it."""
    return stated.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})


def _field(name: str, words: str | None) -> dict[str, str]:
    return {} if words is None else {name: words}


def is_narrower(one: "Policy", other: "Policy") -> bool:
    """Return whether every permission of one policy is a permission of the other."""
    return (
        set(_list_permissions(one)) <= set(_list_permissions(other))
        and one.minimum_group_size >= other.minimum_group_size
        and other.real_people >= one.real_people
        and all(_at_most(p.retention_days, other.purposes[name].retention_days) for name, p in one.purposes.items())
        and all(_within(feature, other.features[name]) for name, feature in one.features.items())
        and all(_name_shown(one, name) <= _name_shown(other, name) for name in {*one.segments, *other.segments})
    )


def _list_permissions(policy: "Policy") -> Iterator[Hashable]:
    """Return the permissions that are there or not; those with a number are compared by it."""
    for name, purpose in policy.purposes.items():
        yield "pursue", name, purpose.legal_basis, purpose.concept, is_marketing(purpose)
    for name, feature in policy.features.items():
        yield from (("feature", name, *permission) for permission in _list_feature_permissions(feature))
    for recipient in policy.recipients:
        yield "pass on", recipient


def _list_feature_permissions(feature: FeaturePolicy) -> Iterator[tuple[Hashable, ...]]:
    yield ("name",)
    for purpose in feature.purposes:
        yield "use", purpose
    if feature.shown:
        yield ("show",)
    if not feature.sensitive:
        yield ("treat as ordinary",)


def _within(one: FeaturePolicy, other: FeaturePolicy) -> bool:
    """Compare where values may come from and how far back they look; what is not stated is not limited."""
    return (
        (other.source is None or one.source == other.source)
        and (other.vendor is None or one.vendor == other.vendor)
        and _at_most(one.window_days, other.window_days)
    )


def _at_most(days: int | None, limit: int | None) -> bool:
    """Compare limits in days, of which None is no limit."""
    return limit is None or (days is not None and days <= limit)


def _name_shown(policy: "Policy", segment: str) -> bool:
    said = policy.segments.get(segment)
    return said is None or said.name_shown


_MAX_LISTED = 20


class Policy(YamlFile):
    """What a company says about the features it segments people by.

    ``Policy()`` is valid and claims nothing. The fields are those of the YAML file.

    Parameters
    ----------
    version : {1}
        The version of the file format.
    controller : Controller, optional
        Who answers for the use of the data.
    minimum_group_size : int, default=50
        How many people a group must have before it is shown to anyone or compared with, at least 1.
    real_people : bool, default=False
        Whether a real person may be shown as an example of a segment.
    purposes : mapping of str to Purpose
        What the segments are used for, by id.
    rights : mapping of str to RightLink or str
        Where each right is exercised, by id; an address alone becomes a `RightLink`.
    features : mapping of str to FeaturePolicy
        What holds for each column, by column name.
    segments : mapping of str to SegmentPolicy
        What a person is told about each segment, by its name, or by its index as text, such as ``"0"``.
    recipients : sequence of str
        Who receives the segments, by name.
    vendors : mapping of str to Vendor
        What is known of those who supply values, by the name that features give.
    transfers : str, optional
        To which countries data go, and under what protection, in plain words.
    automation : str, optional
        What is decided by machine, and what people do, in plain words.
    special_categories : str, optional
        What is said of special categories of data, such as that none are used and when that was checked.
    human_review : str, optional
        Who answers when somebody asks for a person, and within what time.
    locale : str, default="en"
        The language that the policy's words are in.
    translations : mapping of str to Translation
        The same words in other languages, by locale.
    wording : mapping of str to mapping of str to str
        Sentences of cards to word anew, by locale and key; each must state the facts that ours states.

    Raises
    ------
    DefinitionError
        If a field is unknown, missing or not allowed; all problems are listed, one a line.

    Examples
    --------
    >>> from xseg.policy import Policy
    >>> policy = Policy(features={"visits": {"label": "visits to our site", "source": "first-party"}})
    >>> policy.feature("visits").label
    'visits to our site'
    >>> policy.feature("spend").origin
    'source not stated'
    """

    file_kind: ClassVar[FileKind] = POLICY

    controller: Controller | None = None
    minimum_group_size: Annotated[int, Field(strict=True, ge=1)] = 50
    real_people: Annotated[bool, Field(strict=True)] = False
    purposes: Mapping[str, Purpose] = Field(default_factory=dict)
    rights: Mapping[str, Link] = Field(default_factory=dict)
    features: Mapping[str, FeaturePolicy] = Field(default_factory=dict)
    segments: Mapping[str, SegmentPolicy] = Field(default_factory=dict)
    recipients: tuple[Words, ...] = ()
    vendors: Mapping[str, Vendor] = Field(default_factory=dict)
    transfers: Words | None = None
    automation: Words | None = None
    special_categories: Words | None = None
    human_review: Words | None = None
    locale: Words = "en"
    translations: Mapping[str, Translation] = Field(default_factory=dict)
    wording: Mapping[str, Wording] = Field(default_factory=dict)

    # Its own, so that type checkers let it take what it reads: plain mappings and lists.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    def _fill(self, data: dict[str, Any], source: str, lines: Lines) -> None:
        purposes = data.get("purposes")
        declared = [str(purpose) for purpose in purposes] if isinstance(purposes, Mapping) else []
        try:
            self.__pydantic_validator__.validate_python(data, self_instance=self, context={DECLARED_PURPOSES: declared})
        except ValidationError as error:
            raise DefinitionError(describe_errors(error, source, lines, _keys_at)) from error

    @classmethod
    def coerce(cls, policy: "Policy | str | os.PathLike[str] | Mapping[str, Any] | None") -> "Policy":
        """Return a policy, given one, the path of one, its fields or nothing.

        Parameters
        ----------
        policy : Policy, str, path-like, mapping or None
            None gives the policy that claims nothing.

        Returns
        -------
        Policy
            The policy; the same object if one was given.

        Raises
        ------
        DefinitionError
            If it is none of these, or is not a valid policy.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy.coerce(None) == Policy()
        True
        """
        if isinstance(policy, Policy):
            return policy
        if policy is None:
            return cls()
        if isinstance(policy, Mapping):
            return cls(**policy)
        if isinstance(policy, str) and "\n" in policy:
            message = "policy holds several lines of text where a path was expected; use Policy.parse for YAML text"
            raise DefinitionError(message)
        if isinstance(policy, str | os.PathLike):
            return cls.load(policy)
        message = f"policy is a {type(policy).__name__}; give a Policy, the path of a YAML file, a mapping or None"
        raise DefinitionError(message)

    def to_yaml(self) -> str:
        """Write the policy as YAML; `parse` reads it back equal.

        Returns
        -------
        str
            YAML with the fields that differ from their defaults, and the version.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> print(Policy(features={"visits": {"unit": "visit"}}).to_yaml(), end="")
        version: 1
        minimum_group_size: 50
        features:
          visits:
            unit: visit
        """
        stated = {"version": self.version, "minimum_group_size": self.minimum_group_size}
        return dump_yaml(stated | self.model_dump(mode="json", exclude_defaults=True))

    def feature(self, name: str) -> FeaturePolicy:
        """Return what holds for one column, whether or not the policy names it.

        Parameters
        ----------
        name : str
            A column name.

        Returns
        -------
        FeaturePolicy
            Its `label` is never None: without a stated label it is the column name itself.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy().feature("orders_90d").label
        'orders_90d'
        """
        stated = self.features.get(name)
        if stated is None:
            return FeaturePolicy.model_construct(label=name)
        return stated if stated.label is not None else stated.model_copy(update={"label": name})

    def segment(self, index: int, name: str) -> SegmentPolicy:
        """Return what a person is told about one segment, whether or not the policy describes it.

        Parameters
        ----------
        index : int
            Its index.
        name : str
            Its name. Where the policy has an entry for both, the one for the name comes first, field by field.

        Returns
        -------
        SegmentPolicy
            What the policy states.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy(segments={"0": {"shown_name": "Regulars"}}).segment(0, "Orders, low spend").shown_name
        'Regulars'
        """
        by_index = self.segments.get(str(index), SegmentPolicy())
        by_name = self.segments.get(name)
        return by_index if by_name is None else _with_words(by_index, by_name)

    def purpose_ids(self, names: Iterable[str]) -> list[str]:
        """Return the purposes that any of some columns are used for, in the order of the policy.

        Parameters
        ----------
        names : iterable of str
            Column names.

        Returns
        -------
        list of str
            Ids of purposes.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> policy = Policy(purposes={"offers": {"label": "offers"}}, features={"visits": {"purposes": ["offers"]}})
        >>> policy.purpose_ids(["visits", "spend"])
        ['offers']
        """
        served = {purpose for name in names for purpose in self.feature(name).purposes}
        return [purpose for purpose in self.purposes if purpose in served]

    def translate(self, locale: str) -> "Policy":
        """Return the policy with its words in another language, as far as they are translated.

        Parameters
        ----------
        locale : str
            Such as ``"de"`` or ``"de-CH"``; the language alone is tried where the country is not there.

        Returns
        -------
        Policy
            The policy; what is not translated keeps its words.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> policy = Policy(
        ...     features={"visits": {"label": "visits"}},
        ...     translations={"de": {"features": {"visits": {"label": "Besuche"}}}},
        ... )
        >>> policy.translate("de-CH").feature("visits").label
        'Besuche'
        """
        words = self._translation(locale)
        return self if words is None else self.model_copy(update=translate_fields(self, words))

    def has_language(self, locale: str) -> bool:
        """Return whether the policy's words are in a language.

        Parameters
        ----------
        locale : str
            Such as ``"de"`` or ``"de-CH"``.

        Returns
        -------
        bool
            Whether it is the policy's own language, or it is translated.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy(locale="de").has_language("de-AT"), Policy(locale="de").has_language("fr")
        (True, False)
        """
        return _language(self.locale) == _language(locale) or self._translation(locale) is not None

    def list_untranslated(self, locale: str) -> list[str]:
        """Return where the policy states words for people that it does not translate into a language.

        Parameters
        ----------
        locale : str
            Such as ``"de"`` or ``"de-CH"``.

        Returns
        -------
        list of str
            Places in the policy, such as ``"features.visits.label"``; none in the policy's own language.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> policy = Policy(features={"visits": {"label": "visits", "unit": "visit"}}, translations={"de": {}})
        >>> policy.list_untranslated("de")
        ['features.visits.label', 'features.visits.unit']
        """
        if _language(self.locale) == _language(locale):
            return []
        words = self._translation(locale) or Translation()
        places = [
            f"{section}.{name}.{field}"
            for section, fields in _TOLD.items()
            for name, part in getattr(self, section).items()
            for field in fields
            if _is_worded(getattr(part, field)) and field not in _list_stated(getattr(words, section).get(name))
        ]
        purposes = self.purposes.items()
        texts: list[tuple[str, str | None, str | None]] = [
            *((f"purposes.{name}.label", stated.label, words.purposes.get(name)) for name, stated in purposes),
            *((f"purposes.{name}.interest", stated.interest, words.interests.get(name)) for name, stated in purposes),
            *((f"rights.{name}.label", link.label, words.rights.get(name)) for name, link in self.rights.items()),
            *((name, getattr(self, name), getattr(words, name)) for name in STATEMENTS),
        ]
        return [*places, *(place for place, stated, said in texts if stated is not None and said is None)]

    def _translation(self, locale: str) -> Translation | None:
        return self.translations.get(locale) or self.translations.get(_language(locale))

    def check_columns(self, names: Iterable[str]) -> None:
        """Check that the table has every feature that the policy names.

        Columns that the policy does not name are fine: nothing is claimed about them.

        Parameters
        ----------
        names : iterable of str
            The column names of the table.

        Raises
        ------
        DefinitionError
            If the policy names a feature that is not among them; the nearest column is suggested.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy(features={"orders": {}}).check_columns(["orders", "spend"])
        """
        columns = dict.fromkeys(names)
        absent = [name for name in self.features if name not in columns]
        if absent:
            heading = "the policy names features that the table does not have; rename or remove them:"
            raise DefinitionError("\n".join([heading, *_list_unknown("features", absent, "column", columns)]))

    def check_segments(self, names: Iterable[str]) -> None:
        """Check that the model has every segment that the policy, or one of its translations, describes.

        Segments that the policy does not describe are fine: they keep their names.

        Parameters
        ----------
        names : iterable of str
            The names of the segments of the model, in order. A segment is described by its name or by its index.

        Warns
        -----
        UnknownSegmentsWarning
            If the policy describes a segment that is not among them; the nearest name is suggested.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy(segments={"Regulars": {}}).check_segments(["Regulars", "Newcomers"])
        """
        known = dict.fromkeys(names)
        indices = set(map(str, range(len(known))))
        described = dict.fromkeys(
            [*self.segments, *(name for one in self.translations.values() for name in one.segments)]
        )
        absent = [name for name in described if name not in known and name not in indices]
        if absent:
            heading = (
                "the policy describes segments that the model does not have, and nobody is told what it says of them; "
                "rename them, or give the model these names (segment_names=):"
            )
            message = "\n".join([heading, *_list_unknown("segments", absent, "segment", known)])
            warn(message, UnknownSegmentsWarning, stacklevel=3)

    def is_subset_of(self, other: "Policy") -> bool:
        """Return whether this policy permits nothing that another does not.

        A permission is: to use a column for a purpose, to take it from a source or a vendor, to show it, to treat it as
        not sensitive, to look a number of days back with it; to pursue a purpose on a legal basis and keep data for a
        number of days; to pass segments to a recipient; to show a group of a size, a segment's name, or real people.

        What is not limited is unlimited; the legal basis and the concept of a purpose must be the same. A policy
        permits nothing of a column that it does not name; names of segments that it does not mention may be shown.
        Words (labels, sentences, addresses) are no permissions.

        Parameters
        ----------
        other : Policy
            The wider policy.

        Returns
        -------
        bool
            Whether every permission of this policy is one of the other.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> narrow = Policy(minimum_group_size=100, recipients=["Parcel Post Ltd"])
        >>> wide = Policy(minimum_group_size=50, recipients=["Parcel Post Ltd", "GeoStat Ltd"])
        >>> narrow.is_subset_of(wide), wide.is_subset_of(narrow)
        (True, False)
        """
        return is_narrower(self, other)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the file format, for editors and other checkers.

        Returns
        -------
        dict
            A schema of draft 2020-12.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> sorted(Policy.json_schema()["properties"])[:3]
        ['automation', 'controller', 'features']
        """
        schema = cls.model_json_schema()
        for part in (schema, *schema["$defs"].values()):
            part["description"] = part["description"].partition("\n")[0]
        return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _language(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[0].casefold()


def _list_unknown(section: str, absent: Sequence[str], what: str, known: Iterable[str]) -> list[str]:
    """List names that are not known, with the nearest that are; of many, only the first."""
    listed = [
        f"  {section}.{name}: no {what} {name!r}.{suggest_name(name, known, sentence=True)}"
        for name in absent[:_MAX_LISTED]
    ]
    return [*listed, f"  and {len(absent) - _MAX_LISTED:,} more"] if len(absent) > _MAX_LISTED else listed


_SECTIONS: dict[tuple[str | int, int], type[BaseModel]] = {
    ("controller", 2): Controller,
    ("purposes", 3): Purpose,
    ("rights", 3): RightLink,
    ("vendors", 3): Vendor,
    ("features", 3): FeaturePolicy,
    ("features", 4): Traits,
    ("segments", 3): SegmentPolicy,
    ("translations", 3): Translation,
    ("translations", 6): Traits,
}
_TRANSLATED: dict[str | int, type[BaseModel]] = {"features": FeatureWords, "segments": SegmentPolicy}


def _keys_at(path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed beside the last one of `path`."""
    if len(path) == 1:
        return list(Policy.model_fields)
    model = _SECTIONS.get((path[0], len(path))) or _TRANSLATED[path[2]]
    return list(model.model_fields)
