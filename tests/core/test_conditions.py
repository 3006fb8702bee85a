"""Conditions say what they hold for, to the last digit that matters."""

from math import inf, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xseg.core.conditions import Condition, number_below
from xseg.core.schema import Kind
from xseg.i18n import Quantity, condition_words

# Decimals as people write them: a few digits.
sensible = st.tuples(st.integers(-(10**7), 10**7), st.integers(0, 4)).map(lambda made: float(f"{made[0]}e-{made[1]}"))


@given(sensible)
def test_the_number_just_below_is_named_only_where_people_would(value):
    assert number_below(nextafter(value, inf)) == value
    assert number_below(value) is None


@given(sensible, sensible)
def test_texts_of_ranges_name_the_numbers_of_the_rule(low, high):
    if not low < high:
        return
    ends = {
        (low, high): "{0} <= a < {1}",
        (nextafter(low, inf), high): "{0} < a < {1}",
        (low, nextafter(high, inf)): "{0} <= a <= {1}",
        (nextafter(low, inf), nextafter(high, inf)): "{0} < a <= {1}",
        (nextafter(low, inf), None): "a > {0}",
        (None, nextafter(high, inf)): "a <= {1}",
        (low, nextafter(low, inf)): "a is {0}",
    }
    for (lower, upper), text in ends.items():
        told = str(Condition("a", Kind.NUMBER, lower=lower, upper=upper)).replace(",", "")
        assert told == text.format(*(f"{end:.15g}" if end != int(end) else str(int(end)) for end in (low, high)))


@pytest.mark.parametrize(
    ("lower", "upper", "words"),
    [
        (nextafter(5, inf), None, "above €5"),
        (None, nextafter(30, inf), "at most €30"),
        (nextafter(5, inf), nextafter(30, inf), "above €5 and at most €30"),
        (5, nextafter(5, inf), "exactly €5"),
        (5, 30, "at least €5 and below €30"),
    ],
)
def test_words_of_ranges(lower, upper, words):
    assert condition_words(Condition("a", Kind.NUMBER, lower=lower, upper=upper), Quantity("EUR")) == words


def test_only_missing_is_said_with_the_name():
    for condition in (
        Condition("a", Kind.NUMBER, upper=-np.inf, missing=True, says_missing=True),
        Condition("a", Kind.NUMBER, upper=-np.inf, missing=True),
        Condition("a", Kind.CATEGORY, categories=(), missing=True, says_missing=True),
    ):
        assert str(condition) == "a is missing"
