"""Mixtures: likelihoods are those of the definition, estimates are where nothing rises, and nobody is held."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

import naive
import xseg
from conftest import arrays_inside, mixed_table
from xseg.core.tables import read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError


def same_model(one, other):
    return (
        np.array_equal(one.model_.scores.curves, other.model_.scores.curves)
        and np.array_equal(one.model_.scores.tables, other.model_.scores.tables)
        and np.array_equal(one.model_.population.sums, other.model_.population.sums)
        and np.array_equal(one.profile_.counts, other.profile_.counts)
        and one.lower_bound_ == other.lower_bound_
    )


@pytest.fixture(scope="module")
def fitted_mixture(mixed):
    return xseg.MixtureSegmenter(4, random_state=0).fit(mixed)


def joint_densities(segmenter, table):
    """Weight times density of each segment for each row, from the parameters in raw units."""
    logs = np.tile(np.log(segmenter.weights_), (len(table), 1))
    for name, means in segmenter.means_.items():
        values = table[name].to_numpy(dtype=float, na_value=np.nan)
        density = norm.logpdf(values[:, None], means.to_numpy(), segmenter.deviations_[name].to_numpy())
        logs += np.where(np.isnan(values)[:, None], 0.0, density)
    for name, probabilities in segmenter.probabilities_.items():
        for i, value in enumerate(table[name]):
            if not pd.isna(value):
                logs[i] += np.log(probabilities[value].to_numpy())
    return logs


def test_likelihoods_and_posteriors_are_those_of_the_definition(fitted_mixture, mixed):
    logs = joint_densities(fitted_mixture, mixed)
    total = np.logaddexp.reduce(logs, axis=1)
    assert_allclose(fitted_mixture.score_samples(mixed), total, rtol=1e-5)
    assert_allclose(fitted_mixture.predict_proba(mixed), np.exp(logs - total[:, None]), atol=1e-4)
    assert fitted_mixture.score(mixed) == pytest.approx(total.mean(), rel=1e-6)
    # While learning, each row's log-likelihood is rounded once to a multiple of 2^-28; a score is exact.
    assert fitted_mixture.lower_bound_ == pytest.approx(fitted_mixture.score(mixed), abs=2.0**-29)
    assert fitted_mixture.weights_.sum() == pytest.approx(1)
    for probabilities in fitted_mixture.probabilities_.values():
        assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)


def test_labels_are_the_most_probable_segments(fitted_mixture, mixed):
    shares = fitted_mixture.predict_proba(mixed)
    assert_allclose(shares.sum(axis=1), 1)
    assert_allclose(fitted_mixture.transform(mixed), shares)
    assert (shares.argmax(axis=1) == fitted_mixture.labels_).all()
    assert (fitted_mixture.predict(mixed) == fitted_mixture.labels_).all()
    sizes = [segment.size for segment in fitted_mixture.segments_]
    assert sizes == sorted(sizes, reverse=True) == np.bincount(fitted_mixture.labels_, minlength=4).tolist()


def test_estimates_reproduce_themselves(fitted_mixture, mixed):
    """At a maximum, every parameter is the posterior mean of what it is about."""
    shares = fitted_mixture.predict_proba(mixed)
    assert_allclose(fitted_mixture.weights_, shares.mean(axis=0), atol=2e-3)
    for name, means in fitted_mixture.means_.items():
        values = mixed[name].to_numpy(dtype=float)
        known = ~np.isnan(values)
        expected = shares[known].T @ values[known] / shares[known].sum(axis=0)
        assert_allclose(means, expected, atol=0.02 * np.nanstd(values))
    for name, probabilities in fitted_mixture.probabilities_.items():
        known = mixed[name].notna().to_numpy()
        for value in probabilities:
            share = shares[known & (mixed[name] == value).to_numpy()].sum(axis=0) / shares[known].sum(axis=0)
            assert_allclose(probabilities[value], share, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize("n_segments", [2, 3, 5])
def test_at_least_as_likely_as_scikit_learns_diagonal_mixture(load, n_segments):
    X = StandardScaler().fit_transform(load().data)
    theirs = GaussianMixture(n_segments, covariance_type="diag", n_init=10, random_state=0).fit(X)
    ours = xseg.MixtureSegmenter(n_segments, variance_floor=1e-6, min_members=1, random_state=0).fit(X)
    assert ours.lower_bound_ >= theirs.score(X) - 1e-5
    if n_segments == 2:
        assert ours.lower_bound_ == pytest.approx(theirs.score(X), abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("n_segments", [2, 3])
def test_latent_classes_are_as_likely_as_by_brute_force(n_segments):
    rng = np.random.default_rng(n_segments)
    group = rng.integers(0, n_segments, 150)
    table = np.column_stack([(group + (rng.random(150) < 0.25)) % count for count in (2, 3, 3, 2)])
    best = max(
        naive.latent_class_likelihood(table, *naive.latent_classes(table, (2, 3, 3, 2), n_segments, rng, 100))
        for _ in range(4)
    )
    frame = pd.DataFrame({f"q{j}": np.array(["no", "yes", "perhaps"])[column] for j, column in enumerate(table.T)})
    segmenter = xseg.MixtureSegmenter(n_segments, min_members=1, random_state=0).fit(frame)
    assert segmenter.lower_bound_ >= best - 1e-4
    parameters = [
        segmenter.probabilities_[name][[value for value in ("no", "yes", "perhaps") if value in set(frame[name])]]
        for name in frame
    ]
    told = naive.latent_class_likelihood(table, segmenter.weights_, [part.to_numpy() for part in parameters])
    assert segmenter.lower_bound_ == pytest.approx(told, abs=1e-5)


def test_missing_values_are_integrated_out():
    """Values missing at random leave the estimates of the rest where they were; ignorance is no evidence."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 4_000)
    table = pd.DataFrame({"a": rng.normal(5 * group), "b": rng.normal(-4 * group), "c": rng.normal(group)})
    holes = table.mask(rng.random(table.shape) < 0.3)
    segmenter = xseg.MixtureSegmenter(2, random_state=0).fit(holes)
    means = segmenter.means_.sort_values("a")
    assert_allclose(means.to_numpy(), [[0, 0, 0], [5, -4, 1]], atol=0.15)
    nothing = segmenter.predict_proba(holes.head(1).assign(a=np.nan, b=np.nan, c=np.nan))[0]
    assert_allclose(nothing, segmenter.weights_, atol=1e-12)


def test_unseen_categories_are_no_evidence(fitted_mixture, mixed):
    unseen = mixed.head(5).assign(channel=["teleport"] * 5)
    missing = mixed.head(5).assign(channel=pd.Series([None] * 5, dtype=object))
    assert_allclose(fitted_mixture.predict_proba(unseen), fitted_mixture.predict_proba(missing))


def test_explanations_are_of_log_odds(fitted_mixture, mixed):
    logs = joint_densities(fitted_mixture, mixed)
    explanation = xseg.explain(fitted_mixture, mixed, of="all")
    total = explanation.base_values + explanation.values.sum(axis=1)
    assert_allclose(total - total[:, :1], logs - logs[:, :1], rtol=1e-4, atol=1e-3)


def test_order_threads_and_batches_change_nothing(mixed):
    one = xseg.MixtureSegmenter(3, random_state=0, n_jobs=1).fit(mixed)
    order = np.random.default_rng(0).permutation(len(mixed))
    other = xseg.MixtureSegmenter(3, random_state=0, n_jobs=3).fit(mixed.iloc[order])
    assert same_model(one, other)
    assert (other.labels_ == one.labels_[order]).all()
    parts = [mixed.iloc[start : start + 77] for start in range(0, 600, 77)]
    batched = xseg.MixtureSegmenter(3, random_state=0).fit(xseg.backends.BatchBackend(parts))
    assert same_model(one, batched)
    assert one.score(mixed) == batched.score(xseg.backends.BatchBackend(parts))


def test_order_and_batches_change_nothing_when_rows_are_sampled():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 4)) + 4 * rng.integers(0, 3, (60_000, 1))
    one = xseg.MixtureSegmenter(3, random_state=0, n_init=4, n_jobs=1).fit(X)
    assert same_model(one, xseg.MixtureSegmenter(3, random_state=0, n_init=4, n_jobs=2).fit(X[rng.permutation(60_000)]))
    batched = xseg.backends.BatchBackend(np.array_split(X, 7))
    assert same_model(one, xseg.MixtureSegmenter(3, random_state=0, n_init=4).fit(batched))


def test_a_whole_weight_is_as_many_rows(mixed):
    weight = np.random.default_rng(0).integers(0, 4, len(mixed))
    weighted = xseg.MixtureSegmenter(3, random_state=0).fit(mixed, sample_weight=weight)
    repeated = xseg.MixtureSegmenter(3, random_state=0).fit(mixed.loc[mixed.index.repeat(weight)])
    assert same_model(weighted, repeated)
    assert weighted.score(mixed, sample_weight=weight) == pytest.approx(weighted.lower_bound_, abs=2.0**-29)


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [1, 3, 4])
def test_the_number_that_was_drawn_is_found(n_groups):
    rng = np.random.default_rng(n_groups)
    group = rng.integers(0, n_groups, 1_500)
    centres = 6 * rng.permutation(np.arange(n_groups * 3).reshape(n_groups, 3) % 5)
    table = pd.DataFrame(rng.normal(size=(1_500, 3)) + centres[group], columns=list("abc"))
    table["colour"] = np.array(list("rgbk"))[(group + (rng.random(1_500) < 0.1)) % 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xseg.XsegWarning)
        segmenter = xseg.MixtureSegmenter("auto", random_state=0, n_init=6).fit(table)
        one = xseg.MixtureSegmenter(1, random_state=0).fit(table)
    assert segmenter.n_segments_ == n_groups
    chosen = next(choice for choice in segmenter.selection_ if choice.chosen)
    assert chosen.score == max(choice.score for choice in segmenter.selection_)
    assert segmenter.bic(table) - one.bic(table) == pytest.approx(chosen.bic, rel=0.01, abs=1)


def test_criteria_count_the_parameters(fitted_mixture, mixed):
    # Four weights that add up to 1; three means, three variances; 4 channels, a yes or no, 3 ages.
    assert fitted_mixture.n_parameters_ == 3 + 4 * (6 + 3 + 1 + 2)
    total = fitted_mixture.score_samples(mixed).sum()
    assert fitted_mixture.bic(mixed) == pytest.approx(-2 * total + 51 * np.log(600), rel=1e-9)
    assert fitted_mixture.aic(mixed) == pytest.approx(-2 * total + 102, rel=1e-9)


def test_variances_have_a_floor():
    rng = np.random.default_rng(0)
    spike = np.where(rng.random(500) < 0.5, 0.0, rng.exponential(10, 500))
    segmenter = xseg.MixtureSegmenter(2, variance_floor=0.01, random_state=0).fit(pd.DataFrame({"a": spike}))
    assert segmenter.deviations_.to_numpy().min() >= 0.1 * spike.std() * (1 - 1e-4)


def test_what_did_not_converge_says_so(mixed):
    table = pd.concat([mixed_table(600, seed) for seed in range(60)], ignore_index=True)
    with pytest.warns(xseg.XsegWarning, match="still rising after max_iter=1"):
        segmenter = xseg.MixtureSegmenter(3, max_iter=1, n_init=1, random_state=0).fit(table)
    assert not segmenter.converged_
    assert segmenter.n_iter_ == 1


@pytest.mark.filterwarnings("ignore::xseg.exceptions.RareCategoriesWarning")
def test_components_have_enough_people(mixed):
    with pytest.warns(xseg.XsegWarning, match="of 5 segments with at least min_members=150"):
        segmenter = xseg.MixtureSegmenter(5, min_members=150, random_state=0).fit(mixed)
    assert (segmenter.predict_proba(mixed).sum(axis=0) >= 149).all()
    with pytest.raises(DataError, match="min_members must be at most"):
        xseg.MixtureSegmenter().fit(mixed.head(8))


def test_no_fitted_object_holds_a_row():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_001, 3)) + 5 * rng.integers(0, 3, (3_001, 1))
    segmenter = xseg.MixtureSegmenter(3, random_state=0).fit(X)
    points = segmenter.model_.coding.embedding.points(read_table(X))
    values = np.concatenate([X.ravel(), points.astype(float).ravel()])
    for array in arrays_inside(vars(segmenter)):
        if array is not segmenter.labels_:
            assert 3_001 not in array.shape
            assert array.dtype.kind != "f" or not np.isin(array, values).any()


def test_bad_parameters_are_refused(mixed):
    for parameters in (
        {"n_segments": 0},
        {"n_segments": "many"},
        {"variance_floor": 0},
        {"tol": -1},
        {"max_iter": 0},
        {"n_init": 0},
        {"n_jobs": 0},
        {"forbid": list(mixed.columns)},
    ):
        with pytest.raises(ParameterError):
            xseg.MixtureSegmenter(**parameters).fit(mixed)
    for method in ("predict_proba", "score_samples", "score", "bic", "aic", "transform"):
        with pytest.raises(NotFittedError):
            getattr(xseg.MixtureSegmenter(), method)(mixed)


def test_pickles_and_stages(mixed, caplog):
    with caplog.at_level("INFO", logger="xseg"):
        segmenter = xseg.MixtureSegmenter(3, random_state=0, verbose=1).fit(mixed)
    assert sum(record.name == "xseg" for record in caplog.records) == 2
    again = pickle.loads(pickle.dumps(segmenter))
    assert (again.predict_proba(mixed) == segmenter.predict_proba(mixed)).all()


@given(
    n_rows=st.integers(6, 60),
    seed=st.integers(0, 10_000),
    n_segments=st.integers(1, 4),
    kinds=st.lists(
        st.sampled_from(["number", "whole", "flag", "text", "constant", "empty", "huge"]), min_size=1, max_size=5
    ),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_any_table_is_segmented_or_refused_clearly(n_rows, seed, n_segments, kinds):
    rng = np.random.default_rng(seed)
    make = {
        "number": lambda: rng.normal(size=n_rows),
        "whole": lambda: rng.integers(-2, 3, n_rows),
        "flag": lambda: rng.random(n_rows) < 0.5,
        "text": lambda: rng.choice(["a", "b", ""], n_rows).astype(object),
        "constant": lambda: np.ones(n_rows),
        "empty": lambda: np.full(n_rows, np.nan),
        "huge": lambda: rng.normal(size=n_rows) * 10.0 ** rng.integers(-200, 200),
    }
    table = pd.DataFrame({f"c{j}": make[kind]() for j, kind in enumerate(kinds)})
    table = table.mask(rng.random(table.shape) < 0.1)
    segmenter = xseg.MixtureSegmenter(n_segments, min_members=2, random_state=0, n_jobs=1, n_init=2)
    try:
        segmenter.fit(table)
    except xseg.XsegError:
        return
    assert (segmenter.predict(table) == segmenter.labels_).all()
    shares = segmenter.predict_proba(table)
    assert_allclose(shares.sum(axis=1), 1)
    explanation = xseg.explain(segmenter, table, of="all")
    total = explanation.values.sum(axis=1) + explanation.base_values
    odds = np.exp(total - np.logaddexp.reduce(total, axis=1)[:, None])
    assert_allclose(odds, shares, atol=1e-6)
