"""Facts in words. Every form of a card is made of these sentences and no others."""

from collections.abc import Sequence
from dataclasses import replace
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
from xseg.cards._wording import CardWords, Rank
from xseg.ink import Language, language_of, one_line

if TYPE_CHECKING:
    from xseg.cards._any_card import AnyCard
    from xseg.cards._decided import DecidedCard
    from xseg.cards._record import Card

__all__ = ["language_for", "words_of"]

MAX_WORDS = 120
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
    """Return the language of a card, with the sentences that the company rewords."""
    language = language_of(card.locale, card.tone, card.wording)
    # The cards of one table share a cache, which is deleted with them. A card that was read back has one for each form.
    if card._languages is None:
        return language.with_cache()
    cached: Language = card._languages.setdefault(language, language.with_cache())
    return cached


def words_of(card: "AnyCard") -> CardWords:
    """Write a card's facts in words."""
    language = language_for(card)
    if card.kind == "decided":
        return _decided(cast("DecidedCard", card), language)
    return _placed(cast("Card", card), language)


def _decided(card: "DecidedCard", language: Language) -> CardWords:
    """Return where a person stands whom no model places."""
    chosen, once = card.segment, language.compute_once
    title = "profile.none" if chosen is None else "profile.chosen"
    ground = () if chosen is not None else (language.say(f"profile.{card.why}"),)
    described = () if chosen is None or chosen.sentence is None else (one_line(chosen.sentence, 400),)
    return CardWords(
        language=language,
        title=language.say(title, **({} if chosen is None else {"group": one_line(chosen.name)})),
        lead=(*answer_words(card.answer, language), *ground, *described),
        effect=() if chosen is None or chosen.consequence is None else (one_line(chosen.consequence, 400),),
        about=(
            *once(left_and_passed_on, card.not_used, card.recipients if chosen else (), language),
            *policy_words(card),
        ),
        choices=once(choices_words, card.rights, language),
        also=(*consent_words(card.consent, language), *once(also_words, card.rights, language)),
        closing=closing_words(card, language),
    )


def _placed(card: "Card", language: Language) -> CardWords:
    # What is the same on every card of a model is put into words once.
    segment, once = card.segment, language.compute_once
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
        used=once(used_words, card.used, card.purposes, language),
        about=about_words(card, language),
        choices=once(choices_words, card.rights, language),
        also=(*consent_words(card.consent, language), *once(also_words, card.rights, language)),
        closing=closing_words(card, language),
    )
    return _shortened(words)


def _shortened(words: CardWords) -> CardWords:
    """Move what matters least to where the card is unfolded, until the body is short."""
    excess = _count(words.body()) - MAX_WORDS
    reasons, shown = list(words.reasons), words.shown
    for rank, spared in _SHORTER:
        for place in reversed(range(spared, shown)):
            if excess <= 0:
                return replace(words, reasons=tuple(reasons), shown=shown)
            if rank is None:
                shown = place
                left_out = reasons[place]
                excess -= _count([left_out.label, left_out.value, *left_out.sentences])
            else:
                longer = reasons[place]
                excess -= _count([sentence for said, sentence in longer.told if rank <= said <= longer.budget])
                reasons[place] = replace(longer, budget=Rank(rank - 1))
    return replace(words, reasons=tuple(reasons), shown=shown)


def _count(sentences: Sequence[str]) -> int:
    return len(" ".join(sentences).split())
