"""The card of somebody whom no model places, because of what they said themselves, or did not say."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import model_validator

from xseg.cards._any_card import AnyCard
from xseg.cards._consent import ConsentLedger, ConsentLookup, DecisionBasis, IdentityLinks, prepare_question
from xseg.cards._edition import edition_of, moment_of
from xseg.cards._fact_types import SegmentFact
from xseg.cards._naming import Naming
from xseg.cards._standing import standing_of
from xseg.exceptions import ParameterError
from xseg.ink import Language
from xseg.policy import Policy
from xseg.segmenters import fold

__all__ = ["DecidedCard", "decided_card", "decided_cards"]


class DecidedCard(AnyCard):
    """What a person is shown whom no model places: their own word, or that they have not agreed.

    It has the forms of a `Card`, and no reasons: nothing was worked out. What every card says is told at `AnyCard`.

    Attributes
    ----------
    why : {"chosen", "no_consent", "objected", "restricted", "not_profiled", "erased", "unknown"}
        What it rests on.
    segment : SegmentFact or None
        The group that the person chose; None where they are in none.
    not_used : tuple of str
        Labels of what the model would ask about, and did not.
    """

    kind: Literal["decided"] = "decided"
    why: DecisionBasis
    segment: SegmentFact | None
    not_used: tuple[str, ...]

    @model_validator(mode="after")
    def _is_in_a_group_if_chosen(self) -> Self:
        if (self.segment is None) == (self.why == "chosen"):
            message = "a group is there if, and only if, the person chose it"
            raise ValueError(message)
        return self


def decided_card(
    segmenter: Any,
    why: DecisionBasis,
    *,
    segment: int | str | None = None,
    reference: str | None = None,
    policy: Any = None,
    now: datetime | None = None,
    locale: str | None = None,
    tone: str = "plain",
    ledger: ConsentLedger | None = None,
    identities: IdentityLinks | None = None,
) -> DecidedCard:
    """Make the card of somebody whom the model does not place.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model that is not asked.
    why : {"chosen", "no_consent", "objected", "restricted", "not_profiled", "erased", "unknown"}
        What the card rests on.
    segment : int or str, default=None
        The segment that the person chose, where they chose one.
    reference : str, default=None
        Whose card it is, in the company's own terms.
    policy, now, locale, tone, ledger, identities
        As for `make_cards`.

    Returns
    -------
    DecidedCard
        The card.

    Raises
    ------
    ParameterError
        A segment was chosen and not given, or given and not chosen, or there is no such segment, language or tone.
    PolicyError
        The policy cannot be read.
    ConsentError
        There is a ledger, and no reference to ask it about.

    Examples
    --------
    >>> import xseg
    >>> from xseg.cards import decided_card
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> print(decided_card(segmenter, "objected").text()[:46])
    You are in no group.
    You objected to this use.
    """
    if (segment is None) == (why == "chosen"):
        message = f"why={why!r} and segment={segment!r}: give a segment if the person chose it, and only then"
        raise ParameterError(message)
    make = decided_cards(
        segmenter, policy=policy, now=now, locale=locale, tone=tone, ledger=ledger, identities=identities
    )
    return make(why, segment, reference)


def decided_cards(
    segmenter: Any,
    *,
    policy: Any,
    now: datetime | None,
    locale: str | None,
    tone: str,
    ledger: ConsentLedger | None,
    identities: IdentityLinks | None,
) -> Callable[[DecisionBasis, int | str | None, str | None], DecidedCard]:
    """Prepare what such cards have in common; returns a maker of ground, segment and reference."""
    model, moment = fold(segmenter), moment_of(now)
    told = Policy.of(policy)
    told.check_columns(model.profile_.bins.schema.names)
    told.check_segments(model.segment_names_)
    edition = edition_of(segmenter, told, locale, tone, moment)
    naming = Naming(model, model.profile_.bins.schema.names, edition.policy, edition.language)
    standing = standing_of(model, naming)
    same = edition.facts(standing)
    unused = tuple(used.label for used in standing.used)
    languages: dict[Language, Language] = {}

    def made(why: DecisionBasis, segment: int | str | None, reference: str | None) -> DecidedCard:
        question = prepare_question(ledger, identities, None if reference is None else [reference], moment)
        card = DecidedCard(
            why=why,
            segment=None if segment is None else naming.segments[int(model.segments_.position(segment))],
            not_used=unused,
            reference=reference,
            consent=None if question is None else ConsentLookup(question, standing.purposes).facts(0),
            **same,
        )
        card._languages = languages
        return card

    return made
