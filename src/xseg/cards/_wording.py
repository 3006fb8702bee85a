"""Sentences of a card: the parts that do not depend on the person, and how all parts are assembled and shortened."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from xseg.cards._card_record import AnyCard, Card, DecidedCard
from xseg.cards._fact_types import (
    AnswerFact,
    ConsentFact,
    ConsentFacts,
    ControllerFact,
    PurposeFact,
    RightFact,
    UsedFeature,
)
from xseg.cards._sentences import (
    CardWords,
    Choice,
    Rank,
    UsedWords,
    certainty_words,
    change_words,
    group_rule_words,
    label_words,
    lead_words,
    origin_words,
    reason_words,
    sum_words,
    why_not_words,
)
from xseg.i18n import Language, load_language, one_line
from xseg.policy import STATEMENTS

__all__ = [
    "about_words",
    "also_words",
    "answer_words",
    "build_card_words",
    "choices_words",
    "closing_words",
    "consent_words",
    "exclusion_words",
    "load_card_language",
    "policy_words",
    "unlinked_words",
    "used_words",
]

_MAX_LISTED = 12
_MARKETING = "object_marketing"


def used_words(
    facts: tuple[UsedFeature, ...], purposes: tuple[PurposeFact, ...], language: Language
) -> tuple[UsedWords, ...]:
    """Write what was used, where it came from and what for; what has all of this in common stands together."""
    labels = {purpose.purpose: purpose.label for purpose in purposes}
    groups: dict[tuple[str, ...], list[UsedFeature]] = {}
    for used in facts:
        said = _purposes(tuple(labels[purpose] for purpose in used.purposes if purpose in labels), language)
        groups.setdefault((origin_words(used.origin, language), *said), []).append(used)
    return tuple(UsedWords(_label_group(group, language), sentences) for sentences, group in groups.items())


def _label_group(group: Sequence[UsedFeature], language: Language) -> str:
    """Return the labels of what has the same origin and purposes, as one list."""
    first, *others = group
    return language.join_items([label_words(first.feature, first.label, language), *(used.label for used in others)])


def _purposes(labels: tuple[str, ...], language: Language) -> list[str]:
    return [language.say("used.purposes", purposes=language.join_items(labels))] if labels else []


def answer_words(fact: AnswerFact | None, language: Language) -> tuple[str, ...]:
    """Write the effect of an action of the person."""
    if fact is None:
        return ()
    if fact.unchanged_reason is not None:
        return (language.say("profile.unchanged", reason=language.say(f"profile.{fact.unchanged_reason}")),)
    return (language.say("profile.changed" if fact.group_changed else "profile.done"),)


def about_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write what is true of all that was used, and what was not."""
    return (
        *language.compute_once(_purposes_at_large, card.purposes, card.unnamed, language),
        *((language.say("used.unknown", labels=language.join_items(card.unknown)),) if card.unknown else ()),
        *language.compute_once(exclusion_words, card.not_used, card.recipients, language),
        *language.compute_once(policy_words, *(getattr(card, name) for name in STATEMENTS)),
    )


def policy_words(*stated: str | None) -> tuple[str, ...]:
    """Return what the policy states in its own words."""
    return tuple(one_line(text, 400) for text in stated if text is not None)


def _purposes_at_large(purposes: tuple[PurposeFact, ...], unnamed: int, language: Language) -> tuple[str, ...]:
    sentences = [language.count("used.hidden", unnamed)] if unnamed else []
    bases = list(dict.fromkeys(_basis(purpose.legal_basis, purpose.interest, language) for purpose in purposes))
    if stated := [basis for basis in bases if basis is not None]:
        sentences.append(language.say("used.basis", bases=language.join_items(stated)))
    if kept := [purpose.retention_days for purpose in purposes if purpose.retention_days is not None]:
        sentences.append(language.count("used.kept", max(kept)))
    obliged = {purpose.obligatory for purpose in purposes}
    if obliged in ({True}, {False}):
        sentences.append(language.say("used.obligatory" if obliged == {True} else "used.voluntary"))
    return tuple(sentences)


def exclusion_words(not_used: tuple[str, ...], recipients: tuple[str, ...], language: Language) -> tuple[str, ...]:
    """Return what was not used, and who else receives the group."""
    sentences = []
    if not_used:
        sentences.append(language.say("used.not_used", labels=language.join_items(_some(not_used, language))))
    if recipients:
        sentences.append(language.say("used.recipients", names=language.join_items([*map(one_line, recipients)])))
    return tuple(sentences)


def _basis(basis: str | None, interest: str | None, language: Language) -> str | None:
    if basis is None:
        return None
    words = language.say(f"basis.{basis}")
    return words if interest is None else language.say("basis.interest", basis=words, interest=one_line(interest))


def _some(labels: Sequence[str], language: Language) -> Sequence[str]:
    if len(labels) <= _MAX_LISTED:
        return labels
    return [*labels[:_MAX_LISTED], language.count("used.more", len(labels) - _MAX_LISTED)]


def consent_words(facts: ConsentFacts | None, language: Language) -> tuple[str, ...]:
    """Write what the person agreed to, and to what not."""
    return () if facts is None else tuple(_consent_sentence(fact, language) for fact in facts.statements)


def _consent_sentence(fact: ConsentFact, language: Language) -> str:
    until = fact.answer == "given" and fact.until is not None
    days = {"day": (fact.until or fact.on) if fact.answer == "ended" else fact.on, "until": fact.until}
    dates = {name: language.date(day) for name, day in days.items() if day is not None}
    key = "given_until" if until else fact.answer
    return language.say(f"consent.{key}", purpose=language.capitalise(one_line(fact.label)), **dates)


def choices_words(rights: tuple[RightFact, ...], language: Language) -> tuple[Choice, ...]:
    """Return what the person can do by a link."""
    return tuple(
        Choice(right.right, language.capitalise(right.label or _right(right.right, language)), right.url)
        for right in rights
        if right.url is not None
    )


def _right(right: str, language: Language) -> str:
    key = f"right.{right}"
    return language.say(key) if key in language.messages else one_line(right.replace("_", " "))


def also_words(rights: tuple[RightFact, ...], language: Language) -> tuple[str, ...]:
    """Write the right to object to marketing, which stands by itself, where the law gives it and it has no link."""
    has_marketing = any(right.right == _MARKETING and right.url is None for right in rights)
    return (language.say("right.marketing"),) if has_marketing else ()


def unlinked_words(rights: tuple[RightFact, ...], language: Language) -> str:
    """Write the other rights that follow from the law and have no link; nothing where there are none."""
    others = [_right(right.right, language) for right in rights if right.url is None and right.right != _MARKETING]
    return language.say("right.also", rights=language.say("condition.separator").join(others)) if others else ""


def closing_words(card: AnyCard, language: Language) -> tuple[str, ...]:
    """Write the controller, the date and the model."""
    sentences = [*language.compute_once(_controller_words, card.controller, language)]
    if card.approval != "approved":
        sentences.append(language.say("closing.draft"))
    made = {"day": language.date(card.issued), "model": f"{card.model[:4]}-{card.model[4:8]}"}
    if card.reference is None:
        return (*sentences, language.say("closing.issued", **made))
    return (*sentences, language.say("closing.issued_for", **made, reference=one_line(card.reference)))


def _controller_words(controller: ControllerFact | None, language: Language) -> tuple[str, ...]:
    if controller is None:
        return (language.say("closing.no_controller"),)
    name, contact = one_line(controller.name), one_line(controller.contact)
    sentences = [language.say("closing.controller", name=name, contact=contact)]
    if controller.officer is not None:
        sentences.append(language.say("closing.officer", officer=one_line(controller.officer)))
    if controller.authority is not None:
        sentences.append(language.say("closing.authority", authority=one_line(controller.authority)))
    return tuple(sentences)


MAX_WORDS = 120
# What goes, in this order, the weakest reason's first: sentences by rank or whole reasons (None), sparing so many.
_SHORTER = (
    (Rank.ORIGIN, 0),
    (Rank.AMOUNT, 0),
    (Rank.COMPARED, 0),
    (None, 3),
    (Rank.SURPRISING, 0),
    (Rank.MAIN, 0),
    (None, 2),
    (None, 1),
)


def load_card_language(card: AnyCard) -> Language:
    """Return the language of a card, with the sentences that the company rewords."""
    language = load_language(card.locale, card.tone, card.wording)
    # The cards of one table share a cache, which is deleted with them. A card that was read back has one for each form.
    if card._languages is None:
        return language.with_cache()
    if language not in card._languages:
        card._languages[language] = language.with_cache()
    cached: Language = card._languages[language]
    return cached


def build_card_words(card: AnyCard) -> CardWords:
    """Write a card's facts in words."""
    language = load_card_language(card)
    if card.kind == "decided":
        return _write_decided_card(cast("DecidedCard", card), language)
    return _write_placed_card(cast("Card", card), language)


def _write_decided_card(card: DecidedCard, language: Language) -> CardWords:
    """Write the card of a person whom no model places."""
    chosen, once = card.segment, language.compute_once
    title = "profile.none" if chosen is None else "profile.chosen"
    ground = () if chosen is not None else (language.say(f"profile.{card.basis}"),)
    described = () if chosen is None or chosen.sentence is None else (one_line(chosen.sentence, 400),)
    return CardWords(
        language=language,
        title=language.say(title, **({} if chosen is None else {"group": one_line(chosen.name)})),
        lead=(*answer_words(card.answer, language), *ground, *described),
        effect=() if chosen is None or chosen.consequence is None else (one_line(chosen.consequence, 400),),
        about=(
            *once(exclusion_words, card.not_used, card.recipients if chosen else (), language),
            *policy_words(*(getattr(card, name) for name in STATEMENTS)),
        ),
        choices=once(choices_words, card.rights, language),
        also=(*consent_words(card.consent, language), *once(also_words, card.rights, language)),
        unlinked=once(unlinked_words, card.rights, language),
        closing=closing_words(card, language),
    )


def _write_placed_card(card: Card, language: Language) -> CardWords:
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
        sure=certainty_words(card, language),
        effect=() if segment.consequence is None else (one_line(segment.consequence, 400),),
        sum=sum_words(card, language),
        used=once(used_words, card.used, card.purposes, language),
        about=about_words(card, language),
        choices=once(choices_words, card.rights, language),
        also=(*consent_words(card.consent, language), *once(also_words, card.rights, language)),
        unlinked=once(unlinked_words, card.rights, language),
        closing=closing_words(card, language),
    )
    shortened = _shorten(words)
    if _is_whole(shortened, words):
        return shortened
    # Reasons say more of the person than the rule of the whole group, which is then said where the card is unfolded,
    # and than a change that is told twice.
    rule = group_rule_words(card, language)
    if rule:
        lead = tuple(sentence for sentence in words.lead if sentence not in rule)
        words = replace(words, lead=lead, sum=(*rule, *words.sum))
        shortened = _shorten(words)
        if _is_whole(shortened, words):
            return shortened
    return _shorten(replace(words, sure=certainty_words(card, language, short=True)))


def _is_whole(shortened: CardWords, words: CardWords) -> bool:
    """Return whether a body is short enough with all its reasons."""
    return shortened.shown == words.shown and _count(shortened.body()) <= MAX_WORDS


def _shorten(words: CardWords) -> CardWords:
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
                excess -= _count([sentence for said, sentence in longer.ranked if rank <= said <= longer.budget])
                reasons[place] = replace(longer, budget=Rank(rank - 1))
    return replace(words, reasons=tuple(reasons), shown=shown)


# Japanese has no spaces: about three of its characters say what a word does.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CHARACTERS_OF_A_WORD = 3
_WORD = re.compile(r"\S*\w\S*")


def _count(sentences: Sequence[str]) -> int:
    """Count words; marks that stand alone, as before a French colon, are none."""
    text = " ".join(sentences)
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORD.findall(_UNSPACED.sub(" ", text))) + unspaced // _CHARACTERS_OF_A_WORD
