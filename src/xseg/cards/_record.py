"""The card as facts: a frozen record that every form is made from."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError

from xseg.cards._fact_types import (
    Alternative,
    Certainty,
    Fact,
    Finite,
    Hidden,
    OriginalAgrees,
    PurposeFact,
    Reason,
    RightFact,
    SegmentFact,
    Used,
    WayOut,
    WhoToAsk,
)
from xseg.exceptions import DataError

if TYPE_CHECKING:
    from xseg.cards._checklist import CheckedField

__all__ = ["Card"]

_CHECKSUM = "checksum"


class Card(Fact):
    """Why one person is in their group, as facts.

    Cards are made by `make_cards`. Words are made from the facts, and forms from the words: `html`, `text`,
    `markdown`, `json`; in a notebook a card shows itself.

    Attributes
    ----------
    locale, tone, wording : str, str, dict
        What the card is written in, and the sentences that the company words anew.
    segment : SegmentFact
        The group.
    rival : str or None
        The name of the group that fits next best, where groups are compared by a score; None where they have rules.
    base_value, base_points : float, int
        What one would guess knowing nothing: the share of everyone who is in the group, or its mean margin over the
        rival.
    total_value, total_points : float, int
        What it all adds up to: 1 and 100, or the margin over the rival and 100, or fewer points where it is close.
    reasons : tuple of Reason
        At most four, the most influential first.
    rest_points : int
        What the other features add together.
    hidden : Hidden or None
        What features add that are not shown by name; None if there are none that matter.
    alternative : Alternative or None
        Why not the neighbour group; None if there is no other.
    way_out : WayOut or None
        What would change it; None where the policy does not say what the person can change.
    certainty : Certainty
        How sure.
    purposes : tuple of PurposeFact
        What it is for.
    used : tuple of Used
        What the model asks about, by its label; `unnamed` counts what is asked about and not named.
    not_used : tuple of str
        Labels of what was there but is never asked about.
    unknown : tuple of str
        Labels of what is asked about but is not known of this person.
    unknown_matters : bool
        Whether something that is not known contributes to the answer.
    original_agrees : {"yes", "no", "not known"} or None
        Where the rules stand in for another method: whether that method puts the person into this group too. None
        where the rules are the model itself.
    issued : date
        When.
    approval : {"draft", "reviewed", "approved"}
        What the model was on that day (see `xseg.approve`).
    model : str
        Fingerprint of the model.
    reference : str or None
        Whose card it is, in the company's own terms.
    who : WhoToAsk or None
        Who answers for it.
    rights : tuple of RightFact
        What the person can do: what the policy links to, and what the legal bases give besides.
    recipients : tuple of str
        Who receives the segments.
    transfers, automation, special_categories, human_review : str or None
        What the policy says of them.
    minimum_group_size : int
        How many people a group must have before it is sized or compared with.
    translated : bool
        Whether the policy has words in the language of the card.
    """

    version: Literal[2] = 2
    locale: str = "en"
    tone: Literal["plain", "formal"] = "plain"
    wording: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    segment: SegmentFact
    rival: str | None = None
    base_value: Finite
    base_points: int
    reasons: Annotated[tuple[Reason, ...], Field(max_length=4)]
    rest_points: int
    hidden: Hidden | None
    total_value: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    total_points: Annotated[int, Field(ge=0, le=100)] = 100
    alternative: Alternative | None
    way_out: WayOut | None
    certainty: Certainty
    purposes: tuple[PurposeFact, ...]
    used: tuple[Used, ...]
    unnamed: Annotated[int, Field(ge=0)]
    not_used: tuple[str, ...]
    unknown: tuple[str, ...]
    unknown_matters: bool
    original_agrees: OriginalAgrees | None = None
    issued: date
    approval: Literal["draft", "reviewed", "approved"] = "draft"
    model: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reference: str | None
    who: WhoToAsk | None
    rights: tuple[RightFact, ...]
    recipients: tuple[str, ...]
    transfers: str | None
    automation: str | None
    special_categories: str | None
    human_review: str | None
    minimum_group_size: Annotated[int, Field(ge=1)]
    translated: bool

    def completeness(self) -> "tuple[CheckedField, ...]":
        """Say of each thing that law and good practice want on a card whether this one says it.

        Returns
        -------
        tuple of CheckedField
            With its source, and where it is missing what the policy has to say. Nothing here claims that a law is met.

        Examples
        --------
        >>> import xseg
        >>> customers = xseg.make_customers(500, random_state=0)
        >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
        >>> card = xseg.make_cards(segmenter, customers)[0]
        >>> [field.needs for field in card.completeness() if field.key == "controller"]
        ['controller']
        """
        from xseg.cards._checklist import checked

        return checked(self)

    _source: Any = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Card) and self.__dict__ == other.__dict__

    # Cards are compared by their facts, and hold mappings.
    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[Any, Any]:
        # Where the card came from stays behind: a stored card is its facts.
        return {**super().__getstate__(), "__pydantic_private__": {"_source": None}}

    def travelling(self) -> dict[str, Any]:
        """Give what an interactive page carries.

        Raises
        ------
        DataError
            The card was read from a file, and has no model to carry.
        """
        if self._source is None:
            message = (
                "a card that was read back has no model with it; make it anew with make_cards for an interactive page"
            )
            raise DataError(message)
        facts, row = self._source
        carried: dict[str, Any] = facts.what_if(row)
        return carried

    def json(self, **_: Any) -> str:
        """Give the record as JSON, for other systems; `json_schema` describes it.

        Its last member is a checksum of the others, so that a record that was altered is found.
        """
        facts = self.model_dump_json()
        return f'{facts[:-1]},"{_CHECKSUM}":"{_digest(facts)}"}}'

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a record that `json` wrote.

        Raises
        ------
        DataError
            The text is not a card of this version, or it was altered.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            message = f"not a card: {error}"
            raise DataError(message) from error
        checksum = data.pop(_CHECKSUM, None) if isinstance(data, dict) else None
        card = cls.of(data)
        if checksum != _digest(card.model_dump_json()):
            message = "not the card as it was written: its checksum does not fit its facts"
            raise DataError(message)
        return card

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Make a card of facts, without a checksum.

        Raises
        ------
        DataError
            The facts are not those of a card of this version.
        """
        try:
            return cls.model_validate_json(json.dumps(data))
        except ValidationError as error:
            first = error.errors()[0]
            message = f"not a card: {'.'.join(map(str, first['loc'])) or 'text'}: {first['msg']}"
            raise DataError(message) from error

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the record."""
        schema = cls.model_json_schema()
        schema["properties"][_CHECKSUM] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        schema["required"].append(_CHECKSUM)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def text(self) -> str:
        """Give the card as plain text."""
        from xseg.cards._render import render

        return render(self, "card.txt.j2")

    def markdown(self) -> str:
        """Give the card as Markdown."""
        from xseg.cards._render import render

        return render(self, "card.md.j2")

    def html(self, *, interactive: bool = False) -> str:
        """Give the card as one HTML page that needs no network.

        Parameters
        ----------
        interactive : bool, default=False
            Whether the page carries the model, narrowed down to this person, and a small script, so that they can
            change a value or leave it out and see which group that makes and why. Nothing is sent anywhere; where
            scripts do not run it is the plain card.

        Raises
        ------
        DataError
            The card was read from a file, and has no model to carry.
        UnsupportedModelError
            The model is too large to travel, or would describe a group of too few people.
        """
        from xseg.cards._render import interactive_page, render

        return interactive_page(self) if interactive else render(self, "page.html.j2")

    def email(self) -> str:
        """Give the card as HTML for e-mail: tables and styles in place, which every mail program shows."""
        from xseg.cards._render import render

        return render(self, "email.html.j2")

    def svg(self) -> bytes:
        """Give the card as an SVG picture.

        Raises
        ------
        ParameterError
            The card is in a script that matplotlib cannot set, such as Arabic.
        """
        from xseg.cards._picture import picture

        return picture(self, "svg", 1.0)

    def png(self, scale: float = 2.0) -> bytes:
        """Give the card as a PNG picture, 640 points wide.

        Parameters
        ----------
        scale : float, default=2.0
            Pixels for each point.

        Raises
        ------
        ParameterError
            The card is in a script that matplotlib cannot set, such as Arabic.
        """
        from xseg.cards._picture import picture

        return picture(self, "png", scale)

    def pdf(self) -> bytes:
        """Give the card as a PDF document, with everything unfolded; needs ``xseg[pdf]``.

        Raises
        ------
        OptionalDependencyError
            WeasyPrint is not installed.
        """
        from xseg.cards._render import document

        return document(self)

    def _repr_html_(self) -> str:
        from xseg.cards._render import render

        return render(self, "card.html.j2")


def _digest(facts: str) -> str:
    return hashlib.sha256(facts.encode()).hexdigest()
