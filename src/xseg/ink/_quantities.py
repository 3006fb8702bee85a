"""Numbers as people write them, with their unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from math import floor, log10
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babel.numbers import NumberPattern

__all__ = ["Quantity"]

LOCALE = "en"
_PLAIN = "#,##0"
_LARGEST_WRITTEN_OUT = 1e15
_SMALLEST_WRITTEN_OUT = 1e-6
_SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Quantity:
    """How the numbers of one feature are written.

    Parameters
    ----------
    unit : str, optional
        An ISO 4217 currency code, or a word in the singular.
    number_format : str, optional
        A CLDR number pattern. Its decimals are left out of whole numbers.

    Examples
    --------
    >>> from xseg.ink import Quantity
    >>> euros = Quantity("EUR", "#,##0.00")
    >>> euros.with_unit(euros.exact(310), 310), euros.with_unit(euros.rounded(1310.456), 1310.456)
    ('EUR 310', 'EUR 1,310.46')
    >>> Quantity("order").with_unit("1", 1), Quantity("order").with_unit("7", 7)
    ('1 order', '7 orders')
    """

    unit: str | None = None
    number_format: str | None = None

    @property
    def plural(self) -> str | None:
        """The word for several of the unit; None for a currency or no unit."""
        return None if self.unit is None or _is_currency(self.unit) else _plural(self.unit)

    def exact(self, value: float) -> str:
        """Write a number with every digit it has, such as a threshold.

        Parameters
        ----------
        value : float
            A finite number.

        Returns
        -------
        str
            The number, without its unit.
        """
        if not _is_written_out(value):
            return f"{value:.15g}"
        return self._write(Decimal(repr(float(value))))

    def rounded(self, value: float, limits: Sequence[float] = ()) -> str:
        """Write a number with the decimals of the pattern.

        Parameters
        ----------
        value : float
            A finite number.
        limits : sequence of float
            Numbers on whose side the written number must stay; it gets more decimals where it has to.

        Returns
        -------
        str
            The number, without its unit.
        """
        if not _is_written_out(value):
            return f"{value:.15g}" if limits else f"{value:.4g}"
        number = Decimal(repr(float(value)))
        for decimals in range(self._decimals(value), 20):
            written = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
            if all((float(written) >= limit) == (value >= limit) for limit in limits):
                return self._write(written)
        return self._write(number)

    def with_unit(self, text: str, value: float) -> str:
        """Put the unit beside a written number.

        Parameters
        ----------
        text : str
            The number as written.
        value : float
            The number, which decides between singular and plural.

        Returns
        -------
        str
            For example ``"EUR 310"`` or ``"7 orders"``.
        """
        if self.unit is None or self._names_currency:
            return text
        if _is_currency(self.unit):
            return f"{self.unit} {text}"
        return f"{text} {self.unit if abs(value) == 1 else _plural(self.unit)}"

    @property
    def _names_currency(self) -> bool:
        return "¤" in (self.number_format or "") and self.unit is not None and _is_currency(self.unit)

    def _pattern(self) -> "NumberPattern":
        from babel.numbers import parse_pattern

        stated = parse_pattern(self.number_format or _PLAIN)
        # Powers of ten are no plain words, and a currency sign needs a currency.
        needs_plain = stated.exp_prec is not None or ("¤" in stated.pattern and not self._names_currency)
        return parse_pattern(_PLAIN) if needs_plain else stated

    def _decimals(self, value: float) -> int:
        if self.number_format is not None:
            pattern = self._pattern()
            return int(pattern.frac_prec[1]) + int(pattern.scale)
        if value == int(value):
            return 0
        return max(2, _SIGNIFICANT_DIGITS - 1 - floor(log10(abs(value))))

    def _write(self, number: Decimal) -> str:
        pattern = self._pattern()
        digits = _decimals_needed(number.scaleb(pattern.scale))
        pattern.frac_prec = (min(pattern.frac_prec[0], digits) if digits == 0 else pattern.frac_prec[0], digits)
        if digits:
            pattern.frac_prec = (pattern.frac_prec[0], max(pattern.frac_prec[0], digits))
        currency: Any = self.unit if self._names_currency else None
        return str(pattern.apply(number + 0, LOCALE, currency=currency, currency_digits=False))


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
