"""Every sentence of a card, read back from its English, is true of the raw table and of the model."""

import re
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.cards._wording import build_card_words

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NAMES = ("Ash", "Birch", "Cedar", "Dogwood", "Elm")
POLICY = {
    "features": {
        "orders_90d": {"label": "orders lately", "unit": "order", "mutable": True, "source": "first-party"},
        "spend_year": {"label": "spending", "unit": "EUR", "mutable": True, "direction": "up"},
        "recency_days": {"label": "quiet days", "unit": "day", "mutable": True},
        "channel": {"label": "place", "mutable": True, "source": "zero-party"},
        "area_income": {"label": "income nearby", "mutable": False, "source": "third-party", "vendor": "GeoStat Ltd"},
        "age_band": {"label": "age group", "mutable": False},
        "returns_share": {"label": "sent back", "number_format": "0%", "mutable": False},
    }
}
NUMBER = r"[€]?(-?[\d,]+(?:\.\d+)?)(%?)"


class Reader:
    """Reads conditions and changes back from their words, as a person would."""

    def __init__(self, customers, policy):
        self.customers = customers
        features = policy["features"]
        self.column = {features.get(name, {}).get("label", name).casefold(): name for name in customers.columns}

    def meets(self, condition, value):
        """Say whether a raw value meets a condition in words."""
        known = condition.removesuffix(", or not known")
        if pd.isna(value):
            return known != condition or condition == "not known"
        if known in {"known", "not known"}:
            return known == "known"
        if isinstance(value, str):
            return self.is_one_of(known, value)
        if isinstance(value, (bool, np.bool_)):
            return value == (known == "yes")
        if between := re.fullmatch(rf"{NUMBER} to {NUMBER}(?: \w+)?", known):
            return float(between[1]) <= value <= float(between[3])
        return all(self.holds(part, float(value)) for part in known.split(" and "))

    def is_one_of(self, words, value):
        if words.startswith("not "):
            return not self.is_one_of(words.removeprefix("not "), value)
        if " to " in words:
            first, last = words.split(" to ")
            order = sorted({*self.customers["age_band"].dropna()})
            return order.index(first) <= order.index(value) <= order.index(last)
        return value in re.split(r", | or ", words)

    def holds(self, part, value):
        kind, number = re.fullmatch(rf"(at least|above|below|at most|exactly) {NUMBER}(?: \w+)?", part).group(1, 2)
        limit = float(number.replace(",", "")) / (100 if "%" in part else 1)
        return {
            "at least": value >= limit,
            "above": value > limit,
            "below": value < limit,
            "at most": value <= limit,
            "exactly": value == limit,
        }[kind]

    def pairs(self, words, row):
        """Read "label: condition (yours: value); ..."; the values must be those of the row."""
        pairs = []
        for part in words.split("; "):
            label, condition, own = re.fullmatch(r"([^:]+): (.+) \(yours: (.+)\)", part).groups()
            name = self.column[label.casefold()]
            value = self.customers[name].iloc[row]
            if pd.isna(value):
                assert own == "not known"
            elif isinstance(value, (bool, np.bool_)):
                assert own == ("yes" if value else "no")
            elif isinstance(value, str):
                assert own == value
            else:
                number = re.fullmatch(rf"{NUMBER}(?: \w+)?", own)
                assert float(number[1].replace(",", "")) / (100 if number[2] else 1) == pytest.approx(value, rel=0.02)
            pairs.append((name, condition))
        return pairs

    def changed(self, row, pairs):
        """Give the row with values that meet the conditions."""
        after = self.customers.iloc[[row]].copy()
        for name, condition in pairs:
            after[name] = self.value(name, condition, after[name].iloc[0])
        return after

    def value(self, name, condition, old):
        if isinstance(old, str):
            return next(value for value in self.customers[name].dropna().unique() if self.meets(condition, value))
        if isinstance(old, (bool, np.bool_)):
            return condition == "yes"
        candidates = np.sort(self.customers[name].dropna().unique())
        return next(value for value in candidates if self.meets(condition, value))


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_200, random_state=3)
    return customers, xseg.TreeSegmenter(5, max_leaves=9, segment_names=NAMES, random_state=0).fit(customers)


@pytest.fixture(scope="module")
def cards(shop):
    customers, segmenter = shop
    return list(xseg.make_cards(segmenter, customers, policy=POLICY, at=NOW))


@pytest.mark.slow
def test_every_sentence_about_the_person_is_true(shop, cards):
    customers, _ = shop
    reader, counted = Reader(customers, POLICY), Counter()
    for row, card in enumerate(cards):
        for reason, words in zip(card.reasons, build_card_words(card).reasons, strict=True):
            value, known = customers[reason.feature].iloc[row], customers[reason.feature].dropna()
            for sentence in (*words.sentences, *words.more):
                counted[check(sentence, value, known, reader)] += 1
    assert min(counted[kind] for kind in ("higher", "lower", "middle", "rule")) > 20


def check(sentence, value, known, reader):
    if match := re.fullmatch(r"Higher than for (\d) in 10 customers\.", sentence):
        assert (known < value).mean() >= int(match[1]) / 10
        return "higher"
    if match := re.fullmatch(r"Lower than for (\d) in 10 customers\.", sentence):
        assert (known > value).mean() >= int(match[1]) / 10
        return "lower"
    if match := re.fullmatch(r"The same as for at least (\d) in 10 customers\.", sentence):
        assert (known == value).mean() >= int(match[1]) / 10
        return "same"
    if sentence == "Close to the middle of our customers.":
        assert max((known < value).mean(), (known > value).mean()) < 0.6 + 0.05
        return "middle"
    if match := re.fullmatch(r"The rule of this group: (.*)\.", sentence):
        assert reader.meets(match[1], value), (match[1], value)
        return "rule"
    return "other"


@pytest.mark.slow
def test_the_neighbours_rule_is_what_keeps_the_person_out(shop, cards):
    customers, segmenter = shop
    reader, seen = Reader(customers, POLICY), 0
    for row, card in enumerate(cards[:300]):
        title, sentence = build_card_words(card).why_not
        other = re.fullmatch(r"Why not “(.*)”\?", title)[1]
        changes = re.fullmatch(r"You would be in that group if this were so: (.*)\.", sentence)[1]
        pairs = reader.pairs(changes, row)
        assert pairs
        assert not any(reader.meets(condition, customers[name].iloc[row]) for name, condition in pairs)
        assert NAMES[segmenter.predict(reader.changed(row, pairs))[0]] == other
        seen += len(pairs)
    assert seen >= 300


@pytest.mark.slow
def test_the_change_that_is_told_moves_the_person_and_touches_nothing_else(shop, cards):
    customers, segmenter = shop
    reader, seen, enough = Reader(customers, POLICY), 0, 0
    may_change = {name for name, told in POLICY["features"].items() if told.get("mutable")}
    for row, card in enumerate(cards[:300]):
        sentence = build_card_words(card).change
        if not sentence:
            if card.counterfactual is not None:
                # The sentence on the nearest other group says it already.
                assert {asked.feature for asked in card.alternative.requirements} <= may_change
                enough += 1
            continue
        if card.counterfactual.segment is None:
            continue
        other, changes = re.fullmatch(r"You would be in “(.*)” if this were so: (.*)\.", sentence[0]).groups()
        pairs = reader.pairs(changes, row)
        assert {name for name, _ in pairs} <= may_change
        after = reader.changed(row, pairs)
        assert after["spend_year"].iloc[0] >= customers["spend_year"].iloc[row]
        assert NAMES[segmenter.predict(after)[0]] == other
        seen += 1
    assert seen > 10
    assert enough > 10


@pytest.mark.slow
def test_close_calls_are_close_and_clear_ones_are_not(shop, cards):
    customers, segmenter = shop
    numbers = customers[["spend_year", "recency_days", "tenure_months", "basket_mean"]]
    tenth = (numbers.quantile(0.75) - numbers.quantile(0.25)) / 10
    close = 0
    for row, card in enumerate(cards[:400]):
        asked = card.certainty.requirement
        if card.certainty.is_narrow and asked is not None and asked.feature in numbers:
            assert moves_nearby(segmenter, customers.iloc[[row]], tenth)
            close += 1
        if not card.certainty.close:
            assert not moves_nearby(segmenter, customers.iloc[[row]], tenth / 2)
    assert close >= 5


def moves_nearby(segmenter, one, steps):
    """Say whether a step of one number, up or down, changes the segment."""
    own, ways = segmenter.predict(one)[0], np.linspace(-1.5, 1.5, 31)
    varied = [one.assign(**{name: one[name] + way * step}) for name, step in steps.items() for way in ways]
    return bool((segmenter.predict(pd.concat(varied)) != own).any())


def test_nothing_to_change_is_said_only_where_it_is_proven(shop):
    customers, segmenter = shop
    fixed = {"features": {name: {"mutable": False} for name in customers.columns}}
    for card in xseg.make_cards(segmenter, customers.head(50), policy=fixed, at=NOW):
        assert build_card_words(card).change == ("Nothing you can change would move you to another group.",)
    unstated = {"features": {"age_band": {"mutable": False}}}
    for card in xseg.make_cards(segmenter, customers.head(50), policy=unstated, at=NOW):
        assert build_card_words(card).change == ()


def test_no_hidden_feature_outweighs_a_named_one_unsaid(shop):
    customers, segmenter = shop
    values = xseg.explain(segmenter, customers).values
    used = [segmenter.profile_.bins.schema.names[j] for j in segmenter.model_.used_features]
    said = 0
    for name in used:
        policy = {"features": {name: {"sensitive": True}}}
        j = list(customers.columns).index(name)
        for card, line in zip(
            xseg.make_cards(segmenter, customers.head(100), policy=policy, at=NOW), values, strict=False
        ):
            weakest = min((abs(reason.contribution) for reason in card.reasons), default=np.inf)
            if abs(line[j]) > max(weakest, 1e-12) or (abs(line[j]) > 1e-12 and not card.reasons):
                assert "Part of it weighs more than a reason named here." in card.text()
                said += 1
            elif abs(line[j]) > 1e-12:
                assert "Other information" in card.text()
                assert "Part of it weighs more" not in card.text()
    assert said > 50
