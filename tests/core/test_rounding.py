from decimal import Decimal

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from xseg.core.numbers import find_midpoints, find_roundest, find_roundest_of_each

finite = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(finite, finite)
def test_the_answer_lies_in_the_interval(one, other):
    low, high = min(one, other), max(one, other)
    assume(low < high)
    assert low < find_roundest(low, high) <= high
    assert low < find_midpoints(np.array([low]), np.array([high]))[0] <= high


@given(st.integers(-999, 999), st.integers(1, 400), st.integers(-6, 6))
def test_no_number_with_fewer_digits_lies_inside(start, width, exponent):
    low, high = float(f"{start}e{exponent}"), float(f"{start + width}e{exponent}")
    found = Decimal(repr(find_roundest(low, high)))
    digits = len(found.normalize().as_tuple().digits)
    coarser = 10 ** (digits - 1)
    for power in range(-8, 12):
        for leading in range(-coarser + 1, coarser):
            if digits > 1 and abs(leading) < coarser:
                assert not low < float(f"{leading}e{power}") <= high or len(str(abs(leading))) >= digits
            if digits > 2:
                return


def test_whole_numbers_between_whole_numbers():
    assert [find_roundest(a, a + 1) for a in range(-5, 5)] == list(range(-4, 6))


def test_round_answers():
    assert find_roundest(148.2, 151.7) == 150
    assert find_roundest(0.27, 0.31) == 0.3
    assert find_roundest(-3, 8) == 0
    assert find_roundest(7, 150) == 100


@given(st.lists(st.tuples(finite, st.floats(1e-15, 1e3), st.integers(-12, 12)), min_size=1))
def test_many_intervals_at_once_get_the_answer_of_each(drawn):
    low = np.array([start * 10.0**exponent for start, _, exponent in drawn])
    high = np.array([(start + width * max(abs(start), 1.0)) * 10.0**exponent for start, width, exponent in drawn])
    low, high = low[low < high], high[low < high]
    expected = [find_roundest(*interval) for interval in zip(low.tolist(), high.tolist(), strict=True)]
    assert_array_equal(find_roundest_of_each(low, high), expected)
