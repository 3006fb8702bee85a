"""The card as a frozen record of facts."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from xseg.core.schema import Kind
from xseg.exceptions import ParameterError
from xseg.policy import Controller, RightLink

__all__ = ["Card", "Comparison", "FeatureName", "Group", "Limit", "Reason", "Right", "Way", "Weight"]

_LONGEST_TEXT = 1024 * 1024
Share = Annotated[float, Field(ge=0, le=1)]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Weight(_Fact):
    """How much something counts for the group: percentage points of membership.

    Parameters
    ----------
    points : int
        Rounded so that all weights of a card add up to exactly 100.
    exact : float or None
        The exact Shapley value, as a probability. None where the group is too small to be precise about.
    """

    points: int
    exact: float | None


class FeatureName(_Fact):
    """A feature that is named without a value.

    Parameters
    ----------
    feature : str
        The column.
    label : str
        Its plain words.
    sensitive : bool
        Whether the policy calls it sensitive.
    """

    feature: str
    label: str
    sensitive: bool = False


class Limit(_Fact):
    """What one feature must be to be in a group.

    Parameters
    ----------
    feature, label : str
        The column, and its plain words.
    kind : Kind
        What its values are.
    known : bool
        Whether any known value is allowed.
    lower, upper : float or None
        A number must be at least `lower` and below `upper`; None leaves that side open.
    categories, others : tuple of str or None
        The categories allowed, and those that are not; None for numbers.
    missing : bool
        Whether a missing value is allowed.
    says_missing : bool
        Whether anybody's value was missing when the groups were made.
    unit, number_format : str or None
        How its numbers are written.
    """

    feature: str
    label: str
    kind: Kind
    known: bool = True
    lower: float | None = None
    upper: float | None = None
    categories: tuple[str, ...] | None = None
    others: tuple[str, ...] | None = None
    missing: bool = False
    says_missing: bool = False
    unit: str | None = None
    number_format: str | None = None


class Way(_Fact):
    """One way to be in a group: all limits hold.

    Parameters
    ----------
    limits : tuple of Limit
        At most one per feature.
    other_information : bool
        Whether there are limits that are not shown, because the policy does not allow it.
    """

    limits: tuple[Limit, ...]
    other_information: bool = False


class Group(_Fact):
    """The segment a person is in.

    Parameters
    ----------
    index : int
        Its number.
    name : str
        What it is called.
    size : int or None
        How many people were in it when the groups were made, to two digits; None if fewer than `minimum_size`.
    share : float or None
        That, as a share of everyone, to two digits; None if `size` is.
    minimum_size : int
        How many people a group must have before its size is told.
    ways : tuple of Way
        Who is in it: everyone to whom one of these applies.
    sentence, consequence : str or None
        The policy's words for what it is, and for what being in it decides.
    """

    index: int
    name: str
    size: int | None
    share: Share | None
    minimum_size: int
    ways: tuple[Way, ...]
    sentence: str | None = None
    consequence: str | None = None


class Comparison(_Fact):
    """How a person's value compares with everyone whose value was known when the groups were made.

    Shares are rounded down, so that "at least" is true of each. None where they are about too few people.

    Parameters
    ----------
    people : int
        How many that were, to two digits.
    below, above : float or None
        The share whose value is lower, and higher; for numbers.
    same : float or None
        The share whose value is the same; for answers and categories.
    """

    people: int
    below: Share | None = None
    above: Share | None = None
    same: Share | None = None


class Reason(_Fact):
    """What one feature has to do with the group.

    Parameters
    ----------
    feature, label : str
        The column, and its plain words.
    kind : Kind
        What its values are.
    value : bool, int, float, str or None
        The person's value, raw; None if it is not known.
    state : {"known", "missing", "unfamiliar"}
        Whether the model used the value. An unfamiliar category counts as missing.
    unit, number_format : str or None
        How its numbers are written.
    weight : Weight
        How much it counts.
    direction : {"towards", "away"}
        Whether it makes the group more likely.
    limit : Limit or None
        What it must be on this person's way into the group; None if it is not asked there.
    comparison : Comparison or None
        How it compares with everyone's; None if it is not known or too few people's is.
    source : str or None
        Who it came from, as the policy has it.
    origin : str
        Where it came from, as a piece of a sentence.
    """

    feature: str
    label: str
    kind: Kind
    value: bool | int | float | str | None
    state: Literal["known", "missing", "unfamiliar"]
    unit: str | None
    number_format: str | None
    weight: Weight
    direction: Literal["towards", "away"]
    limit: Limit | None
    comparison: Comparison | None
    source: str | None
    origin: str


class Right(RightLink):
    """Where a person exercises one right; `id` is its key in the policy."""

    id: str


class Card(_Fact):
    """Why one person is in a segment: facts, each of which can be checked against the model.

    Cards are made by `make_cards` or read by `from_json`.

    Attributes
    ----------
    schema_version : {1}
        The version of the record.
    issued_at : datetime
        When it was made.
    model : str or None
        The fingerprint of the model.
    reference : str or None
        What the maker of the card calls the person.
    group : Group
        The segment.
    base : Weight
        What counts for everyone: the share of people in the group.
    reasons : tuple of Reason
        The features that count most, the most influential first; at most four.
    everything_else, other_information : Weight or None
        What the remaining features count together, and those that are not shown.
    not_known : tuple of FeatureName
        What is asked on the way into the group and is not known of this person.
    not_used : tuple of FeatureName
        What the model never asks about.
    n_not_named : int
        How many more it never asks about that the policy does not allow to name.
    purposes : tuple of str
        What the group is used for.
    controller : Controller or None
        Who answers for it.
    rights : tuple of Right
        Where the person's rights are exercised.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> card = xseg.make_cards(segmenter, customers.head(1), policy=xseg.customers_policy())[0]
    >>> card.base.points + sum(reason.weight.points for reason in card.reasons)
    100
    >>> xseg.Card.from_json(card.json()) == card
    True
    """

    schema_version: Literal[1] = 1
    issued_at: AwareDatetime
    model: str | None
    reference: str | None
    group: Group
    base: Weight
    reasons: tuple[Reason, ...]
    everything_else: Weight | None = None
    other_information: Weight | None = None
    not_known: tuple[FeatureName, ...] = ()
    not_used: tuple[FeatureName, ...] = ()
    n_not_named: int = 0
    purposes: tuple[str, ...] = ()
    controller: Controller | None = None
    rights: tuple[Right, ...] = ()

    def text(self) -> str:
        """Write the card as plain text.

        Returns
        -------
        str
            Lines that end with a line break.
        """
        return _render("card.txt.j2", [self])

    def markdown(self) -> str:
        """Write the card as Markdown.

        Returns
        -------
        str
            Markdown in which nothing that came from data or policy is markup.
        """
        return _render("card.md.j2", [self])

    def html(self) -> str:
        """Write the card as a page of its own.

        Returns
        -------
        str
            A complete document, without scripts and without anything to load.
        """
        return _render("card.html.j2", [self])

    def json(self) -> str:  # type: ignore[override]
        """Write the facts as JSON.

        Returns
        -------
        str
            JSON that fits `json_schema`.
        """
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a card that `json` wrote.

        Parameters
        ----------
        text : str or bytes
            At most 1 MiB of JSON.

        Returns
        -------
        Card
            The card.

        Raises
        ------
        ParameterError
            It is not a card: the version or a key is unknown, a fact is missing or of another type.
        """
        if len(text) > _LONGEST_TEXT:
            message = f"the text is {len(text):,} characters long; a card has at most {_LONGEST_TEXT:,}"
            raise ParameterError(message)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problems = "\n".join(
                f"  {'.'.join(map(str, problem['loc'])) or 'the text'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)
            )
            message = f"the text is not a card of schema version 1:\n{problems}"
            raise ParameterError(message) from error

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the record.

        Returns
        -------
        dict
            A schema of draft 2020-12.
        """
        schema = cls.model_json_schema()
        for part in (schema, *schema["$defs"].values()):
            part["description"] = part.get("description", "").partition("\n")[0]
        return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema

    def _repr_html_(self) -> str:
        return _render("notebook.html.j2", [self])


def _render(template: str, cards: Sequence[Card]) -> str:
    from xseg.cards._ink import render

    return render(template, cards)
