"""What scikit-learn asks of every estimator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from xseg import (
    MixtureSegmenter,
    OutcomeSegmenter,
    PrototypeSegmenter,
    RuleSegmenter,
    SurrogateSegmenter,
    TreeSegmenter,
)


def expected_failures(estimator):
    if not isinstance(estimator, SurrogateSegmenter):
        return {}
    failures = {
        "check_sample_weight_equivalence_on_dense_data": "k-means draws its starts by row, as scikit-learn says of it"
    }
    if not get_tags(estimator).input_tags.allow_nan:
        failures["check_estimators_nan_inf"] = (
            "the original refuses missing values, so fit does; the stand-in is a tree and places rows that have some"
        )
    return failures


def test_a_stand_in_takes_missing_values_if_its_original_does():
    for original, allowed in [
        (None, True),
        (KMeans(3), False),
        (make_pipeline(SimpleImputer(), KMeans(3)), True),
        (HDBSCAN(), True),
    ]:
        assert get_tags(SurrogateSegmenter(original)).input_tags.allow_nan is allowed
    with pytest.raises(ValueError, match="NaN"):
        SurrogateSegmenter(KMeans(2, n_init=1)).fit([[1.0], [np.nan], [2.0]])


@parametrize_with_checks(
    [
        TreeSegmenter(),
        TreeSegmenter(n_segments=3, max_leaves=6, scaling="robust"),
        PrototypeSegmenter(),
        PrototypeSegmenter(n_segments=3, metric="squared"),
        MixtureSegmenter(n_segments=3, n_init=2),
        OutcomeSegmenter(),
        RuleSegmenter({"Low": "x0 <= 0.3"}),
        SurrogateSegmenter(make_pipeline(SimpleImputer(), KMeans(3, n_init=2, random_state=0))),
        SurrogateSegmenter(KMeans(3, n_init=2, random_state=0)),
    ],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_estimator_checks(estimator, check):
    check(estimator)


def test_search_and_cross_validation():
    X = load_iris(as_frame=True).data
    search = GridSearchCV(TreeSegmenter(scaling="standard", random_state=0), {"n_segments": [2, 3]}, cv=3).fit(X)
    assert search.best_params_ == {"n_segments": 3}
    assert (cross_val_score(TreeSegmenter(3, scaling="standard", random_state=0), X, cv=3) < 0).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_output_containers(library):
    X = load_iris(as_frame=True).data
    segmenter = TreeSegmenter(3, random_state=0).set_output(transform=library)
    out = segmenter.fit_transform(X)
    assert list(out.columns) == ["treesegmenter0", "treesegmenter1", "treesegmenter2"]
    assert type(out).__module__.startswith(library)


def test_pipelines_and_unions(mixed):
    X = load_iris(as_frame=True).data
    pipeline = make_pipeline(StandardScaler(), TreeSegmenter(3, random_state=0)).fit(X)
    assert (pipeline.predict(X) == TreeSegmenter(3, random_state=0).fit_predict(X)).mean() > 0.97
    union = make_union(TreeSegmenter(3, random_state=0), StandardScaler())
    assert isinstance(union, FeatureUnion)
    assert union.fit_transform(X).shape == (150, 7)
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["channel"]), ("passthrough", ["orders", "spend"])
    )
    assert set(make_pipeline(encode, TreeSegmenter(3, random_state=0)).fit(mixed).predict(mixed)) == {0, 1, 2}


def test_clone_keeps_parameters_as_given():
    weights = {"spend": 2.0}
    segmenter = TreeSegmenter(4, feature_weights=weights, forbid=["age"])
    assert clone(segmenter).get_params()["feature_weights"] == weights
    assert segmenter.feature_weights is weights
