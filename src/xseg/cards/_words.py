"""Facts in words. Every form of a card is made of these sentences and no others."""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from xseg.cards._person_words import change_words, lead_words, reason_words, sum_words, sure_words, why_not_words
from xseg.cards._standing_words import (
    about_words,
    also_words,
    answer_words,
    choices_words,
    closing_words,
    consent_words,
    left_and_passed_on,
    policy_words,
    used_words,
)
from xseg.cards._wording import CardWords, Rank, ReasonWords
from xseg.ink import Language, language_of, one_line

if TYPE_CHECKING:
    from xseg.cards._any_card import AnyCard
    from xseg.cards._decided import DecidedCard
    from xseg.cards._record import Card

__all__ = ["language_for", "words_of"]

MOST_WORDS = 120
# What goes, in this order, the weakest reason's first: sentences by rank or whole reasons (None), sparing so many.
_SHORTER = (
    (Rank.ORIGIN, 0),
    (Rank.AMOUNT, 0),
    (Rank.RULE, 0),
    (None, 3),
    (Rank.COMPARED, 2),
    (None, 2),
    (Rank.COMPARED, 0),
    (Rank.SURPRISING, 0),
    (Rank.MAIN, 0),
)


def language_for(card: "AnyCard") -> Language:
    """Give the language of a card, with the sentences the company words anew."""
    return language_of(card.locale, card.tone, card.wording)


def words_of(card: "AnyCard") -> CardWords:
    """Put a card's facts into words."""
    language = language_for(card)
    if card.kind == "decided":
        return _decided(cast("DecidedCard", card), language)
    return _placed(cast("Card", card), language)


def _decided(card: "DecidedCard", language: Language) -> CardWords:
    """Say where a person stands whom no model places."""
    chosen = card.segment
    title = "profile.none" if chosen is None else "profile.chosen"
    ground = () if chosen is not None else (language.say(f"profile.{card.why}"),)
    described = () if chosen is None or chosen.sentence is None else (one_line(chosen.sentence, 400),)
    return CardWords(
        language=language,
        title=language.say(title, **({} if chosen is None else {"group": one_line(chosen.name)})),
        lead=(*answer_words(card.answer, language), *ground, *described),
        effect=() if chosen is None or chosen.consequence is None else (one_line(chosen.consequence, 400),),
        about=(*left_and_passed_on(card.not_used, card.recipients if chosen else (), language), *policy_words(card)),
        choices=choices_words(card.rights, language),
        also=(*consent_words(card.consent, language), *also_words(card.rights, language)),
        closing=closing_words(card, language),
    )


def _placed(card: "Card", language: Language) -> CardWords:
    segment = card.segment
    words = CardWords(
        language=language,
        title=language.say("card.title", group=one_line(segment.name)),
        lead=(*answer_words(card.answer, language), *lead_words(card, language)),
        reasons=tuple(reason_words(card, place, reason, language) for place, reason in enumerate(card.reasons)),
        shown=len(card.reasons),
        why_not=why_not_words(card, language),
        change=change_words(card, language),
        sure=sure_words(card, language),
        effect=() if segment.consequence is None else (one_line(segment.consequence, 400),),
        sum=sum_words(card, language),
        used=used_words(card.used, card.purposes, language),
        about=about_words(card, language),
        choices=choices_words(card.rights, language),
        also=(*consent_words(card.consent, language), *also_words(card.rights, language)),
        closing=closing_words(card, language),
    )
    return _shortened(words)


def _shortened(words: CardWords) -> CardWords:
    """Leave what matters least to where the card is unfolded, until the body is short."""
    excess = sum(map(_count, words.body())) - MOST_WORDS
    reasons, shown = list(words.reasons), words.shown
    for rank, spared in _SHORTER:
        for place in reversed(range(spared, shown)):
            if excess <= 0:
                return replace(words, reasons=tuple(reasons), shown=shown)
            if rank is None:
                shown = place
                excess -= _length(reasons[place])
            else:
                shorter = replace(reasons[place], budget=Rank(rank - 1))
                excess -= _length(reasons[place]) - _length(shorter)
                reasons[place] = shorter
    return replace(words, reasons=tuple(reasons), shown=shown)


def _length(reason: ReasonWords) -> int:
    return sum(map(_count, (reason.label, reason.value, *reason.sentences)))


@lru_cache(maxsize=4096)
def _count(sentence: str) -> int:
    return len(sentence.split())
