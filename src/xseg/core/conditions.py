"""Conditions on raw columns in raw units, as data and as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, FeatureBins
from xseg.core.schema import Kind
from xseg.core.tables import Column

__all__ = ["Condition", "Rule", "number_below"]

_CLEARLY_SHORTER = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition on one feature: an interval of numbers, or a set of categories.

    Attributes
    ----------
    feature : str
        The column.
    kind : Kind
        The kind of its values.
    lower, upper : float or None
        A number must be at least `lower` and below `upper`; None leaves that side open.
    categories : tuple of str or None
        A category must be one of these.
    missing : bool
        Whether a missing value satisfies the condition.
    says_missing : bool
        Whether the text mentions missing values; it does where the column had some.
    """

    feature: str
    kind: Kind
    lower: float | None = None
    upper: float | None = None
    categories: tuple[str, ...] | None = None
    missing: bool = False
    says_missing: bool = False

    def holds(self, column: Column) -> NDArray[np.bool_]:
        """Return for each value of the column whether it satisfies the condition."""
        if self.categories is not None:
            allowed = np.array([*(name in self.categories for name in column.categories), self.missing])
            return (
                np.asarray(allowed[column.values]) if column.categories else np.full(len(column.values), self.missing)
            )
        values = column.numbers()
        with np.errstate(invalid="ignore"):
            held = ~np.isnan(values)
            if self.lower is not None:
                held &= values >= self.lower
            if self.upper is not None:
                held &= values < self.upper
        return held | (np.isnan(values) & self.missing)

    def __str__(self) -> str:
        if self.allows_nothing_known:
            return f"{self.feature} is missing"
        return f"{self._text()} or missing" if self.missing and self.says_missing else self._text()

    @property
    def allows_nothing_known(self) -> bool:
        """Whether missing values alone satisfy the condition."""
        return self.upper == -np.inf or self.categories == ()

    def _text(self) -> str:
        if self.categories is not None:
            return self._category_text()
        if self.kind is Kind.BOOLEAN:
            return f"{self.feature} is {'yes' if self.lower is not None else 'no'}"
        if self.lower is not None and self.upper is not None:
            return self._write_range(self.lower, self.upper)
        if self.lower is not None:
            above = number_below(self.lower)
            return f"{self.feature} >= {number(self.lower)}" if above is None else f"{self.feature} > {number(above)}"
        if self.upper is not None:
            most = number_below(self.upper)
            return f"{self.feature} < {number(self.upper)}" if most is None else f"{self.feature} <= {number(most)}"
        return f"{self.feature} is known"

    def _write_range(self, lower: float, upper: float) -> str:
        above, most = number_below(lower), number_below(upper)
        if most == lower:
            return f"{self.feature} is {number(lower)}"
        start = f"{number(lower)} <=" if above is None else f"{number(above)} <"
        end = f"< {number(upper)}" if most is None else f"<= {number(most)}"
        return f"{start} {self.feature} {end}"

    def _category_text(self) -> str:
        names = self.categories or ()
        listed = ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]
        return f"{self.feature} is {listed}"


def number_below(threshold: float) -> float | None:
    """Return the number just below a threshold if it is much shorter to write.

    A rule "at most 30" has as its threshold the first floating-point number above 30, 30.000000000000004. Texts then
    name 30.

    Parameters
    ----------
    threshold : float
        Values at least this large lie above it.

    Returns
    -------
    float or None
        The number before, if it has far fewer digits.

    Examples
    --------
    >>> import math
    >>> number_below(math.nextafter(30, math.inf)), number_below(30.0), number_below(0.1)
    (30.0, None, None)
    """
    below = float(np.nextafter(threshold, -np.inf))
    is_rounder = below == 0 or len(repr(below)) + _CLEARLY_SHORTER <= len(repr(float(threshold)))
    return below if is_rounder else None


def number(value: float) -> str:
    """Format a threshold with the digits it needs, and commas between thousands."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.15g}" if 1e-4 <= abs(value) < 1e15 else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that must all hold: one box.

    Attributes
    ----------
    conditions : tuple of Condition
        At most one per feature. None at all: all rows.
    """

    conditions: tuple[Condition, ...]

    def holds(self, columns: dict[str, Column], n_rows: int) -> NDArray[np.bool_]:
        """Return for each row whether it satisfies every condition."""
        held = np.ones(n_rows, dtype=bool)
        for condition in self.conditions:
            held &= condition.holds(columns[condition.feature])
        return held

    def __str__(self) -> str:
        return " and ".join(map(_bracket, self.conditions)) if self.conditions else "everyone"


def _bracket(condition: Condition) -> str:
    text = str(condition)
    return f"({text})" if " or " in text else text


def make_condition(bins: FeatureBins, inside: NDArray[np.bool_]) -> Condition:
    """Convert the allowed codes of a feature, shape (256,), to a condition."""
    feature = bins.feature
    missing = bool(inside[MISSING])
    known = np.flatnonzero(inside[: bins.n_codes])
    lower = upper = None
    categories: Sequence[str] | None = None
    if not feature.kind.is_numeric:
        categories = tuple(bins.categories[code] for code in known)
    elif len(known):
        lower = None if known[0] == 0 else float(bins.thresholds[known[0] - 1])
        upper = None if known[-1] == bins.n_codes - 1 else float(bins.thresholds[known[-1]])
    else:
        upper = -np.inf
    fields: dict[str, Any] = {"lower": lower, "upper": upper, "categories": categories}
    return Condition(feature.name, feature.kind, missing=missing, says_missing=feature.has_missing, **fields)
