"""What the language of rules says, and how it refuses what it does not know."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import naive
from rule_cases import rows_of, rules, table_of, text_of
from xseg.core.conditions import Condition, Rule
from xseg.core.schema import Kind
from xseg.core.tables import read_table, select_columns
from xseg.exceptions import ParameterError
from xseg.segmenters._rule_definitions import read_rules
from xseg.segmenters._rule_geometry import infer_schema, make_axes
from xseg.segmenters._rule_language import And, Comparison, Not, Or, Source, parse, write


def read(text):
    return parse(Source("'A'", text))


@given(rules(leaves=10))
def test_written_rules_read_back_as_the_same(rule):
    expression = read(text_of(rule))
    assert read(write(expression)) == expression


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("18 <= age < 30", "age >= 18 and age < 30"),
        ("30 > age >= 18", "age < 30 and age >= 18"),
        ("5 < orders", "orders > 5"),
        ("a > 1 or b > 1 and c > 1", "a > 1 or (b > 1 and c > 1)"),
        ("not a > 1 and b > 1", "(not a > 1) and b > 1"),
        ("a > 1 AND B > 1", "a > 1 and B > 1"),
        ("plan is 'gold'", 'plan == "gold"'),
        ("plan is not 'gold'", 'plan != "gold"'),
        ("flag is yes", "flag == true"),
        ("a is not known", "a is missing"),
        ("a is not missing", "a is known"),
        ("a in (1, 2)", "a in {1, 2}"),
        ("a in [1, 2, 1]", "a in {1, 2}"),
        ("`a` > 1_000", "a > 1000"),
        ("a > -.5e1", "a > -5"),
        ("(a > 1)", "a > 1"),
        ("a>1and b<2", "a > 1 and b < 2"),
    ],
)
def test_forms_that_say_the_same(short, long):
    assert read(short) == read(long)


def test_operators_bind_as_people_expect():
    a, b, c = (Comparison(name, ">", 1.0) for name in "abc")
    assert read("a > 1 or b > 1 and not c > 1") == Or((a, And((b, Not(c)))))


def test_odd_names_and_texts_survive():
    for name in ("and", "home town", "a`b", "1st", "Größe", ""):
        if name:
            assert read(f"`{name.replace('`', '``')}` > 1") == Comparison(name, ">", 1.0)
    assert read("a == 'it\\'s'") == Comparison("a", "==", "it's")
    assert read('a == "and > 5"') == Comparison("a", "==", "and > 5")
    assert read("Größe > 1").column == "Größe"


@pytest.mark.parametrize(
    ("text", "pointed", "problem"),
    [
        ("", "", "found the end of the rule"),
        ("a", "", "expected a comparison"),
        ("a >", "", "found the end of the rule"),
        ("a = 5", "= 5", "did you mean '=='"),
        ("a <> 5", "<> 5", "did you mean '!='"),
        ("a > 5 && b > 5", "&& b", "did you mean 'and'"),
        ("a > 5 b > 5", "b > 5", "expected 'and', 'or' or the end"),
        ("(a > 5", "(a > 5", "never closed"),
        ("a > 5)", ")", "expected 'and', 'or' or the end"),
        ("a == 'x", "'x", "never closed"),
        ("a == x", "x", 'write "x" for the text'),
        ("a is x", "x", 'needs quotes: "x"'),
        ("a < b", "b", "compared with the column 'b'"),
        ("5 < 6", "5 < 6", "one of them must be a column"),
        ("a < 'x'", "'x'", "compares numbers"),
        ("a < true", "true", "compares numbers"),
        ("a in 5", "5", "expected '{'"),
        ("a in {5", "", "expected ',' or '}'"),
        ("a in {}", "}", "expected a number or a quoted text"),
        ("a not 5", "5", "expected 'in' after 'not'"),
        ("a > 1e999", "1e999", "too large"),
        ("a > 1__0", "1__0", "not a number"),
        ("a > 5; import os", "; import", "has no meaning"),
        ("``  > 5", "``  > 5", "name is missing"),
        ("not", "", "found the end of the rule"),
        ("f(a) > 5", "(a)", "expected a comparison"),
    ],
)
def test_mistakes_are_pointed_at(text, pointed, problem):
    with pytest.raises(ParameterError, match=re.escape(problem)) as refused:
        read(text)
    *_, shown, caret = str(refused.value).split("\n")
    assert shown == f"    {text}"
    assert text[caret.index("^") - 4 :].startswith(pointed)
    assert pointed or caret.index("^") - 4 == len(text)


@given(st.text(max_size=40))
@example("(" * 5_000)
@example("not " * 5_000)
@example("a > 5 and\nb > 5")
@example("a\x00 > 1")
def test_any_text_is_read_or_refused(text):
    try:
        expression = read(text)
    except ParameterError:
        return
    assert read(write(expression)) == expression


@given(rules(leaves=8), st.integers(0, 99))
@settings(deadline=None)
def test_codes_give_the_answers_of_the_naive_evaluator(rule, seed):
    named = read_rules({"A": text_of(rule)})
    table = table_of(60, seed)
    axes = make_axes(named, infer_schema(named))
    columns = select_columns(read_table(table), axes.bins.schema.names)
    categories = {name for column in axes.bins.features for name in column.categories}
    kinds = zip(axes.bins.features, columns.columns, strict=True)
    numeric = all(bins.feature.kind.is_numeric == column.kind.is_numeric for bins, column in kinds)
    if not numeric:
        return  # asked of a text only whether it is known: the kind cannot be guessed
    codes = axes.bins.encode(columns)
    texts = {value for name in ("channel", "home town") for value in table[name].dropna()}
    rows = rows_of(table, unknown=texts - categories)
    assert axes.holds(named[0].expression, codes).tolist() == [naive.rule_holds(rule, row) for row in rows]


def test_every_form_of_a_rule():
    forms = [
        '5 < orders <= 8 and channel in {"app", "web"}',
        {"orders": {">": 5, "<=": 8}, "channel": ["app", "web"]},
        {"orders": {">": np.int64(5), "<=": np.float32(8)}, "channel": {"in": {"web", "app"}}},
    ]
    told = [write(read_rules({"A": form})[0].expression) for form in forms]
    assert told[1] == told[2] == told[0]
    assert [
        rule.source.text for rule in read_rules([("A", {"a": {"is": "missing"}}), ("A", {"a": True, "b": "x"})])
    ] == [
        "a is missing",
        'a == true and b == "x"',
    ]
    assert [rule.name for rule in read_rules({"A": ["a > 1", "b > 1"], "B": "a < 0"})] == ["A", "A", "B"]


def test_conditions_are_rules():
    conditions = [
        (Condition("a", Kind.NUMBER, lower=1, upper=2), "1 <= a < 2"),
        (Condition("a", Kind.NUMBER, lower=0.1, missing=True), "a >= 0.1 or a is missing"),
        (Condition("a", Kind.NUMBER), "a is known"),
        (Condition("a", Kind.NUMBER, upper=-np.inf, missing=True), "a is missing"),
        (Condition("a", Kind.BOOLEAN, lower=1), "a == true"),
        (Condition("a", Kind.BOOLEAN, upper=1), "a == false"),
        (Condition("a b", Kind.CATEGORY, categories=("x", 'y"')), '`a b` in {"x", "y\\""}'),
        (Condition("a", Kind.CATEGORY, categories=(), missing=True), "a is missing"),
    ]
    for condition, text in conditions:
        assert read_rules({"A": condition})[0].source.text == text
    rule = Rule((conditions[0][0], conditions[1][0]))
    assert read_rules({"A": rule})[0].source.text == "1 <= a < 2 and (a >= 0.1 or a is missing)"
    assert read_rules({"A": Rule(())})[0].source.text == "everyone"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("a > 5", "must be a dict"),
        (5, "must be a dict"),
        (["a > 5"], r"rules\[0\] must be a pair"),
        ({"": "a > 5"}, "name of a segment"),
        ({5: "a > 5"}, "name of a segment"),
        ({"A": 5}, "must be a text"),
        ({"A": []}, "describes no row"),
        ({"A": {"a": {"=>": 5}}}, "got '=>'"),
        ({"A": {"a": None}}, "must be a number"),
        ({"A": {"a": float("nan")}}, "must be a number"),
        ({"A": {5: 5}}, "column must be named"),
    ],
)
def test_forms_that_are_no_rules(given, problem):
    with pytest.raises(ParameterError, match=problem):
        read_rules(given)
