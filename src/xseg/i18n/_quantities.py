"""Numbers with their unit, and conditions on one feature, in words."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property, lru_cache
from math import ceil, floor, log10
from typing import TYPE_CHECKING, TypeAlias

from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition, number_below
from xseg.core.schema import Kind
from xseg.i18n._language import Language, load_language, one_line

if TYPE_CHECKING:
    from babel.numbers import NumberPattern


__all__ = ["Quantity", "Unit", "condition_words", "other_categories", "range_words"]

Unit: TypeAlias = str | Mapping[str, str]

_PLAIN = "#,##0"
_LARGEST_WRITTEN_OUT = 1e15
_SMALLEST_WRITTEN_OUT = 1e-6
_SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Quantity:
    """How the numbers of one feature are written.

    Parameters
    ----------
    unit : str or mapping of str to str, optional
        An ISO 4217 currency code, a word in the singular, or the word in each CLDR plural form of the language.
    number_format : str, optional
        A CLDR number pattern. Its decimals are left out of whole numbers.
    language : Language, optional
        By default English.

    Examples
    --------
    >>> from xseg.i18n import Quantity, load_language
    >>> euros = Quantity("EUR", "#,##0.00")
    >>> euros.exact(310), euros.format_rounded(1310.456)
    ('€310', '€1,310.46')
    >>> Quantity("order").exact(1), Quantity("order").exact(7)
    ('1 order', '7 orders')
    >>> Quantity({"one": "Bestellung", "other": "Bestellungen"}, language=load_language("de")).exact(1234.5)
    '1.234,5 Bestellungen'
    """

    unit: Unit | None = None
    number_format: str | None = None
    language: Language = field(default_factory=load_language)

    @property
    def is_counted(self) -> bool:
        """Whether the unit is a word, which is said once for a range."""
        return self.unit is not None and not self._currency

    def bare(self, value: float) -> str:
        """Write a number with every digit it has, without its unit."""
        if not _is_written_out(value):
            return f"{value:.15g}"
        return self._write(Decimal(repr(float(value))), currency=None)

    def exact(self, value: float) -> str:
        """Write a number with every digit it has, such as a threshold, and its unit.

        Parameters
        ----------
        value : float
            A finite number.

        Returns
        -------
        str
            For example ``"€250"`` or ``"7 orders"``.
        """
        return self.language.compute_once(Quantity._write_exactly, self, value)

    def _write_exactly(self, value: float) -> str:
        if not _is_written_out(value):
            return self._with_word(f"{value:.15g}", value)
        return self._with_word(self._write(Decimal(repr(float(value))), self._currency), value)

    def format_rounded(self, value: float, limits: Sequence[float] = ()) -> str:
        """Write a number with the decimals of the pattern, and its unit.

        Parameters
        ----------
        value : float
            A finite number.
        limits : sequence of float
            Numbers on whose side the written number must stay; it gets more decimals where it has to.

        Returns
        -------
        str
            The number with its unit.
        """
        return self.language.compute_once(Quantity._write_rounded, self, value, tuple(limits))

    def _write_rounded(self, value: float, limits: Sequence[float]) -> str:
        if not _is_written_out(value):
            return self._with_word(f"{value:.15g}" if limits else f"{value:.4g}", value)
        number = Decimal(repr(float(value)))
        for decimals in range(self._decimals(value), 20):
            written = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
            if all((float(written) >= limit) == (value >= limit) for limit in limits):
                number = written
                break
        return self._with_word(self._write(number, self._currency), value)

    @cached_property
    def _currency(self) -> str | None:
        return self.unit if isinstance(self.unit, str) and _is_currency(self.unit) else None

    def _with_word(self, text: str, value: float) -> str:
        if self.unit is None or self._currency:
            return text
        if isinstance(self.unit, str):
            is_english = self.language.tag == "en"
            return f"{text} {_plural(self.unit) if is_english and abs(value) != 1 else self.unit}"
        form = self.language.plural_form(value)
        return f"{text} {self.unit.get(form) or self.unit['other']}"

    @cached_property
    def _stated(self) -> "NumberPattern":
        from babel.numbers import parse_pattern

        stated = parse_pattern(self.number_format or _PLAIN)
        # Powers of ten are no plain words, and a currency sign needs a currency.
        needs_plain = stated.exp_prec is not None or ("¤" in stated.pattern and not self._currency)
        return parse_pattern(_PLAIN) if needs_plain else stated

    @cached_property
    def _money(self) -> "NumberPattern":
        own = self._stated
        pattern: NumberPattern = own if "¤" in own.pattern else self.language.cldr.currency_formats["standard"]
        return pattern

    def _decimals(self, value: float) -> int:
        if self.number_format is not None:
            return int(self._stated.frac_prec[1]) + int(self._stated.scale)
        if value == int(value):
            return 0
        return max(2, _SIGNIFICANT_DIGITS - 1 - floor(log10(abs(value))))

    def _write(self, number: Decimal, currency: str | None) -> str:
        pattern = copy(self._money if currency else self._stated)
        digits = _decimals_needed(number.scaleb(pattern.scale))
        pattern.frac_prec = (max(self._stated.frac_prec[0], digits) if digits else 0, digits)
        return str(pattern.apply(number + 0, self.language.cldr, currency=currency, currency_digits=False))


def _is_written_out(value: float) -> bool:
    return value == 0 or _SMALLEST_WRITTEN_OUT <= abs(value) < _LARGEST_WRITTEN_OUT


def _decimals_needed(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@lru_cache(maxsize=256)
def _is_currency(unit: str) -> bool:
    from babel.numbers import is_currency

    return len(unit) == 3 and unit.isascii() and unit.isupper() and is_currency(unit)


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in set("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}s"


_MAX_LISTED = 6


def other_categories(condition: Condition, bins: FeatureBins) -> tuple[str, ...]:
    """Return the categories that a condition leaves out, in order."""
    allowed = set(condition.categories or ())
    return tuple(category for category in bins.categories if category not in allowed)


def condition_words(
    limits: Condition, quantity: Quantity | None = None, others: Sequence[str] = (), unnamed: tuple[int, int] = (0, 0)
) -> str:
    """Write what is allowed of a feature, without naming it.

    Parameters
    ----------
    limits : Condition
        What is allowed.
    quantity : Quantity
        How its numbers are written, and in which language.
    others : sequence of str
        The categories left out; they are named instead, where they are fewer.
    unnamed : tuple of (int, int)
        How many more categories are allowed, and left out, than are given here.

    Returns
    -------
    str
        Such as ``"at least €250"``, ``"at least 20 and below 40"``, ``"crime or travel, or not known"``.

    Examples
    --------
    >>> from xseg.core.conditions import Condition, number_below
    >>> from xseg.core.schema import Kind
    >>> condition_words(Condition("spend", Kind.NUMBER, lower=20, upper=40))
    'at least 20 and below 40'
    """
    writer = _Writer(quantity or Quantity())
    known = writer.categories(limits, others, unnamed) if limits.categories is not None else writer.numbers(limits)
    if not known:
        return writer.say("value.unknown")
    if limits.missing and limits.says_missing:
        return writer.say("condition.or_unknown", condition=known)
    return known


def range_words(
    condition: Condition,
    quantity: Quantity,
    others: Sequence[str] = (),
    unnamed: tuple[int, int] = (0, 0),
    *,
    integral: bool = False,
) -> str:
    """Write where most people are, without naming the feature.

    Parameters
    ----------
    condition : Condition
        From where to where, or which categories.
    quantity : Quantity
        How its numbers are written, and in which language.
    others : sequence of str
        The categories left out.
    unnamed : tuple of (int, int)
        As for `condition_words`.
    integral : bool, default=False
        Whether its numbers are whole.

    Returns
    -------
    str
        Such as ``"€20 to €35"``, ``"2 to 4 orders"``, ``"crime or travel"``.

    Examples
    --------
    >>> from xseg.core.conditions import Condition
    >>> from xseg.core.schema import Kind
    >>> range_words(Condition("orders", Kind.NUMBER, lower=2, upper=5), Quantity("order"), integral=True)
    '2 to 4 orders'
    """
    if condition.kind is not Kind.NUMBER:
        return condition_words(condition, quantity, others, unnamed)
    say, lower, upper = quantity.language.say, condition.lower, condition.upper
    if upper is not None and integral:
        upper = float(ceil(upper) - 1)
    if lower is None and upper is None:
        return say("condition.known")
    if lower is None:
        assert upper is not None
        most = quantity.exact(upper)
        return most if upper == 0 else say("condition.up_to" if integral else "condition.below", value=most)
    if upper is None:
        return say("condition.or_more", value=quantity.exact(lower))
    if integral and upper <= lower:
        return quantity.exact(lower)
    first = quantity.bare(lower) if quantity.is_counted else quantity.exact(lower)
    return say("condition.range", first=first, last=quantity.exact(upper))


class _Writer:
    """Writer of conditions in the language of a quantity."""

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.language = quantity.language
        self.say = quantity.language.say

    def numbers(self, limits: Condition) -> str:
        lower, upper = limits.lower, limits.upper
        if upper == float("-inf"):
            return ""
        if limits.kind is Kind.BOOLEAN and (lower is None) != (upper is None):
            return self.say("value.no" if lower is None else "value.yes")
        parts = []
        if lower is not None:
            above = number_below(lower)
            parts.append(self._bound("at_least", lower) if above is None else self._bound("above", above))
        if upper is not None:
            most = number_below(upper)
            if most is not None and most == lower:
                return self._bound("exactly", most)
            parts.append(self._bound("below", upper) if most is None else self._bound("at_most", most))
        if len(parts) > 1:
            return self.say("condition.both", first=parts[0], second=parts[1])
        return parts[0] if parts else self.say("condition.known")

    def _bound(self, which: str, value: float) -> str:
        return self.say(f"condition.{which}", value=self.quantity.exact(value))

    def categories(self, limits: Condition, others: Sequence[str], unnamed: tuple[int, int]) -> str:
        allowed = [one_line(category) for category in limits.categories or ()]
        n_allowed, n_others = len(allowed) + unnamed[0], len(others) + unnamed[1]
        if not n_allowed:
            return ""
        if limits.kind is Kind.ORDERED and len(allowed) > 2:
            return self.say("condition.range", first=allowed[0], last=allowed[-1])
        if not n_others:
            return self.say("condition.known")
        if others and (n_others < n_allowed or not allowed):
            left_out = self._some([one_line(category) for category in others], unnamed[1])
            return self.say("condition.unless", categories=left_out)
        return self._some(allowed, unnamed[0])

    def _some(self, categories: Sequence[str], unnamed: int) -> str:
        if len(categories) <= _MAX_LISTED and not unnamed:
            return self.language.join_items(categories, "or")
        named = categories[: _MAX_LISTED - 1]
        more = len(categories) - len(named) + unnamed
        return self.language.count("condition.and_others", more, categories=", ".join(named))
