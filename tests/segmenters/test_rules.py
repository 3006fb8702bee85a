"""Rules written by people: membership is exactly what they say, and everything else follows as for any segmenter."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import naive
import xseg
from conftest import arrays_inside, mixed_table
from rule_cases import CATEGORIES, rows_of, rules, table_of, text_of
from xseg.core.tables import read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.segmenters._rfm_rules import RFM_SEGMENTS


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(1_500, random_state=0)
    given = {
        "Regulars": 'orders_90d >= 3 and spend_year > 250 or channel == "app"',
        "Quiet": "not orders_90d >= 1 and spend_year <= 100",
        "Givers": ["newsletter is yes and tenure_months > 60", {"favourite_category": ["crime", "travel"]}],
    }
    return customers, xseg.RuleSegmenter(given).fit(customers)


@pytest.mark.slow
@given(st.lists(rules(leaves=4), min_size=1, max_size=4), st.integers(0, 999))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_membership_is_exactly_the_first_rule_that_holds(given, seed):
    table = table_of(150, seed)
    named = [(f"S{place}", text_of(rule)) for place, rule in enumerate(given)]
    try:
        segmenter = xseg.RuleSegmenter(named, n_jobs=1).fit(table)
    except ParameterError:
        # Rules that each are the first for somebody are never refused.
        assert {naive.first_rule(given, row) for row in rows_of(table)} != set(range(len(given)))
        return
    names = [*(name for name, _ in named), "Everyone else"]
    other = table_of(150, seed + 1, strangers=["never seen"])
    for rows, told in ((table, segmenter.labels_), (other, segmenter.predict(other))):
        expected = [names[naive.first_rule(given, row)] for row in rows_of(rows, unknown={"never seen"})]
        assert [segmenter.segment_names_[label] for label in told] == expected
    columns = {column.name: column for column in read_table(table).columns}
    for segment in segmenter.segments_:
        held = sum(rule.holds(columns, len(table)).astype(int) for rule in segment.rules)
        assert (held == (segmenter.labels_ == segment.index)).all()
    values = xseg.explain(segmenter, other, of="all")
    np.testing.assert_allclose(values.values.sum(axis=1) + values.base_values, segmenter.transform(other), atol=1e-9)


def test_explanations_are_the_enumeration_of_every_coalition():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (40, 3)).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    segmenter = xseg.RuleSegmenter({"A": "x0 > 2 or x1 == 3", "B": "not x2 < 4 and x0 != 1"}).fit(X)
    explained = xseg.explain(segmenter, X, of="all").values
    for row in range(10):
        values, _ = naive.shapley_values(segmenter.transform, X[row], X, None, 3)
        np.testing.assert_allclose(explained[row], values, atol=1e-12)


def test_profile_and_sizes_are_counts(shop):
    customers, segmenter = shop
    for segment in segmenter.segments_:
        assert segment.size == (segmenter.labels_ == segment.index).sum()
    weights = np.random.default_rng(0).integers(0, 4, len(customers))
    weighted = xseg.RuleSegmenter(segmenter.rules).fit(customers, sample_weight=weights)
    repeated = xseg.RuleSegmenter(segmenter.rules).fit(customers.loc[customers.index.repeat(weights)])
    assert np.array_equal(weighted.profile_.counts, repeated.profile_.counts)
    for one, other in zip(weighted.model_.population, repeated.model_.population, strict=True):
        assert np.array_equal(one.weight, other.weight)


def test_batches_threads_and_order_change_nothing(shop):
    customers, segmenter = shop
    parts = [customers.iloc[start:stop] for start, stop in pairwise([0, 1, 700, 1_500])]
    batched = xseg.RuleSegmenter(segmenter.rules, n_jobs=2).fit(xseg.backends.BatchBackend(parts))
    mixed = xseg.RuleSegmenter(segmenter.rules).fit(customers.sample(frac=1, random_state=0))
    for other in (batched, mixed):
        assert np.array_equal(other.profile_.counts, segmenter.profile_.counts)
        for one, another in zip(other.model_.population, segmenter.model_.population, strict=True):
            assert np.array_equal(one.pattern, another.pattern)
            assert np.array_equal(one.weight, another.weight)
    assert (batched.labels_ == segmenter.labels_).all()


def test_thresholds_are_not_rounded():
    X = np.array([[29.999999], [30.0], [np.nextafter(30, 31)], [31]])
    for rule, expected in (("x0 <= 30", [0, 0, 1, 1]), ("x0 < 30", [0, 1, 1, 1]), ("x0 == 30", [1, 0, 1, 1])):
        segmenter = xseg.RuleSegmenter({"A": rule}).fit(X)
        assert segmenter.labels_.tolist() == expected
    assert str(xseg.RuleSegmenter({"A": "x0 <= 30"}).fit(X).segments_[0].rule) == "x0 <= 30"
    assert str(xseg.RuleSegmenter({"A": "5 < x0 <= 30"}).fit(X).segments_[0].rule) == "5 < x0 <= 30"
    assert str(xseg.RuleSegmenter({"A": "x0 == 30"}).fit(X).segments_[0].rule) == "x0 is 30"
    assert xseg.RuleSegmenter({"A": "x0 > 0"}).fit(np.array([[0.0], [5e-324], [-0.0]])).labels_.tolist() == [1, 0, 1]


def test_ordered_categories_are_categories(mixed):
    segmenter = xseg.RuleSegmenter({"Ends": 'age in {"18-34", "55+"}', "Not old": 'age != "55+" and orders > 2'})
    segmenter.fit(mixed)
    age, orders = mixed["age"].astype(str), mixed["orders"]
    expected = np.where(age.isin(["18-34", "55+"]), 0, np.where(orders > 2, 1, 2))
    assert (segmenter.labels_ == expected).all()
    assert segmenter.segments_["Ends"].rule == "age is 18-34; or age is 55+"
    with pytest.raises(ParameterError, match="compares numbers"):
        xseg.RuleSegmenter({"A": "age > '18-34'"}).fit(mixed)


def test_rules_in_a_pipeline_explain_raw_columns():
    X = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0)[::-1], "c": 1.0})
    pipeline = make_pipeline(StandardScaler(), xseg.RuleSegmenter({"High": "x0 > 0 and x1 < 0.5"})).fit(X)
    explained = xseg.explain(pipeline, X)
    assert explained.feature_names == ["a", "b", "c"]
    np.testing.assert_allclose(explained.base_values + explained.values.sum(axis=1), 1)
    assert (pipeline.predict(X) == np.where(X["a"] > 24.5, 0, 1)).all()


def test_many_thresholds_stay_exact():
    ends = np.random.default_rng(0).normal(size=120).round(2)
    named = [(f"S{place}", f"{end} < x0 <= {end + 0.01}") for place, end in enumerate(np.unique(ends))]
    X = np.concatenate([ends, np.nextafter(ends, 9), np.nextafter(ends, -9), ends + 0.01])[:, None]
    rules_of = [("and", (">", "x0", end), ("<=", "x0", end + 0.01)) for end in np.unique(ends)]
    told = xseg.RuleSegmenter(named).fit(X)
    expected = [naive.first_rule(rules_of, {"x0": value}) for value in X[:, 0]]
    assert told.labels_.tolist() == expected


def test_segments_stand_in_the_order_of_the_rules():
    X = np.arange(10.0)[:, None]
    segmenter = xseg.RuleSegmenter([("B", "x0 > 8"), ("A", "x0 > 4"), ("B", "x0 < 2")], default="A").fit(X)
    assert segmenter.segment_names_ == ("B", "A")
    assert segmenter.labels_.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 0]
    assert xseg.RuleSegmenter().fit(X).segment_names_ == ("Everyone else",)
    all_told = xseg.RuleSegmenter({"A": "x0 > 4", "B": "not x0 > 4"})
    assert all_told.fit(X).segment_names_ == ("A", "B")
    assert all_told.set_params(default=None).fit(X).segment_names_ == ("A", "B")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"rules": {"A": "x0 > 5 and x0 < 5"}}, "contradict each other"),
        ({"rules": {"A": "x0 > 5", "B": "x0 > 6"}}, "rules before it win all"),
        ({"rules": {"A": "x0 > 5"}, "default": None}, "none describes those with x0 <= 5"),
        ({"rules": {"A": "x9 > 5"}}, "no column 'x9'"),
        ({"rules": {"A": "x0 == 'a'"}}, "holds numbers"),
        ({"rules": {"A": {"x0": list(range(200))}}}, "254 thresholds per column"),
    ],
)
def test_rules_that_cannot_be_are_refused(parameters, problem):
    with pytest.raises(ParameterError, match=problem):
        xseg.RuleSegmenter(**parameters).fit(np.arange(12.0).reshape(6, 2))


@pytest.mark.slow
def test_rules_that_fall_into_too_many_boxes_are_refused():
    X = np.zeros((3, 14))
    rule = " and ".join(f"(x{j} < 0 or x{j} in {{1, 3, 5}})" for j in range(14))
    with pytest.raises(ParameterError, match="boxes"):
        xseg.RuleSegmenter({"A": rule}).fit(X)
    either = " or ".join(f"x{j} > {j}" for j in range(14))
    assert len(xseg.RuleSegmenter({"A": either}).fit(X).model_.boxes) <= 15


def test_other_mistakes(shop):
    customers, segmenter = shop
    for parameters in ({"rules": "a > 5"}, {"rules": 5}, {"default": 5}, {"n_jobs": 0}):
        with pytest.raises(ParameterError):
            xseg.RuleSegmenter(**parameters).fit(customers)
    with pytest.raises(ParameterError, match="did you mean 'channel'"):
        xseg.RuleSegmenter({"A": "chanel == 'web'"}).fit(customers)
    with pytest.raises(ParameterError, match="give the text in quotes"):
        xseg.RuleSegmenter({"A": "channel == 5"}).fit(customers)
    with pytest.warns(xseg.XsegWarning, match="'wbe' of column 'channel'; did you mean 'web'"):
        xseg.RuleSegmenter({"A": "channel == 'wbe'"}).fit(customers)
    with pytest.raises(NotFittedError):
        xseg.RuleSegmenter({"A": "channel == 'web'"}).predict(customers)
    with pytest.raises(DataError):
        segmenter.predict(customers.drop(columns="channel"))
    with pytest.raises(ParameterError, match="sample_weight must be None"):
        xseg.RuleSegmenter().fit(xseg.backends.MemoryBackend(customers), sample_weight=np.ones(len(customers)))


def test_columns_without_any_value_take_the_kind_of_the_rules():
    table = pd.DataFrame({"a": [1.0, 2.0], "empty": [np.nan, np.nan], "blank": pd.Series([None, None], dtype=object)})
    segmenter = xseg.RuleSegmenter({"A": "empty > 5", "B": "blank == 'x'", "C": "a > 1 and blank is missing"})
    segmenter.fit(table)
    later = pd.DataFrame({"a": [0.0, 0.0, 3.0], "empty": [6.0, 1.0, 1.0], "blank": ["y", "x", None]})
    assert segmenter.predict(later).tolist() == [0, 1, 2]


@pytest.mark.parametrize("max_leaves", [4, 9])
def test_a_tree_written_down_and_read_again_gives_the_same_labels(mixed, max_leaves):
    tree = xseg.TreeSegmenter(4, max_leaves=max_leaves, max_depth=8, random_state=0).fit(mixed)
    segmenter = xseg.RuleSegmenter.from_tree(tree)
    assert list(segmenter.rules) == list(tree.segment_names_)
    assert all(isinstance(rule, str) for rule in segmenter.rules.values())
    segmenter.fit(mixed)
    assert (segmenter.labels_ == tree.labels_).all()
    other = mixed_table(400, seed=5)
    other["channel"] = other["channel"].cat.add_categories("fax")
    other.loc[::7, "channel"] = "fax"
    other["age"] = other["age"].cat.add_categories("under 18")
    other.loc[::11, "age"] = "under 18"
    assert (segmenter.predict(other) == tree.predict(other)).all()
    # Fitted on rows with a category that the tree never saw, it still goes where the tree sends it.
    assert (xseg.RuleSegmenter.from_tree(tree).set_params(default=None).fit(other).labels_ == tree.predict(other)).all()
    one = xseg.TreeSegmenter(1, random_state=0).fit(mixed)
    assert xseg.RuleSegmenter.from_tree(one).rules == {one.segment_names_[0]: "everyone"}


def test_only_boxes_become_rules():
    with pytest.raises(NotFittedError):
        xseg.RuleSegmenter.from_tree(xseg.TreeSegmenter())
    with pytest.raises(UnsupportedTypeError, match="dict"):
        xseg.RuleSegmenter.from_tree({})


def test_saved_rules_answer_the_same(shop, tmp_path):
    customers, segmenter = shop
    xseg.save(segmenter, tmp_path / "rules.json")
    again = xseg.load(tmp_path / "rules.json")
    assert (again.predict(customers) == segmenter.labels_).all()
    assert np.array_equal(
        xseg.explain(again, customers, of="all").values, xseg.explain(segmenter, customers, of="all").values
    )
    assert again.segments_.to_frame().equals(segmenter.segments_.to_frame())
    assert xseg.export.fingerprint(again) == xseg.export.fingerprint(segmenter)
    assert again.rules_ == segmenter.rules_
    for copy in (pickle.loads(pickle.dumps(segmenter)), xseg.RuleSegmenter(list(again.rules_)).fit(customers)):
        assert (copy.predict(customers) == segmenter.labels_).all()


def test_cards_reports_and_the_scorer_know_rules(shop):
    customers, segmenter = shop
    cards = xseg.make_cards(segmenter, customers, policy=xseg.datasets.customers_policy())
    for card, label in zip(cards, segmenter.labels_, strict=True):
        assert card.segment.index == label
        for reason in card.reasons:
            if reason.limits is not None and reason.value is not None:
                value, limits = reason.value, reason.limits
                if limits.categories is not None:
                    assert value in limits.categories
                else:
                    assert limits.lower is None or value >= limits.lower
                    assert limits.upper is None or value < limits.upper
    scorer, explained = xseg.Scorer(segmenter), xseg.explain(segmenter, customers.head(100))
    for row in range(100):
        found = scorer(customers.iloc[row].to_dict())
        assert found.segment == segmenter.labels_[row]
        by_name = {reason.feature: reason.contribution for reason in found.reasons}
        assert [by_name.get(name, 0.0) for name in customers.columns] == explained.values[row].tolist()
    html = xseg.make_report(segmenter).html()
    for name, rule in segmenter.rules_:
        assert name in html
        assert rule.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;").replace('"', "&#34;") in html


def test_cards_say_at_most_and_above():
    X = pd.DataFrame({"orders": np.arange(60.0)})
    segmenter = xseg.RuleSegmenter({"Few": "orders <= 4", "Six": "orders == 6", "Many": "orders > 30"}).fit(X)
    cards = xseg.make_cards(segmenter, X)
    for row, words in {0: "at most 4", 6: "exactly 6", 40: "at least 31"}.items():
        assert f"The rule of this group: {words}." in cards[row].text()
    spent = pd.DataFrame({"spend": np.arange(60.0) + 0.25})
    dearer = xseg.RuleSegmenter({"More": "spend > 30"}).fit(spent)
    assert "The rule of this group: above 30." in xseg.make_cards(dearer, spent)[40].text()


def test_no_fitted_rules_hold_a_row(shop):
    customers, segmenter = shop
    for array in arrays_inside({key: value for key, value in vars(segmenter).items() if key != "labels_"}):
        assert len(customers) not in array.shape


@pytest.mark.realdata
def test_rfm_segments_of_real_customers(shared_data):
    lines = pd.read_parquet(shared_data / "online_retail.parquet")
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    with pytest.warns(xseg.XsegWarning):
        table = xseg.rfm_table(lines, customer="CustomerID", date="InvoiceDate", amount="amount", order="InvoiceNo")
    segmenter = xseg.RuleSegmenter.rfm(table).fit(table)
    assert list(segmenter.rules) == list(RFM_SEGMENTS)
    assert all(segment.size > 0 for segment in segmenter.segments_)
    champions = table[segmenter.labels_ == 0]
    for column, best in (("recency_days", "low"), ("frequency", "high"), ("monetary", "high")):
        median = table[column].median()
        assert (champions[column] <= median).all() if best == "low" else (champions[column] >= median).all()
    assert table["recency_days"][table["recency_days"].isna()].index.isin(table.index[segmenter.labels_ == 10]).all()


def test_rfm_scores_that_nobody_has_leave_segments_out():
    table = pd.DataFrame({"recency_days": np.arange(100.0), "frequency": [1.0] * 100, "monetary": [5.0] * 100})
    with pytest.warns(xseg.XsegWarning, match="'frequency' .1. and of column 'monetary' .5."):
        segmenter = xseg.RuleSegmenter.rfm(table)
    assert "Champions" in segmenter.rules
    assert segmenter.fit(table).n_segments_ >= 2
    with pytest.raises(xseg.XsegError, match="did you mean 'frequency'"):
        xseg.RuleSegmenter.rfm(table, frequency="frequenzy")
    with pytest.raises(xseg.XsegError, match="must hold numbers"):
        xseg.RuleSegmenter.rfm(table.assign(frequency="a"))


def test_categories_named_only_in_rules_are_known_when_they_come():
    table = table_of(200, 0)
    with pytest.warns(xseg.XsegWarning, match="'fax'"):
        segmenter = xseg.RuleSegmenter({"A": "channel == 'fax'", "B": "channel is known"}).fit(table)
    later = table.head(3).assign(channel=["fax", "telex", CATEGORIES["channel"][0]])
    assert segmenter.predict(later).tolist() == [0, 2, 1]
