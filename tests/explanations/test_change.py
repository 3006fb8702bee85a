"""Why somebody moved: equal to the enumeration of every coalition of the two dates' features, and it adds up."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, UnsupportedTypeError

SEGMENTERS = {
    "tree": lambda: xseg.TreeSegmenter(4, max_leaves=8, random_state=0),
    "surrogate": lambda: xseg.SurrogateSegmenter(xseg.PrototypeSegmenter(3, random_state=0), random_state=0),
    "gower": lambda: xseg.PrototypeSegmenter(3, metric="gower", random_state=0),
    "quantile": lambda: xseg.PrototypeSegmenter(3, metric="manhattan", scaling="quantile", random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, random_state=0),
    "rules": lambda: xseg.RuleSegmenter({"busy": "orders > 3", "rich": "spend >= 250.5 or balance <= -1"}),
    "outcome": lambda: xseg.OutcomeSegmenter(5, random_state=0),
}
BOXES = {"tree", "surrogate", "rules", "outcome"}


def shapley_of_two(worth, n_columns):
    """Shapley values of a game given as a function of the set of columns that have changed."""
    everyone = range(n_columns)
    sets = [frozenset(s) for size in range(n_columns + 1) for s in combinations(everyone, size)]
    worths = dict(zip(sets, map(float, worth(sets)), strict=True))
    phi = np.zeros(n_columns)
    for j in everyone:
        for coalition in sets:
            if j not in coalition:
                size = len(coalition)
                weight = factorial(size) * factorial(n_columns - size - 1) / factorial(n_columns)
                phi[j] += weight * (worths[coalition | {j}] - worths[coalition])
    return phi


def brute_force(model, then, now, explained):
    names = list(now.columns)

    def worth(sets):
        rows = [[(now if name in {names[j] for j in s} else then)[name].iloc[0] for name in names] for s in sets]
        return explained(pd.DataFrame(rows, columns=names).astype(now.dtypes.to_dict()))

    return shapley_of_two(worth, len(names))


def outcome_of(table):
    """What an outcome segmenter estimates; the others make nothing of it."""
    return 2.0 * (table["orders"] > 2) + (table["spend"] > 80)


@pytest.fixture(params=SEGMENTERS)
def kind(request):
    return request.param


def two_dates(n_rows=400):
    table = mixed_table(n_rows, 3)
    order = np.random.default_rng(0).permutation(n_rows)
    return table, table.iloc[order].reset_index(drop=True)


def what_is_explained(kind, segmenter, row, old, new):
    """Membership in the new segment, or how far it leads the old one (the runner-up for who stayed)."""
    if kind in BOXES:
        return lambda rows: segmenter.predict(rows) == new

    def margin(rows):
        scores = segmenter.model_.score(segmenter.read_rows(rows))
        ranked = np.argsort(-segmenter.model_.score(segmenter.read_rows(row))[0], kind="stable")
        return scores[:, new] - scores[:, old if old != new else ranked[1]]

    return margin


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_equal_to_every_coalition(kind):
    then, now = two_dates()
    segmenter = SEGMENTERS[kind]().fit(then, outcome_of(then))
    found = xseg.change(segmenter, now, before=then)
    assert found.has_moved.any()
    for i in range(0, 400, 23):
        explained = what_is_explained(kind, segmenter, now.iloc[[i]], found.before[i], found.after[i])
        phi = brute_force(segmenter, then.iloc[[i]], now.iloc[[i]], explained)
        assert_allclose(found.values[i], phi, atol=1e-9)


def test_contributions_add_up_to_the_change(kind):
    then, now = two_dates()
    segmenter = SEGMENTERS[kind]().fit(then, outcome_of(then))
    found = xseg.change(segmenter, now, before=then)
    assert_array_equal(found.before, segmenter.predict(then))
    assert_array_equal(found.after, segmenter.predict(now))
    assert_allclose(found.values.sum(axis=1), found.after_values - found.before_values, atol=1e-9)
    if kind in BOXES:
        assert_array_equal(found.after_values - found.before_values, found.has_moved.astype(float))
    same = xseg.change(segmenter, then, before=then)
    assert not same.has_moved.any()
    assert not same.values.any()


def test_a_feature_that_did_not_change_has_no_part(kind):
    then, now = two_dates()
    segmenter = SEGMENTERS[kind]().fit(then, outcome_of(then))
    found = xseg.change(segmenter, now.assign(spend=then["spend"]), before=then)
    assert not found.values[:, found.feature_names.index("spend")].any()


def test_going_back_turns_every_sign_of_a_pair_of_segments():
    then, now = two_dates()
    segmenter = xseg.TreeSegmenter(2, max_leaves=2, random_state=0).fit(then)
    there, back = xseg.change(segmenter, now, before=then), xseg.change(segmenter, then, before=now)
    assert_allclose(there.values[there.has_moved], back.values[back.has_moved], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["column", "index", "polars"])
def test_people_are_found_by_their_ids(kind, form):
    then, now = two_dates()
    segmenter = SEGMENTERS[kind]().fit(then, outcome_of(then))
    expected = xseg.change(segmenter, now, before=then)
    order = np.random.default_rng(1).permutation(len(now))[:300]
    who = np.array([f"c{i}" for i in range(len(now))])
    first, second = then.assign(who=who).iloc[50:], now.assign(who=who).iloc[order]
    if form == "index":
        first, second = first.set_index("who"), second.set_index("who")
    if form == "polars":
        first, second = pl.from_pandas(first), pl.from_pandas(second)
    found = xseg.change(segmenter, second, before=first, id_column="who")
    kept = order[order >= 50]
    assert_array_equal(found.ids, who[kept])
    assert_array_equal(found.values, expected.values[kept])
    assert_array_equal(found.before, expected.before[kept])
    assert_array_equal(found.before_rows, kept - 50)
    assert set(found.only_after) == set(who[order[order < 50]])
    assert set(found.only_before) == set(who[50:]) - set(who[order])


def test_pipelines_fold_back_to_raw_columns():
    then, now = two_dates()
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["orders", "spend", "balance"]),
        (OneHotEncoder(sparse_output=False), ["channel"]),
        (OrdinalEncoder(), ["age"]),
        remainder="passthrough",
    )
    pipeline = make_pipeline(encode, xseg.TreeSegmenter(4, max_leaves=8, random_state=0)).fit(then)
    found = xseg.change(pipeline, now, before=then)
    assert found.feature_names == tuple(then.columns)
    for i in range(0, 400, 40):
        new = found.after[i]
        phi = brute_force(pipeline, then.iloc[[i]], now.iloc[[i]], lambda rows, new=new: pipeline.predict(rows) == new)
        assert_allclose(found.values[i], phi, atol=1e-12)


def test_what_cannot_be_aligned_is_refused(fitted, mixed):
    with pytest.raises(DataError, match="give id_column"):
        xseg.change(fitted, mixed.head(3), before=mixed)
    named = mixed.assign(who=range(len(mixed)))
    with pytest.raises(DataError, match=r"column of .before. .* got 'wo'.*'who'"):
        xseg.change(fitted, named, before=named, id_column="wo")
    with pytest.raises(DataError, match="more than once"):
        xseg.change(fitted, named, before=named.assign(who=1), id_column="who")
    with pytest.raises(DataError, match="row 2"):
        xseg.change(fitted, named.assign(who=named["who"].where(named["who"] != 2)), before=named, id_column="who")
    with pytest.raises(DataError, match="must have ids in common"):
        xseg.change(fitted, named.assign(who=named["who"].astype(str)), before=named, id_column="who")
    X = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(UnsupportedTypeError, match="may mix columns"):
        xseg.change(make_pipeline(PCA(2), xseg.TreeSegmenter(2)).fit(X), X, before=X)
