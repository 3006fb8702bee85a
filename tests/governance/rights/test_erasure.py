"""Taking people out of a model: what is kept is as if they had never been counted, and no more is said than proven."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import xseg
from xseg.cards import remove_cards, write_cards
from xseg.exceptions import ConsentError, DataError, NotFittedError, ParameterError, UnsupportedTypeError, XsegError
from xseg.governance.consent import ConsentGate, Ledger
from xseg.governance.rights import FitRecord, erase

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


KEY = "a secret that is long enough"


def taken_out(segmenter, rows, record=None, fitted=None):
    """Take rows out by their index, with the record of the fit."""
    record = FitRecord.from_fit(segmenter, fitted, ids=fitted.index, key=KEY) if record is None else record
    return erase(segmenter, rows, ids=rows.index, record=record, key=KEY)


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
    erased = taken_out(segmenter, gone, fitted=customers)
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
    less = taken_out(segmenter, gone, fitted=customers).segmenter
    with_others = xseg.explain(segmenter, others.head(40), background=others)
    without = xseg.explain(less, others.head(40))
    np.testing.assert_allclose(without.values, with_others.values, atol=1e-9)
    np.testing.assert_allclose(without.base_values, with_others.base_values, atol=1e-9)


def test_erasing_one_after_another_is_erasing_both(segmenter, customers):
    both = taken_out(segmenter, customers.head(30), fitted=customers).segmenter
    first = taken_out(segmenter, customers.head(10), fitted=customers)
    one = taken_out(first.segmenter, customers.iloc[10:30], first.record).segmenter
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
            less, refit = taken_out(segmenter, table.iloc[[i]], fitted=table).segmenter, erased.segmenter
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


def accepted(*args, **more):
    try:
        erase(*args, **more)
    except DataError:
        return 0
    return 1


@pytest.mark.slow
def test_nobody_who_was_never_in_the_fit_is_taken_out(segmenter, customers):
    strangers = xseg.make_customers(60, random_state=9)[COLUMNS]
    strangers.index = [f"stranger {row}" for row in range(60)]
    record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key=KEY)
    for row in range(60):
        person = strangers.iloc[[row]]
        borrowed = person.set_axis(customers.index[[row]], axis=0)
        assert not accepted(segmenter, person, ids=person.index, record=record, key=KEY)
        assert not accepted(segmenter, borrowed, ids=borrowed.index, record=record, key=KEY)
        assert not accepted(segmenter, person, remaining=customers)
        if not (customers == person.to_numpy()).all(axis=1).any() and row < 10:
            # Somebody else's place: what the model counts of the two must differ for this to be seen.
            left = customers.drop(customers.index[row])
            same = (counted(segmenter, person) == counted(segmenter, customers.iloc[[row]])).all()
            assert same or not accepted(segmenter, person, remaining=left)


@pytest.mark.slow
def test_nobody_is_taken_out_twice(segmenter, customers):
    record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key=KEY)
    for row in range(0, 700, 70):
        person = customers.iloc[[row]]
        once = erase(segmenter, person, ids=person.index, record=record, key=KEY)
        assert not accepted(once.segmenter, person, ids=person.index, record=once.record, key=KEY)
        assert not accepted(once.segmenter, person, ids=person.index, record=record, key=KEY)
        assert not accepted(segmenter, pd.concat([person, person]), ids=[*person.index] * 2, record=record, key=KEY)
    left = customers.iloc[1:]
    again = erase(segmenter, customers.head(1), remaining=left).segmenter
    assert not accepted(again, customers.head(1), remaining=left)
    assert not accepted(again, customers.head(1), remaining=customers)
    assert not accepted(segmenter, pd.concat([customers.head(1)] * 2), remaining=left)


@pytest.mark.parametrize("value", [123_456.0, -5.0, np.nan])
def test_invented_values_are_found(segmenter, customers, value):
    record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key=KEY)
    for row in range(0, 700, 70):
        person = customers.iloc[[row]].copy()
        person.iloc[0, 1] = value
        assert not accepted(segmenter, person, ids=person.index, record=record, key=KEY)


def test_values_that_no_model_counted_are_found_among_the_remaining():
    customers = xseg.make_customers(400, random_state=1)[COLUMNS]
    for name in ("prototypes", "mixture"):
        segmenter = KINDS[name].fit(customers)
        person = customers.head(1).copy()
        person.iloc[0, 1] = 123_456.0
        assert not accepted(segmenter, person, remaining=customers.iloc[1:])


def test_without_evidence_nobody_is_taken_out(segmenter, customers):
    with pytest.raises(ParameterError, match="remaining="):
        erase(segmenter, customers.head(1))
    record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key=KEY)
    for more in ({}, {"ids": ["C000001"]}, {"key": KEY}):
        with pytest.raises(ParameterError, match="ids= and key="):
            erase(segmenter, customers.head(1), record=record, **more)
    with pytest.raises(DataError, match="identifier and key"):
        erase(segmenter, customers.head(1), ids=customers.index[:1], record=record, key=KEY + "x")


def test_a_record_is_of_the_table_that_was_fitted_and_holds_nobody(segmenter, customers, tmp_path):
    for table in (customers.iloc[1:], pd.concat([customers, customers.head(1)]), customers.iloc[::-1].head(5)):
        with pytest.raises(DataError, match="X"):
            FitRecord.from_fit(segmenter, table, ids=range(len(table)), key=KEY)
    with pytest.raises(DataError, match="twice"):
        FitRecord.from_fit(segmenter, customers, ids=["a"] * len(customers), key=KEY)
    with pytest.raises(DataError, match="one for each row"):
        FitRecord.from_fit(segmenter, customers, ids=["a"], key=KEY)
    with pytest.raises(ParameterError, match="16"):
        FitRecord.from_fit(segmenter, customers, ids=customers.index, key="short")
    record = FitRecord.from_fit(segmenter, customers, ids=customers.index, key=KEY)
    record.save(tmp_path / "record.json")
    assert FitRecord.load(tmp_path / "record.json") == record
    text = (tmp_path / "record.json").read_text()
    assert not [name for name in customers.index if name in text]
    assert len(text) < 200 * len(customers)
    assert record == FitRecord.from_fit(segmenter, customers.iloc[::-1], ids=customers.index[::-1], key=KEY)
    for broken in ("", "[]", "{}", text.replace("xseg-fit-record", "x"), text.replace('"erased": []', '"erased": [1]')):
        (tmp_path / "broken.json").write_text(broken)
        with pytest.raises(ConsentError):
            FitRecord.load(tmp_path / "broken.json")


def test_a_person_of_a_gate_is_taken_out_of_the_model_inside():
    customers = xseg.make_customers(400, random_state=0)
    ids = [f"c{row}" for row in range(400)]
    ledger = Ledger()
    for name in ids[:350]:
        ledger.append(name, "offers", "given", source="account")
    gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0), ledger, purpose="offers").fit(customers, ids=ids)
    inside = customers.iloc[:350]
    erased = erase(gate, inside.head(1), remaining=inside.iloc[1:])
    assert isinstance(erased.segmenter, ConsentGate)
    assert sum(segment.size for segment in erased.segmenter.segments_) == 349
    assert erased.segmenter.predict(customers, ids=ids)[399] == -1
    assert sum(segment.size for segment in gate.segments_) == 350
    with pytest.raises(DataError):
        erase(gate, customers.iloc[[399]], remaining=inside)
    record = FitRecord.from_fit(gate, inside, ids=ids[:350], key=KEY)
    assert erase(gate, inside.head(1), ids=["c0"], record=record, key=KEY).n_erased == 1
    reviewed = xseg.governance.reviews.review(
        gate, customers, policy=xseg.datasets.customers_policy(), ids=ids, n_permutations=1_000, random_state=0
    )
    assert reviewed.model == xseg.export.fingerprint(gate.segmenter_)
    assert "consent" in reviewed.checked


@pytest.mark.parametrize("wrong", [None, "tree", 7, KMeans(2), xseg.TreeSegmenter(3)], ids=repr)
def test_what_is_no_fitted_segmenter_is_named_in_one_line(wrong):
    customers = xseg.make_customers(100, random_state=0)
    policy = xseg.datasets.customers_policy()
    ledger = Ledger()
    calls = [
        lambda: erase(wrong, customers.head(1), remaining=customers.iloc[1:]),
        lambda: xseg.governance.reviews.review(wrong, policy=policy, random_state=0),
        lambda: xseg.segment_card(wrong, segment=0),
        lambda: xseg.governance.rights.Profile(
            wrong, customers.head(1), policy=policy, ledger=ledger, subject="ann", purpose="offers"
        ),
        lambda: FitRecord.from_fit(wrong, customers, ids=customers.index, key=KEY),
        lambda: xseg.metrics.drift(wrong, customers),
        lambda: xseg.metrics.stability(wrong, customers),
        lambda: xseg.explanations.NearestChangeFinder(wrong),
        lambda: xseg.explanations.build_portable_model(wrong, minimum_group_size=0.0),
    ]
    for call in calls:
        with pytest.raises((UnsupportedTypeError, NotFittedError)) as caught:
            call()
        assert isinstance(caught.value, XsegError)
        assert "\n" not in str(caught.value)
        assert type(wrong).__name__ in str(caught.value)


def test_what_cannot_be_taken_out_is_refused(customers):
    with pytest.raises(NotFittedError):
        erase(xseg.TreeSegmenter(), customers.head(1), remaining=customers.iloc[1:])
    weighted = xseg.TreeSegmenter(3, random_state=0).fit(customers, sample_weight=np.linspace(0.5, 2, len(customers)))
    with pytest.raises(ParameterError, match="weights"):
        erase(weighted, customers.head(1), remaining=customers.iloc[1:])
    y = (customers["spend_year"] > 100).to_numpy()
    outcome = xseg.OutcomeSegmenter(3, random_state=0).fit(customers, y)
    with pytest.raises(UnsupportedTypeError, match="remaining"):
        erase(outcome, customers.head(1))
    assert not erase(outcome, customers.head(1), remaining=customers.iloc[1:], y=y[1:]).refit_due


def test_the_id_is_in_no_card_any_more(tmp_path):
    customers = xseg.make_customers(400, random_state=0)
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    ids = [f"person.{number}/x" for number in range(40)]
    forms = ["html", "json", "email", "jsonl", "parquet"]
    write_cards(segmenter, customers.head(40), folder=tmp_path, ids=ids, forms=forms)
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
        write_cards(segmenter, customers.head(40), folder=tmp_path, ids=ids, forms=forms)
    assert remove_cards(tmp_path, [ids[7]]) == 0
    with pytest.raises(DataError, match="holds no cards"):
        remove_cards(tmp_path / "..", ids)
