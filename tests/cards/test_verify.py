"""A card that was altered anywhere is found; one that was not is proven, whatever the model, language or policy."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.exceptions import DataError

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_200, random_state=1)
    return customers, xseg.TreeSegmenter(4, max_leaves=8, random_state=0).fit(customers)


@pytest.mark.slow
def test_every_fact_of_every_card_is_proven(shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    cards = xseg.make_cards(segmenter, customers, policy=policy, ids=list(customers.index), at=NOW)
    checks = xseg.verify_cards(segmenter, customers, cards=[card.json() for card in cards], policy=policy)
    assert all(check.holds for check in checks)
    assert str(checks[0]) == "every fact of the card holds"


def leaves_of(record, path=()):
    """Give the path of every single value of a record."""
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else None
    if items is None:
        yield path
    else:
        for key, value in items:
            yield from leaves_of(value, (*path, key))


def altered(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return "x" if value is None else f"{value[:-1]}{'a' if value[-1:] != 'a' else 'b'}"


@pytest.mark.slow
def test_any_altered_fact_fails(shop):
    customers, segmenter = shop
    policy = xseg.datasets.customers_policy()
    card = xseg.make_cards(segmenter, customers.head(1), policy=policy, ids=["A17"], at=NOW)[0]
    record = json.loads(card.json())
    # These are true of another card as well: its day, language and owner are for the checksum to prove.
    theirs = {("issued",), ("locale",), ("tone",), ("reference",), ("checksum",), ("original_agrees",)}
    tried = 0
    for path in leaves_of(record):
        forged = json.loads(card.json())
        place = forged
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = altered(place[path[-1]])
        with pytest.raises(DataError, match="not"):
            xseg.cards.Card.from_json(json.dumps(forged))
        assert not xseg.verify_card(segmenter, customers.head(1), card=json.dumps(forged), policy=policy).holds
        if path in theirs:
            continue
        forged.pop("checksum")
        try:
            trusted = xseg.cards.Card.from_facts(forged)
        except DataError:
            continue
        assert not xseg.verify_card(segmenter, customers.head(1), card=trusted, policy=policy).holds, path
        tried += 1
    assert tried > 60


@pytest.mark.slow
def test_one_altered_character_fails(shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers.head(1), at=NOW)[0]
    text = card.json()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(text), 200, replace=False):
        for other in ("0", "x"):
            forged = f"{text[:place]}{other}{text[place + 1 :]}"
            if forged != text:
                assert not xseg.verify_card(segmenter, customers.head(1), card=forged).holds


@pytest.mark.slow
def test_a_card_of_somebody_else_or_of_another_model_fails(shop):
    customers, segmenter = shop
    cards = xseg.make_cards(segmenter, customers.head(50), at=NOW)
    shifted = pd.concat([customers.iloc[1:50], customers.iloc[:1]])
    assert not any(check.holds for check in xseg.verify_cards(segmenter, shifted, cards=cards))
    other = xseg.TreeSegmenter(4, max_leaves=8, random_state=0).fit(customers.head(600))
    failures = xseg.verify_card(other, customers.head(1), card=cards[0]).failures
    assert "model" in {failure.fact for failure in failures}
    assert "the card says" in str(failures[0])


def test_a_card_of_one_person_of_whom_a_category_is_not_known_is_proven(shop):
    customers, segmenter = shop
    lacking = customers[customers["favourite_category"].isna()].head(3)
    for row in range(len(lacking)):
        alone = lacking.iloc[[row]]
        assert xseg.verify_card(segmenter, alone, card=xseg.make_cards(segmenter, alone, at=NOW)[0]).holds


def test_what_cannot_be_verified_is_refused(shop):
    customers, segmenter = shop
    card = xseg.make_cards(segmenter, customers.head(1), at=NOW)[0]
    with pytest.raises(DataError, match="2 rows"):
        xseg.verify_card(segmenter, customers.head(2), card=card)
    with pytest.raises(DataError, match="1 cards for 2 rows"):
        xseg.verify_cards(segmenter, customers.head(2), cards=[card])
    check = xseg.verify_card(segmenter, customers.head(1), card="no card")
    assert check.failures[0].fact == "record"


def test_the_checklist_says_what_the_policy_lacks(shop):
    customers, segmenter = shop
    bare = {field.key: field for field in xseg.make_cards(segmenter, customers.head(1), at=NOW)[0].completeness()}
    policy = xseg.datasets.customers_policy()
    said = {name: {"sentence": "x", "consequence": "y"} for name in segmenter.segment_names_}
    named = {**policy.model_dump(exclude_defaults=True), "segments": said}
    full = xseg.make_cards(segmenter, customers.head(1), policy=named, at=NOW)[0]
    told = {field.key: field for field in full.completeness()}
    assert [field.number for field in told.values()] == list(range(1, 34))
    assert {key for key, field in told.items() if field.state == "missing"} == {"consent", "opt_out_status"}
    lacking = {key for key, field in bare.items() if field.state == "missing"}
    assert {"controller", "purposes", "origin", "rights", "human", "counterfactual"} <= lacking
    assert all(field.needs for field in bare.values() if field.state == "missing")
    assert all(field.needs is None for field in bare.values() if field.state != "missing")
