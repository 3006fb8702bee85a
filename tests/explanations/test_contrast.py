"""Why one segment and not another: the difference of two exact explanations, and what keeps the row out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

import xseg
from xseg.core.boxes import BoxModel
from xseg.core.tables import read_table
from xseg.exceptions import NotFittedError, ParameterError, UnsupportedTypeError

SEGMENTERS = {
    "tree": lambda: xseg.TreeSegmenter(4, max_leaves=8, random_state=0),
    "gower": lambda: xseg.PrototypeSegmenter(4, metric="gower", random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(4, random_state=0),
    "surrogate": lambda: xseg.SurrogateSegmenter(xseg.PrototypeSegmenter(3, random_state=0), random_state=0),
    "outcome": lambda: xseg.OutcomeSegmenter(5, random_state=0),
}


def outcome_of(table):
    """What an outcome segmenter estimates; the others make nothing of it."""
    return 2.0 * (table["orders"] > 2) + (table["spend"] > 80)


@pytest.fixture(params=SEGMENTERS)
def segmenter(request, mixed):
    return SEGMENTERS[request.param]().fit(mixed, outcome_of(mixed))


def difference(segmenter, table, own, versus):
    every = xseg.explain(segmenter, table, of="all")
    rows = np.arange(len(table))
    values = every.values[rows, :, own] - every.values[rows, :, versus]
    return values, every.base_values[rows, own] - every.base_values[rows, versus]


@pytest.mark.slow
def test_own_less_versus_is_shared_out_exactly(segmenter, mixed):
    found = xseg.contrast(segmenter, mixed)
    assert_array_equal(found.own, segmenter.labels_)
    assert (found.own != found.versus).all()
    values, base = difference(segmenter, mixed, found.own, found.versus)
    assert_allclose(found.values, values, atol=1e-9)
    assert_allclose(found.base_values, base, atol=1e-9)
    assert found.own_names[3] == segmenter.segment_names_[found.own[3]]
    assert found.versus_names[3] == segmenter.segment_names_[found.versus[3]]
    total = found.base_values + found.values.sum(axis=1)
    if isinstance(segmenter.model_, BoxModel):
        assert_allclose(total, 1, atol=1e-12)
    else:
        scores = np.sort(segmenter.model_.score(segmenter.read_rows(mixed)), axis=1)
        assert_allclose(total, scores[:, -1] - scores[:, -2], atol=1e-9)


@pytest.mark.slow
def test_a_named_segment_is_compared_with(segmenter, mixed):
    runner_up = xseg.contrast(segmenter, mixed)
    for versus in (0, segmenter.segment_names_[2]):
        found = xseg.contrast(segmenter, mixed, versus=versus)
        index = segmenter.segments_.position(versus)
        inside = found.own == index
        assert (found.versus[~inside] == index).all()
        assert_array_equal(found.versus[inside], runner_up.versus[inside])
        assert_allclose(found.values, difference(segmenter, mixed, found.own, found.versus)[0], atol=1e-9)


def test_the_runner_up_of_boxes_is_where_the_cheapest_change_leads(fitted, mixed):
    found = xseg.contrast(fitted, mixed)
    nearest = xseg.counterfactual(fitted, mixed)
    assert_array_equal(found.versus[nearest.found], nearest.target[nearest.found])


def test_what_keeps_a_row_out_is_not_met_and_all_that_is_changed(fitted, mixed):
    columns = {column.name: column for column in read_table(mixed).columns}
    found = xseg.contrast(fitted, mixed, versus=1)
    nearest = xseg.counterfactual(fitted, mixed, target=1)
    for i in np.flatnonzero(found.own != 1).tolist():
        assert found.unmet_conditions[i]
        assert not any(condition.holds(columns[condition.feature])[i] for condition in found.unmet_conditions[i])
        if nearest.found[i]:
            assert [c.feature for c in found.unmet_conditions[i]] == [c.feature for c in nearest.changes[i]]


def test_shap_plots_take_it(fitted, mixed):
    explanation = xseg.contrast(fitted, mixed.head(3)).explanation()
    assert explanation.shape == (3, 6)
    assert explanation.feature_names == list(mixed.columns)


def test_one_segment_has_no_other(mixed):
    for segmenter in (xseg.TreeSegmenter(1), xseg.MixtureSegmenter(1)):
        found = xseg.contrast(segmenter.fit(mixed), mixed)
        assert (found.versus == -1).all()
        assert set(found.versus_names) == {""}
        assert not found.values.any()


@pytest.mark.parametrize("kind", SEGMENTERS)
def test_pipelines_fold_back_to_raw_columns(kind, mixed):
    known = mixed.dropna()
    encode = make_column_transformer(
        (StandardScaler(), ["orders", "spend", "balance"]), (OrdinalEncoder(), ["channel", "age"]), remainder="drop"
    )
    pipeline = make_pipeline(encode, SEGMENTERS[kind]()).fit(known, outcome_of(known))
    found = xseg.contrast(pipeline, known)
    assert found.feature_names == tuple(known.columns)
    assert_allclose(found.values, difference(pipeline, known, found.own, found.versus)[0], atol=1e-9)


def test_what_cannot_be_contrasted_is_refused(fitted, mixed):
    with pytest.raises(ParameterError, match="must be 'runner-up' or a segment"):
        xseg.contrast(fitted, mixed, versus="runnerup")
    with pytest.raises(ParameterError, match="from 0 to 3"):
        xseg.contrast(fitted, mixed, versus=9)
    with pytest.raises(NotFittedError):
        xseg.contrast(xseg.TreeSegmenter(2), mixed)
    X = np.random.default_rng(0).normal(size=(60, 4))
    with pytest.raises(UnsupportedTypeError, match="may mix columns"):
        xseg.contrast(make_pipeline(PCA(2), xseg.TreeSegmenter(2)).fit(X), X)
