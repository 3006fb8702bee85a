"""Pieces of sentences: a value, a condition, an origin."""

from math import ceil, inf, nextafter
from typing import TYPE_CHECKING

from xseg.core.conditions import Condition
from xseg.ink import Language, Quantity, Unit, condition_words, one_line, range_words

if TYPE_CHECKING:
    from xseg.cards._fact_types import Asked, Limits, Origin

__all__ = ["asked_words", "limits_words", "origin_words", "quantity_of", "typical_words", "value_words"]

_ORIGINS = {
    "zero-party": "told",
    "first-party": "observed",
    "second-party": "partner",
    "third-party": "partner",
    "inferred": "inferred",
}


def quantity_of(unit: Unit | None, number_format: str | None, language: Language) -> Quantity:
    """Return how the numbers of a feature are written."""
    words = tuple(unit.items()) if unit is not None and not isinstance(unit, str) else unit
    return language.compute_once(_quantity, words, number_format, language)


def _quantity(
    unit: str | tuple[tuple[str, str], ...] | None, number_format: str | None, language: Language
) -> Quantity:
    return Quantity(dict(unit) if isinstance(unit, tuple) else unit, number_format, language)


def limits_words(limits: "Limits", quantity: Quantity, *, integral: bool) -> str:
    """Write what a rule asks of a feature; of whole numbers it names the first and the last that will do."""
    if not integral:
        return condition_words(_condition(limits), quantity, limits.others, (limits.unnamed, limits.unnamed_others))
    first = None if limits.lower is None else float(ceil(limits.lower))
    last = None if limits.upper is None else float(ceil(limits.upper) - 1)
    if first is not None and last is not None and first < last and not (limits.missing and limits.says_missing):
        return quantity.language.say("condition.range", first=quantity.bare(first), last=quantity.exact(last))
    whole = limits.model_copy(update={"lower": first, "upper": None if last is None else nextafter(last, inf)})
    return condition_words(_condition(whole), quantity, limits.others, (limits.unnamed, limits.unnamed_others))


def typical_words(limits: "Limits", quantity: Quantity, *, integral: bool) -> str:
    """Write where the middle half of a group is."""
    return range_words(
        _condition(limits), quantity, limits.others, (limits.unnamed, limits.unnamed_others), integral=integral
    )


def asked_words(asked: "Asked", language: Language) -> str:
    """Write what must be true of a feature, and name it."""
    quantity = quantity_of(asked.unit, asked.number_format, language)
    return language.say(
        "condition.pair", label=asked.label, condition=limits_words(asked.limits, quantity, integral=asked.integral)
    )


def value_words(value: bool | float | str | None, limits: "Limits | None", quantity: Quantity) -> str:
    """Write a person's own value; numbers stay on the same side of the limits when they are rounded."""
    say = quantity.language.say
    if value is None:
        return say("value.unknown")
    if isinstance(value, bool):
        return say("value.yes" if value else "value.no")
    if isinstance(value, str):
        return one_line(value)
    bounds = [bound for bound in (limits.lower, limits.upper) if bound is not None] if limits else []
    return quantity.rounded(value, bounds)


def origin_words(origin: "Origin", language: Language) -> str:
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


def _condition(limits: "Limits") -> Condition:
    return Condition(
        "",
        limits.kind,
        limits.lower,
        limits.upper if limits.known else -inf,
        limits.categories,
        limits.missing,
        limits.says_missing,
    )
