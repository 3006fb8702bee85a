"""What a card says about the person: why, why not, what would change it, how sure it is."""

from typing import TYPE_CHECKING

from xseg.cards._phrases import asked_words, limits_words, origin_words, quantity_of, typical_words, value_words
from xseg.cards._wording import Rank, ReasonWords, label_words
from xseg.ink import Language, one_line

if TYPE_CHECKING:
    from xseg.cards._fact_types import Comparison, Reason
    from xseg.cards._record import Card

__all__ = ["change_words", "lead_words", "reason_words", "sum_words", "sure_words", "why_not_words"]

_MAIN_SHARE = 0.5
_MUCH, _LITTLE = 25, 5
_WEIGHTS = {
    "main": Rank.MAIN,
    "against": Rank.NEEDED,
    "against_little": Rank.NEEDED,
    "much": Rank.AMOUNT,
    "little": Rank.AMOUNT,
    "": Rank.AMOUNT,
}
# Where people do not expect a value to come from.
_SURPRISING = frozenset({"second-party", "third-party", "inferred"})


def lead_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write who is in the group."""
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


def reason_words(card: "Card", place: int, reason: "Reason", language: Language) -> ReasonWords:
    """Write one reason."""
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
        label=label_words(reason.feature, reason.label, language),
        value=value_words(reason.value, reason.limits or reason.typical, quantity),
        told=tuple((rank, sentence) for rank, sentence in told if sentence is not None),
        budget=Rank.ORIGIN,
        points=reason.points,
        points_words=_signed(reason.points, language),
    )


def _compared(comparison: "Comparison", language: Language) -> str | None:
    """Write a share in tenths, rounded down so that it is true."""
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
    """Write how much a reason counts, and which way."""
    is_little = abs(reason.points) < _LITTLE
    if reason.contribution < 0:
        return "against_little" if is_little else "against"
    if place == 0 and _is_main(card, reason):
        return "main"
    if reason.points >= _MUCH:
        return "much"
    return "little" if is_little else ""


def _is_main(card: "Card", first: "Reason") -> bool:
    """Return whether the strongest reason named makes up half of the answer, and nothing at all counts as much.

    The card does not state what single features count that it does not name, so it says less where it cannot know: by
    how many points one of them counts is stated where it is the only one, and whether one counts more than the weakest
    reason named is stated always.
    """
    if first.contribution < _MAIN_SHARE * (card.total_value - card.base_value):
        return False
    others = card.reasons[1:]
    if others and abs(others[0].contribution) >= first.contribution:
        return False
    if card.hidden is None:
        return True
    if card.hidden.features == 1:
        # Both are rounded, each by less than a point.
        return abs(card.hidden.points) + 2 <= first.points
    return bool(others) and not card.hidden.outweighs


def why_not_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write why not the neighbour group; the question first."""
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


def change_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write what would change it."""
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


def sure_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write how sure it is."""
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


def sum_words(card: "Card", language: Language) -> tuple[str, ...]:
    """Write how the points add up."""
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
