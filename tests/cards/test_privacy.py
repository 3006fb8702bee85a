"""A card never gives another person away: attacks on many cards at once."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import xseg

pytestmark = pytest.mark.slow
NOW = datetime(2026, 11, 24, tzinfo=UTC)
MINIMUM = 50
KINDS = {
    "tree": xseg.TreeSegmenter(6, max_leaves=10, random_state=0, effort="fast"),
    "prototypes": xseg.PrototypeSegmenter(5, random_state=0),
}


@pytest.fixture(scope="module", params=KINDS)
def shop(request):
    customers = xseg.make_customers(100_000, random_state=5)
    segmenter = KINDS[request.param].fit(customers)
    return customers, list(xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy(), at=NOW))


def holds(limits, column):
    """Say which people meet what a card states."""
    if limits.categories is not None:
        return column.astype(object).isin(limits.categories).to_numpy()
    held = column.notna().to_numpy().copy()
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        held &= numbers >= limits.lower if limits.lower is not None else True
        held &= numbers < limits.upper if limits.upper is not None else True
    return held


def statements_of(card):
    """Give the groups of conditions on a card that are about other people."""
    if card.alternative is not None and card.alternative.requirements:
        yield tuple((asked.feature, asked.limits) for asked in card.alternative.requirements)
    typical = tuple((reason.feature, reason.typical) for reason in card.reasons if reason.typical is not None)
    yield from ((one,) for one in typical)
    yield from (((reason.feature, reason.limits),) for reason in card.reasons if reason.limits is not None)


@pytest.mark.slow
def test_no_combination_that_is_stated_singles_out_a_few(shop):
    customers, cards = shop
    seen = {}
    for card in cards:
        for conditions in statements_of(card):
            key = tuple((name, limits.model_dump_json()) for name, limits in conditions)
            if key not in seen:
                seen[key] = int(
                    np.logical_and.reduce([holds(limits, customers[name]) for name, limits in conditions]).sum()
                )
    assert len(seen) > 10
    assert min(seen.values()) >= MINIMUM


@pytest.mark.slow
def test_what_would_change_a_card_is_nobodys_row(shop):
    customers, cards = shop
    rows = {tuple(row) for row in customers.astype(object).where(customers.notna(), None).to_numpy().tolist()}
    columns, told = list(customers.columns), 0
    for row, card in zip(
        customers.astype(object).where(customers.notna(), None).to_numpy().tolist(), cards, strict=True
    ):
        if card.counterfactual is None or card.counterfactual.segment is None:
            continue
        changed = list(row)
        for asked in card.counterfactual.requirements:
            limits = asked.limits
            value = limits.categories[0] if limits.categories else limits.lower or np.nextafter(limits.upper, -np.inf)
            changed[columns.index(asked.feature)] = value
        assert tuple(changed) not in rows
        told += 1
    assert told > 1_000


def test_comparisons_are_with_enough_people_and_never_with_one(shop):
    _, cards = shop
    for card in cards:
        for reason in card.reasons:
            if reason.comparison is None:
                continue
            assert reason.comparison.group_size >= MINIMUM
            if reason.comparison.share_below is None:
                assert reason.comparison.share_same * reason.comparison.group_size >= MINIMUM - 1e-6


def test_small_groups_are_neither_sized_nor_described(shop):
    customers, _ = shop
    segmenter = KINDS["tree"]
    sizes = sorted(segment.size for segment in segmenter.segments_)
    policy = {
        "minimum_group_size": int(sizes[0]) + 1,
        "features": {name: {"mutable": True} for name in customers.columns},
    }
    small = next(segment for segment in segmenter.segments_ if segment.size == sizes[0])
    next_to_it, shown = 0, xseg.cards.name_groups(segmenter, policy=policy)[small.index]
    for card in xseg.make_cards(segmenter, customers.head(2_000), policy=policy, at=NOW):
        if card.segment.index == small.index:
            assert card.segment.size is card.segment.share is None
            assert "because it is small" in card.text()
        if card.alternative.segment == shown:
            next_to_it += 1
            assert card.alternative.requirements == ()
            assert "What sets you apart from it is not named on this card" in card.text()
        assert card.counterfactual is None or card.counterfactual.segment != shown
    assert next_to_it


def test_somebody_with_a_value_of_their_own_is_compared_with_nobody_by_it():
    customers = xseg.make_customers(600, random_state=0)
    customers["favourite_category"] = customers["favourite_category"].astype(object)
    customers.iloc[0, customers.columns.get_loc("favourite_category")] = "falconry"
    segmenter = xseg.PrototypeSegmenter(3, random_state=0).fit(customers)
    for card in list(xseg.make_cards(segmenter, customers, at=NOW))[1:]:
        assert "falconry" not in card.json()
