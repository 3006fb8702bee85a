"""Models that have no exact explanation: enumerated where that is possible, else sampled with an error that is true."""

import io
from contextlib import redirect_stderr

import numpy as np
import pandas as pd
import polars as pl
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, Birch, KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, LatentDirichletAllocation
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import naive
import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.explanations import explain_agnostic


@pytest.fixture(scope="module")
def plain():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) + 3 * rng.integers(0, 2, (60, 4))
    return X, KMeans(3, n_init=1, random_state=0).fit(X)


def memberships(model, n_groups):
    return lambda rows: np.eye(n_groups)[model.predict(rows)]


def every_coalition(outputs, row, background, weights=None):
    weights = np.ones(len(background)) if weights is None else weights
    return naive.shapley_values(outputs, row, background, weights, background.shape[1])


@pytest.mark.slow
def test_equal_to_every_coalition_and_to_shap(plain):
    X, kmeans = plain
    ours = xseg.explain_agnostic(kmeans, X[:6], background=X, of="all", random_state=0)
    assert (ours.sampling_error == 0).all()
    for i in range(6):
        phi, base = every_coalition(memberships(kmeans, 3), X[i], X)
        assert_allclose(ours.values[i], phi, atol=1e-8)
        assert_allclose(ours.base_values[i], base, atol=1e-8)
    theirs = shap.explainers.Exact(memberships(kmeans, 3), shap.maskers.Independent(X))(X[:6], silent=True)
    assert_allclose(ours.values, theirs.values, atol=1e-8)


def make_mixed_models():
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler(), PCA(2)), ["orders", "spend", "balance"]),
        (OneHotEncoder(sparse_output=False), ["channel"]),
        (OrdinalEncoder(), ["age"]),
        remainder="passthrough",
    )
    yield make_pipeline(encode, KMeans(3, n_init=1, random_state=0))
    yield make_pipeline(encode, GaussianMixture(3, random_state=0))


@pytest.mark.slow
@pytest.mark.parametrize("model", list(make_mixed_models()), ids=["memberships", "probabilities"])
@pytest.mark.parametrize("weighted", [False, True])
def test_categories_missing_values_and_weights(model, weighted):
    table = mixed_table(60, 3)
    model.fit(table)
    weight = np.random.default_rng(0).integers(0, 4, 60) if weighted else None
    found = xseg.explain_agnostic(
        model, table.iloc[[5]], background=table, background_sample_weight=weight, of="all", random_state=0
    )
    types = table.dtypes.to_dict()

    def outputs(rows):
        blended = pd.DataFrame(rows, columns=list(table.columns)).astype(types)
        return model.predict_proba(blended) if hasattr(model, "predict_proba") else np.eye(3)[model.predict(blended)]

    objects = table.astype(object).to_numpy()
    phi, base = every_coalition(outputs, objects[5], objects, weight)
    assert_allclose(found.values[0], phi, atol=1e-8)
    assert_allclose(found.base_values[0], base, atol=1e-8)
    assert found.feature_names == list(table.columns)


@pytest.mark.slow
@pytest.mark.parametrize("n_columns", [4, 13])
@pytest.mark.parametrize("n_background", [40, 400])
def test_base_and_values_add_up(n_columns, n_background):
    X = np.random.default_rng(1).normal(size=(400, n_columns))
    model = RandomForestClassifier(8, random_state=0).fit(X, np.where(X[:, 0] * X[:, 1] > 0, "loyal", "new"))
    every = xseg.explain_agnostic(model, X[:4], background=X[:n_background], of="all", random_state=0)
    assert_allclose(every.base_values + every.values.sum(axis=1), model.predict_proba(X[:4]), atol=1e-12)
    assert every.output_names == ["loyal", "new"]
    own = xseg.explain_agnostic(model, X[:4], background=X[:n_background], random_state=0)
    assert_allclose(own.base_values + own.values.sum(axis=1), model.predict_proba(X[:4]).max(axis=1), atol=1e-12)
    for place, label in enumerate(["loyal", "new"]):
        for of in (label, place):
            one = xseg.explain_agnostic(model, X[:4], background=X[:n_background], of=of, random_state=0)
            assert_array_equal(one.values, every.values[..., place])
            assert_array_equal(one.sampling_error, every.sampling_error[..., place])
            assert one.output_names == label
    assert (every.sampling_error > 0).any() == (n_columns > 10 or n_background > 100)


class Renumbered(KMeans):
    """The same groups under other numbers."""

    def predict(self, X):
        return np.array([70, -3, 12])[super().predict(X)]


def test_ids_are_names_and_never_averaged(plain):
    X, kmeans = plain
    renumbered = Renumbered(3, n_init=1, random_state=0).fit(X)
    before = xseg.explain_agnostic(kmeans, X[:8], background=X, of="all", random_state=0)
    after = xseg.explain_agnostic(renumbered, X[:8], background=X, of="all", random_state=0)
    assert after.output_names == ["-3", "12", "70"]
    assert_array_equal(after.values, before.values[..., [1, 2, 0]])
    assert_array_equal(after.base_values, before.base_values[:, [1, 2, 0]])
    assert_array_equal(
        xseg.explain_agnostic(renumbered, X[:8], background=X, random_state=0).values,
        xseg.explain_agnostic(kmeans, X[:8], background=X, random_state=0).values,
    )
    assert_array_equal(
        xseg.explain_agnostic(renumbered, X[:8], background=X, of=70, random_state=0).values, before.values[..., 0]
    )
    with pytest.raises(ParameterError, match=r"of must be .* got 1"):
        xseg.explain_agnostic(renumbered, X[:8], background=X, of=1, random_state=0)


class Distances(ClusterMixin, BaseEstimator):
    """A clusterer that tells distances only."""

    def fit(self, X, y=None):
        self.centers_ = X[:3]
        return self

    def transform(self, X):
        return np.linalg.norm(X[:, None] - self.centers_, axis=2)


def test_without_predict_scores_are_explained(plain):
    X, _ = plain
    model = Distances().fit(X)
    found = xseg.explain_agnostic(model, X[:5], background=X, of="all", random_state=0)
    assert_allclose(found.base_values + found.values.sum(axis=1), -model.transform(X[:5]), atol=1e-12)
    own = xseg.explain_agnostic(model, X[:5], background=X, random_state=0)
    assert_allclose(own.base_values + own.values.sum(axis=1), -model.transform(X[:5]).min(axis=1), atol=1e-12)
    counts = np.random.default_rng(0).integers(0, 9, (40, 5))
    topics = LatentDirichletAllocation(2, random_state=0).fit(counts)
    found = xseg.explain_agnostic(topics, counts[:3], background=counts, of=1, random_state=0)
    assert_allclose(found.base_values + found.values.sum(axis=1), topics.transform(counts[:3])[:, 1], atol=1e-12)


def deviations(explained, truth):
    """How many standard errors each value is off, where any was sampled."""
    error = explained.sampling_error
    # What is the same in every repeat differs by rounding alone.
    sampled = (error > 1e-12) & (np.abs(truth) > 0)
    return (np.abs(explained.values - truth)[sampled] / error[sampled]), sampled


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["boxes", "scores"])
@pytest.mark.parametrize("n_columns", [6, 12])
def test_the_error_covers_the_exact_explanation(kind, n_columns):
    """Student's t with 9 degrees of freedom lies within 2.26 in 95 % of cases, and within 1 in 66 %."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, n_columns)) + 2 * rng.integers(0, 2, (600, 1))
    segmenter = xseg.TreeSegmenter(4, max_leaves=8, random_state=0)
    if kind == "scores":
        segmenter = xseg.PrototypeSegmenter(3, metric="squared", random_state=0)
    segmenter.fit(X)
    rows = X[: 12 if kind == "boxes" else 4]
    truth = xseg.explain(segmenter, rows, of="all")
    if kind == "scores":
        # Of scores, membership is explained: there is no closed form, so the truth is what many repeats give.
        truth = explain_agnostic(segmenter, rows, background=X, of="all", n_repeats=200, random_state=99)
    ratios = []
    for seed in range(6):
        found = explain_agnostic(segmenter, rows, background=X, of="all", random_state=seed)
        off, sampled = deviations(found, truth.values)
        assert sampled.any()
        ratios.append(off)
    ratios = np.concatenate(ratios)
    assert 0.85 <= (ratios <= 2.26).mean() <= 0.995
    assert 0.5 <= (ratios <= 1).mean() <= 0.85


@pytest.mark.slow
def test_permutations_alone_are_covered_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12)) + 3 * rng.integers(0, 2, (80, 12))
    segmenter = xseg.TreeSegmenter(6, max_leaves=12, max_depth=8, depth_weight=0, random_state=0).fit(X)
    truth = xseg.explain(segmenter, X[:20], of="all")
    found = explain_agnostic(segmenter, X[:20], background=X, of="all", n_repeats=20, random_state=0)
    off, sampled = deviations(found, truth.values)
    assert_allclose(found.base_values, truth.base_values, atol=1e-12)
    assert sampled.sum() > 30
    assert (off <= 2.1).mean() >= 0.85
    idle = np.setdiff1d(np.arange(12), segmenter.tree_.used_features)
    assert_allclose(found.values[:, idle], 0, atol=1e-12)


def test_a_row_is_explained_alike_in_any_company_and_numpy_is_left_alone():
    X = np.random.default_rng(0).normal(size=(150, 12))
    kmeans = KMeans(3, n_init=1, random_state=0).fit(X)
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    together = xseg.explain_agnostic(kmeans, X[:3], background=X, random_state=5)
    assert np.random.random() == expected  # noqa: NPY002
    assert_array_equal(xseg.explain_agnostic(kmeans, X[2:3], background=X, random_state=5).values, together.values[2:])
    assert not np.array_equal(
        xseg.explain_agnostic(kmeans, X[:3], background=X, random_state=6).values, together.values
    )


def test_errors_stay_with_values_when_sliced(plain):
    X, _ = plain
    wide = np.hstack([X, X, X])
    found = xseg.explain_agnostic(
        KMeans(3, n_init=1, random_state=0).fit(wide), wide[:5], background=wide, random_state=0
    )
    assert found[1:3].sampling_error.shape == (2, 12)
    assert_array_equal(found[2].sampling_error, found.sampling_error[2])


def test_containers_are_those_of_the_fit():
    table = mixed_table(50, 1)[["orders", "spend"]]
    expected = xseg.explain_agnostic(
        KMeans(2, n_init=1, random_state=0).fit(table), table.head(4), background=table, random_state=0
    )
    named, unnamed = (
        KMeans(2, n_init=1, random_state=0).fit(table),
        KMeans(2, n_init=1, random_state=0).fit(table.to_numpy()),
    )
    polars = pl.from_pandas(table)
    odd = table.set_index(np.zeros(50, dtype=int))
    for model, rows, background in (
        (named, table.head(4).to_numpy(), table),
        (unnamed, table.head(4), table),
        (unnamed, table.head(4).to_numpy(), table.to_numpy()),
        (unnamed, table.head(4).to_numpy().tolist(), polars),
        (named, polars.head(4), polars),
        (named, odd.head(4), odd),
    ):
        assert_array_equal(
            xseg.explain_agnostic(model, rows, background=background, random_state=0).values, expected.values
        )


def test_progress_is_shown_when_asked_for(plain):
    X, kmeans = plain
    for progress, shown in ((True, True), (False, False), (None, False)):
        with redirect_stderr(io.StringIO()) as written:
            xseg.explain_agnostic(kmeans, X[:2], background=X, progress=progress, random_state=0)
        assert ("explaining" in written.getvalue()) == shown


@pytest.mark.parametrize("model", [HDBSCAN(copy=True), AgglomerativeClustering(2)])
def test_who_cannot_predict_is_sent_to_a_surrogate(plain, model):
    X, _ = plain
    for fitted in (model.fit(X), make_pipeline(StandardScaler(), model).fit(X)):
        with pytest.raises(UnsupportedTypeError, match="SurrogateSegmenter"):
            xseg.explain_agnostic(fitted, X, background=X, random_state=0)
    stand_in = xseg.SurrogateSegmenter(model).fit(X)
    assert xseg.explain(stand_in, X).values.shape == X.shape


def test_what_cannot_be_explained_is_refused(plain):
    X, kmeans = plain
    table = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(UnsupportedTypeError, match="explain_agnostic"):
        xseg.explain(kmeans, X)
    with pytest.raises(NotFittedError, match="KMeans"):
        xseg.explain_agnostic(KMeans(), X, background=X, random_state=0)
    with pytest.raises(UnsupportedTypeError, match="numbers"):
        xseg.explain_agnostic(LinearRegression().fit(X, X[:, 0]), X, background=X, random_state=0)
    with pytest.raises(UnsupportedTypeError, match="one by one"):
        xseg.explain_agnostic(StandardScaler().fit(X), X, background=X, random_state=0)
    with pytest.raises(UnsupportedTypeError, match="must be a fitted estimator"):
        xseg.explain_agnostic("kmeans", X, background=X, random_state=0)
    with pytest.raises(DataError, match="4"):
        xseg.explain_agnostic(kmeans, X[:, :3], background=X, random_state=0)
    with pytest.raises(DataError, match="lacks 'd'"):
        xseg.explain_agnostic(KMeans(2, n_init=1).fit(table), table, background=table.drop(columns="d"), random_state=0)
    with pytest.raises(DataError, match="cannot read the rows"):
        xseg.explain_agnostic(kmeans, np.where(X > 1, np.nan, X), background=X, random_state=0)
    with pytest.raises(DataError, match="is zero"):
        xseg.explain_agnostic(kmeans, X, background=X, background_sample_weight=np.zeros(60), random_state=0)
    with pytest.raises(ParameterError, match="at least 2"):
        explain_agnostic(kmeans, X, background=X, n_repeats=1, random_state=0)
    with pytest.raises(ParameterError, match="of must be 'own', 'all'"):
        xseg.explain_agnostic(kmeans, X, background=X, of="nobody", random_state=0)


def test_weights_of_a_background_count_in_exact_explanations():
    table = mixed_table(80, 2)
    weight = np.random.default_rng(0).integers(0, 3, 80)
    repeated = table.iloc[np.repeat(np.arange(80), weight)]
    for segmenter in (xseg.TreeSegmenter(3, random_state=0), xseg.PrototypeSegmenter(3, random_state=0)):
        segmenter.fit(table)
        weighted = xseg.explain(segmenter, table.head(9), background=table, background_sample_weight=weight, of="all")
        plain = xseg.explain(segmenter, table.head(9), background=repeated, of="all")
        assert_allclose(weighted.values, plain.values, atol=1e-12)
        assert_allclose(weighted.base_values, plain.base_values, atol=1e-12)
        with pytest.raises(ParameterError, match="background_sample_weight"):
            xseg.explain(segmenter, table, background_sample_weight=weight)


def test_birch_and_friends_are_explained(plain):
    X, _ = plain
    for model in (Birch(n_clusters=3), make_pipeline(PCA(2), KMeans(3, n_init=1, random_state=0))):
        model.fit(X)
        found = xseg.explain_agnostic(model, X[:5], background=X, random_state=0)
        assert_allclose(found.base_values + found.values.sum(axis=1), 1, atol=1e-12)
