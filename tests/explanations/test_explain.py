"""Explanations are exact: equal to the enumeration of every coalition, and they add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

import naive
import xseg
from conftest import mixed_table
from xseg.core.tables import read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.explanations._shapley import BoxExplainer


def brute_force(model, row, background, weights=None):
    """Shapley values of every membership by enumeration of coalitions of raw columns."""
    names = list(background.columns)
    table = background.astype(object).to_numpy()
    segmenter = model[-1] if hasattr(model, "steps") else model
    n_segments = segmenter.n_segments_

    def membership(rows):
        mixed = pd.DataFrame(rows, columns=names).astype(background.dtypes.to_dict())
        return np.eye(n_segments)[model.predict(mixed)]

    weights = np.ones(len(table)) if weights is None else weights
    return naive.shapley_values(membership, row.astype(object).to_numpy()[0], table, weights, len(names))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_to_every_coalition_on_mixed_types_with_missing_values(seed):
    table = mixed_table(120, seed)
    segmenter = xseg.TreeSegmenter(3, max_leaves=6, random_state=seed).fit(table)
    explanation = xseg.explain(segmenter, table, of="all")
    for i in range(0, 120, 30):
        phi, base = brute_force(segmenter, table.iloc[[i]], table)
        assert_allclose(explanation.values[i], phi, atol=1e-10)
        assert_allclose(explanation.base_values[i], base, atol=1e-10)


def test_weighted_rows_are_a_weighted_background():
    table = mixed_table(100, 4)
    weight = np.random.default_rng(0).integers(0, 4, 100)
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(table, sample_weight=weight)
    phi, base = brute_force(segmenter, table.iloc[[7]], table, weight)
    explanation = xseg.explain(segmenter, table.iloc[[7]], of="all")
    assert_allclose(explanation.values[0], phi, atol=1e-10)
    assert_allclose(explanation.base_values[0], base, atol=1e-10)


def test_another_background_changes_what_not_knowing_means(mixed, fitted):
    young = mixed[mixed["age"] == "18-34"].head(90)
    explanation = xseg.explain(fitted, mixed.head(2), of="all", background=young)
    for i in range(2):
        phi, base = brute_force(fitted, mixed.iloc[[i]], young)
        assert_allclose(explanation.values[i], phi, atol=1e-10)
        assert_allclose(explanation.base_values[i], base, atol=1e-10)


def make_pipelines():
    numbers = ["orders", "spend", "balance"]
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), numbers),
        (OneHotEncoder(sparse_output=False), ["channel"]),
        (OrdinalEncoder(), ["age"]),
        remainder="passthrough",
    )
    binned = make_column_transformer(
        (KBinsDiscretizer(3, encode="onehot-dense", quantile_method="averaged_inverted_cdf"), ["orders", "spend"]),
        (FunctionTransformer(np.log1p, feature_names_out="one-to-one"), ["spend"]),
        (SimpleImputer(), ["balance"]),
    )
    yield make_pipeline(encode, xseg.TreeSegmenter(3, max_leaves=7, scaling="none", random_state=0))
    yield make_pipeline(binned, VarianceThreshold(), xseg.TreeSegmenter(3, max_leaves=7, random_state=0))
    yield make_pipeline("passthrough", xseg.TreeSegmenter(3, random_state=0))


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", list(make_pipelines()), ids=["encoded", "binned", "plain"])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_pipelines_fold_back_to_raw_columns(pipeline, output):
    table = mixed_table(100, 5)
    pipeline.set_output(transform=output)
    pipeline.fit(table)
    explanation = xseg.explain(pipeline, table, of="all")
    assert explanation.feature_names == list(table.columns)
    for i in (0, 50):
        phi, base = brute_force(pipeline, table.iloc[[i]], table)
        assert_allclose(explanation.values[i], phi, atol=1e-10)
        assert_allclose(explanation.base_values[i], base, atol=1e-10)


def test_steps_that_mix_columns_are_named():
    X = np.random.default_rng(0).normal(size=(60, 4))
    pipeline = make_pipeline(PCA(2), xseg.TreeSegmenter(3, random_state=0)).fit(X)
    with pytest.raises(UnsupportedTypeError, match=r"step 'pca' \(PCA\) may mix columns"):
        xseg.explain(pipeline, X)
    pipeline = make_pipeline(FunctionTransformer(np.abs), xseg.TreeSegmenter(3, random_state=0)).fit(X)
    with pytest.raises(UnsupportedTypeError, match="feature_names_out='one-to-one'"):
        xseg.explain(pipeline, X)


def test_memberships_are_reached_exactly(mixed, fitted):
    every = xseg.explain(fitted, mixed, of="all")
    assert_allclose(every.values.sum(axis=1) + every.base_values, fitted.transform(mixed), atol=1e-12)
    own = xseg.explain(fitted, mixed)
    row = np.arange(len(mixed))
    assert_array_equal(own.values, every.values[row, :, fitted.labels_])
    assert_allclose(own.values.sum(axis=1) + own.base_values, 1, atol=1e-12)
    for segment, name in enumerate(fitted.segment_names_):
        one = xseg.explain(fitted, mixed, of=name)
        assert_array_equal(one.values, every.values[:, :, segment])
        assert_array_equal(one.values, xseg.explain(fitted, mixed, of=segment).values)
    assert_allclose(every.values.sum(axis=2), 0, atol=1e-12)


def test_values_average_out_over_the_population(mixed, fitted):
    assert_allclose(xseg.explain(fitted, mixed, of="all").values.mean(axis=0), 0, atol=1e-12)


def test_features_that_are_not_asked_about_have_no_influence(mixed, fitted):
    idle = [j for j in range(mixed.shape[1]) if j not in fitted.tree_.used_features]
    assert (xseg.explain(fitted, mixed, of="all").values[:, idle] == 0).all()


def test_permuting_columns_permutes_the_values(mixed):
    turned = mixed[mixed.columns[::-1]]
    segmenter = xseg.TreeSegmenter(4, random_state=0).fit(turned)
    turn = make_column_transformer(*(("passthrough", [name]) for name in turned.columns))
    pipeline = make_pipeline(turn, segmenter).set_output(transform="pandas")
    pipeline[0].set_params(verbose_feature_names_out=False)
    pipeline[0].fit(mixed)
    folded = xseg.explain(pipeline, mixed, of="all").values
    assert_allclose(folded, xseg.explain(segmenter, turned, of="all").values[:, ::-1], atol=1e-14)


def test_renumbering_segments_renumbers_the_values(mixed, fitted):
    model, new = fitted.model_, np.array([2, 0, 3, 1], dtype=np.int32)
    renumbered = replace(model, boxes=replace(model.boxes, segment=new[model.boxes.segment]))
    values = []
    for one in (model, renumbered):
        explainer = BoxExplainer(one, one.boxes.tests(), one.population, mixed.shape[1])
        values.append(explainer.explain_all(read_table(mixed), 1))
    assert_allclose(values[1][:, :, new], values[0], atol=1e-15)


def test_order_of_rows_and_threads_change_nothing(mixed, fitted):
    order = np.random.default_rng(0).permutation(len(mixed))
    expected = xseg.explain(fitted, mixed, of="all").values
    assert_array_equal(xseg.explain(fitted, mixed.iloc[order], of="all").values, expected[order])
    big = pd.concat([mixed] * 20, ignore_index=True)
    values = xseg.explain(fitted, big, of="all").values
    assert_array_equal(values, np.tile(expected, (20, 1, 1)))


def test_boxes_with_many_tests_are_exact_too():
    rng = np.random.default_rng(0)
    X = (rng.random((4_000, 14)) < 0.9).astype(float)
    X[:, 0] += rng.normal(scale=0.01, size=4_000)
    segmenter = xseg.TreeSegmenter(2, max_leaves=30, max_depth=14, min_segment_size=1, random_state=0).fit(X)
    explanation = xseg.explain(segmenter, X, of="all")
    assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, segmenter.transform(X), atol=1e-12)
    from xseg.explanations import _shapley

    shallow = xseg.TreeSegmenter(3, max_leaves=10, random_state=0).fit(X)
    dense = xseg.explain(shallow, X[:300], of="all").values
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_shapley, "_DENSE_TESTS", 1)
        assert_allclose(xseg.explain(shallow, X[:300], of="all").values, dense, atol=1e-14)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_model_agnostic_exact_explainer_agrees():
    X = np.random.default_rng(0).normal(size=(200, 5))
    segmenter = xseg.TreeSegmenter(3, max_leaves=8, random_state=0).fit(X)
    masker = shap.maskers.Independent(X, max_samples=200)
    theirs = shap.explainers.Exact(segmenter.transform, masker)(X[:10])
    ours = xseg.explain(segmenter, X[:10], of="all")
    assert_allclose(ours.values, theirs.values, atol=1e-8)
    assert_allclose(ours.base_values, theirs.base_values, atol=1e-8)


@pytest.mark.parametrize("kind", ["waterfall", "bar", "beeswarm", "heatmap", "force"])
@pytest.mark.parametrize("numeric", [True, False], ids=["numbers", "mixed"])
@pytest.mark.filterwarnings("ignore")
def test_shap_plots_take_it(mixed, fitted, kind, numeric):
    import matplotlib.pyplot as plt

    table = mixed[["orders", "spend", "balance"]] if numeric else mixed
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(table) if numeric else fitted
    explanation = xseg.explain(segmenter, table.head(50))
    if kind == "waterfall":
        shap.plots.waterfall(explanation[0], show=False)
    elif kind == "force":
        shap.plots.force(explanation[0], matplotlib=True, show=False)
    else:
        getattr(shap.plots, kind)(explanation, show=False)
    assert plt.gcf().axes
    plt.close("all")


def test_data_are_raw_and_named(mixed, fitted):
    explanation = xseg.explain(fitted, mixed.head(5), of="all")
    assert explanation.feature_names == list(mixed.columns)
    assert explanation.output_names == list(fitted.segment_names_)
    assert explanation.data[0, 1] == mixed["spend"].iloc[0]
    assert explanation.data[0, 3] == mixed["channel"].iloc[0]


def test_what_cannot_be_explained_is_refused(mixed, fitted):
    from sklearn.cluster import KMeans

    with pytest.raises(NotFittedError):
        xseg.explain(xseg.TreeSegmenter(), mixed)
    with pytest.raises(UnsupportedTypeError, match=r"got KMeans.*explain_agnostic"):
        xseg.explain(KMeans(), mixed)
    with pytest.raises(ParameterError, match="or a segment, got 'al'"):
        xseg.explain(fitted, mixed, of="al")
    with pytest.raises(ParameterError, match="segment index must be"):
        xseg.explain(fitted, mixed, of=9)
    with pytest.raises(xseg.XsegError):
        xseg.explain(fitted, mixed.drop(columns="age"))
    with pytest.raises(DataError, match="got 'x'"):
        fitted.segments_["x"]


@pytest.mark.parametrize("of", ["own", "all"])
def test_a_row_alone_gets_the_bits_it_gets_among_others(mixed, of):
    fitted = xseg.TreeSegmenter(n_segments=4, random_state=0).fit(mixed)
    alone = [np.asarray(xseg.explain(fitted, mixed.iloc[[3]], of=of).values)[0] for _ in range(2)]
    among = np.asarray(xseg.explain(fitted, mixed, of=of).values)[3]
    assert_array_equal(alone[0], among)
    assert_array_equal(alone[1], among)
