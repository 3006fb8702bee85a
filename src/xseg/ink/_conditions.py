"""Conditions on one feature, in words."""

from collections.abc import Sequence
from math import ceil
from typing import Protocol

from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition, number_below
from xseg.core.schema import Kind
from xseg.ink._quantities import Quantity
from xseg.ink._sentences import one_line

__all__ = ["Limits", "condition_words", "other_categories", "range_words"]

_MAX_LISTED = 6


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
    def categories(self) -> Sequence[str] | None:
        """The categories allowed."""

    @property
    def missing(self) -> bool:
        """Whether a missing value is allowed."""

    @property
    def says_missing(self) -> bool:
        """Whether missing values are worth a word."""


def other_categories(condition: Condition, bins: FeatureBins) -> tuple[str, ...]:
    """Return the categories that a condition leaves out, in order."""
    allowed = set(condition.categories or ())
    return tuple(category for category in bins.categories if category not in allowed)


def condition_words(
    limits: Limits, quantity: Quantity | None = None, others: Sequence[str] = (), unnamed: tuple[int, int] = (0, 0)
) -> str:
    """Write what is allowed of a feature, without naming it.

    Parameters
    ----------
    limits : Limits
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
    condition: Limits,
    quantity: Quantity,
    others: Sequence[str] = (),
    unnamed: tuple[int, int] = (0, 0),
    *,
    integral: bool = False,
) -> str:
    """Write where most people are, without naming the feature.

    Parameters
    ----------
    condition : Limits
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
    """Says conditions in the language of a quantity."""

    def __init__(self, quantity: Quantity) -> None:
        self.quantity = quantity
        self.language = quantity.language
        self.say = quantity.language.say

    def numbers(self, limits: Limits) -> str:
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

    def categories(self, limits: Limits, others: Sequence[str], unnamed: tuple[int, int]) -> str:
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
            return self.language.listed(categories, "or")
        named = categories[: _MAX_LISTED - 1]
        more = len(categories) - len(named) + unnamed
        return self.language.count("condition.and_others", more, categories=", ".join(named))
