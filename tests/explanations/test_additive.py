"""Explanations of additive scores are exact: equal to the enumeration of every coalition, and they add up."""

import numpy as np
import pandas as pd
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import naive
import xseg
from conftest import mixed_table
from xseg.exceptions import NotFittedError, UnsupportedTypeError
from xseg.explanations import explain_row

SEGMENTERS = {
    "gower": lambda: xseg.PrototypeSegmenter(3, metric="gower", random_state=0),
    "manhattan": lambda: xseg.PrototypeSegmenter(3, metric="manhattan", scaling="quantile", random_state=0),
    "squared": lambda: xseg.PrototypeSegmenter(3, metric="squared", random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, random_state=0),
}


def scores_of(model, rows):
    """The scores as the public methods tell them: minus distances, or logarithms of the joint density."""
    segmenter = model[-1] if hasattr(model, "steps") else model
    if isinstance(segmenter, xseg.PrototypeSegmenter):
        return -model.transform(rows)
    given = model[:-1].transform(rows) if hasattr(model, "steps") else rows
    return segmenter.model_.score(segmenter.read_rows(given))


def brute_force(model, row, background, weights=None):
    names = list(background.columns)
    table = background.astype(object).to_numpy()

    def scores(rows):
        return scores_of(model, pd.DataFrame(rows, columns=names).astype(background.dtypes.to_dict()))

    weights = np.ones(len(table)) if weights is None else weights
    return naive.shapley_values(scores, row.astype(object).to_numpy()[0], table, weights, len(names))


@pytest.fixture(params=SEGMENTERS)
def kind(request):
    return SEGMENTERS[request.param]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_to_every_coalition_on_mixed_types_with_missing_values(kind, seed):
    table = mixed_table(120, seed)
    segmenter = kind().fit(table)
    explanation = xseg.explain(segmenter, table, of="all")
    for i in (0, 40, 80):
        phi, base = brute_force(segmenter, table.iloc[[i]], table)
        assert_allclose(explanation.values[i], phi, atol=1e-8)
        assert_allclose(explanation.base_values[i], base, atol=1e-8)


@pytest.mark.slow
def test_weighted_rows_are_a_weighted_background(kind):
    table = mixed_table(100, 4)
    weight = np.random.default_rng(0).integers(0, 4, 100)
    segmenter = kind().fit(table, sample_weight=weight)
    phi, base = brute_force(segmenter, table.iloc[[7]], table, weight)
    explanation = xseg.explain(segmenter, table.iloc[[7]], of="all")
    assert_allclose(explanation.values[0], phi, atol=1e-8)
    assert_allclose(explanation.base_values[0], base, atol=1e-8)


@pytest.mark.slow
def test_another_background_changes_what_not_knowing_means(kind, mixed):
    segmenter = kind().fit(mixed)
    young = mixed[mixed["age"] == "18-34"].head(60).assign(spend=lambda table: table["spend"] * 50)
    explanation = xseg.explain(segmenter, mixed.head(1), of="all", background=young)
    phi, base = brute_force(segmenter, mixed.iloc[[0]], young)
    assert_allclose(explanation.values[0], phi, rtol=1e-8, atol=1e-8)
    assert_allclose(explanation.base_values[0], base, rtol=1e-8, atol=1e-8)


def test_scores_and_margins_are_reached(kind, mixed):
    segmenter = kind().fit(mixed)
    scores = scores_of(segmenter, mixed)
    every = xseg.explain(segmenter, mixed, of="all")
    assert_allclose(every.base_values + every.values.sum(axis=1), scores, atol=1e-9)
    own = xseg.explain(segmenter, mixed)
    best = np.sort(scores, axis=1)
    assert_allclose(own.base_values + own.values.sum(axis=1), best[:, -1] - best[:, -2], atol=1e-9)
    assert (own.base_values + own.values.sum(axis=1) > -1e-9).all()
    rival = np.argsort(-scores, axis=1, kind="stable")[:, 1]
    row = np.arange(len(mixed))
    difference = every.values[row, :, segmenter.labels_] - every.values[row, :, rival]
    assert_allclose(own.values, difference, atol=1e-9)
    for segment, name in enumerate(segmenter.segment_names_):
        one = xseg.explain(segmenter, mixed, of=name)
        assert_array_equal(one.values, every.values[:, :, segment])
        assert_allclose(one.base_values, every.base_values[:, segment], rtol=1e-15)


def test_values_average_out_over_the_population(kind, mixed):
    segmenter = kind().fit(mixed)
    assert_allclose(xseg.explain(segmenter, mixed, of="all").values.mean(axis=0), 0, atol=1e-9)


def make_pipelines():
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["orders", "spend", "balance"]),
        (OneHotEncoder(sparse_output=False), ["channel"]),
        (OrdinalEncoder(), ["age"]),
        remainder="passthrough",
    )
    yield make_pipeline(encode, xseg.PrototypeSegmenter(3, metric="squared", scaling="none", random_state=0))
    yield make_pipeline(encode, xseg.MixtureSegmenter(3, random_state=0))


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", list(make_pipelines()), ids=["prototypes", "mixture"])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_pipelines_fold_back_to_raw_columns(pipeline, output):
    table = mixed_table(100, 5)
    pipeline.set_output(transform=output)
    pipeline.fit(table)
    explanation = xseg.explain(pipeline, table, of="all")
    assert explanation.feature_names == list(table.columns)
    for i in (0, 50):
        phi, base = brute_force(pipeline, table.iloc[[i]], table)
        assert_allclose(explanation.values[i], phi, atol=1e-8)
        assert_allclose(explanation.base_values[i], base, atol=1e-8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["squared", "gower"])
def test_the_model_agnostic_exact_explainer_agrees(name):
    X = np.random.default_rng(0).normal(size=(200, 5))
    segmenter = SEGMENTERS[name]().fit(X)
    masker = shap.maskers.Independent(X, max_samples=200)
    theirs = shap.explainers.Exact(lambda rows: -segmenter.transform(rows), masker)(X[:10])
    ours = xseg.explain(segmenter, X[:10], of="all")
    assert_allclose(ours.values, theirs.values, atol=1e-8)
    assert_allclose(ours.base_values, theirs.base_values, atol=1e-8)


def test_order_of_rows_batches_and_threads_change_nothing(kind, mixed):
    segmenter = kind().fit(mixed)
    order = np.random.default_rng(0).permutation(len(mixed))
    expected = xseg.explain(segmenter, mixed)
    assert_array_equal(xseg.explain(segmenter, mixed.iloc[order]).values, expected.values[order])
    assert_array_equal(xseg.explain(segmenter, mixed.iloc[5:9]).values, expected.values[5:9])
    big = pd.concat([mixed] * 20, ignore_index=True)
    for n_jobs in (1, 3):
        values = xseg.explain(segmenter.set_params(n_jobs=n_jobs), big).values
        assert_array_equal(values, np.tile(expected.values, (20, 1)))


def test_features_without_a_part_have_no_influence(mixed):
    segmenter = xseg.PrototypeSegmenter(3, forbid=["age"], random_state=0).fit(mixed.assign(same=1.0))
    values = xseg.explain(segmenter, mixed.assign(same=1.0), of="all").values
    assert (values[:, [5, 6]] == 0).all()


def test_one_segment_has_no_rival_and_no_reasons(kind, mixed):
    segmenter = kind().set_params(n_segments=1).fit(mixed)
    explanation = xseg.explain(segmenter, mixed)
    assert not explanation.values.any()
    assert not explanation.base_values.any()


def test_one_row_as_plain_data(kind, mixed):
    segmenter = kind().fit(mixed)
    found = explain_row(segmenter, mixed)
    explanation = xseg.explain(segmenter, mixed.head(1))
    assert found.segment == segmenter.labels_[0]
    total = found.base_value + sum(contribution for *_, contribution in found.reasons)
    assert total == pytest.approx(float(explanation.base_values[0] + explanation.values[0].sum()), abs=1e-12)


@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_what_cannot_be_explained_is_refused(kind, mixed):
    with pytest.raises(NotFittedError):
        xseg.explain(kind(), mixed)
    X = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(UnsupportedTypeError, match="may mix columns"):
        xseg.explain(make_pipeline(PCA(2), kind()).fit(X), X)
