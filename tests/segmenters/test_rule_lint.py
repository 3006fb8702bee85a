"""What the linter proves is so, by trying everybody there could be."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import naive
import xseg
from rule_cases import CATEGORIES, NUMBERS, TRUTHS, around, rows_of, rules, table_of, text_of
from xseg.exceptions import ParameterError
from xseg.segmenters._rule_geometry import OTHER


def columns_of(rule):
    what, *parts = rule
    return set().union(*map(columns_of, parts)) if what in {"and", "or", "not"} else {parts[0]}


def everybody(columns):
    """Every combination of what could matter: each side of each number, each category and any other, missing."""
    values = {name: [*around(found), None] for name, found in NUMBERS.items()}
    values |= {name: [*found, OTHER, None] for name, found in CATEGORIES.items()}
    values |= {name: [True, False, None] for name in TRUTHS}
    return [dict(zip(columns, row, strict=True)) for row in product(*(values[name] for name in columns))]


def small(given):
    return len(everybody_columns(given)) <= 3


def everybody_columns(given):
    return sorted(set().union(*map(columns_of, given)))


def holds(region, row):
    """Whether somebody lies in a region, read off its conditions."""
    return any(
        all(condition_holds(condition, row[condition.feature]) for condition in rule.conditions) for rule in region
    )


def condition_holds(condition, value):
    if value is None:
        return condition.missing
    if condition.categories is not None:
        return value in condition.categories
    return (condition.lower is None or value >= condition.lower) and (
        condition.upper is None or value < condition.upper
    )


def asks_only_presence(given):
    """Whether some text column is only asked whether it is known, so that its kind is not to be guessed."""
    told = {column for rule in given for column in compared(rule)}
    return bool(set(everybody_columns(given)) & set(CATEGORIES) - told)


def compared(rule):
    what, *parts = rule
    if what in {"and", "or", "not"}:
        return set().union(*map(compared, parts))
    return set() if what in {"missing", "known"} else {parts[0]}


lists_of_rules = (
    st.lists(rules(leaves=3), min_size=1, max_size=3).filter(small).filter(lambda g: not asks_only_presence(g))
)


@given(lists_of_rules)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_findings_are_those_of_trying_everybody(given):
    review = xseg.segmenters.lint_rules([(f"S{place}", text_of(rule)) for place, rule in enumerate(given)])
    people = everybody(everybody_columns(given))
    named = {value for name in CATEGORIES for value in CATEGORIES[name]}
    told_categories = {value for rule in given for value in texts_of(rule)}
    people = [row for row in people if not any(value in named - told_categories for value in row.values())]
    members = [[naive.rule_holds(rule, row) for row in people] for rule in given]
    members = np.array(members, dtype=bool).reshape(len(given), len(people))
    earlier = np.zeros(len(people), dtype=bool)
    expected = {"contradictory": set(), "unreachable": set(), "overlap": set()}
    for place, held in enumerate(members):
        if not held.any():
            expected["contradictory"].add((f"'S{place}'",))
        elif not (held & ~earlier).any():
            expected["unreachable"].add((f"'S{place}'",))
        else:
            for before in range(place):
                if (members[before] & held).any():
                    expected["overlap"].add((f"'S{before}'", f"'S{place}'"))
        earlier |= held
    assert {finding.rules for finding in review.of_kind("contradictory")} == expected["contradictory"]
    assert {finding.rules[:1] for finding in review.of_kind("unreachable")} == expected["unreachable"]
    assert {finding.rules for finding in review.of_kind("overlap")} == expected["overlap"]
    place_of = {f"'S{place}'": place for place in range(len(given))}
    for finding in review.of_kind("overlap"):
        one, other = (members[place_of[label]] for label in finding.rules)
        assert [holds(finding.region, row) for row in people] == (one & other).tolist()
        check_witness(finding, [given[place_of[label]] for label in finding.rules])
    (left,) = review.of_kind("default") or (None,)
    assert (left is None) == earlier.all()
    if left is not None:
        assert [holds(left.region, row) for row in people] == (~earlier).tolist()
        check_witness(left, [("not", rule) for rule in given])
    assert str(review)


def texts_of(rule):
    what, *parts = rule
    if what in {"and", "or", "not"}:
        return set().union(*map(texts_of, parts))
    values = parts[1:] if what not in {"in", "not in"} else parts[1]
    return {value for value in values if isinstance(value, str)}


def check_witness(finding, given):
    """Whoever agrees with the witness in what it says satisfies every rule, whatever else is so of them."""
    columns = everybody_columns(given)
    free = [name for name in columns if name not in finding.witness]
    for row in everybody(free)[:20]:
        assert all(naive.rule_holds(rule, {**row, **finding.witness}) for rule in given)


@given(lists_of_rules)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_conditions_found_needless_are_needless(given):
    """A conjunction is given one condition more; it is found needless exactly if leaving it out changes nothing."""
    *before, last = given
    more = ("and", last, ("<=", "orders", 5))
    if len(everybody_columns([*before, more])) > 3:
        return
    review = xseg.segmenters.lint_rules([(f"S{place}", text_of(rule)) for place, rule in enumerate([*before, more])])
    people = everybody(everybody_columns([*before, more]))
    taken = np.array([any(naive.rule_holds(rule, row) for rule in before) for row in people])
    wide, narrow = (np.array([naive.rule_holds(rule, row) for row in people]) for rule in (last, more))
    label = f"'S{len(before)}'"
    if not narrow.any() or not (narrow & ~taken).any():
        return
    text = "orders <= 5"
    redundant = [f for f in review.of_kind("redundant") if f.rules == (label,) and f.condition == text]
    settled = [f for f in review.of_kind("settled") if f.rules == (label,) and f.condition == text]
    repeated = text_of(last).count("orders <= 5")
    if not repeated:
        assert bool(redundant) == (wide == narrow).all()
        assert bool(redundant or settled) == (wide & ~taken == narrow & ~taken).all()


def test_a_review_reads_well():
    review = xseg.segmenters.lint_rules(
        {
            "A": "age >= 18 and age > 5",
            "B": "age > 10 and plan == 'gold'",
            "C": "age > 20",
            "D": "age < 5 and age > 5",
            "E": "age <= 17 and age >= 3",
        }
    )
    assert str(review).split("\n") == [
        "redundant: 'A' does not need the condition age > 5",
        "overlap: 'A' and 'B' overlap, and 'A' wins: age >= 18 and plan is gold",
        "unreachable: 'C' is never reached: all rows it describes are won by 'A' and 'B'",
        "contradictory: 'D' contradicts itself: no row can meet it",
        "overlap: 'B' and 'E' overlap, and 'B' wins: 10 < age <= 17 and plan is gold",
        "default: left to 'Everyone else': 17 < age < 18 and (plan is any other or missing); or (age < 3 or missing)",
    ]
    assert review.of_kind("overlap")[0].witness == {"age": 18.0, "plan": "gold"}
    assert str(xseg.segmenters.lint_rules({"A": "everyone"})) == "nothing to remark"


def test_settled_conditions():
    review = xseg.segmenters.lint_rules({"Old": "age >= 60", "Middle": "30 <= age < 60"})
    assert [(f.kind, f.condition) for f in review.findings if f.kind != "default"] == [("settled", "age < 60")]


@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
@given(st.lists(rules(leaves=4), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_coverage_counts_who_matches_wins_and_loses(given, seed):
    table = table_of(120, seed)
    weight = np.random.default_rng(seed).integers(0, 3, len(table))
    weight[0] = 1
    review = xseg.segmenters.lint_rules(
        [(f"S{p}", text_of(rule)) for p, rule in enumerate(given)], table, sample_weight=weight
    )
    rows = rows_of(table)
    first = [naive.first_rule(given, row) for row in rows]
    for place, rule in enumerate(given):
        held = [naive.rule_holds(rule, row) for row in rows]
        told = review.coverage[place]
        assert told.matched == sum(w for w, yes in zip(weight, held, strict=True) if yes)
        assert told.won == sum(w for w, winner in zip(weight, first, strict=True) if winner == place)
        lost = {}
        for w, yes, winner in zip(weight, held, first, strict=True):
            if yes and winner < place and w:
                lost[f"'S{winner}'"] = lost.get(f"'S{winner}'", 0) + w
        assert told.lost == lost
        assert told.matched == told.won + sum(told.lost.values())
    assert review.coverage[-1].won == sum(w for w, winner in zip(weight, first, strict=True) if winner == len(given))


def test_lint_of_a_segmenter_and_its_mistakes():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "c": ["x", "y", "x"]})
    segmenter = xseg.RuleSegmenter({"A": "a > 1", "B": "c == 'z'"})
    assert [finding.kind for finding in segmenter.lint().findings] == ["overlap", "default"]
    found = segmenter.lint(table)
    assert [str(finding) for finding in found.of_kind("unseen")] == ["'B' names c 'z', which no row has"]
    assert [(one.rule, one.matched, one.won) for one in found.coverage] == [
        ("'A'", 2, 2),
        ("'B'", 0, 0),
        ("'Everyone else'", 1, 1),
    ]
    with pytest.raises(ParameterError, match="compared with text and with numbers"):
        xseg.segmenters.lint_rules({"A": "a > 1", "B": "a == 'x'"})
    with pytest.raises(ParameterError, match="sample_weight must be None"):
        xseg.segmenters.lint_rules({"A": "a > 1"}, xseg.backends.MemoryBackend(table), sample_weight=[1, 1, 1])
