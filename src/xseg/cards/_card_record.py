"""The card as facts: frozen records that every form is made from."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from xseg.cards._fact_types import (
    Alternative,
    AnswerFact,
    Certainty,
    CheckedField,
    ConsentFacts,
    ControllerFact,
    CounterfactualFact,
    DecisionBasis,
    Fact,
    Finite,
    HiddenPart,
    OriginalAgrees,
    PurposeFact,
    Reason,
    RightFact,
    SegmentFact,
    UsedFeature,
)
from xseg.exceptions import DataError

__all__ = ["AnyCard", "Card", "CardForms", "DecidedCard"]

_CHECKSUM = "checksum"


class CardForms(Protocol):
    """Renderers of a card record: templates, pictures, documents, and the check of its content."""

    def render(self, card: "AnyCard", template: str) -> str:
        """Fill a template with the words of a card."""
        ...

    def interactive_page(self, card: "Card") -> str:
        """Return a page that carries the model, restricted to the person."""
        ...

    def draw(self, card: "AnyCard", form: Literal["png", "svg"], scale: float) -> bytes:
        """Draw a card as a picture."""
        ...

    def document(self, card: "AnyCard") -> bytes:
        """Return a card as a PDF document."""
        ...

    def check_content(self, card: "Card") -> tuple[CheckedField, ...]:
        """Check a card against the list of required content."""
        ...


class AnyCard(Fact):
    """Fields and output formats that all cards share; `Card` and `DecidedCard` add theirs.

    Attributes
    ----------
    kind : {"placed", "decided"}
        Whether a model placed the person, or what they said themselves.
    locale, tone, wording : str, str, dict
        What the card is written in, and the sentences that the company words anew.
    issued : date
        When.
    approval : {"draft", "reviewed", "approved"}
        What the model was on that day (see `xseg.governance.approval.approve`).
    model : str
        Fingerprint of the model.
    reference : str or None
        Whose card it is, in the company's own terms.
    purposes : tuple of PurposeFact
        What it is for.
    consent : ConsentFacts or None
        What the person said about each purpose; None where no ledger was asked.
    answer : AnswerFact or None
        The effect of an action of the person, where the card answers one.
    controller : ControllerFact or None
        The controller.
    rights : tuple of RightFact
        What the person can do: what the policy links to, and what the legal bases give besides.
    recipients : tuple of str
        Who receives the segments.
    transfers, automation, special_categories, human_review : str or None
        What the policy says of them.
    translated : bool
        Whether the policy has words in the language of the card.
    """

    version: Literal[4] = 4
    kind: Literal["placed", "decided"]
    locale: str = "en"
    tone: Literal["plain", "formal"] = "plain"
    wording: dict[str, str | dict[str, str]] = Field(default_factory=dict)
    issued: date
    approval: Literal["draft", "reviewed", "approved"] = "draft"
    model: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reference: str | None
    purposes: tuple[PurposeFact, ...]
    consent: ConsentFacts | None = None
    answer: AnswerFact | None = None
    controller: ControllerFact | None
    rights: tuple[RightFact, ...]
    recipients: tuple[str, ...]
    transfers: str | None
    automation: str | None
    special_categories: str | None
    human_review: str | None
    translated: bool

    # Forms are made above the record, which knows no markup; the package registers them when it is imported.
    _forms: ClassVar[CardForms]
    # The languages of the cards of one table, with what was already put into words for them.
    _languages: Any = PrivateAttr(default=None)

    def __getstate__(self) -> dict[Any, Any]:
        # A stored card is its facts, without what it shares with the other cards of its table.
        return {**super().__getstate__(), "__pydantic_private__": dict.fromkeys(self.__private_attributes__)}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    # Cards are compared by their facts, and hold mappings.
    __hash__ = None  # type: ignore[assignment]

    def json(self, **_: Any) -> str:
        """Return the record as JSON, for other systems; `json_schema` describes it.

        Its last member is a checksum of the others, so that a record that was altered is found.
        """
        facts = self.model_dump_json()
        return f"{facts[:-1]}{_format_checksum(facts.encode())}"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a record that `json` wrote.

        Raises
        ------
        DataError
            The text is not a card of this version, or it was altered.
        """
        if (card := cls._read_as_written(text)) is not None:
            return card
        try:
            data = json.loads(text)
        except ValueError as error:
            message = f"not a card: {error}"
            raise DataError(message) from error
        checksum = data.pop(_CHECKSUM, None) if isinstance(data, dict) else None
        card = cls.from_facts(data)
        if checksum != _digest_facts(card.model_dump_json().encode()):
            message = "not the card as it was written: its checksum does not fit its facts"
            raise DataError(message)
        return card

    @classmethod
    def _read_as_written(cls, text: str | bytes) -> Self | None:
        """Return the card of a text that nobody has formatted anew, which its checksum proves; None for any other."""
        written = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        facts = written[:-_CHECKSUM_LENGTH] + b"}"
        if written[-_CHECKSUM_LENGTH:] != _format_checksum(facts).encode():
            return None
        try:
            return cls.model_validate_json(facts)
        except ValidationError:
            return None

    @classmethod
    def from_facts(cls, data: Mapping[str, Any]) -> Self:
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
        """Return the JSON Schema of the record."""
        schema = cls.model_json_schema()
        schema["properties"][_CHECKSUM] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        schema["required"].append(_CHECKSUM)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def text(self) -> str:
        """Return the card as plain text."""
        return self._forms.render(self, "card.txt.j2")

    def markdown(self) -> str:
        """Return the card as Markdown."""
        return self._forms.render(self, "card.md.j2")

    def html(self) -> str:
        """Return the card as one HTML page that needs no network."""
        return self._forms.render(self, "page.html.j2")

    def email(self) -> str:
        """Return the card as HTML for e-mail: tables and styles in place, which every mail program shows."""
        return self._forms.render(self, "email.html.j2")

    def svg(self) -> bytes:
        """Return the card as an SVG picture.

        Raises
        ------
        ParameterError
            The card is in a script that matplotlib cannot set, such as Arabic.
        """
        return self._forms.draw(self, "svg", 1.0)

    def png(self, scale: float = 2.0) -> bytes:
        """Return the card as a PNG picture, 640 points wide.

        Parameters
        ----------
        scale : float, default=2.0
            Pixels for each point.

        Raises
        ------
        ParameterError
            The card is in a script that matplotlib cannot set, such as Arabic.
        """
        return self._forms.draw(self, "png", scale)

    def pdf(self) -> bytes:
        """Return the card as a PDF document, with everything unfolded; needs ``xseg[pdf]``.

        Raises
        ------
        OptionalDependencyError
            WeasyPrint is not installed.
        """
        return self._forms.document(self)

    def _repr_html_(self) -> str:
        return self._forms.render(self, "card.html.j2")


def _digest_facts(facts: bytes) -> str:
    return hashlib.sha256(facts).hexdigest()


def _format_checksum(facts: bytes) -> str:
    """Return the end of a record, from its last member on."""
    return f',"{_CHECKSUM}":"{_digest_facts(facts)}"}}'


_CHECKSUM_LENGTH: Final = len(_format_checksum(b""))


class Card(AnyCard):
    """The group of one person and the reasons, as facts.

    Cards are made by `make_cards`. Words are made from the facts, and forms from the words: `html`, `text`,
    `markdown`, `json`; in a notebook a card shows itself. What every card says is documented at `AnyCard`.

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
    reasons : tuple of Reason
        At most four, the most influential first.
    rest_points : int
        What the other features add together.
    hidden : HiddenPart or None
        What features add that are not shown by name; None if there are none that matter.
    alternative : Alternative or None
        Why not the neighbour group; None if there is no other.
    counterfactual : CounterfactualFact or None
        What would change it; None where the policy does not say what the person can change.
    certainty : Certainty
        How sure.
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
    minimum_group_size : int
        How many people a group must have before it is sized or compared with.
    """

    kind: Literal["placed"] = "placed"
    segment: SegmentFact
    rival: str | None = None
    base_value: Finite
    base_points: int
    reasons: Annotated[tuple[Reason, ...], Field(max_length=4)]
    rest_points: int
    hidden: HiddenPart | None
    total_value: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    total_points: Annotated[int, Field(ge=0, le=100)] = 100
    alternative: Alternative | None
    counterfactual: CounterfactualFact | None
    certainty: Certainty
    used: tuple[UsedFeature, ...]
    unnamed: Annotated[int, Field(ge=0)]
    not_used: tuple[str, ...]
    unknown: tuple[str, ...]
    unknown_matters: bool
    original_agrees: OriginalAgrees | None = None
    minimum_group_size: Annotated[int, Field(ge=1)]

    def completeness(self) -> tuple[CheckedField, ...]:
        """Check the card against the required-content list.

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
        return self._forms.check_content(self)

    _source: Any = PrivateAttr(default=None)

    def embedded_model(self) -> dict[str, Any]:
        """Return what an interactive page carries.

        Raises
        ------
        DataError
            The card was read from a file, and has no model to carry.
        """
        if self._source is None:
            message = (
                "a card that was read back has no model with it; make it again with make_cards for an interactive page"
            )
            raise DataError(message)
        facts, row = self._source
        carried: dict[str, Any] = facts.what_if(row)
        return carried

    def html(self, *, interactive: bool = False) -> str:
        """Return the card as one HTML page that needs no network.

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
        UnsupportedTypeError
            The model is too large to travel, or would describe a group of too few people.
        """
        return self._forms.interactive_page(self) if interactive else self._forms.render(self, "page.html.j2")


class DecidedCard(AnyCard):
    """Card of a person whom no model places: they chose their group, or are in none.

    It has the forms of a `Card`, and no reasons: nothing was computed. What every card says is documented at `AnyCard`.

    Attributes
    ----------
    basis : {"chosen", "no_consent", "objected", "restricted", "not_profiled", "erased", "unknown"}
        What it rests on.
    segment : SegmentFact or None
        The group that the person chose; None where they are in none.
    not_used : tuple of str
        Labels of what the model would ask about, and did not.
    """

    kind: Literal["decided"] = "decided"
    basis: DecisionBasis
    segment: SegmentFact | None
    not_used: tuple[str, ...]

    @model_validator(mode="after")
    def _is_in_a_group_if_chosen(self) -> Self:
        if (self.segment is None) == (self.basis == "chosen"):
            message = "a group is there if, and only if, the person chose it"
            raise ValueError(message)
        return self
