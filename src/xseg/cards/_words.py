"""Facts in plain English. Every form of a card is made of these sentences and no others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xseg.ink import capitalised, listed, one_line

if TYPE_CHECKING:
    from xseg.cards._record import Card, Reason

__all__ = ["CardWords", "ReasonWords", "words_of"]

MINUS = "\N{MINUS SIGN}"
_MAIN_SHARE = 0.5
_MOST_LISTED = 12


_STANDS_IN = (
    "The groups were first made by another method, which is hard to put into words; these simple rules stand in for it."
)
_ORIGINAL = {
    "yes": f"{_STANDS_IN} That method puts you into the same group.",
    "no": f"{_STANDS_IN} That method puts you into another group; the reasons above are those of the rules.",
    "not known": f"{_STANDS_IN} Whether that method puts you into the same group is not known here.",
}


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason: what is so, and what follows."""

    label: str
    value: str
    sentences: tuple[str, ...]
    points: int
    points_words: str


@dataclass(frozen=True, slots=True)
class CardWords:
    """The sentences of a card, by part."""

    title: str
    lead: tuple[str, ...]
    reasons: tuple[ReasonWords, ...]
    sum: tuple[str, ...]
    original: str | None
    consequence: str | None
    unused: tuple[str, ...]
    closing: tuple[str, ...]


def words_of(card: "Card") -> CardWords:
    """Put a card's facts into words."""
    return CardWords(
        title=f"You are in “{one_line(card.segment.name)}”",
        lead=tuple(_lead(card)),
        reasons=tuple(_reason(card, place, reason) for place, reason in enumerate(card.reasons)),
        sum=tuple(_sum(card)),
        original=None if card.original_agrees is None else _ORIGINAL[card.original_agrees],
        consequence=None if card.segment.consequence is None else one_line(card.segment.consequence, 400),
        unused=tuple(_unused(card)),
        closing=tuple(_closing(card)),
    )


def _lead(card: "Card") -> list[str]:
    lead = []
    if card.segment.sentence is not None:
        lead.append(one_line(card.segment.sentence, 400))
    if card.segment.share is None:
        lead.append("We do not say how large this group is, because it is small.")
    elif not card.reasons and card.segment.share == 1:
        lead.append("Everyone is in this group.")
    else:
        lead.append(f"{capitalised(share_words(card.segment.share))} of our customers are in this group.")
    return lead


def share_words(share: float) -> str:
    """Say a share as people do."""
    if share >= 0.95:
        return "nearly all"
    if share >= 0.15:
        return f"about {round(share * 10)} in 10"
    return f"about 1 in {round(1 / share)}" if share > 0.001 else "fewer than 1 in 1,000"


def _reason(card: "Card", place: int, reason: "Reason") -> ReasonWords:
    sentences = []
    if reason.value is None:
        sentences.append("We do not know it, and that counts here.")
    if reason.comparison is not None and reason.comparison.words is not None:
        sentences.append(f"That is {reason.comparison.words}.")
    if reason.limits is not None and reason.value is not None:
        sentences.append(f"The rule of this group: {reason.limits.words}.")
    if reason.typical is not None:
        sentences.append(f"Typical of this group: {reason.typical.words}.")
    if reason.points < 0:
        sentences.append("This points the other way.")
    elif place == 0 and reason.contribution >= _MAIN_SHARE * (card.total_value - card.base_value):
        sentences.append("This is the main reason.")
    sentences.append(f"{capitalised(reason.origin)}.")
    # A column name is shown as it is; only words begin with a capital.
    label = reason.label if reason.label == reason.feature else capitalised(one_line(reason.label))
    return ReasonWords(label, reason.value_words, tuple(sentences), reason.points, signed_points(reason.points))


def signed_points(points: int) -> str:
    """Write percentage points with a sign people read."""
    sign = "+" if points > 0 else MINUS if points < 0 else ""
    return f"{sign}{_points(abs(points))}"


def _sum(card: "Card") -> list[str]:
    if not card.reasons and card.hidden_points is None:
        return []
    sentences = [_base(card)]
    if card.rest_points:
        sentences.append(f"Everything else counts {signed_points(card.rest_points)}.")
    if card.hidden_points is not None:
        sentences.append(
            f"Other information, which this card does not name, counts {signed_points(card.hidden_points)}. "
            "Ask us about it."
        )
    sentences.append(_total(card))
    return sentences


def _base(card: "Card") -> str:
    if card.rival is None:
        return f"Before looking at anything, everybody has {card.base_points} of 100 points for this group."
    size = abs(card.base_points)
    balance = f"{_points(size)} {'ahead' if card.base_points > 0 else 'behind'}" if size else "level with it"
    return (
        f"The points compare this group with “{one_line(card.rival)}”, the next best fit. "
        f"Before looking at anything, this group is {balance}."
    )


def _total(card: "Card") -> str:
    if card.rival is None:
        return "All of it together makes 100."
    if card.total_value == 0:
        return "All of it together makes no difference: both groups fit equally well."
    if card.total_points == 0:
        return "All of it together puts this group less than a point ahead."
    return f"All of it together puts this group {_points(card.total_points)} ahead."


def _points(points: int) -> str:
    return f"{points} {'point' if points == 1 else 'points'}"


def _unused(card: "Card") -> list[str]:
    sentences = []
    if card.unknown:
        sentences.append(f"We do not know: {listed([one_line(label) for label in card.unknown])}.")
    if card.not_used:
        labels = [one_line(label) for label in card.not_used]
        some = labels if len(labels) <= _MOST_LISTED else [*labels[:_MOST_LISTED], f"{len(labels) - _MOST_LISTED} more"]
        sentences.append(f"We did not use: {listed(some)}.")
    return sentences


def _closing(card: "Card") -> list[str]:
    sentences = []
    if card.who is not None:
        sentences.append(f"{one_line(card.who.name)} answers for this: {one_line(card.who.contact)}.")
        if card.who.authority is not None:
            sentences.append(f"You can complain to: {one_line(card.who.authority)}.")
    else:
        sentences.append("Who answers for this is not stated.")
    reference = "" if card.reference is None else f", reference {one_line(card.reference)}"
    day = f"{card.issued.day} {card.issued:%B %Y}"
    sentences.append(f"{day}, model {card.model[:4]}-{card.model[4:8]}{reference}.")
    return sentences
