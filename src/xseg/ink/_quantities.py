"""Numbers as people write them, with their unit, in their language."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property, lru_cache
from math import floor, log10
from typing import TYPE_CHECKING, TypeAlias

from xseg.ink._language import Language, language_of

if TYPE_CHECKING:
    from babel.numbers import NumberPattern

__all__ = ["Quantity", "Unit"]

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
    >>> from xseg.ink import Quantity, language_of
    >>> euros = Quantity("EUR", "#,##0.00")
    >>> euros.exact(310), euros.rounded(1310.456)
    ('€310', '€1,310.46')
    >>> Quantity("order").exact(1), Quantity("order").exact(7)
    ('1 order', '7 orders')
    >>> Quantity({"one": "Bestellung", "other": "Bestellungen"}, language=language_of("de")).exact(1234.5)
    '1.234,5 Bestellungen'
    """

    unit: Unit | None = None
    number_format: str | None = None
    language: Language = field(default_factory=language_of)

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

    def rounded(self, value: float, limits: Sequence[float] = ()) -> str:
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
