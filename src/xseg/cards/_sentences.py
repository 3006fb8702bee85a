"""Sentences about the person: reasons, the alternative group, the counterfactual and the certainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, inf, nextafter

from xseg.cards._card_record import Card
from xseg.cards._fact_types import Comparison, ConditionFact, FeatureRequirement, Origin, OwnValue, Reason
from xseg.i18n import Language, Quantity, Unit, condition_words, one_line, range_words

__all__ = [
    "CardWords",
    "Choice",
    "Rank",
    "ReasonWords",
    "UsedWords",
    "build_quantity",
    "certainty_words",
    "change_words",
    "group_rule_words",
    "label_words",
    "lead_words",
    "limits_words",
    "origin_words",
    "own_words",
    "reason_words",
    "requirement_words",
    "sum_words",
    "typical_words",
    "value_words",
    "why_not_words",
]


class Rank(IntEnum):
    """Priority of a sentence where a card must be short; those with the highest number are moved out first."""

    NEEDED = 0
    MAIN = 1
    SURPRISING = 2
    COMPARED = 3
    AMOUNT = 4
    ORIGIN = 5


@dataclass(frozen=True, slots=True)
class ScaleWords:
    """Where a person is on the scale of a number, and where the group is, in percent of its length.

    Attributes
    ----------
    start, stop : float
        The range of the group.
    limits : tuple of float
        The ends of the range that lie inside the scale.
    own : float
        The person's place.
    first, last : str
        The ends of the scale in words.
    text : str
        All of it, for those who do not see it.
    """

    start: float
    stop: float
    limits: tuple[float, ...]
    own: float
    first: str
    last: str
    text: str


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason: what is so, and what follows.

    `ranked` are its sentences by rank; those that rank above the `budget` are said with the points, where the card is
    unfolded.
    """

    label: str
    value: str
    ranked: tuple[tuple[Rank, str], ...]
    budget: Rank
    points: int
    points_words: str
    scale: ScaleWords | None = None

    @property
    def sentences(self) -> list[str]:
        """What is said at once."""
        return [sentence for rank, sentence in self.ranked if rank <= self.budget]

    @property
    def more(self) -> list[str]:
        """What is said with the points."""
        return [sentence for rank, sentence in self.ranked if rank > self.budget]


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


# To put something right, to say no, and to ask.
_FRONT_CHOICES = (("correct", "switch_off"), ("object", "not_profiled", "opt_out", "withdraw"), ("person", "contest"))


@dataclass(frozen=True, slots=True)
class CardWords:
    """The sentences of a card, by part; the first `shown` reasons are said at once, the others with the points."""

    language: Language
    title: str
    lead: tuple[str, ...]
    about: tuple[str, ...]
    choices: tuple[Choice, ...]
    also: tuple[str, ...]
    closing: tuple[str, ...]
    reasons: tuple[ReasonWords, ...] = ()
    shown: int = 0
    why_not: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    effect: tuple[str, ...] = ()
    sum: tuple[str, ...] = ()
    used: tuple[UsedWords, ...] = ()
    unlinked: str = ""

    @property
    def front(self) -> tuple[Choice, ...]:
        """The choices that are offered at once, all with the same weight: the first of each kind that there is."""
        found = {choice.right: choice for choice in self.choices}
        kinds = [next((found[right] for right in kind if right in found), None) for kind in _FRONT_CHOICES]
        first = [choice for choice in kinds if choice is not None]
        others = [choice for choice in self.choices if choice not in first]
        return tuple([*first, *others][: len(_FRONT_CHOICES)])

    @property
    def rights_sentences(self) -> tuple[str, ...]:
        """What is said of consent and rights besides the choices."""
        return (*self.also, self.unlinked) if self.unlinked else self.also

    @property
    def behind(self) -> tuple[Choice, ...]:
        """The other choices."""
        return tuple(choice for choice in self.choices if choice not in self.front)

    def body(self) -> list[str]:
        """Return what the plain card says before anything is unfolded, without what the company wrote itself."""
        reasons = [
            part for reason in self.reasons[: self.shown] for part in (reason.label, reason.value, *reason.sentences)
        ]
        return [self.title, *self.lead, *reasons, *self.why_not, *self.change, *self.sure]


def label_words(feature: str, label: str, language: Language) -> str:
    """Return a label as it begins a line: a column name as it is, words with a capital."""
    return label if label == feature else language.capitalise(label)


_ORIGINS = {
    "zero-party": "stated",
    "first-party": "observed",
    "second-party": "partner",
    "third-party": "partner",
    "inferred": "inferred",
}


def build_quantity(unit: Unit | None, number_format: str | None, language: Language) -> Quantity:
    """Return how the numbers of a feature are written."""
    words = tuple(unit.items()) if unit is not None and not isinstance(unit, str) else unit
    return language.compute_once(_quantity, words, number_format, language)


def _quantity(
    unit: str | tuple[tuple[str, str], ...] | None, number_format: str | None, language: Language
) -> Quantity:
    return Quantity(dict(unit) if isinstance(unit, tuple) else unit, number_format, language)


def limits_words(limits: ConditionFact, quantity: Quantity, *, integral: bool) -> str:
    """Write what a rule asks of a feature; of whole numbers it names the first and the last that will do."""
    if not integral:
        return condition_words(limits.to_condition(), quantity, limits.others, (limits.unnamed, limits.unnamed_others))
    first = None if limits.lower is None else float(ceil(limits.lower))
    last = None if limits.upper is None else float(ceil(limits.upper) - 1)
    if first is not None and last is not None and first < last and not (limits.missing and limits.says_missing):
        return quantity.language.say("condition.range", first=quantity.bare(first), last=quantity.exact(last))
    whole = limits.model_copy(update={"lower": first, "upper": None if last is None else nextafter(last, inf)})
    return condition_words(whole.to_condition(), quantity, limits.others, (limits.unnamed, limits.unnamed_others))


def typical_words(limits: ConditionFact, quantity: Quantity, *, integral: bool) -> str:
    """Write where the middle half of a group is."""
    return range_words(
        limits.to_condition(), quantity, limits.others, (limits.unnamed, limits.unnamed_others), integral=integral
    )


def requirement_words(asked: FeatureRequirement, language: Language) -> str:
    """Write what must be true of a feature, and name it."""
    quantity = build_quantity(asked.unit, asked.number_format, language)
    return language.compute_once(_write_requirement, asked.label, asked.limits, quantity, asked.integral)


def own_words(asked: FeatureRequirement, own: OwnValue, language: Language) -> str:
    """Write what must be true of a feature, and the person's own value."""
    quantity = build_quantity(asked.unit, asked.number_format, language)
    condition = language.compute_once(_write_limits, asked.limits, quantity, asked.integral)
    value = value_words(own, asked.limits, quantity)
    return language.say("condition.pair_own", label=asked.label, condition=condition, own=value)


def _write_limits(limits: ConditionFact, quantity: Quantity, integral: bool) -> str:
    return limits_words(limits, quantity, integral=integral)


def _write_requirement(label: str, limits: ConditionFact, quantity: Quantity, integral: bool) -> str:
    condition = _write_limits(limits, quantity, integral)
    return quantity.language.say("condition.pair", label=label, condition=condition)


def value_words(value: bool | float | str | None, limits: ConditionFact | None, quantity: Quantity) -> str:
    """Write a person's own value; numbers stay on the same side of the limits when they are rounded."""
    say = quantity.language.say
    if value is None:
        return say("value.unknown")
    if isinstance(value, bool):
        return say("value.yes" if value else "value.no")
    if isinstance(value, str):
        return one_line(value)
    bounds = [bound for bound in (limits.lower, limits.upper) if bound is not None] if limits else []
    return quantity.format_rounded(value, bounds)


def origin_words(origin: Origin, language: Language) -> str:
    """Write where a value came from."""
    if origin.source is None and origin.collected_from is None:
        return language.say("origin.unstated")
    key = _ORIGINS.get(origin.source or "", "observed")
    slots: dict[str, str] = {}
    if key == "partner":
        key = "unnamed" if origin.vendor is None else "partner"
        slots |= {} if origin.vendor is None else {"vendor": one_line(origin.vendor)}
    if origin.collected_from is not None:
        key, slots["place"] = f"{key}_in", one_line(origin.collected_from)
    return language.say(f"origin.{key}", **slots)


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


def lead_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write who is in the group: in the policy's words, or by its rule, and how many they are."""
    stated = card.segment.sentence
    said = group_rule_words(card, language) if stated is None else (one_line(stated, 400),)
    return (*said, _share_words(card, language))


def group_rule_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write what the rule of the group asks; nothing where the card does not state all of it."""
    if not card.segment.requirements:
        return ()
    said = [requirement_words(asked, language) for asked in card.segment.requirements]
    conditions = language.say("condition.separator").join(said)
    return (language.say("lead.rule", conditions=conditions),)


def _share_words(card: Card, language: Language) -> str:
    share = card.segment.share
    if share is None:
        return language.say("share.withheld")
    if not card.reasons and share == 1:
        return language.say("share.everyone")
    if share >= 0.95:
        return language.say("share.nearly_all")
    if 0.45 <= share <= 0.55:
        return language.say("share.half")
    if share >= 0.15:
        return language.say("share.tenths", tenths=language.number(round(share * 10)))
    if share > 0.001:
        return language.say("share.one_in", people=language.number(round(1 / share)))
    return language.say("share.less_than", people=language.number(1000))


def reason_words(card: Card, place: int, reason: Reason, language: Language) -> ReasonWords:
    """Write one reason."""
    quantity = build_quantity(reason.unit, reason.number_format, language)
    weight = _weight(card, place, reason)
    surprising = reason.origin.source in _SURPRISING
    ranked = [
        (Rank.NEEDED, language.say("reason.unknown") if reason.value is None else None),
        (Rank.NEEDED, _rule_words(reason, language)),
        (Rank.COMPARED, _compare_words(reason, language)),
        (_WEIGHTS[weight], language.say(f"reason.{weight}") if weight else None),
        (Rank.SURPRISING if surprising else Rank.ORIGIN, language.compute_once(origin_words, reason.origin, language)),
    ]
    return ReasonWords(
        label=label_words(reason.feature, reason.label, language),
        value=value_words(reason.value, reason.limits or reason.typical, quantity),
        ranked=tuple((rank, sentence) for rank, sentence in ranked if sentence is not None),
        budget=Rank.ORIGIN,
        points=reason.points,
        points_words=language.compute_once(_write_signed_points, reason.points, language),
        scale=_write_scale(reason, quantity),
    )


def _write_scale(reason: Reason, quantity: Quantity) -> ScaleWords | None:
    """Build the scale of a reason; None if its value is no number, or nothing is asked of it."""
    limits, scale, value = reason.limits or reason.typical, reason.scale, reason.value
    if limits is None or scale is None or value is None or isinstance(value, bool | str) or not limits.known:
        return None
    length = scale.last - scale.first

    def place(number: float) -> float:
        return round(100 * min(max((number - scale.first) / length, 0.0), 1.0), 1)

    language = quantity.language
    start = 0.0 if limits.lower is None else place(limits.lower)
    stop = 100.0 if limits.upper is None else place(limits.upper)
    last = quantity.exact(scale.last)
    words = typical_words if reason.limits is None else limits_words
    said = [
        value_words(value, limits, quantity),
        words(limits, quantity, integral=reason.integral),
        language.say("condition.range", first=quantity.bare(scale.first), last=last),
    ]
    return ScaleWords(
        start=start,
        stop=stop,
        limits=tuple(end for end in (start, stop) if 0 < end < 100),
        own=place(value),
        first=quantity.bare(scale.first) if quantity.is_counted else quantity.exact(scale.first),
        last=language.say("condition.or_more", value=last) if value > scale.last else last,
        text=language.say("condition.separator").join(said),
    )


_MIN_SAME = 5
_CLEARLY_MORE = 0.6


def _compare_words(reason: Reason, language: Language) -> str | None:
    """Write how a value compares with all others; nothing that would seem to contradict the rule.

    "Higher than for 8 in 10" beside a rule that asks for less than some number reads as a reason against the group.
    """
    comparison, limits = reason.comparison, reason.limits or reason.typical
    if comparison is None:
        return None
    way = _find_way(comparison)
    if limits is not None and way == "higher" and limits.lower is None and limits.upper is not None:
        return None
    if limits is not None and way == "lower" and limits.upper is None and limits.lower is not None:
        return None
    return _write_tenths(comparison, way, language)


def _find_way(comparison: Comparison) -> str:
    """Return how a value compares: "same" for values without an order, "higher", "lower" or "middle"."""
    below = comparison.share_below
    if below is None:
        return "same"
    if below >= _CLEARLY_MORE:
        return "higher"
    return "lower" if 1 - below - comparison.share_same >= _CLEARLY_MORE else "middle"


def _write_tenths(comparison: Comparison, way: str, language: Language) -> str | None:
    """Write a share in tenths, rounded down so that it is true."""
    below = comparison.share_below or 0.0
    shares = {"same": comparison.share_same, "higher": below, "lower": 1 - below - comparison.share_same}
    if way not in shares:
        # Fewer than six in ten are below and fewer than six in ten are above.
        return language.say("reason.middle")
    tenths = _tenths(shares[way])
    if way == "same" and tenths < _MIN_SAME:
        return None
    return language.say(f"reason.{way}", tenths=language.number(tenths))


def _tenths(share: float) -> int:
    return min(int(share * 10 + 1e-9), 9)


def _rule_words(reason: Reason, language: Language) -> str | None:
    quantity = build_quantity(reason.unit, reason.number_format, language)
    if reason.typical is not None:
        return language.compute_once(_write_typical, reason.typical, quantity, reason.integral)
    if reason.limits is None or reason.value is None:
        return None
    return language.compute_once(_write_rule, reason.limits, quantity, reason.integral)


def _write_typical(limits: ConditionFact, quantity: Quantity, integral: bool) -> str:
    return quantity.language.say("reason.typical", condition=typical_words(limits, quantity, integral=integral))


def _write_rule(limits: ConditionFact, quantity: Quantity, integral: bool) -> str:
    return quantity.language.say("reason.rule", condition=limits_words(limits, quantity, integral=integral))


def _weight(card: Card, place: int, reason: Reason) -> str:
    """Write how much a reason counts, and which way."""
    is_little = abs(reason.points) < _LITTLE
    if reason.contribution < 0:
        return "against_little" if is_little else "against"
    if place == 0 and _is_main(card, reason):
        return "main"
    if reason.points >= _MUCH:
        return "much"
    return "little" if is_little else ""


def _is_main(card: Card, first: Reason) -> bool:
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


def why_not_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write why not the neighbour group; the question first."""
    other = card.alternative
    if other is None:
        return ()
    title = language.say("card.alternative", group=one_line(other.segment))
    if other.requirements:
        return title, language.say("contrast.found", changes=_change_words(other.requirements, other.own, language))
    if other.strongest is not None and not other.hidden:
        return title, language.say("contrast.score", label=other.strongest)
    return title, language.say("contrast.hidden")


def change_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write the counterfactual: what would lead to another group."""
    way = card.counterfactual
    if way is None:
        return ()
    if way.segment is None:
        return (language.say("counterfactual.none" if way.proven else "counterfactual.not_found"),)
    other = card.alternative
    if (
        other is not None
        and way.requirements
        and (other.segment, other.requirements) == (way.segment, way.requirements)
    ):
        # The sentence on the nearest other group says it already.
        return ()
    changes = _change_words(way.requirements, way.own, language)
    return (language.say("counterfactual.found", changes=changes, group=one_line(way.segment)),)


def _change_words(requirements: Sequence[FeatureRequirement], own: Sequence[OwnValue], language: Language) -> str:
    """Write what would have to be so, and what is so."""
    pairs = [own_words(asked, value, language) for asked, value in zip(requirements, own, strict=True)]
    return language.say("condition.separator").join(pairs)


def certainty_words(card: Card, language: Language, *, short: bool = False) -> tuple[str, ...]:
    """Write how certain the placement is; where it is `short`, without what other sentences ask already."""
    sure = card.certainty
    sentences = []
    if sure.close:
        others = (card.alternative, card.counterfactual)
        is_said = any(other is not None and other.requirements == (sure.requirement,) for other in others)
        if sure.requirement is None or (short and is_said):
            sentences.append(language.say("certainty.close_hidden"))
        else:
            change = own_words(sure.requirement, sure.own, language)
            sentences.append(language.say("certainty.close", change=change))
    elif sure.distance is not None and not card.unknown_matters:
        sentences.append(language.say("certainty.clear"))
    if card.unknown_matters:
        sentences.append(language.say("certainty.unknown"))
    if card.original_agrees is not None:
        key = {"yes": "original.same", "no": "original.other", "not known": "original.unknown"}[card.original_agrees]
        sentences.append(language.say(key))
    return tuple(sentences)


def sum_words(card: Card, language: Language) -> tuple[str, ...]:
    """Write how the points add up."""
    if not card.reasons and card.hidden is None:
        return ()
    sentences = [*_base(card, language)]
    if card.rest_points:
        sentences.append(language.say("sum.rest", points=_write_signed_points(card.rest_points, language)))
    sentences.extend(_hidden_words(card, language))
    sentences.append(_total(card, language))
    return tuple(sentences)


def _hidden_words(card: Card, language: Language) -> list[str]:
    if card.hidden is None:
        return []
    said = [language.say("sum.hidden", points=_write_signed_points(card.hidden.points, language))]
    return [*said, language.say("sum.outweighs")] if card.hidden.outweighs else said


def _base(card: Card, language: Language) -> list[str]:
    if card.rival is None:
        return [language.say("sum.base", base=language.number(card.base_points))]
    way = "ahead" if card.base_points > 0 else "behind" if card.base_points < 0 else "level"
    points = {} if way == "level" else {"points": _points(abs(card.base_points), language)}
    return [language.say("sum.compared", group=one_line(card.rival)), language.say(f"sum.{way}", **points)]


def _total(card: Card, language: Language) -> str:
    if card.rival is None:
        return language.say("sum.total")
    if card.total_value == 0:
        return language.say("sum.total_level")
    if card.total_points == 0:
        return language.say("sum.total_close")
    return language.say("sum.total_ahead", points=_points(card.total_points, language))


def _points(points: int, language: Language) -> str:
    return language.count("sum.points", points)


def _write_signed_points(points: int, language: Language) -> str:
    """Write percentage points with a sign people read."""
    sign = "+" if points > 0 else "\N{MINUS SIGN}" if points < 0 else ""
    # Where lines run from right to left, a mark keeps the sign in front of its number.
    mark = "\N{LEFT-TO-RIGHT MARK}" if sign and language.direction == "rtl" else ""
    return f"{mark}{sign}{_points(abs(points), language)}"
