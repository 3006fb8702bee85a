"""Outcomes are told honestly: of people who had no part in choosing the segments."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, f_oneway, ttest_ind
from sklearn.base import clone

import xseg
from conftest import arrays_inside
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters._outcome_search import difference_test, read_target, split_rows


def shop(n_rows=4_000, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "visits": rng.poisson(3, n_rows).astype(float),
            "city": rng.choice(["north", "south", "east"], n_rows),
            "noise": rng.normal(size=n_rows),
        }
    )
    X.loc[rng.random(n_rows) < 0.1, "visits"] = np.nan
    chance = 0.1 + 0.5 * (X["age"] > 50) + 0.3 * (X["city"] == "south")
    return X, chance, rng


def binary(seed=0):
    X, chance, rng = shop(seed=seed)
    return X, np.where(rng.random(len(X)) < chance, "yes", "no"), chance


def test_the_columns_that_matter_are_asked_about_and_no_other():
    X, y, chance = binary()
    found = xseg.OutcomeSegmenter(6, random_state=0).fit(X, y)
    assert {X.columns[j] for j in found.tree_.used_features} == {"age", "city"}
    assert found.structure_found_
    assert found.outcome_kind_ == "binary"
    assert found.classes_ == ("no", "yes")
    told = found.segments_.to_frame()
    assert told["yes"].is_monotonic_decreasing
    for segment in found.segments_:
        true = chance[found.labels_ == segment.index].mean()
        assert abs(segment.outcomes[0].estimate - true) < 0.06
    assert 0.05 < found.gain_ < 0.5
    assert found.score(X, y) == pytest.approx(found.gain_, abs=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = []
    for seed in range(25):
        X, y, chance = binary(seed)
        found = xseg.OutcomeSegmenter(5, confidence=0.9, random_state=seed).fit(X, y)
        for segment in found.segments_:
            true = chance[found.labels_ == segment.index].mean()
            held.append(segment.outcomes[0].low <= true <= segment.outcomes[0].high)
    assert len(held) > 60
    assert binomtest(sum(held), len(held), 0.9, alternative="less").pvalue > 0.001


@pytest.mark.slow
def test_noise_is_called_noise():
    claims = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(400, 5)), rng.integers(0, 2, 400)
        claims += xseg.OutcomeSegmenter(random_state=seed).fit(X, y).structure_found_
    assert claims <= 5


def test_numbers_and_categories():
    X, chance, rng = shop()
    spend = 100 * chance + rng.normal(size=len(X))
    found = xseg.OutcomeSegmenter(8, random_state=0).fit(X, spend)
    assert found.outcome_kind_ == "number"
    assert found.gain_ > 0.9
    assert found.segments_.to_frame()["outcome"].is_monotonic_decreasing
    kinds = np.where(X["age"] > 60, "c", np.where(X["city"] == "north", "a", "b"))
    found = xseg.OutcomeSegmenter(8, random_state=0).fit(X, kinds)
    assert found.outcome_kind_ == "categories"
    assert found.gain_ > 0.95
    told = found.segments_.to_frame()
    np.testing.assert_allclose(told[["a", "b", "c"]].sum(axis=1), 1)


def test_outcomes_of_people_who_grew_or_pruned_do_not_move_the_estimates():
    X, y, _ = binary()
    found = xseg.OutcomeSegmenter(5, random_state=0).fit(X, y)
    seed = int(np.random.RandomState(0).randint(np.iinfo(np.int32).max))
    codes = found.profile_.bins.encode(found.read_rows(X))
    target = read_target(y, len(X))
    part = split_rows(codes, target.values, np.ones(len(X), dtype=np.int64), 1.0, 0.4, seed).argmax(axis=1)
    for segment in found.segments_:
        own = (found.labels_ == segment.index) & (part == 2)
        assert segment.outcomes[0].n == own.sum()
        assert segment.outcomes[0].estimate == pytest.approx((y[own] == "yes").mean())
        assert min(((found.labels_ == segment.index) & (part == p)).sum() for p in range(3)) >= 0.02 * min(
            (part == p).sum() for p in range(3)
        )
    assert np.bincount(part) / len(X) == pytest.approx([0.4, 0.2, 0.4], abs=0.03)


def test_order_threads_and_weights_do_not_matter():
    X, y, _ = binary()
    some = X.head(900).reset_index(drop=True)
    y = y[:900]
    order = np.random.default_rng(0).permutation(900)
    found = xseg.OutcomeSegmenter(5, random_state=0).fit(some, y)
    moved = xseg.OutcomeSegmenter(5, random_state=0, n_jobs=1).fit(some.iloc[order], y[order])
    assert (found.labels_[order] == moved.labels_).all()
    assert found.segments_.to_frame().equals(moved.segments_.to_frame())
    left_out = np.arange(900) % 3 > 0
    weighed = xseg.OutcomeSegmenter(5, random_state=0).fit(some, y, sample_weight=left_out.astype(int))
    alone = xseg.OutcomeSegmenter(5, random_state=0).fit(some[left_out], y[left_out])
    assert [s.outcomes for s in weighed.segments_] == [s.outcomes for s in alone.segments_]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["up", "down"]))
def test_what_the_tree_expects_keeps_its_direction(seed, direction):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.integers(0, 12, (600, 3)).astype(float), columns=list("abc"))
    y = np.sin(X["a"]) + X["b"] / 6 + rng.normal(size=600) * 0.2
    found = xseg.OutcomeSegmenter(8, monotone={"a": direction}, random_state=seed).fit(X, y)
    seed = int(np.random.RandomState(seed).randint(np.iinfo(np.int32).max))
    codes = found.profile_.bins.encode(found.read_rows(X))
    target = read_target(y, 600)
    part = split_rows(codes, target.values, np.ones(600, dtype=np.int64), 1.0, 0.4, seed).argmax(axis=1)
    expected = np.array([y[(found.labels_ == s) & (part == 0)].mean() for s in range(found.n_segments_)])
    sign = 1 if direction == "up" else -1
    for other in range(0, 600, 40):
        line = pd.DataFrame({"a": np.arange(12.0), "b": X["b"][other], "c": X["c"][other]})
        assert (sign * np.diff(expected[found.predict(line)]) >= -1e-9).all()


@pytest.mark.parametrize("kind", ["binary", "number", "categories"])
def test_files_explanations_cards_and_reports(kind, tmp_path):
    X, chance, rng = shop(1_500)
    y = {
        "binary": rng.random(len(X)) < chance,
        "number": chance + rng.normal(size=len(X)) * 0.1,
        "categories": np.where(X["age"] > 60, "c", np.where(X["city"] == "north", "a", "b")),
    }[kind]
    found = xseg.OutcomeSegmenter(5, random_state=0).fit(X, y)
    xseg.save(found, tmp_path / "model.json")
    again = xseg.load(tmp_path / "model.json")
    assert (again.predict(X) == found.labels_).all()
    assert again.segments_.to_frame().equals(found.segments_.to_frame())
    assert again.score(X, y) == found.score(X, y)
    explanation = xseg.explain(again, X.head(50))
    np.testing.assert_allclose(explanation.base_values + explanation.values.sum(axis=1), 1)
    assert xseg.make_cards(again, X.head(1))[0].segment.index == found.labels_[0]
    assert xseg.make_report(again).html().startswith("<!doctype html>")
    assert xseg.Scorer(again)(X.iloc[0].to_dict()).segment == found.labels_[0]
    assert not any(len(array) == len(X) for array in arrays_inside(again))


def test_differences_are_tested_as_scipy_tests_them():
    rng = np.random.default_rng(0)
    y = rng.normal(size=90) + np.repeat([0, 0.4], 45)
    target, groups = read_target(y, 90), [np.arange(45), np.arange(45, 90)]
    found = difference_test(target, groups, np.ones(90))
    assert found == pytest.approx(ttest_ind(y[:45], y[45:], equal_var=False).pvalue)
    assert difference_test(target, groups[:1], np.ones(90)) == 1
    flat = read_target(np.r_[np.zeros(30), np.ones(30), np.arange(30.0)], 90)
    thirds = [np.arange(30), np.arange(30, 60), np.arange(60, 90)]
    values = flat.values[:, 0]
    assert difference_test(flat, thirds, np.ones(90)) == pytest.approx(f_oneway(*(values[g] for g in thirds)).pvalue)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (None, "requires y"),
        (["a"] * 40, "1 class"),
        ([1.0] * 39 + [np.nan], "row 39 is missing"),
        ([1.0, 2.0, 3.0] * 13 + [np.inf], "infinite"),
        ([0, 1], "40 rows, got 2"),
        ([[0, 1]] * 40, "one value for each row"),
    ],
)
def test_outcomes_that_cannot_be_used(y, says):
    with pytest.raises(DataError, match=says):
        xseg.OutcomeSegmenter().fit(np.random.default_rng(0).normal(size=(40, 2)), y)


def test_parameters_that_cannot_be_used():
    X, y, _ = binary()
    with pytest.raises(ParameterError, match="monotone"):
        xseg.OutcomeSegmenter(monotone={"city": "up"}).fit(X, y)
    with pytest.raises(ParameterError, match="monotone"):
        xseg.OutcomeSegmenter(monotone={"age": "up"}).fit(X, X["city"])
    with pytest.raises(ParameterError, match="backend"):
        xseg.OutcomeSegmenter().fit(xseg.backends.MemoryBackend(X), y)
    with pytest.raises(DataError, match="those of the fit were"):
        xseg.OutcomeSegmenter(random_state=0).fit(X, y).score(X, np.arange(len(X)))


def test_it_can_be_copied():
    X, y, _ = binary()
    one = xseg.OutcomeSegmenter(4, random_state=0)
    assert (clone(one).fit(X, y).labels_ == one.fit(X, y).labels_).all()
    assert (clone(one).fit_predict(X, y) == one.labels_).all()


def test_equal_people_are_spread_over_the_parts():
    codes, said = np.zeros((1_000, 2), dtype=np.uint8), np.zeros((1_000, 1))
    ones = np.ones(1_000, dtype=np.int64)
    parts = split_rows(codes, said, ones, 1.0, 0.4, 7)
    assert parts.sum(axis=0) == pytest.approx([400, 200, 400], abs=2)
    assert (parts.sum(axis=1) == 1).all()
    weights = np.r_[np.full(10, 90), np.full(10, 10), np.zeros(980, dtype=int)]
    weighed = split_rows(codes, said, weights, 1.0, 0.4, 7)
    assert (weighed.sum(axis=0) == parts.sum(axis=0)).all()
    assert (weighed.sum(axis=1) == weights).all()
    whole = split_rows(codes, said, weights, 2.0, 0.4, 7)
    assert ((whole > 0).sum(axis=1) == (weights > 0)).all()
