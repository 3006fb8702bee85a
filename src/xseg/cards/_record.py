"""The card as facts: a frozen record that every form is made from."""

from datetime import date
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xseg.exceptions import DataError

__all__ = ["Card", "Comparison", "Limits", "OriginalAgrees", "Reason", "RightLink", "SegmentFact", "WhoToAsk"]

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
OriginalAgrees: TypeAlias = Literal["yes", "no", "not known"]


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SegmentFact(_Fact):
    """The group the person is in.

    `size` and `share` are withheld (None) where the group is smaller than the policy's minimum.
    """

    index: Annotated[int, Field(ge=0)]
    name: str
    size: Finite | None
    share: Share | None
    sentence: str | None
    consequence: str | None


class Limits(_Fact):
    """What is asked or typical of one feature; a number is at least `lower` and below `upper`."""

    lower: Finite | None
    upper: Finite | None
    categories: list[str] | None
    missing: bool
    words: str


class Comparison(_Fact):
    """How the person's value compares with everyone whose value is known."""

    share_below: Share | None
    share_same: Share
    group_size: Finite
    words: str | None


class Reason(_Fact):
    """One feature and its part in the answer.

    `contribution` is the exact Shapley value: a probability, or a part of the margin over the next best group.
    `points` are whole percentage points, rounded so that all points of a card add up. `limits` are what the rule that
    the person meets asks, `typical` where the middle half of the group is; a model has one or the other.
    """

    feature: str
    label: str
    value: bool | Finite | str | None
    value_words: str
    limits: Limits | None
    typical: Limits | None = None
    comparison: Comparison | None
    contribution: Finite
    points: int
    origin: str
    source: str | None


class RightLink(_Fact):
    """Where the person can do something about it."""

    right: str
    label: str
    url: str


class WhoToAsk(_Fact):
    """Who answers for it."""

    name: str
    contact: str
    authority: str | None


class Card(_Fact):
    """Why one person is in their group, as facts.

    Cards are made by `make_cards`. Words are made from the facts, and forms from the words: `html`, `text`,
    `markdown`, `json`; in a notebook a card shows itself.

    Attributes
    ----------
    segment : SegmentFact
        The group.
    rival : str or None
        The name of the group that fits next best, where groups are compared by a score; None where they have rules.
    base_value, base_points : float, int
        What one would guess knowing nothing: the share of everyone who is in the group, or its mean margin over the
        rival.
    total_value, total_points : float, int
        What it all adds up to: 1 and 100, or the margin over the rival and 100, or fewer points where it is close.
    reasons : list of Reason
        At most four, the most influential first.
    rest_points : int
        What the other features add together.
    hidden_points : int or None
        What features add that are not shown by name; None if there are none that matter.
    not_used : list of str
        Labels of what was there but is never asked about.
    unknown : list of str
        Labels of what is asked about but is not known of this person.
    original_agrees : {"yes", "no", "not known"} or None
        Where the rules stand in for another method: whether that method puts the person into this group too. None
        where the rules are the model itself.
    issued : date
        When.
    model : str
        Fingerprint of the model.
    reference : str or None
        Whose card it is, in the company's own terms.
    who : WhoToAsk or None
        Who answers for it.
    rights : list of RightLink
        What the person can do.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> card = xseg.make_cards(segmenter, customers)[0]
    >>> card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points
    100
    >>> xseg.Card.from_json(card.json()) == card
    True
    """

    schema_version: Literal[1] = 1
    segment: SegmentFact
    rival: str | None = None
    base_value: Finite
    base_points: int
    reasons: Annotated[list[Reason], Field(max_length=4)]
    rest_points: int
    hidden_points: int | None
    total_value: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    total_points: Annotated[int, Field(ge=0, le=100)] = 100
    not_used: list[str]
    unknown: list[str]
    original_agrees: OriginalAgrees | None = None
    issued: date
    model: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reference: str | None
    who: WhoToAsk | None
    rights: list[RightLink]

    def json(self, **_: Any) -> str:
        """Give the record as JSON, for other systems; `json_schema` describes it."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a record that `json` wrote.

        Raises
        ------
        DataError
            The text is not a card of this version.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            message = f"not a card: {'.'.join(map(str, first['loc'])) or 'text'}: {first['msg']}"
            raise DataError(message) from error

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the record."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}

    def text(self) -> str:
        """Give the card as plain text."""
        from xseg.cards._render import render

        return render(self, "card.txt.j2")

    def markdown(self) -> str:
        """Give the card as Markdown."""
        from xseg.cards._render import render

        return render(self, "card.md.j2")

    def html(self) -> str:
        """Give the card as one HTML page that needs no network and no script."""
        from xseg.cards._render import render

        return render(self, "page.html.j2")

    def _repr_html_(self) -> str:
        from xseg.cards._render import render

        return render(self, "card.html.j2")
