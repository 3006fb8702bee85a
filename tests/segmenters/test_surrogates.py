"""A stand-in says what the original says, as often as it claims, and tells where it does not."""

import pickle
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    AgglomerativeClustering,
    BisectingKMeans,
    KMeans,
    MiniBatchKMeans,
    SpectralClustering,
)
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.impute import SimpleImputer
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import xseg
from conftest import arrays_inside, mixed_table
from xseg.core.tables import read_table
from xseg.exceptions import DataError, ParameterError, UnsupportedTypeError
from xseg.explanations import explain_row


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def stand_in(iris):
    return xseg.SurrogateSegmenter(KMeans(3, n_init=5, random_state=0), max_leaves=4, random_state=0).fit(iris)


def encoder():
    return make_column_transformer(
        (OneHotEncoder(), ["channel", "age"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["orders", "spend", "balance"]),
        ("passthrough", ["newsletter"]),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "original",
    [
        KMeans(3, n_init=3, random_state=0),
        MiniBatchKMeans(3, n_init=3, random_state=0),
        BisectingKMeans(3, random_state=0),
        GaussianMixture(3, random_state=0),
        BayesianGaussianMixture(n_components=3, random_state=0),
        AgglomerativeClustering(3),
        SpectralClustering(3, random_state=0),
        HDBSCAN(min_cluster_size=10, copy=True),
        DBSCAN(eps=0.5),
        make_pipeline(StandardScaler(), KMeans(3, n_init=3, random_state=0)),
        make_pipeline(StandardScaler(), AgglomerativeClustering(3)),
    ],
)
@pytest.mark.parametrize("fitted_before", [False, True])
def test_any_clusterer_can_be_stood_in_for(iris, original, fitted_before):
    theirs = clone(original)
    labels = theirs.fit_predict(iris)
    given = theirs if fitted_before else original
    found = xseg.SurrogateSegmenter(given, max_leaves=8, min_segment_size=1, random_state=0).fit(iris)
    assert found.fidelity_ >= 0.9
    own = np.array(found.original_labels_)[found.labels_]
    assert found.fidelity_ == pytest.approx((own == labels).mean())
    # Positions of segments are those of the sorted labels, with noise last.
    known = sorted(set(labels) - {-1})
    expected = [*known, -1] if -1 in labels else known
    assert [label for label in expected if label in found.original_labels_] == list(found.original_labels_)
    if -1 in found.original_labels_:
        assert found.segment_names_[-1] == "No group"
    said = found.agreement(iris)
    if hasattr(theirs, "predict"):
        assert ((said == "yes") == (own == labels)).all()
        assert found.score(iris) == pytest.approx(found.fidelity_)
    else:
        assert set(said) == {"not known"}
        with pytest.raises(UnsupportedTypeError, match="cannot predict"):
            found.score(iris)
    assert ((found.agreement(iris, labels) == "yes") == (own == labels)).all()
    assert not hasattr(original, "labels_")


def test_other_objects_that_give_labels(iris):
    class Halves:
        def fit_predict(self, X):
            return np.asarray(X)[:, 2] > 2.5

    class Ready:
        def predict(self, X):
            return np.where(np.asarray(X)[:, 2] > 2.5, "large", "small")

    for original, labels in ((Halves(), (False, True)), (Ready(), ("large", "small"))):
        found = xseg.SurrogateSegmenter(original, random_state=0).fit(iris)
        assert found.fidelity_ == 1
        assert found.original_labels_ == labels
        assert found.tree_.n_leaves == 2
    assert set(xseg.SurrogateSegmenter(Ready()).fit(iris).agreement(iris)) == {"yes"}


@given(st.integers(0, 999), st.integers(2, 4), st.sampled_from(["int", "str", "float"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_fidelity_is_what_counting_gives(seed, n_groups, kind):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (60, 2)).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    labels = rng.integers(-1, n_groups, 60).astype({"int": int, "float": float, "str": int}[kind])
    if kind == "str":
        labels = np.where(labels < 0, None, np.char.add("g", labels.astype(str)))
    weights = rng.integers(0, 4, 60)
    weights[:2] = 1
    found = xseg.SurrogateSegmenter(max_leaves=4, min_segment_size=1, random_state=0)
    found.fit(X, labels, sample_weight=weights)
    normal = [-1 if label is None else label for label in labels]
    own = [-1 if label in (None, -1) else label for label in (found.original_labels_[s] for s in found.labels_)]
    agrees = np.array([a == b for a, b in zip(own, normal, strict=True)])
    assert found.fidelity_ == pytest.approx(np.average(agrees, weights=weights))
    for told in found.fidelity_by_segment_:
        label = -1 if told.label in (None, -1) else told.label
        theirs, ours = np.array([n == label for n in normal]), np.array([o == label for o in own])
        assert told.size == weights[theirs].sum()
        assert told.recall == pytest.approx(np.average(ours[theirs], weights=weights[theirs]) if told.size else 0)
        if told.segment is None:
            assert told.precision is None
            assert not ours.any()
        else:
            assert told.precision == pytest.approx(np.average(theirs[ours], weights=weights[ours]))
    assert ((found.agreement(X, labels) == "yes") == agrees).all()


def best_of_three_leaves(X, labels, n_groups):
    """The most rows that any tree of at most three leaves over single thresholds gets right: every one is tried."""
    cuts = [(j, t) for j in range(X.shape[1]) for t in np.unique(X[:, j])[1:]]

    def right(rows):
        return np.bincount(labels[rows], minlength=n_groups).max() if rows.any() else 0

    best = 0
    for (j, t), (k, u) in product(cuts, cuts):
        left = X[:, j] < t
        for side in (left, ~left):
            inner = X[:, k] < u
            best = max(best, right(~side) + right(side & inner) + right(side & ~inner))
    return best


@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_small_trees_are_as_good_as_trying_every_one():
    rng = np.random.default_rng(0)
    reached = []
    for seed in range(12):
        X = rng.integers(0, 6, (40, 3)).astype(float)
        labels = KMeans(3, n_init=2, random_state=seed).fit_predict(X)
        found = xseg.SurrogateSegmenter(max_leaves=3, min_segment_size=1, random_state=0)
        found.fit(X, labels)
        reached.append(round(found.fidelity_ * 40) / best_of_three_leaves(X, labels, 3))
    assert max(reached) == 1
    assert min(reached) > 0.9
    assert np.mean(np.array(reached) == 1) >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("leaves", [1, 2])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_no_less_faithful_than_a_classification_tree_of_the_same_size(load, k, leaves):
    X = load().data
    labels = KMeans(k, n_init=3, random_state=0).fit_predict(StandardScaler().fit_transform(X))
    peer = DecisionTreeClassifier(max_leaf_nodes=leaves * k, random_state=0).fit(X, labels).score(X, labels)
    found = xseg.SurrogateSegmenter(max_leaves=leaves * k, max_depth=32, min_segment_size=1, random_state=0)
    assert found.fit(X, labels).fidelity_ >= peer


def test_categories_missing_values_and_weights_reach_the_stand_in(mixed):
    original = make_pipeline(encoder(), KMeans(4, n_init=3, random_state=0))
    found = xseg.SurrogateSegmenter(original, max_leaves=12, random_state=0).fit(mixed)
    assert found.fidelity_ > 0.85
    own = np.array(found.original_labels_)[found.labels_]
    assert ((found.agreement(mixed) == "yes") == (own == found.estimator_.predict(mixed))).all()
    columns = {column.name: column for column in read_table(mixed).columns}
    for segment in found.segments_:
        held = np.any([rule.holds(columns, len(mixed)) for rule in segment.rules], axis=0)
        assert (held == (found.labels_ == segment.index)).all()
    explained = xseg.explain(found, mixed, of="all")
    np.testing.assert_allclose(explained.values.sum(axis=1) + explained.base_values, found.transform(mixed), atol=1e-12)
    labels = found.estimator_.predict(mixed)
    weights = np.random.default_rng(0).integers(0, 3, len(mixed))
    weighted = xseg.SurrogateSegmenter(random_state=0).fit(mixed, labels, sample_weight=weights)
    again = mixed.index.repeat(weights)
    repeated = xseg.SurrogateSegmenter(random_state=0).fit(mixed.loc[again], labels[again])
    assert np.array_equal(weighted.profile_.counts, repeated.profile_.counts)
    assert weighted.fidelity_ == repeated.fidelity_


def test_order_and_threads_change_nothing(mixed):
    labels = xseg.TreeSegmenter(4, random_state=3).fit(mixed).labels_
    order = np.random.default_rng(0).permutation(len(mixed))
    one = xseg.SurrogateSegmenter(max_leaves=5, random_state=0, n_jobs=1).fit(mixed, labels)
    other = xseg.SurrogateSegmenter(max_leaves=5, random_state=0, n_jobs=3).fit(mixed.iloc[order], labels[order])
    assert np.array_equal(one.tree_.goes_left, other.tree_.goes_left)
    assert np.array_equal(one.profile_.counts, other.profile_.counts)
    assert (one.labels_[order] == other.labels_).all()


def test_batches_give_the_same_bits_as_the_table(mixed):
    original = make_pipeline(encoder(), KMeans(4, n_init=3, random_state=0)).fit(mixed)
    whole = xseg.SurrogateSegmenter(original, max_leaves=6, random_state=0).fit(mixed)
    parts = [mixed.iloc[start : start + 70] for start in range(0, len(mixed), 70)]
    for backend in (xseg.backends.MemoryBackend(mixed), xseg.backends.BatchBackend(parts, n_jobs=2)):
        batched = xseg.SurrogateSegmenter(original, max_leaves=6, random_state=0).fit(backend)
        assert np.array_equal(batched.profile_.counts, whole.profile_.counts)
        assert np.array_equal(batched.tree_.goes_left, whole.tree_.goes_left)
        assert (batched.labels_ == whole.labels_).all()
        assert batched.fidelity_ == whole.fidelity_
        assert batched.original_labels_ == whole.original_labels_
        assert (batched.agreement(backend) == whole.agreement(mixed)).all()
        assert list(batched.feature_names_in_) == list(mixed.columns)
    X = mixed[["orders", "spend"]].to_numpy()
    plain = KMeans(3, n_init=3, random_state=0).fit(X)
    unnamed = xseg.SurrogateSegmenter(plain, random_state=0).fit(xseg.backends.BatchBackend(np.array_split(X, 3)))
    assert (unnamed.labels_ == xseg.SurrogateSegmenter(plain, random_state=0).fit(X).labels_).all()


def test_large_tables_are_searched_on_a_sample_and_judged_on_all_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 3)) + 3 * rng.integers(0, 3, (60_000, 1))
    labels = KMeans(3, n_init=1, random_state=0).fit_predict(X)
    one = xseg.SurrogateSegmenter(max_leaves=6, random_state=0).fit(X, labels)
    assert one.fidelity_ == np.mean(np.array(one.original_labels_)[one.labels_] == labels)
    peer = DecisionTreeClassifier(max_leaf_nodes=6, random_state=0).fit(X, labels).score(X, labels)
    assert one.fidelity_ > peer - 0.005
    order = rng.permutation(len(X))
    other = xseg.SurrogateSegmenter(max_leaves=6, random_state=0, n_jobs=2).fit(X[order], labels[order])
    assert (one.labels_[order] == other.labels_).all()


def test_groups_that_no_leaf_stands_for_are_told(iris):
    labels = KMeans(6, n_init=3, random_state=0).fit_predict(iris)
    with pytest.warns(xseg.XsegWarning, match="no leaf stands for"):
        found = xseg.SurrogateSegmenter(max_leaves=3, random_state=0).fit(iris, labels)
    assert found.n_segments_ == 3
    assert len(found.fidelity_by_segment_) == 6
    assert sorted(told.recall for told in found.fidelity_by_segment_)[:3] == [0, 0, 0]


def test_bounds_are_kept(iris):
    labels = KMeans(4, n_init=3, random_state=0).fit_predict(iris)
    found = xseg.SurrogateSegmenter(max_leaves=8, max_depth=3, min_segment_size=12, random_state=0).fit(iris, labels)
    assert found.tree_.depth <= 3
    assert np.bincount(found.tree_.apply(found.tree_.bins.encode(read_table(iris)))).astype(bool).sum() <= 8
    leaves = found.tree_.apply(found.tree_.bins.encode(read_table(iris)))
    assert np.bincount(leaves)[np.unique(leaves)].min() >= 12
    forbidden = iris.columns[2:4].tolist()
    kept = xseg.SurrogateSegmenter(max_leaves=8, forbid=forbidden, random_state=0).fit(iris, labels)
    assert not {iris.columns[j] for j in kept.tree_.used_features} & set(forbidden)


@pytest.mark.slow
def test_more_effort_is_never_less_faithful():
    X = load_digits().data
    labels = KMeans(6, n_init=2, random_state=0).fit_predict(X)
    found = [xseg.SurrogateSegmenter(effort=effort, random_state=0).fit(X, labels) for effort in ("fast", "balanced")]
    assert found[0].fidelity_ <= found[1].fidelity_ + 1e-4


def test_everybody_without_a_group(iris):
    found = xseg.SurrogateSegmenter(random_state=0).fit(iris, np.full(150, -1))
    assert found.segment_names_ == ("No group",)
    assert found.original_labels_ == (-1,)
    assert found.fidelity_ == 1
    assert set(found.agreement(iris, np.full(150, np.nan))) == {"yes"}
    assert set(found.agreement(iris, np.zeros(150))) == {"no"}
    kept = xseg.SurrogateSegmenter(noise_label=None, random_state=0).fit(iris, [-1, 0] * 75)
    assert "No group" not in kept.segment_names_


def test_names(iris):
    labels = KMeans(3, n_init=3, random_state=0).fit_predict(iris)
    found = xseg.SurrogateSegmenter(segment_names=["A", "B", "C"], random_state=0).fit(iris, labels)
    assert found.segment_names_ == ("A", "B", "C")
    with pytest.raises(ParameterError, match="segment_names"):
        xseg.SurrogateSegmenter(segment_names=["A"], random_state=0).fit(iris, labels)


def test_mistakes_are_refused(iris):
    with pytest.raises(ParameterError, match="pass a clusterer, or the labels"):
        xseg.SurrogateSegmenter().fit(iris)
    for parameters in ({"estimator": 5}, {"max_leaves": 0}, {"effort": "hard"}, {"noise_label": 1.5}, {"n_jobs": 0}):
        with pytest.raises(ParameterError):
            xseg.SurrogateSegmenter(**parameters).fit(iris, [0] * 150)
    with pytest.raises(DataError, match="labels must have shape"):
        xseg.SurrogateSegmenter().fit(iris, [0, 1])
    with pytest.raises(DataError, match="one type that can be sorted"):
        xseg.SurrogateSegmenter().fit(iris, np.array([0, "a"] * 75, dtype=object))
    with pytest.raises(DataError, match="got 300"):
        xseg.SurrogateSegmenter().fit(np.arange(300.0)[:, None], np.arange(300))
    for original in (None, KMeans(3), AgglomerativeClustering(3).fit(iris)):
        with pytest.raises(ParameterError, match="must be fitted and have predict"):
            xseg.SurrogateSegmenter(original).fit(xseg.backends.MemoryBackend(iris), [0] * 150)
    with pytest.raises(ParameterError, match=r"10 rows of X, .* labels_ of 150 rows"):
        xseg.SurrogateSegmenter(AgglomerativeClustering(3).fit(iris)).fit(iris.head(10))
    with pytest.raises(xseg.XsegError, match="petal"):
        xseg.SurrogateSegmenter(forbid=["petal"]).fit(iris, [0, 1] * 75)
    with pytest.raises(DataError):
        xseg.SurrogateSegmenter().fit(iris, [0, 1] * 75).agreement(iris.iloc[:, :2], [0] * 150)


def test_a_saved_stand_in_answers_the_same_and_forgets_the_original(iris, stand_in, tmp_path):
    xseg.save(stand_in, tmp_path / "stand-in.json")
    again = xseg.load(tmp_path / "stand-in.json")
    assert (again.predict(iris) == stand_in.labels_).all()
    assert np.array_equal(xseg.explain(again, iris, of="all").values, xseg.explain(stand_in, iris, of="all").values)
    assert xseg.export.fingerprint(again) == xseg.export.fingerprint(stand_in)
    assert again.original_labels_ == stand_in.original_labels_
    assert again.fidelity_ == stand_in.fidelity_
    assert again.fidelity_by_segment_ == stand_in.fidelity_by_segment_
    assert again.original_name_ == "KMeans"
    assert set(again.agreement(iris)) == {"not known"}
    labels = stand_in.estimator_.predict(iris)
    assert (again.agreement(iris, labels) == stand_in.agreement(iris)).all()
    assert (pickle.loads(pickle.dumps(stand_in)).agreement(iris) == stand_in.agreement(iris)).all()
    with pytest.raises(UnsupportedTypeError, match=r"KMeans.*cannot predict"):
        again.score(iris)


def test_cards_say_whether_the_original_agrees(iris, stand_in):
    cards, said = xseg.make_cards(stand_in, iris), stand_in.agreement(iris)
    assert {"yes", "no"} <= set(said)
    for card, agrees in zip(cards, said, strict=True):
        assert card.original_agrees == agrees
        assert xseg.cards.Card.from_json(card.json()) == card
        for form in (card.text(), card.markdown(), card.html()):
            assert ("puts you into the same group" in form) == (agrees == "yes")
            assert ("puts you into another group" in form) == (agrees == "no")
    told = xseg.make_cards(stand_in, iris.head(2), agreement=["no", "not known"])
    assert "another group" in told[0].text()
    assert "We do not know here where it puts you." in told[1].text()
    for wrong in (["no"], ["no", "perhaps"]):
        with pytest.raises(DataError, match="agreement needs"):
            xseg.make_cards(stand_in, iris.head(2), agreement=wrong)
    tree = xseg.TreeSegmenter(3, random_state=0).fit(iris)
    card = xseg.make_cards(tree, iris.head(1))[0]
    assert card.original_agrees is None
    assert "method" not in card.text()


def test_reports_rows_and_the_scorer_know_stand_ins(iris, stand_in):
    html = xseg.make_report(stand_in).html()
    assert f"{stand_in.fidelity_:.1%}" in html
    assert "How people are placed" in html
    assert "stand in for another method (KMeans)" in html
    weak = [one for one in stand_in.fidelity_by_segment_ if min(one.recall, one.precision) < 0.8]
    assert ("met by less than 80%" in html) == bool(weak)
    with pytest.warns(xseg.XsegWarning):
        blunt = xseg.SurrogateSegmenter(max_leaves=2).fit(iris, stand_in.estimator_.predict(iris))
    assert "without a rule (0% found)" in xseg.make_report(blunt).html()
    for row, agrees in list(enumerate(stand_in.agreement(iris)))[:60:7]:
        assert explain_row(stand_in, iris.iloc[[row]]).original_agrees == agrees
        assert xseg.Scorer(stand_in)(iris.iloc[row].to_dict()).segment == stand_in.labels_[row]
    rules = xseg.RuleSegmenter.from_tree(stand_in).fit(iris)
    assert (rules.labels_ == stand_in.labels_).all()


def test_no_fitted_stand_in_holds_a_row():
    table = mixed_table(601)
    labels = xseg.TreeSegmenter(3, random_state=0).fit(table).labels_
    found = xseg.SurrogateSegmenter(random_state=0).fit(table, labels)
    for array in arrays_inside({key: value for key, value in vars(found).items() if key != "labels_"}):
        assert 601 not in array.shape


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("k", [4, 8])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_real_customers(shared_data, k):
    table = pd.read_csv(shared_data / "cc_general.csv").drop(columns="CUST_ID")
    original = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), KMeans(k, n_init=3, random_state=0))
    found = xseg.SurrogateSegmenter(original, max_leaves=k, max_depth=32, min_segment_size=1, random_state=0).fit(table)
    labels = found.estimator_.predict(table)
    filled = table.fillna(table.median())
    peer = DecisionTreeClassifier(max_leaf_nodes=k, random_state=0).fit(filled, labels).score(filled, labels)
    assert found.fidelity_ >= peer
    rules = xseg.RuleSegmenter.from_tree(found).fit(table)
    assert (rules.labels_ == found.labels_).all()
