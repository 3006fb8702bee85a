"""Which texts state numbers, truth values and dates, and how they are read."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from xseg.core.texts import TextFacts, TextKind, parse_numbers, plain_numbers


def facts_of(cells, parts=1):
    """Count cells, in one piece or in several that are added up."""
    total = TextFacts()
    for part in np.array_split(np.arange(len(cells)), parts):
        facts = TextFacts()
        facts.add_cells([cells[i] for i in part], part.tolist())
        total.merge(facts)
    return total


def read(cells, **options):
    return facts_of(cells).read(**options)


@pytest.mark.parametrize(
    ("cells", "decimal", "values"),
    [
        (["1", "2.5", "-3e2", ""], ".", [1, 2.5, -300, np.nan]),
        (["1", "n/a", "None", "-", "<NA>", "?"], ".", [1, np.nan, np.nan, np.nan, np.nan, np.nan]),
        (["$5.00", "$1,200.50", "-$3"], ".", [5, 1200.5, -3]),
        (["$5.00", "7.5", "$1,200"], ".", [5, 7.5, 1200]),
        (["$177 B", "$1.5M", "$20 k"], ".", [177e9, 1.5e6, 2e4]),
        (["12 %", "3.5%"], ".", [12, 3.5]),
        (["1,234,567", "12", "2.5"], ".", [1234567, 12, 2.5]),
        (["1.234,56", "12,5", "7,00"], ",", [1234.56, 12.5, 7]),
        (["1 234,5", "12,25", "3"], ",", [1234.5, 12.25, 3]),
        (["1'234.5", "1\u2019000.25"], ".", [1234.5, 1000.25]),
        (["\u22125.5", "+3"], ".", [-5.5, 3]),
        (["3,50 \u20ac", "1.000 \u20ac"], ",", [3.5, 1000]),
    ],
)
def test_numbers_that_can_be_read_in_one_way_are_numbers(cells, decimal, values):
    reading = read(cells)
    assert (reading.kind, reading.decimal, reading.problem) == (TextKind.NUMBER, decimal, "")
    assert_array_equal(parse_numbers(cells, decimal), values)


@pytest.mark.parametrize(
    "cells",
    [["01067", "10115"], ["1234567890123456", "1"], ["A1", "B2"], ["12-3", "4-5"], ["yes", "no"], ["1_000", "2_000"]],
)
def test_codes_and_words_stay_text_without_a_word(cells):
    assert read(cells).kind is TextKind.TEXT
    assert read(cells).problem == ""


def test_a_few_words_among_numbers_are_missing_and_told():
    cells = ["2.5"] * 297
    cells[7:7] = ["ERROR"] * 3
    reading = read(cells)
    assert reading.kind is TextKind.NUMBER
    assert reading.problem.startswith("holds numbers but for 3 cells (first: 'ERROR', row 7)")
    assert "the other 297 are numbers" in reading.problem


def test_codes_among_numbers_keep_the_column_text_and_are_told():
    reading = read(["2"] * 20 + ["12A"])
    assert reading.kind is TextKind.TEXT
    assert "is text because of 1 cell (first: '12A', row 20); the other 20 are numbers" in reading.problem
    assert read(["2"] * 20 + ["12A"], place="line").problem.count("line 20") == 1


def test_different_units_are_not_mixed():
    assert "different units ($, \u20ac)" in read(["$5", "\u20ac7"]).problem
    assert read(["5 %", "7"]).kind is TextKind.TEXT


def test_what_can_be_read_in_two_ways_is_told_unless_something_decides():
    cells = ["1,234", "5,678"]
    assert read(cells).kind is TextKind.TEXT
    assert read(cells).is_ambiguous
    assert read(cells, hint=",").decimal == ","
    assert read(cells, decimal=".").decimal == "."
    assert read([*cells, "0,5"]).decimal == ","
    assert read([*cells, "0.5"]).decimal == "."


@pytest.mark.parametrize(
    "cells",
    [
        ["2024-01-31", "2023-12-01"],
        ["2024-03-30T23:30:00+01:00", "2024-04-01 00:10:00Z"],
        ["31/12/2024", "1/2/24"],
        ["12/31/2024 10:15 AM", "1/2/2024 9:05 pm"],
        ["4 Sep 2012", "12 October 2013"],
        ["Sep 4, 2012", "Oct 12, 2013"],
        ["04-09-2012", "13-10-2013"],
        ["10:30", "23:59:59"],
    ],
)
def test_dates_and_times_are_dates(cells):
    assert read(cells).kind is TextKind.DATE


def test_truth_values_are_booleans():
    assert read(["true", "False", "TRUE", ""]).kind is TextKind.BOOLEAN


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64).map(repr)
WORDS = st.sampled_from(["", " ", "n/a", "ERROR", "12A", "2024-01-01", "$5.00", "1,5", "1.234", "true", "007"])


@given(st.lists(st.one_of(NUMBERS, WORDS), min_size=1, max_size=60), st.integers(1, 8))
@example(["0.0", "1,5", "1,5"], 3)
def test_counting_in_parts_decides_as_counting_at_once(cells, parts):
    together, apart = facts_of(cells), facts_of(cells, min(parts, len(cells)))
    assert together.read() == apart.read()
    assert together.n_missing == apart.n_missing


@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_plain_numbers_are_read_to_the_last_bit(cells):
    expected = np.array([float(cell) for cell in cells])
    fast = plain_numbers(cells)
    assert fast is None or (fast == expected).all()
    values = parse_numbers(cells)
    assert (values[np.isfinite(values)] == expected[np.isfinite(values)]).all()


def test_a_cell_of_several_lines_is_one_cell():
    assert plain_numbers(["1\n2", "3"]) is None
    assert read(["1\n2", "3"]).kind is TextKind.TEXT
