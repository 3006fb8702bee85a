"""What pairs two tables pairs the same people, whatever the order of the rows."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

import xseg
from xseg.cards import write_cards
from xseg.exceptions import DataError
from xseg.metrics import migration


@pytest.fixture(scope="module")
def months():
    may = xseg.make_customers(300, random_state=0)
    june = may.assign(spend_year=may["spend_year"] * np.where(np.arange(300) % 7 == 0, 4.0, 1.0))
    return xseg.TreeSegmenter(4, random_state=0).fit(may), may, june


@pytest.mark.slow
@given(st.randoms(use_true_random=False))
def test_nobody_moves_because_rows_were_shuffled(random):
    people = xseg.make_customers(120, random_state=1)
    segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(people)
    order = list(range(120))
    random.shuffle(order)
    found = xseg.change(segmenter, people.iloc[order], before=people)
    assert not found.has_moved.any()
    assert not found.values.any()
    labels = pd.Series(segmenter.labels_, index=people.index)
    assert migration(labels, labels.iloc[order], names=segmenter.segment_names_).unchanged_share == 1.0


def test_a_change_aligned_by_index_is_the_change_of_each_person(months):
    segmenter, may, june = months
    straight = xseg.change(segmenter, june, before=may)
    order = np.random.default_rng(0).permutation(len(may))
    shuffled = xseg.change(segmenter, june.iloc[order], before=may)
    assert shuffled.ids.tolist() == june.index[order].tolist()
    np.testing.assert_array_equal(shuffled.values, straight.values[order])
    np.testing.assert_array_equal(shuffled.has_moved, straight.has_moved[order])


def test_tables_without_an_index_are_paired_by_position(months):
    segmenter, may, june = months
    expected = xseg.change(segmenter, june, before=may)
    found = xseg.change(segmenter, june.reset_index(drop=True), before=may.reset_index(drop=True))
    np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (
            lambda june: june.rename(index={june.index[0]: "somebody"}),
            "1 of 300 labels are only in before, and 1 of 300",
        ),
        (lambda june: june.set_index(np.arange(300) // 2), r"(after|X) has 150 label\(s\) more than once"),
    ],
)
def test_tables_of_other_people_are_refused(months, after, message):
    segmenter, may, june = months
    with pytest.raises(DataError, match=f"{message}.*id_column"):
        xseg.change(segmenter, after(june), before=may)
    labels = pd.Series(segmenter.labels_, index=may.index)
    with pytest.raises(DataError, match=message):
        migration(labels, pd.Series(segmenter.labels_, index=after(june).index))


def test_weights_of_a_migration_follow_their_people():
    before, after = pd.Series([0, 1, 1], index=list("abc")), pd.Series([1, 1, 0], index=list("cab"))
    moved = migration(before, after, sample_weight=pd.Series([1.0, 10.0, 100.0], index=list("abc")))
    assert moved.counts.tolist() == [[0.0, 1.0], [10.0, 100.0]]


def test_ids_and_answers_in_a_series_follow_the_rows_of_the_table(tmp_path):
    people = xseg.make_customers(120, random_state=2)
    numbers = people[["orders_90d", "spend_year", "recency_days"]]
    stand_in = xseg.SurrogateSegmenter(KMeans(3, n_init=1, random_state=0)).fit(numbers)
    ids = pd.Series([f"id of {name}" for name in people.index], index=people.index)
    said = pd.Series(np.where(np.arange(120) % 2, "yes", "no"), index=people.index)
    shuffled = numbers.sample(frac=1, random_state=3)
    cards = xseg.make_cards(stand_in, shuffled, ids=ids, agreement=said)
    assert [card.reference for card in cards] == [f"id of {name}" for name in shuffled.index]
    assert [card.original_agrees for card in cards] == said[shuffled.index].tolist()
    write_cards(stand_in, shuffled.head(20), folder=tmp_path, ids=ids[shuffled.index[:20][::-1]], forms=["json"])
    for name in shuffled.index[:20]:
        card = json.loads((tmp_path / f"id of {name}.json").read_text())
        assert card["segment"]["index"] == stand_in.predict(numbers.loc[[name]])[0]
    labels = pd.Series(stand_in.estimator_.labels_, index=people.index)
    assert (
        stand_in.agreement(shuffled, labels)
        == stand_in.agreement(numbers, labels)[people.index.get_indexer(shuffled.index)]
    ).all()
    with pytest.raises(DataError, match="ids and X must have the same index"):
        xseg.make_cards(stand_in, shuffled, ids=ids.rename(index={ids.index[0]: "nobody"}))
    fresh = pd.Series([f"row {row}" for row in range(120)])
    assert xseg.make_cards(stand_in, shuffled, ids=fresh)[0].reference == "row 0"


def test_cards_are_verified_by_their_references(months):
    segmenter, may, _ = months
    cards = list(xseg.make_cards(segmenter, may.head(40), ids=may.index[:40]))
    shuffled = may.head(40).sample(frac=1, random_state=0)
    assert not all(check.holds for check in xseg.verify_cards(segmenter, shuffled, cards=cards))
    assert all(check.holds for check in xseg.verify_cards(segmenter, shuffled, cards=cards, ids=shuffled.index))
    for ids in (["x", *shuffled.index[1:]], shuffled.index[[0, *range(39)]], shuffled.index[:39]):
        with pytest.raises(DataError, match="ids must name each of the 40 cards"):
            xseg.verify_cards(segmenter, shuffled, cards=cards, ids=ids)
