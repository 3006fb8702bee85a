"""The policy file as frozen data."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from xseg._files import write_whole
from xseg.exceptions import PolicyError
from xseg.policy._problems import describe, did_you_mean
from xseg.policy._yaml import KeyPath, Lines, check_file_size, dump_yaml, read_yaml

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
LegalBasis = Literal["consent", "contract", "legal-obligation", "vital-interest", "public-task", "legitimate-interest"]
Source = Literal["zero-party", "first-party", "second-party", "third-party"]

_DECLARED_PURPOSES = "declared_purposes"


class _Frozen(BaseModel):
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
    declared = (info.context or {}).get(_DECLARED_PURPOSES)
    if declared is not None and purpose not in declared:
        known = ", ".join(declared) or "none"
        reason = f"not declared under purposes (declared: {known}).{did_you_mean(purpose, declared)}"
        raise _refuse(reason)
    return purpose


class Controller(_Frozen):
    """Who answers for the use of the data.

    Parameters
    ----------
    name : str
        The organisation, as the person knows it.
    contact : str
        Where the person writes to: an e-mail address, a page or a postal address.
    authority : str, optional
        The supervisory authority to which the person may complain.

    Examples
    --------
    >>> from xseg.policy import Controller
    >>> Controller(name="Harbour Books", contact="privacy@harbour.example").name
    'Harbour Books'
    """

    name: Words
    contact: Words
    authority: Words | None = None


class Purpose(_Frozen):
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
    retention_days : int, optional
        For how many days the data are kept for this purpose.

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
    retention_days: Annotated[int, Field(strict=True, gt=0)] | None = None


class RightLink(_Frozen):
    """Where a person exercises one right.

    Parameters
    ----------
    label : str, optional
        Words for the link. Without them a card uses its own words for the right, in the person's language.
    url : str
        An address that begins with ``https:``, ``http:`` or ``mailto:``; every other kind is refused.

    Examples
    --------
    >>> from xseg.policy import RightLink
    >>> RightLink(label="ask our privacy team", url="https://harbour.example/contact").url
    'https://harbour.example/contact'
    """

    label: Words | None = None
    url: Annotated[str, AfterValidator(_check_link)]


class FeaturePolicy(_Frozen):
    """What may be said about one column, and what it may be used for.

    Every field is optional: what is not written is not claimed.

    Parameters
    ----------
    label : str, optional
        Plain words for the person, such as ``"orders in the last 90 days"``.
    unit : str, optional
        An ISO 4217 currency code such as ``"EUR"``, or a word in the singular such as ``"order"``.
    number_format : str, optional
        A CLDR number pattern such as ``"#,##0.00"``.
    source : {"zero-party", "first-party", "second-party", "third-party"}, optional
        Told by the person, observed by the controller, passed on by a partner, or bought in. None means that
        the source is not stated.
    vendor : str, optional
        Who supplied the values; only with a second-party or third-party source.
    collected_from : str, optional
        Words for the place they came from, such as ``"your orders"``.
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
    unit: Words | None = None
    number_format: str | None = None
    source: Source | None = None
    vendor: Words | None = None
    collected_from: Words | None = None
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
        if self.collected_from:
            return f"from {self.collected_from}"
        return "from your dealings with us" if self.source == "first-party" else "source not stated"


class SegmentPolicy(_Frozen):
    """What a person is told about one segment.

    Parameters
    ----------
    sentence : str, optional
        The segment in plain words.
    consequence : str, optional
        What being in it decides, and what it does not.

    Examples
    --------
    >>> from xseg.policy import SegmentPolicy
    >>> SegmentPolicy(sentence="You buy books often.").consequence is None
    True
    """

    sentence: Words | None = None
    consequence: Words | None = None


class Policy(_Frozen):
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
        What a person is told about each segment, by segment name.

    Raises
    ------
    PolicyError
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

    version: Literal[1] = 1
    controller: Controller | None = None
    minimum_group_size: Annotated[int, Field(strict=True, ge=1)] = 50
    real_people: Annotated[bool, Field(strict=True)] = False
    purposes: Mapping[str, Purpose] = Field(default_factory=dict)
    rights: Mapping[
        str, Annotated[RightLink, BeforeValidator(_link_of_text, json_schema_input_type=str | RightLink)]
    ] = Field(default_factory=dict)
    features: Mapping[str, FeaturePolicy] = Field(default_factory=dict)
    segments: Mapping[str, SegmentPolicy] = Field(default_factory=dict)

    def __init__(self, /, **data: Any) -> None:
        self._fill(data, "the policy", {})

    def _fill(self, data: dict[str, Any], source: str, lines: Lines) -> None:
        purposes = data.get("purposes")
        declared = [str(purpose) for purpose in purposes] if isinstance(purposes, Mapping) else []
        try:
            self.__pydantic_validator__.validate_python(
                data, self_instance=self, context={_DECLARED_PURPOSES: declared}
            )
        except ValidationError as error:
            raise PolicyError(describe(error, source, lines, _keys_at)) from error

    @classmethod
    def parse(cls, text: str, source: str = "<text>") -> Self:
        """Read a policy from YAML text.

        Parameters
        ----------
        text : str
            At most 1 MiB of YAML, without anchors, aliases and tags.
        source : str, default="<text>"
            What error messages call the text.

        Returns
        -------
        Policy
            The policy.

        Raises
        ------
        PolicyError
            If the text is not YAML, repeats a key, or is not a policy. The message names the source, the line
            and the path of every problem.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy.parse("minimum_group_size: 20").minimum_group_size
        20
        """
        data, lines = read_yaml(text, source)
        policy = cls.__new__(cls)
        policy._fill(data, source, lines)
        return policy

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a policy from a YAML file.

        Parameters
        ----------
        path : str or path-like
            A UTF-8 file of at most 1 MiB.

        Returns
        -------
        Policy
            The policy.

        Raises
        ------
        PolicyError
            If the file cannot be read or is not a policy, as for `parse`.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from xseg.policy import Policy
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "policy.yaml"
        ...     Policy(minimum_group_size=20).save(path)
        ...     Policy.load(path).minimum_group_size
        20
        """
        file = Path(path)
        try:
            check_file_size(file.stat().st_size, str(file))
            text = file.read_bytes().decode("utf-8-sig")
        except OSError as error:
            message = f"cannot read the policy file {file}: {error.strerror}; check the path"
            raise PolicyError(message) from error
        except UnicodeDecodeError as error:
            found = f"byte {error.start} is {error.object[error.start]:#04x}"
            message = f"{file} is not UTF-8 text ({found}); save it as UTF-8"
            raise PolicyError(message) from error
        return cls.parse(text, source=str(file))

    @classmethod
    def of(cls, policy: "Policy | str | os.PathLike[str] | Mapping[str, Any] | None") -> "Policy":
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
        PolicyError
            If it is none of these, or is not a valid policy.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy.of(None) == Policy()
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
            raise PolicyError(message)
        if isinstance(policy, str | os.PathLike):
            return cls.load(policy)
        message = f"policy is a {type(policy).__name__}; give a Policy, the path of a YAML file, a mapping or None"
        raise PolicyError(message)

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy to a YAML file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file to write or replace; its folder exists.

        Raises
        ------
        PolicyError
            If the file cannot be written; a file that was there is then unchanged.

        Examples
        --------
        See `load`.
        """
        file = Path(path)
        try:
            write_whole(file, self.to_yaml())
        except OSError as error:
            message = f"cannot write the policy file {file}: {error.strerror}; check the folder and its permissions"
            raise PolicyError(message) from error

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

    def check_columns(self, names: Iterable[str]) -> None:
        """Check that the table has every feature that the policy names.

        Columns that the policy does not name are fine: nothing is claimed about them.

        Parameters
        ----------
        names : iterable of str
            The column names of the table.

        Raises
        ------
        PolicyError
            If the policy names a feature that is not among them; the nearest column is suggested.

        Examples
        --------
        >>> from xseg.policy import Policy
        >>> Policy(features={"orders": {}}).check_columns(["orders", "spend"])
        """
        columns = list(names)
        absent = [name for name in self.features if name not in set(columns)]
        if absent:
            heading = "the policy names features that the table does not have; rename or remove them:"
            listed = (f"  features.{name}: no column {name!r}.{did_you_mean(name, columns)}" for name in absent)
            raise PolicyError("\n".join([heading, *listed]))

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
        ['controller', 'features', 'minimum_group_size']
        """
        schema = cls.model_json_schema()
        for part in (schema, *schema["$defs"].values()):
            part["description"] = part["description"].partition("\n")[0]
        return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


_SECTIONS: dict[str | int, type[BaseModel]] = {
    "controller": Controller,
    "purposes": Purpose,
    "rights": RightLink,
    "features": FeaturePolicy,
    "segments": SegmentPolicy,
}


def _keys_at(path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed beside the last one of `path`."""
    model = Policy if len(path) == 1 else _SECTIONS[path[0]]
    return list(model.model_fields)
