"""Segmenters of every kind inside scikit-learn's compositions."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import xseg

RULES = {"Small": "`petal length (cm)` < 2.5", "Large": "`petal length (cm)` >= 4.9"}
SEGMENTERS = {
    "tree": (lambda: xseg.TreeSegmenter(3, random_state=0), {"n_segments": [2, 3]}),
    "prototype": (lambda: xseg.PrototypeSegmenter(3, random_state=0), {"n_segments": [2, 3]}),
    "mixture": (lambda: xseg.MixtureSegmenter(3, n_init=2, random_state=0), {"n_segments": [2, 3]}),
    "rule": (lambda: xseg.RuleSegmenter(RULES), {"default": ["Middle", "Others"]}),
    "surrogate": (
        lambda: xseg.SurrogateSegmenter(KMeans(3, n_init=2, random_state=0), random_state=0),
        {"max_leaves": [3, 5]},
    ),
    "outcome": (lambda: xseg.OutcomeSegmenter(min_segment_size=10, random_state=0), {"max_segments": [2, 3]}),
}
pytestmark = pytest.mark.filterwarnings("ignore::xseg.XsegWarning")


@pytest.fixture(scope="module")
def iris():
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.data["petal width (cm)"].to_numpy() + bunch.target.to_numpy()


@pytest.fixture(params=SEGMENTERS)
def named(request):
    return request.param


@pytest.fixture
def segmenter(named):
    return SEGMENTERS[named][0]()


@pytest.mark.slow
def test_grid_search(named, segmenter, iris):
    X, y = iris
    (parameter, values), *_ = SEGMENTERS[named][1].items()
    scoring = None if hasattr(segmenter, "score") else lambda model, X, y: len(np.unique(model.predict(X)))
    search = GridSearchCV(segmenter, {parameter: values}, cv=3, scoring=scoring).fit(X, y)
    assert search.best_params_[parameter] in values
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    through = GridSearchCV(
        make_pipeline(StandardScaler().set_output(transform="pandas"), clone(segmenter)),
        {f"{type(segmenter).__name__.lower()}__{parameter}": values},
        cv=3,
        scoring=scoring,
    ).fit(X, y)
    assert len(through.predict(X)) == len(X)


def test_cross_validation_is_that_of_separate_fits(segmenter, iris):
    X, y = iris
    # Rules have no score of their own; how many segments somebody is in does as well here.
    scoring = None if hasattr(segmenter, "score") else lambda model, X, y: len(np.unique(model.predict(X)))
    folds = [(np.arange(50, 150), np.arange(50)), (np.arange(100), np.arange(100, 150))]
    scores = cross_val_score(segmenter, X, y, cv=folds, scoring=scoring)
    score = scoring or (lambda model, X, y: model.score(X, y))
    separate = [score(clone(segmenter).fit(X.iloc[a], y[a]), X.iloc[b], y[b]) for a, b in folds]
    assert_array_equal(scores, separate)


def test_clones_are_equal_and_know_nothing(segmenter, iris):
    X, y = iris
    fitted = segmenter.fit(X, y)
    copy = clone(fitted)
    assert not hasattr(copy, "model_")
    assert copy.get_params(deep=False).keys() == fitted.get_params(deep=False).keys()
    assert_array_equal(copy.fit(X, y).labels_, fitted.labels_)


def test_unions_and_output_containers(segmenter, iris):
    X, y = iris
    union = make_union(segmenter, StandardScaler())
    assert isinstance(union, FeatureUnion)
    plain = union.fit(X, y).transform(X)
    fitted = union.transformer_list[0][1]
    assert_allclose(plain[:, : fitted.n_segments_], fitted.transform(X))
    assert plain.shape == (len(X), fitted.n_segments_ + 4)
    prefix = type(segmenter).__name__.lower()
    for library in ("pandas", "polars"):
        framed = union.set_output(transform=library).transform(X)
        assert list(framed.columns)[:1] == [f"{prefix}__{prefix}0"]
        assert type(framed).__module__.startswith(library)
        assert_allclose(framed.to_numpy(), plain)


def test_weights_are_routed_through_pipelines(segmenter, iris):
    X, y = iris
    weight = np.random.default_rng(0).integers(0, 3, len(X)).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("scale", StandardScaler().set_fit_request(sample_weight=True).set_output(transform="pandas")),
                ("segment", segmenter.set_fit_request(sample_weight=True)),
            ]
        )
        pipeline.fit(X, y, sample_weight=weight)
        scaled = StandardScaler().set_output(transform="pandas").fit(X, sample_weight=weight).transform(X)
        alone = clone(segmenter).fit(scaled, y, sample_weight=weight)
    assert_array_equal(pipeline.predict(X), alone.predict(scaled))
    assert pipeline[-1].segments_[0].size == alone.segments_[0].size
    assert sum(segment.size for segment in alone.segments_) == weight.sum()


def test_weights_are_routed_through_searches(named, segmenter, iris):
    X, y = iris
    (parameter, values), *_ = SEGMENTERS[named][1].items()
    weight = np.ones(len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        segmenter.set_fit_request(sample_weight=True)
        if hasattr(segmenter, "score") and hasattr(segmenter, "set_score_request"):
            segmenter.set_score_request(sample_weight=True)
        scoring = None if hasattr(segmenter, "score") else lambda model, X, y: 0.0
        search = GridSearchCV(segmenter, {parameter: values}, cv=3, scoring=scoring)
        search.fit(X, y, sample_weight=weight)
    assert len(search.predict(X)) == len(X)


def test_weights_by_step_name_without_routing(segmenter, iris):
    X, y = iris
    weight = np.random.default_rng(1).integers(1, 3, len(X))
    name = type(segmenter).__name__.lower()
    pipeline = make_pipeline("passthrough", segmenter)
    pipeline.fit(X, y, **{f"{name}__sample_weight": weight})
    assert sum(segment.size for segment in pipeline[-1].segments_) == weight.sum()
