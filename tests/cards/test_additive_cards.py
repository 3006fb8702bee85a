"""Cards of segments made by scores: points compare with the next best group, and say what is typical of this one."""

import json
from datetime import UTC, datetime
from string import ascii_uppercase

import jsonschema
import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.cards._wording import build_card_words
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.export import fingerprint
from xseg.i18n import Quantity, range_words

NOW = datetime(2026, 11, 24, tzinfo=UTC)
KINDS = {"prototypes": xseg.PrototypeSegmenter(4, random_state=0), "mixture": xseg.MixtureSegmenter(4, random_state=0)}


@pytest.fixture(scope="module", params=KINDS)
def shop(request):
    customers = xseg.make_customers(1_500, random_state=0)
    return customers, KINDS[request.param].fit(customers)


@pytest.fixture(scope="module")
def cards(shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    return list(xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), at=NOW))


def test_points_and_values_add_up(shop, cards):
    customers, segmenter = shop
    explanation = xseg.explain(segmenter, customers)
    for card, values, base in zip(cards, explanation.values, explanation.base_values, strict=True):
        shown = card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points
        assert shown + (0 if card.hidden is None else card.hidden.points) == card.total_points
        assert 0 <= card.total_points <= 100
        assert card.base_value == base
        assert card.total_value == pytest.approx(base + values.sum(), abs=1e-9)
        strongest = sorted(np.abs(values[np.abs(values) > 1e-12]), reverse=True)[:4]
        assert [abs(reason.contribution) for reason in card.reasons] == pytest.approx(strongest)


def test_points_are_percentages_of_the_margin_unless_it_is_small(cards):
    for card in cards:
        parts = [card.base_value, *(reason.contribution for reason in card.reasons)]
        parts.append(card.total_value - sum(parts))
        scale = max(card.total_value, max(map(abs, parts)) / 2)
        if card.total_points == 100:
            scale = card.total_value
        for reason in card.reasons:
            assert abs(reason.points) <= 201
            assert reason.points == pytest.approx(100 * reason.contribution / scale, abs=101 if scale == 0 else 3)


@pytest.mark.slow
def test_the_rival_is_the_next_best_group(shop, cards):
    customers, segmenter = shop
    scores = segmenter.model_.score(segmenter.read_rows(customers))
    order = np.argsort(-scores, axis=1, kind="stable")
    names = xseg.cards.name_groups(segmenter)
    for row, card in enumerate(cards):
        assert card.segment.index == order[row, 0]
        assert card.rival == names[order[row, 1]]
        assert f"“{card.rival}”" in card.text()


@pytest.mark.slow
def test_what_is_typical_is_true_of_the_group(shop, cards):
    customers, segmenter = shop
    seen = 0
    for card in cards[:200]:
        mine = customers[segmenter.labels_ == card.segment.index]
        for reason in card.reasons:
            assert reason.limits is None
            if reason.typical is None:
                continue
            known, limits = mine[reason.feature].dropna(), reason.typical
            if limits.categories is not None:
                inside = known.astype(object).isin(limits.categories)
            else:
                inside = pd.Series(True, index=known.index)
                inside &= known >= limits.lower if limits.lower is not None else True
                inside &= known < limits.upper if limits.upper is not None else True
            assert inside.mean() >= 0.5 - 1e-9
            assert "Typical of this group: " in card.text()
            seen += 1
    assert seen > 100


def test_hidden_features_never_appear_by_name_but_their_weight_does(shop):
    customers, segmenter = shop
    names = list(customers.columns)[:6]
    secret = {name: {"label": f"secret-{name}", "shown": False} for name in names}
    weighed = 0
    for card in xseg.make_cards(segmenter, customers.head(100), policy={"features": secret}, at=NOW):
        for form in (card.text(), card.markdown(), card.html(), card.json()):
            assert "secret-" not in form
            assert not any(f'"{name}"' in form for name in names)
        weighed += card.hidden is not None
    assert weighed


def test_rivals_do_not_give_hidden_features_away(shop):
    customers, segmenter = shop
    features = {name: {"sensitive": True} for name in customers.columns}
    for card in xseg.make_cards(segmenter, customers.head(50), policy={"features": features}, at=NOW):
        assert card.segment.name == f"Group {ascii_uppercase[card.segment.index]}"
        assert card.rival.startswith("Group ")
        assert card.reasons == ()


def test_small_groups_have_nothing_typical(shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers.head(1), policy={"minimum_group_size": 10_000}, at=NOW)[0]
    assert card.segment.size is None
    assert all(reason.typical is None and reason.comparison is None for reason in card.reasons)


@pytest.mark.slow
def test_records_round_trip_and_every_form_says_the_same(cards):
    schema = xseg.cards.Card.json_schema()
    for card in cards[:20]:
        jsonschema.validate(json.loads(card.json()), schema)
        assert xseg.cards.Card.from_json(card.json()) == card
        for sentence in build_card_words(card).sum:
            assert sentence in " ".join(card.text().split())


def test_ties_are_said_to_be_ties():
    table = pd.DataFrame({"a": [0.0] * 20 + [1.0] * 20 + [np.nan], "b": [0.0] * 20 + [1.0] * 20 + [np.nan]})
    segmenter = xseg.PrototypeSegmenter(2, random_state=0).fit(table)
    card = xseg.make_cards(segmenter, table.tail(1), at=NOW)[0]
    assert card.total_value == pytest.approx(0, abs=1e-12)
    assert card.total_points == 0
    assert segmenter.labels_[-1] == 0
    alone = xseg.make_cards(xseg.PrototypeSegmenter(1, random_state=0).fit(table), table, at=NOW)[0]
    assert alone.rival is None
    assert alone.reasons == ()


def test_reports_and_the_command_lines_figures(shop):
    _, segmenter = shop
    page = xseg.make_report(segmenter, policy=xseg.datasets.customers_policy()).html()
    assert "each person in the one that fits best" in page
    assert "typically" in page
    assert "How people are placed" not in page
    assert fingerprint(segmenter)[:4] in page
    assert "typically" in repr(segmenter.segments_)
    assert segmenter.segments_.to_frame()["rule"].str.len().min() > 0


@pytest.mark.parametrize(
    ("lower", "upper", "unit", "integral", "words"),
    [
        (20, 35, "EUR", False, "€20 to €35"),
        (20, 35, "order", True, "20 to 34 orders"),
        (1, 2, "order", True, "1 order"),
        (None, 3, "order", True, "up to 2 orders"),
        (None, 1, "order", True, "0 orders"),
        (None, 3, "EUR", False, "below €3"),
        (250, None, "EUR", False, "€250 or more"),
        (None, None, None, False, "known"),
    ],
)
def test_words_for_ranges(lower, upper, unit, integral, words):
    condition = Condition("x", Kind.NUMBER, lower=lower, upper=upper)
    assert range_words(condition, Quantity(unit), integral=integral) == words
