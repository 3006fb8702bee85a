"""What a card says to everybody: what was used, what can be done, who answers for it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xseg.cards._phrases import origin_words
from xseg.cards._wording import Choice, UsedWords, label_words
from xseg.ink import Language, one_line

if TYPE_CHECKING:
    from xseg.cards._any_card import AnyCard
    from xseg.cards._fact_types import AnswerFact, ConsentFact, ConsentFacts, PurposeFact, RightFact, Used
    from xseg.cards._record import Card

__all__ = [
    "about_words",
    "also_words",
    "answer_words",
    "choices_words",
    "closing_words",
    "consent_words",
    "left_and_passed_on",
    "policy_words",
    "used_words",
]

_MAX_LISTED = 12
_MARKETING = "object_marketing"


def used_words(
    facts: "tuple[Used, ...]", purposes: "tuple[PurposeFact, ...]", language: Language
) -> tuple[UsedWords, ...]:
    """Write what was used, and where it came from."""
    labels = {purpose.purpose: purpose.label for purpose in purposes}
    return tuple(
        UsedWords(
            label_words(used.feature, used.label, language),
            (
                origin_words(used.origin, language),
                *_purposes(tuple(labels[purpose] for purpose in used.purposes if purpose in labels), language),
            ),
        )
        for used in facts
    )


def _purposes(labels: tuple[str, ...], language: Language) -> list[str]:
    return [language.say("used.purposes", purposes=language.listed(labels))] if labels else []


def answer_words(fact: "AnswerFact | None", language: Language) -> tuple[str, ...]:
    """Write what became of something that the person asked for."""
    if fact is None:
        return ()
    if fact.because is not None:
        return (language.say("profile.unchanged", reason=language.say(f"profile.{fact.because}")),)
    return (language.say("profile.changed" if fact.group_changed else "profile.noted"),)


def about_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write what is true of all that was used, and what was not."""
    return (
        *language.compute_once(_purposes_at_large, card.purposes, card.unnamed, language),
        *((language.say("used.unknown", labels=language.listed(card.unknown)),) if card.unknown else ()),
        *language.compute_once(left_and_passed_on, card.not_used, card.recipients, language),
        *policy_words(card),
    )


def policy_words(card: "AnyCard") -> tuple[str, ...]:
    """Return what the policy states in its own words."""
    stated = (card.special_categories, card.transfers, card.automation, card.human_review)
    return tuple(one_line(text, 400) for text in stated if text is not None)


def _purposes_at_large(purposes: "tuple[PurposeFact, ...]", unnamed: int, language: Language) -> tuple[str, ...]:
    sentences = [language.count("used.hidden", unnamed)] if unnamed else []
    bases = list(dict.fromkeys(_basis(purpose.legal_basis, purpose.interest, language) for purpose in purposes))
    if stated := [basis for basis in bases if basis is not None]:
        sentences.append(language.say("used.basis", bases=language.listed(stated)))
    if kept := [purpose.retention_days for purpose in purposes if purpose.retention_days is not None]:
        sentences.append(language.count("used.kept", max(kept)))
    obliged = {purpose.obligatory for purpose in purposes}
    if obliged in ({True}, {False}):
        sentences.append(language.say("used.obligatory" if obliged == {True} else "used.voluntary"))
    return tuple(sentences)


def left_and_passed_on(not_used: tuple[str, ...], recipients: tuple[str, ...], language: Language) -> tuple[str, ...]:
    """Return what was not used, and who else receives the group."""
    sentences = []
    if not_used:
        sentences.append(language.say("used.not_used", labels=language.listed(_some(not_used, language))))
    if recipients:
        sentences.append(language.say("used.recipients", names=language.listed([*map(one_line, recipients)])))
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


def consent_words(facts: "ConsentFacts | None", language: Language) -> tuple[str, ...]:
    """Write what the person agreed to, and to what not."""
    return () if facts is None else tuple(_said(fact, language) for fact in facts.said)


def _said(fact: "ConsentFact", language: Language) -> str:
    until = fact.answer == "given" and fact.until is not None
    days = {"day": (fact.until or fact.on) if fact.answer == "ended" else fact.on, "until": fact.until}
    told = {name: language.date(day) for name, day in days.items() if day is not None}
    key = "given_until" if until else fact.answer
    return language.say(f"consent.{key}", purpose=language.capitalised(one_line(fact.label)), **told)


def choices_words(rights: "tuple[RightFact, ...]", language: Language) -> tuple[Choice, ...]:
    """Return what the person can do by a link."""
    return tuple(
        Choice(right.right, language.capitalised(right.label or _right(right.right, language)), right.url)
        for right in rights
        if right.url is not None
    )


def _right(right: str, language: Language) -> str:
    key = f"right.{right}"
    return language.say(key) if key in language.messages else one_line(right.replace("_", " "))


def also_words(rights: "tuple[RightFact, ...]", language: Language) -> tuple[str, ...]:
    """Write what follows from the law and has no link; the right to object to marketing stands by itself."""
    unlinked = [right.right for right in rights if right.url is None]
    others = [_right(right, language) for right in unlinked if right != _MARKETING]
    said = [language.say("right.also", rights="; ".join(others))] if others else []
    return (*([language.say("right.marketing")] if _MARKETING in unlinked else []), *said)


def closing_words(card: "AnyCard", language: Language) -> tuple[str, ...]:
    """Write who answers for it, and when it was made."""
    sentences = []
    if card.who is None:
        sentences.append(language.say("closing.nobody"))
    else:
        name, contact = one_line(card.who.name), one_line(card.who.contact)
        sentences.append(language.say("closing.who", name=name, contact=contact))
        if card.who.officer is not None:
            sentences.append(language.say("closing.officer", officer=one_line(card.who.officer)))
        if card.who.authority is not None:
            sentences.append(language.say("closing.authority", authority=one_line(card.who.authority)))
    if card.approval != "approved":
        sentences.append(language.say("closing.draft"))
    made = {"day": language.date(card.issued), "model": f"{card.model[:4]}-{card.model[4:8]}"}
    if card.reference is None:
        return (*sentences, language.say("closing.made", **made))
    return (*sentences, language.say("closing.made_for", **made, reference=one_line(card.reference)))
