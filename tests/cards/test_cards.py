"""A card is true, adds up, and hides what must be hidden; its forms say the same."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from string import ascii_uppercase

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from xseg.cards._row_facts import round_points
from xseg.cards._wording import build_card_words
from xseg.exceptions import DataError, DefinitionError, NotFittedError, UnsupportedTypeError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_500, random_state=0)
    return customers, xseg.TreeSegmenter(5, max_leaves=8, random_state=0).fit(customers)


@pytest.fixture(scope="module")
def cards(shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    return list(xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), at=NOW))


def hidden_points(card):
    return 0 if card.hidden is None else card.hidden.points


@pytest.mark.slow
def test_points_add_up_to_100_as_shown(cards):
    for card in cards:
        shown = card.base_points + sum(reason.points for reason in card.reasons) + card.rest_points
        assert shown + hidden_points(card) == 100


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
def test_whole_points_are_within_one_of_the_exact_ones(parts):
    parts = [*parts, 1 - sum(parts)]
    points = round_points(parts)
    assert sum(points) == 100
    assert all(abs(point - 100 * part) < 1 + 1e-6 for point, part in zip(points, parts, strict=True))


def test_the_reasons_are_the_most_influential_exact_contributions(shop, cards):
    customers, segmenter = shop
    explanation = xseg.explain(segmenter, customers)
    for card, values in zip(cards, explanation.values, strict=True):
        strongest = sorted(np.abs(values[np.abs(values) > 1e-12]), reverse=True)[:4]
        assert [abs(reason.contribution) for reason in card.reasons] == pytest.approx(strongest)
        for reason in card.reasons:
            assert reason.contribution == values[list(customers.columns).index(reason.feature)]


def test_values_rules_and_comparisons_hold_in_the_raw_table(shop, cards):
    customers, segmenter = shop
    for row, card in enumerate(cards):
        assert card.segment.index == segmenter.labels_[row]
        for reason in card.reasons:
            value, column = customers[reason.feature].iloc[row], customers[reason.feature]
            assert reason.value == value or (reason.value is None and pd.isna(value))
            if reason.limits is not None:
                assert holds(reason.limits, value)
            check_comparison(reason, value, column)


def holds(limits, value):
    if pd.isna(value):
        return limits.missing
    if limits.categories is not None:
        return value in limits.categories
    return (limits.lower is None or value >= limits.lower) and (limits.upper is None or value < limits.upper)


def check_comparison(reason, value, column):
    if reason.comparison is None:
        return
    known, compared = column.dropna(), reason.comparison
    assert compared.group_size == len(known)
    if compared.share_below is None:
        assert compared.share_same == pytest.approx((known == value).mean())
        return
    # Codes are cut at thresholds, so what is below in code is below in value, and what is above is above.
    assert (known < value).mean() >= compared.share_below - 1e-9
    assert (known > value).mean() >= 1 - compared.share_below - compared.share_same - 1e-9


def test_hidden_features_never_appear_by_name_but_their_weight_does(shop):
    customers, segmenter = shop
    asked = [segmenter.tree_.bins.schema.names[j] for j in segmenter.model_.boxes.used_features]
    secret = {name: {"label": f"secret-{name}", "shown": False} for name in asked[:2]}
    cards = xseg.make_cards(segmenter, customers.head(200), policy={"features": secret}, at=NOW)
    weighed = 0
    for card in cards:
        for form in (card.text(), card.markdown(), card.html(), card.json()):
            assert "secret-" not in form
            assert not any(f'"{name}"' in form for name in asked[:2])
        weighed += card.hidden is not None
        if card.hidden is not None:
            assert "Other information" in card.text()
        assert all(reason.feature not in secret for reason in card.reasons)
    assert weighed


def test_names_of_groups_do_not_give_hidden_features_away(shop):
    customers, segmenter = shop
    features = {name: {"sensitive": True} for name in customers.columns}
    for card in xseg.make_cards(segmenter, customers.head(100), policy={"features": features}, at=NOW):
        assert card.segment.name == f"Group {ascii_uppercase[card.segment.index]}"
        assert card.reasons == ()
        assert card.base_points + card.rest_points + card.hidden.points == 100
        assert card.hidden.outweighs


def test_small_groups_and_small_comparisons_are_withheld(shop):
    customers, segmenter = shop
    policy = {"minimum_group_size": 10_000}
    card = xseg.make_cards(segmenter, customers.head(1), policy=policy, at=NOW)[0]
    assert card.segment.size is None
    assert card.segment.share is None
    assert all(reason.comparison is None for reason in card.reasons)
    assert "because it is small" in card.text()


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.words, self._style = [], [], [], False

    def handle_starttag(self, tag, attrs):
        self._style = tag in {"style", "title"}
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        self._style = False

    def handle_data(self, data):
        if not self._style:
            self.words.append(data)


def read(html):
    tags = Tags()
    tags.feed(html)
    return tags


HOSTILE = '<script>alert(1)</script>" onload="x" [a](javascript:b) `c`'


def test_hostile_names_and_values_are_only_ever_text():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({HOSTILE: rng.choice([HOSTILE, "b", "c"], 300), "n": rng.normal(size=300)})
    segmenter = xseg.TreeSegmenter(3, segment_names=[HOSTILE, "B", "C"], random_state=0).fit(table)
    policy = {"features": {HOSTILE: {"label": HOSTILE}}, "segments": {HOSTILE: {"sentence": HOSTILE}}}
    for card in xseg.make_cards(segmenter, table.head(20), policy=policy, ids=[HOSTILE] * 20, at=NOW):
        for html in (card.html(), card._repr_html_()):
            page = read(html)
            assert "script" not in page.tags
            assert not any(name.startswith("on") for name, _ in page.attributes)
            assert not any("javascript:" in value for _, value in page.attributes)
        assert "<script" not in card.markdown().replace("\\<", "")
    report = read(xseg.make_report(segmenter, policy=policy).html())
    assert "script" not in report.tags


def test_pages_need_no_network_and_no_script(cards):
    page = read(cards[0].html())
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not any(name == "src" for name, _ in page.attributes)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_every_form_says_the_same_sentences(cards):
    for card in cards[:50]:
        words = build_card_words(card)
        sentences = [*words.body(), *words.effect, *words.sum, *words.about, *words.rights_sentences, *words.closing]
        for reason in words.reasons:
            sentences += [reason.points_words, *reason.more]
        for used in words.used:
            sentences += [used.label, *used.sentences]
        sentences += [choice.label for choice in words.choices]
        seen = " ".join(" ".join(read(card.html()).words).split())
        plain = " ".join(card.text().split())
        for sentence in sentences:
            assert sentence in seen
            assert sentence in plain


@pytest.mark.slow
def test_records_round_trip_and_fit_the_schema(cards):
    schema = xseg.cards.Card.json_schema()
    for card in cards[:50]:
        jsonschema.validate(json.loads(card.json()), schema)
        assert xseg.cards.Card.from_json(card.json()) == card
    for text in ("{", "{}", "[]", cards[0].json().replace('"version":4', '"version":3')):
        with pytest.raises(DataError, match="not a card"):
            xseg.cards.Card.from_json(text)
    extra = {**json.loads(cards[0].json()), "more": 1}
    with pytest.raises(DataError, match="more"):
        xseg.cards.Card.from_json(json.dumps(extra))


def test_a_record_is_the_same_however_it_is_written():
    customers = xseg.make_customers(500, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    policy = xseg.datasets.customers_policy()
    for card in xseg.make_cards(segmenter, customers.head(5), policy=policy, ids=list("abcde")):
        text = card.json()
        assert xseg.cards.Card.from_json(text) == xseg.cards.Card.from_json(text.encode()) == card
        assert xseg.cards.Card.from_json(json.dumps(json.loads(text), indent=2)) == card


def test_one_segment_needs_no_reasons():
    table = pd.DataFrame({"a": np.arange(60.0)})
    card = xseg.make_cards(xseg.TreeSegmenter(1, random_state=0).fit(table), table, at=NOW)[0]
    assert card.reasons == ()
    assert "Everyone is in this group." in card.text()


def test_without_a_policy_nothing_is_claimed(shop):
    customers, segmenter = shop
    text = xseg.make_cards(segmenter, customers.head(1), at=NOW)[0].text()
    assert "It is not stated where this comes from." in text
    assert "It is not stated who answers for this." in text


def test_sequences_of_cards(shop, cards):
    customers, segmenter = shop
    lazy = xseg.make_cards(
        segmenter, customers, policy=xseg.datasets.customers_policy(), ids=list(customers.index), at=NOW
    )
    assert len(lazy) == len(customers)
    assert lazy[-1] == cards[-1]
    assert list(lazy[5:8]) == cards[5:8]
    assert "more" in lazy._repr_html_()
    with pytest.raises(IndexError):
        lazy[len(customers)]


def test_what_cannot_be_carded_is_refused(shop):
    customers, segmenter = shop
    numbers = customers[["orders_90d", "spend_year"]]
    pipeline = make_pipeline(StandardScaler(), xseg.PrototypeSegmenter(3, random_state=0)).fit(numbers)
    with pytest.raises(UnsupportedTypeError, match="standardscaler"):
        xseg.make_cards(pipeline, numbers)
    assert len(xseg.make_cards(make_pipeline(segmenter), customers.head(2))) == 2
    with pytest.raises(DefinitionError, match="spend"):
        xseg.make_cards(segmenter, customers, policy={"features": {"spend_yaer": {"label": "x"}}})
    with pytest.raises(DataError, match="2 ids for 3 rows"):
        xseg.make_cards(segmenter, customers.head(3), ids=["a", "b"])
    with pytest.raises(NotFittedError):
        xseg.make_cards(xseg.TreeSegmenter(), customers)
