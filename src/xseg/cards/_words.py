"""Facts in words. Every form of a card is made of these sentences and no others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from xseg.cards._phrases import asked_words, limits_words, origin_words, quantity_of, typical_words, value_words
from xseg.ink import Language, language_of, one_line

if TYPE_CHECKING:
    from xseg.cards._record import Card, Comparison, PurposeFact, Reason, RightFact, Used

__all__ = ["CardWords", "Choice", "ReasonWords", "UsedWords", "language_for", "words_of"]

MOST_WORDS = 120
_MAIN_SHARE = 0.5
_MUCH, _LITTLE = 25, 5
_MOST_LISTED = 12
_MARKETING = "object_marketing"


class Rank(IntEnum):
    """How much a sentence is needed where a card must be short; what is needed least goes first."""

    NEEDED = 0
    MAIN = 1
    SURPRISING = 2
    COMPARED = 3
    RULE = 4
    AMOUNT = 5
    ORIGIN = 6


_WEIGHTS = {
    "main": Rank.MAIN,
    "against": Rank.NEEDED,
    "against_little": Rank.NEEDED,
    "much": Rank.AMOUNT,
    "little": Rank.AMOUNT,
    "": Rank.AMOUNT,
}
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
# Where people do not expect a value to come from.
_SURPRISING = frozenset({"second-party", "third-party", "inferred"})


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason: what is so, and what follows.

    `told` are its sentences by rank; those that rank above the `budget` are said with the points, where the card is
    unfolded.
    """

    label: str
    value: str
    told: tuple[tuple[Rank, str], ...]
    budget: Rank
    points: int
    points_words: str

    @property
    def sentences(self) -> list[str]:
        """What is said at once."""
        return [sentence for rank, sentence in self.told if rank <= self.budget]

    @property
    def more(self) -> list[str]:
        """What is said with the points."""
        return [sentence for rank, sentence in self.told if rank > self.budget]


@dataclass(frozen=True, slots=True)
class UsedWords:
    """One piece of information that was used."""

    label: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the person can do."""

    right: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class CardWords:
    """The sentences of a card, by part; the first `shown` reasons are said at once, the others with the points."""

    language: Language
    title: str
    lead: tuple[str, ...]
    reasons: tuple[ReasonWords, ...]
    shown: int
    why_not: tuple[str, ...]
    change: tuple[str, ...]
    sure: tuple[str, ...]
    effect: tuple[str, ...]
    sum: tuple[str, ...]
    used: tuple[UsedWords, ...]
    about: tuple[str, ...]
    choices: tuple[Choice, ...]
    also: tuple[str, ...]
    closing: tuple[str, ...]

    def body(self) -> list[str]:
        """Give what the plain card says before anything is unfolded, without what the company wrote itself."""
        reasons = [
            part for reason in self.reasons[: self.shown] for part in (reason.label, reason.value, *reason.sentences)
        ]
        return [self.title, *self.lead, *reasons, *self.why_not, *self.change, *self.sure]


def language_for(card: "Card") -> Language:
    """Give the language of a card, with the sentences the company words anew."""
    return language_of(card.locale, card.tone, card.wording)


def words_of(card: "Card") -> CardWords:
    """Put a card's facts into words."""
    language = language_for(card)
    segment = card.segment
    words = CardWords(
        language=language,
        title=language.say("card.title", group=one_line(segment.name)),
        lead=_lead(card, language),
        reasons=tuple(_reason(card, place, reason, language) for place, reason in enumerate(card.reasons)),
        shown=len(card.reasons),
        why_not=_why_not(card, language),
        change=_change(card, language),
        sure=_sure(card, language),
        effect=() if segment.consequence is None else (one_line(segment.consequence, 400),),
        sum=_sum(card, language),
        used=_used(card.used, card.purposes, language),
        about=_about(card, language),
        choices=_choices(card.rights, language),
        also=_also(card.rights, language),
        closing=_closing(card, language),
    )
    return _shortened(words)


def _lead(card: "Card", language: Language) -> tuple[str, ...]:
    said = () if card.segment.sentence is None else (one_line(card.segment.sentence, 400),)
    return (*said, _share(card, language))


def _share(card: "Card", language: Language) -> str:
    share = card.segment.share
    if share is None:
        return language.say("share.small")
    if not card.reasons and share == 1:
        return language.say("share.everyone")
    if share >= 0.95:
        return language.say("share.nearly_all")
    if share >= 0.15:
        return language.say("share.tenths", tenths=language.number(round(share * 10)))
    if share > 0.001:
        return language.say("share.one_in", people=language.number(round(1 / share)))
    return language.say("share.few", people=language.number(1000))


def _reason(card: "Card", place: int, reason: "Reason", language: Language) -> ReasonWords:
    quantity = quantity_of(reason.unit, reason.number_format, language)
    weight = _weight(card, place, reason)
    surprising = reason.origin.source in _SURPRISING
    told = [
        (Rank.NEEDED, language.say("reason.unknown") if reason.value is None else None),
        (Rank.COMPARED, None if reason.comparison is None else _compared(reason.comparison, language)),
        (Rank.RULE, _rule(reason, language)),
        (_WEIGHTS[weight], language.say(f"reason.{weight}") if weight else None),
        (Rank.SURPRISING if surprising else Rank.ORIGIN, origin_words(reason.origin, language)),
    ]
    return ReasonWords(
        label=_label(reason.feature, reason.label, language),
        value=value_words(reason.value, reason.limits or reason.typical, quantity),
        told=tuple((rank, sentence) for rank, sentence in told if sentence is not None),
        budget=Rank.ORIGIN,
        points=reason.points,
        points_words=_signed(reason.points, language),
    )


def _label(feature: str, label: str, language: Language) -> str:
    """Give a label as it begins a line: a column name as it is, words with a capital."""
    return label if label == feature else language.capitalised(label)


def _compared(comparison: "Comparison", language: Language) -> str | None:
    """Say it in tenths, rounded down so that it is true."""
    below = comparison.share_below
    if below is None:
        tenths = _tenths(comparison.share_same)
        return language.say("reason.same", tenths=language.number(tenths)) if tenths else None
    above = 1 - below - comparison.share_same
    if below >= 0.5:
        return language.say("reason.higher", tenths=language.number(_tenths(below)))
    if above >= 0.5:
        return language.say("reason.lower", tenths=language.number(_tenths(above)))
    return language.say("reason.middle")


def _tenths(share: float) -> int:
    return min(int(share * 10 + 1e-9), 9)


def _rule(reason: "Reason", language: Language) -> str | None:
    quantity = quantity_of(reason.unit, reason.number_format, language)
    if reason.typical is not None:
        words = typical_words(reason.typical, quantity, integral=reason.integral)
        return language.say("reason.typical", condition=words)
    if reason.limits is None or reason.value is None:
        return None
    return language.say("reason.rule", condition=limits_words(reason.limits, quantity, integral=reason.integral))


def _weight(card: "Card", place: int, reason: "Reason") -> str:
    """Say how much a reason counts, and which way."""
    is_little = abs(reason.points) < _LITTLE
    if reason.contribution < 0:
        return "against_little" if is_little else "against"
    if place == 0 and reason.contribution >= _MAIN_SHARE * (card.total_value - card.base_value):
        return "main"
    if reason.points >= _MUCH:
        return "much"
    return "little" if is_little else ""


def _why_not(card: "Card", language: Language) -> tuple[str, ...]:
    other = card.alternative
    if other is None:
        return ()
    title = language.say("card.why_not", group=one_line(other.segment))
    if other.asked:
        conditions = "; ".join(asked_words(asked, language) for asked in other.asked)
        return title, language.say("contrast.rule", conditions=conditions)
    if other.strongest is not None and not other.hidden:
        return title, language.say("contrast.score", label=other.strongest)
    return title, language.say("contrast.hidden")


def _change(card: "Card", language: Language) -> tuple[str, ...]:
    way = card.way_out
    if way is None:
        return ()
    if way.segment is None:
        return (language.say("change.none" if way.proven else "change.not_found"),)
    other = card.alternative
    if other is not None and way.asked and (other.segment, other.asked) == (way.segment, way.asked):
        return (language.say("change.enough"),)
    changes = "; ".join(asked_words(asked, language) for asked in way.asked)
    return (language.say("change.found", changes=changes, group=one_line(way.segment)),)


def _sure(card: "Card", language: Language) -> tuple[str, ...]:
    sure = card.certainty
    sentences = []
    if sure.close:
        closely = "sure.close_hidden" if sure.label is None else "sure.close"
        sentences.append(language.say(closely, **({} if sure.label is None else {"label": sure.label})))
    elif sure.distance is not None:
        sentences.append(language.say("sure.clear"))
    if card.unknown_matters:
        sentences.append(language.say("sure.unknown"))
    if card.original_agrees is not None:
        key = {"yes": "original.same", "no": "original.other", "not known": "original.unknown"}[card.original_agrees]
        sentences.append(language.say(key))
    return tuple(sentences)


def _sum(card: "Card", language: Language) -> tuple[str, ...]:
    if not card.reasons and card.hidden is None:
        return ()
    sentences = [*_base(card, language)]
    if card.rest_points:
        sentences.append(language.say("sum.rest", points=_signed(card.rest_points, language)))
    sentences.extend(_hidden(card, language))
    sentences.append(_total(card, language))
    return tuple(sentences)


def _hidden(card: "Card", language: Language) -> list[str]:
    if card.hidden is None:
        return []
    said = [language.say("sum.hidden", points=_signed(card.hidden.points, language))]
    return [*said, language.say("sum.outweighs")] if card.hidden.outweighs else said


def _base(card: "Card", language: Language) -> list[str]:
    if card.rival is None:
        return [language.say("sum.nothing", base=language.number(card.base_points))]
    way = "ahead" if card.base_points > 0 else "behind" if card.base_points < 0 else "level"
    points = {} if way == "level" else {"points": _points(abs(card.base_points), language)}
    return [language.say("sum.compared", group=one_line(card.rival)), language.say(f"sum.{way}", **points)]


def _total(card: "Card", language: Language) -> str:
    if card.rival is None:
        return language.say("sum.total")
    if card.total_value == 0:
        return language.say("sum.total_level")
    if card.total_points == 0:
        return language.say("sum.total_close")
    return language.say("sum.total_ahead", points=_points(card.total_points, language))


def _points(points: int, language: Language) -> str:
    return language.count("sum.points", points)


def _signed(points: int, language: Language) -> str:
    """Write percentage points with a sign people read."""
    sign = "+" if points > 0 else "\N{MINUS SIGN}" if points < 0 else ""
    # Where lines run from right to left, a mark keeps the sign in front of its number.
    mark = "\N{LEFT-TO-RIGHT MARK}" if sign and language.direction == "rtl" else ""
    return f"{mark}{sign}{_points(abs(points), language)}"


# What is the same on every card of a model is put into words once.
@lru_cache(maxsize=256)
def _used(facts: "tuple[Used, ...]", purposes: "tuple[PurposeFact, ...]", language: Language) -> tuple[UsedWords, ...]:
    labels = {purpose.purpose: purpose.label for purpose in purposes}
    return tuple(
        UsedWords(
            _label(used.feature, used.label, language),
            (
                origin_words(used.origin, language),
                *_purposes(tuple(labels[purpose] for purpose in used.purposes if purpose in labels), language),
            ),
        )
        for used in facts
    )


def _purposes(labels: tuple[str, ...], language: Language) -> list[str]:
    return [language.say("used.purposes", purposes=language.listed(labels))] if labels else []


def _about(card: "Card", language: Language) -> tuple[str, ...]:
    """Say what is true of all that was used, and what was not."""
    stated_by_policy = (card.special_categories, card.transfers, card.automation, card.human_review)
    return (
        *_purposes_at_large(card.purposes, card.unnamed, language),
        *((language.say("used.unknown", labels=language.listed(card.unknown)),) if card.unknown else ()),
        *_left_and_passed_on(card.not_used, card.recipients, language),
        *(one_line(text, 400) for text in stated_by_policy if text is not None),
    )


@lru_cache(maxsize=256)
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


@lru_cache(maxsize=256)
def _left_and_passed_on(not_used: tuple[str, ...], recipients: tuple[str, ...], language: Language) -> tuple[str, ...]:
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
    if len(labels) <= _MOST_LISTED:
        return labels
    return [*labels[:_MOST_LISTED], language.count("used.more", len(labels) - _MOST_LISTED)]


@lru_cache(maxsize=256)
def _choices(rights: "tuple[RightFact, ...]", language: Language) -> tuple[Choice, ...]:
    return tuple(
        Choice(right.right, language.capitalised(right.label or _right(right.right, language)), right.url)
        for right in rights
        if right.url is not None
    )


def _right(right: str, language: Language) -> str:
    key = f"right.{right}"
    return language.say(key) if key in language.messages else one_line(right.replace("_", " "))


@lru_cache(maxsize=256)
def _also(rights: "tuple[RightFact, ...]", language: Language) -> tuple[str, ...]:
    """Say what follows from the law and has no link; the right to object to marketing stands by itself."""
    unlinked = [right.right for right in rights if right.url is None]
    others = [_right(right, language) for right in unlinked if right != _MARKETING]
    said = [language.say("right.also", rights="; ".join(others))] if others else []
    return (*([language.say("right.marketing")] if _MARKETING in unlinked else []), *said)


def _closing(card: "Card", language: Language) -> tuple[str, ...]:
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
