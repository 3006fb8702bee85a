"""What every card is: facts that everybody can read, in many forms."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError

from xseg.cards._fact_types import AnswerFact, ConsentFacts, Fact, PurposeFact, RightFact, WhoToAsk
from xseg.exceptions import DataError

__all__ = ["AnyCard"]

_CHECKSUM = "checksum"


class AnyCard(Fact):
    """What every card says, and the forms it has; `Card` and `DecidedCard` say more.

    Attributes
    ----------
    kind : {"placed", "decided"}
        Whether a model placed the person, or what they said themselves.
    locale, tone, wording : str, str, dict
        What the card is written in, and the sentences that the company words anew.
    issued : date
        When.
    approval : {"draft", "reviewed", "approved"}
        What the model was on that day (see `xseg.approve`).
    model : str
        Fingerprint of the model.
    reference : str or None
        Whose card it is, in the company's own terms.
    purposes : tuple of PurposeFact
        What it is for.
    consent : ConsentFacts or None
        What the person said about each purpose; None where no ledger was asked.
    answer : AnswerFact or None
        What something that the person asked for changed, where the card is an answer.
    who : WhoToAsk or None
        Who answers for it.
    rights : tuple of RightFact
        What the person can do: what the policy links to, and what the legal bases give besides.
    recipients : tuple of str
        Who receives the segments.
    transfers, automation, special_categories, human_review : str or None
        What the policy says of them.
    translated : bool
        Whether the policy has words in the language of the card.
    """

    version: Literal[3] = 3
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
    who: WhoToAsk | None
    rights: tuple[RightFact, ...]
    recipients: tuple[str, ...]
    transfers: str | None
    automation: str | None
    special_categories: str | None
    human_review: str | None
    translated: bool

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
        """Return the JSON Schema of the record."""
        schema = cls.model_json_schema()
        schema["properties"][_CHECKSUM] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        schema["required"].append(_CHECKSUM)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def text(self) -> str:
        """Return the card as plain text."""
        from xseg.cards._render import render

        return render(self, "card.txt.j2")

    def markdown(self) -> str:
        """Return the card as Markdown."""
        from xseg.cards._render import render

        return render(self, "card.md.j2")

    def html(self) -> str:
        """Return the card as one HTML page that needs no network."""
        from xseg.cards._render import render

        return render(self, "page.html.j2")

    def email(self) -> str:
        """Return the card as HTML for e-mail: tables and styles in place, which every mail program shows."""
        from xseg.cards._render import render

        return render(self, "email.html.j2")

    def svg(self) -> bytes:
        """Return the card as an SVG picture.

        Raises
        ------
        ParameterError
            The card is in a script that matplotlib cannot set, such as Arabic.
        """
        from xseg.cards._picture import picture

        return picture(self, "svg", 1.0)

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
        from xseg.cards._picture import picture

        return picture(self, "png", scale)

    def pdf(self) -> bytes:
        """Return the card as a PDF document, with everything unfolded; needs ``xseg[pdf]``.

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
