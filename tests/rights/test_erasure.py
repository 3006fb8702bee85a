"""Taking people out of a model: what is kept is as if they had never been counted, and no more is said than proven."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import xseg
from xseg.cards import remove_cards, write_cards
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedModelError
from xseg.rights import erase

KINDS = {
    "tree": xseg.TreeSegmenter(4, random_state=0),
    "rules": xseg.RuleSegmenter({"Buyers": "orders_90d >= 2", "Spenders": "spend_year >= 100"}),
    "surrogate": xseg.SurrogateSegmenter(KMeans(3, n_init=2, random_state=0)),
    "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
    "mixture": xseg.MixtureSegmenter(4, random_state=0),
}
COLUMNS = ["orders_90d", "spend_year", "recency_days", "basket_mean"]


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(700, random_state=0)[COLUMNS]


@pytest.fixture(scope="module", params=KINDS)
def segmenter(request, customers):
    return KINDS[request.param].fit(customers)


def counted(segmenter, table):
    """Count the codes of everybody in each segment, the slow and obvious way."""
    bins, labels = segmenter.profile_.bins, segmenter.predict(table)
    codes = bins.encode(xseg.core.tables.read_table(table))
    counts = np.zeros_like(segmenter.profile_.counts)
    for row, segment in zip(codes, labels, strict=True):
        for j, code in enumerate(row):
            counts[segment, j, code] += 1
    return counts


def test_what_is_kept_is_as_if_the_people_had_never_been_counted(segmenter, customers):
    gone, others = customers.iloc[::7], customers.drop(customers.index[::7])
    erased = erase(segmenter, gone)
    assert erased.n_erased == len(gone)
    assert erased.refit_due
    assert erased.equals_refit is None
    assert "refit is due" in str(erased)
    np.testing.assert_array_equal(erased.segmenter.profile_.counts, counted(segmenter, others))
    assert (erased.segmenter.predict(others) == segmenter.predict(others)).all()
    assert not hasattr(erased.segmenter, "labels_")
    assert sum(segment.size for segment in erased.segmenter.segments_) == len(others)


def test_explanations_average_over_those_who_remain(segmenter, customers):
    gone, others = customers.iloc[::7], customers.drop(customers.index[::7])
    less = erase(segmenter, gone).segmenter
    with_others = xseg.explain(segmenter, others.head(40), background=others)
    without = xseg.explain(less, others.head(40))
    np.testing.assert_allclose(without.values, with_others.values, atol=1e-9)
    np.testing.assert_allclose(without.base_values, with_others.base_values, atol=1e-9)


def test_erasing_twice_is_erasing_both(segmenter, customers):
    both = erase(segmenter, customers.head(30)).segmenter
    one = erase(erase(segmenter, customers.head(10)).segmenter, customers.iloc[10:30]).segmenter
    np.testing.assert_array_equal(both.profile_.counts, one.profile_.counts)
    assert xseg.export.fingerprint(both) == xseg.export.fingerprint(one)


def test_with_the_others_it_is_a_refit_and_says_what_changed(segmenter, customers):
    gone, others = customers.head(5), customers.iloc[5:]
    erased = erase(segmenter, gone, remaining=others)
    assert not erased.refit_due
    assert xseg.export.fingerprint(erased.segmenter) == xseg.export.fingerprint(
        type(segmenter)(**segmenter.get_params(deep=False)).fit(others)
    )
    assert erased.equals_refit == (erased.changes == ())
    assert set(erased.changes) <= {"cuts", "counts", "names"}


def test_where_nothing_changes_subtracting_is_refitting_bit_for_bit():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 4, 900) * 10.0, "b": rng.integers(0, 3, 900) * 5.0})
    for segmenter in (xseg.TreeSegmenter(3, random_state=0), xseg.RuleSegmenter({"High": "a >= 20"})):
        segmenter.fit(table)
        seen = 0
        for i in range(10):
            erased = erase(segmenter, table.iloc[[i]], remaining=table.drop(index=i))
            less, refit = erase(segmenter, table.iloc[[i]]).segmenter, erased.segmenter
            same = (less.profile_.counts.shape == refit.profile_.counts.shape) and (
                less.profile_.counts == refit.profile_.counts
            ).all()
            assert erased.equals_refit <= same
            if erased.equals_refit:
                for mine, theirs in zip(less.model_.population, refit.model_.population, strict=True):
                    np.testing.assert_array_equal(mine.pattern, theirs.pattern)
                    np.testing.assert_array_equal(mine.weight, theirs.weight)
                assert "bit for bit" in str(erased)
                seen += 1
        assert seen


def test_people_who_were_never_counted_are_found(segmenter, customers):
    rare = customers.iloc[[int(customers["spend_year"].argmax())]]
    once = erase(segmenter, pd.concat([rare, customers.head(3)]))
    with pytest.raises(DataError, match="not in the table"):
        erase(segmenter, pd.concat([rare] * 400))
    assert once.n_erased == 4


def test_what_cannot_be_taken_out_is_refused(customers):
    with pytest.raises(NotFittedError):
        erase(xseg.TreeSegmenter(), customers.head(1))
    weighted = xseg.TreeSegmenter(3, random_state=0).fit(customers, sample_weight=np.linspace(0.5, 2, len(customers)))
    with pytest.raises(ParameterError, match="weights"):
        erase(weighted, customers.head(1))
    y = (customers["spend_year"] > 100).to_numpy()
    outcome = xseg.OutcomeSegmenter(3, random_state=0).fit(customers, y)
    with pytest.raises(UnsupportedModelError, match="remaining"):
        erase(outcome, customers.head(1))
    assert not erase(outcome, customers.head(1), remaining=customers.iloc[1:], y=y[1:]).refit_due


def test_the_id_is_in_no_card_any_more(tmp_path):
    customers = xseg.make_customers(400, random_state=0)
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    ids = [f"person.{number}/x" for number in range(40)]
    forms = ["html", "json", "email", "jsonl", "parquet"]
    write_cards(segmenter, customers.head(40), tmp_path, ids=ids, forms=forms)
    assert remove_cards(tmp_path, [ids[7]]) == len(forms)
    for path in tmp_path.iterdir():
        assert "person%2E7%2Fx" not in path.name
        if path.suffix != ".parquet":
            assert ids[7] not in path.read_text()
    table = pd.read_parquet(tmp_path / "cards-00000.parquet")
    assert table["reference"].tolist() == [name for name in ids if name != ids[7]]
    lines = (tmp_path / "cards-00000.jsonl").read_text().splitlines()
    assert [json.loads(line)["reference"] for line in lines] == table["reference"].tolist()
    with pytest.raises(DataError, match="differs in: people"):
        write_cards(segmenter, customers.head(40), tmp_path, ids=ids, forms=forms)
    assert remove_cards(tmp_path, [ids[7]]) == 0
    with pytest.raises(DataError, match="holds no cards"):
        remove_cards(tmp_path / "..", ids)
