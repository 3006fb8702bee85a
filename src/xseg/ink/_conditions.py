"""Conditions on one feature, in words."""

from collections.abc import Sequence
from math import ceil
from typing import Protocol

from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition, number_below
from xseg.core.schema import Kind
from xseg.ink._quantities import Quantity
from xseg.ink._sentences import listed, one_line

__all__ = ["Limits", "condition_words", "other_categories", "range_words"]

_PLAIN = Quantity()
_MOST_LISTED = 6


class Limits(Protocol):
    """What is allowed of one feature: a `Condition`, or a record of one."""

    @property
    def kind(self) -> Kind:
        """What its values are."""

    @property
    def lower(self) -> float | None:
        """The least number allowed."""

    @property
    def upper(self) -> float | None:
        """The number below which it must be."""

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The categories allowed."""

    @property
    def missing(self) -> bool:
        """Whether a missing value is allowed."""

    @property
    def says_missing(self) -> bool:
        """Whether missing values are worth a word."""


def other_categories(condition: Condition, bins: FeatureBins) -> tuple[str, ...]:
    """Give the categories that a condition leaves out, in order."""
    allowed = set(condition.categories or ())
    return tuple(category for category in bins.categories if category not in allowed)


def condition_words(limits: Limits, quantity: Quantity = _PLAIN, others: Sequence[str] = ()) -> str:
    """Say what is allowed of a feature, without naming it.

    Parameters
    ----------
    limits : Limits
        What is allowed.
    quantity : Quantity
        How its numbers are written.
    others : sequence of str
        The categories left out; they are named instead, where they are fewer.

    Returns
    -------
    str
        Such as ``"at least EUR 250"``, ``"at least 20 and below 40"``, ``"crime or travel, or not known"``.

    Examples
    --------
    >>> from xseg.core.conditions import Condition, number_below
    >>> from xseg.core.schema import Kind
    >>> condition_words(Condition("spend", Kind.NUMBER, lower=20, upper=40))
    'at least 20 and below 40'
    """
    known = _category_words(limits, others) if limits.categories is not None else _number_words(limits, quantity)
    if not known:
        return "not known"
    if limits.missing and limits.says_missing:
        return f"{known}, or not known"
    return known


def range_words(condition: Condition, quantity: Quantity, bins: FeatureBins) -> str:
    """Say where most people are, without naming the feature.

    Parameters
    ----------
    condition : Condition
        From where to where, or which categories.
    quantity : Quantity
        How its numbers are written.
    bins : FeatureBins
        The feature.

    Returns
    -------
    str
        Such as ``"EUR 20 to EUR 35"``, ``"2 to 4 orders"``, ``"crime or travel"``.

    Examples
    --------
    >>> import numpy as np
    >>> from xseg.core.bins import FeatureBins
    >>> from xseg.core.conditions import Condition
    >>> from xseg.core.schema import Feature, Kind
    >>> bins = FeatureBins(Feature("orders", Kind.NUMBER, integral=True), np.array([2.0, 5.0]))
    >>> range_words(Condition("orders", Kind.NUMBER, lower=2, upper=5), Quantity("order"), bins)
    '2 to 4 orders'
    """
    if condition.kind is not Kind.NUMBER:
        return condition_words(condition, quantity, other_categories(condition, bins))
    lower, upper = condition.lower, condition.upper
    if upper is not None and bins.feature.integral:
        upper = float(ceil(upper) - 1)

    def written(value: float) -> str:
        return quantity.with_unit(quantity.exact(value), value)

    if lower is None and upper is None:
        return "known"
    if lower is None:
        assert upper is not None
        return written(upper) if upper == 0 else f"{'up to' if bins.feature.integral else 'below'} {written(upper)}"
    if upper is None:
        return f"{written(lower)} or more"
    if bins.feature.integral and upper <= lower:
        return written(lower)
    return f"{quantity.exact(lower) if quantity.plural else written(lower)} to {written(upper)}"


def _number_words(limits: Limits, quantity: Quantity) -> str:
    lower, upper = limits.lower, limits.upper
    if upper == float("-inf"):
        return ""
    if limits.kind is Kind.BOOLEAN and (lower is None) != (upper is None):
        return "no" if lower is None else "yes"
    parts = []
    if lower is not None:
        above = number_below(lower)
        parts.append(f"at least {_exact(lower, quantity)}" if above is None else f"above {_exact(above, quantity)}")
    if upper is not None:
        most = number_below(upper)
        if most is not None and most == lower:
            return f"exactly {_exact(most, quantity)}"
        parts.append(f"below {_exact(upper, quantity)}" if most is None else f"at most {_exact(most, quantity)}")
    return " and ".join(parts) or "known"


def _exact(value: float, quantity: Quantity) -> str:
    return quantity.with_unit(quantity.exact(value), value)


def _category_words(limits: Limits, others: Sequence[str]) -> str:
    allowed = [one_line(category) for category in limits.categories or ()]
    if not allowed:
        return ""
    if limits.kind is Kind.ORDERED and len(allowed) > 2:
        return f"{allowed[0]} to {allowed[-1]}"
    if not others:
        return "known"
    if len(others) < len(allowed):
        return f"not {_some([one_line(category) for category in others])}"
    return _some(allowed)


def _some(categories: Sequence[str]) -> str:
    if len(categories) <= _MOST_LISTED:
        return listed(categories, "or")
    return f"{', '.join(categories[: _MOST_LISTED - 1])} or one of {len(categories) - _MOST_LISTED + 1} others"
