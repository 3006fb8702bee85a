"""Prototypes: people are with the nearest, centres are where they cost least, and nobody is held or shown."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, load_wine
from sklearn.preprocessing import StandardScaler

import xseg
from conftest import arrays_inside, mixed_table
from xseg.core.tables import read_table
from xseg.exceptions import DataError, DefinitionError, NotFittedError, ParameterError

METRICS = ("gower", "manhattan", "squared")


def gower(table, row, other):
    """Gower's coefficient of two rows, feature by feature, over what is known of both."""
    total = known = 0.0
    for name in table:
        a, b = row[name], other[name]
        if pd.isna(a) or pd.isna(b):
            continue
        known += 1
        column = table[name]
        if column.dtype.name == "category" and column.cat.ordered:
            order = list(column.cat.categories)
            total += abs(order.index(a) - order.index(b)) / (len(order) - 1)
        elif column.dtype.kind in "fi":
            total += abs(float(a) - float(b)) / float(column.max() - column.min())
        else:
            total += a != b
    return total / known, known


def centres_of(segmenter):
    """The centres in raw units, read from the model."""
    model = segmenter.model_
    bins, embedding, scores = model.coding.bins, model.scores.embedding, model.scores
    centres = [{} for _ in range(segmenter.n_segments_)]
    for s, centre in enumerate(centres):
        for p, j in enumerate(embedding.coordinates):
            centre[bins[j].feature.name] = scores.curves[p, 1, s] / embedding.factor[p] + embedding.shift[p]
        for f, j in enumerate(embedding.looked_up):
            code = int(scores.tables[f, : bins[j].n_codes, s].argmax())
            centre[bins[j].feature.name] = bins[j].categories[code] if bins[j].categories else bool(code)
    return centres


def same_model(one, other):
    return (
        np.array_equal(one.model_.scores.curves, other.model_.scores.curves)
        and np.array_equal(one.model_.scores.tables, other.model_.scores.tables)
        and np.array_equal(one.model_.population.sums, other.model_.population.sums)
        and np.array_equal(one.profile_.counts, other.profile_.counts)
        and one.cost_ == other.cost_
        and one.prototypes_.equals(other.prototypes_)
    )


@pytest.fixture(scope="module", params=METRICS)
def fitted_prototypes(request, mixed):
    return xseg.PrototypeSegmenter(4, metric=request.param, random_state=0).fit(mixed)


def test_everyone_is_with_the_nearest_centre(fitted_prototypes, mixed):
    distances = fitted_prototypes.transform(mixed)
    assert distances.shape == (len(mixed), 4)
    assert (distances.argmin(axis=1) == fitted_prototypes.labels_).all()
    assert (fitted_prototypes.predict(mixed) == fitted_prototypes.labels_).all()
    assert fitted_prototypes.cost_ == pytest.approx(distances.min(axis=1).sum(), rel=1e-9)
    assert fitted_prototypes.score(mixed) == pytest.approx(-fitted_prototypes.cost_, rel=1e-9)
    sizes = [segment.size for segment in fitted_prototypes.segments_]
    assert sizes == sorted(sizes, reverse=True) == np.bincount(fitted_prototypes.labels_).tolist()


def test_distances_are_gowers_and_missing_values_have_no_part(mixed):
    # With min_members=1 the range is that of the outermost values, as in Gower's definition.
    segmenter = xseg.PrototypeSegmenter(4, metric="gower", min_members=1, random_state=0).fit(mixed)
    centres, distances = centres_of(segmenter), segmenter.transform(mixed)
    for i in range(0, 600, 20):
        row = mixed.iloc[i]
        told = [gower(mixed, row, centre) for centre in centres]
        assert_allclose(distances[i], [distance * known for distance, known in told], atol=1e-5)
        assert int(np.argmin([distance for distance, _ in told])) == segmenter.labels_[i]
    blank = pd.DataFrame({name: [None] for name in mixed}).astype(mixed.dtypes.drop(["orders", "newsletter"]).to_dict())
    blank[["orders", "newsletter"]] = np.nan
    assert (segmenter.transform(blank) == 0).all()


def test_no_centre_has_a_better_place_for_its_people(fitted_prototypes, mixed):
    """Moving any coordinate of any centre, or changing any of its categories, never lowers the cost."""
    from dataclasses import replace

    scores = fitted_prototypes.model_.scores
    codes, points = fitted_prototypes.model_.coding.code(read_table(mixed))
    for s in range(4):
        mine = fitted_prototypes.labels_ == s
        cost = -scores.compute(codes[mine], points[mine])[:, s].sum()
        for p in range(len(scores.curves)):
            for step in (-0.05, 0.05):
                moved = scores.curves.copy()
                moved[p, 1, s] += step
                other = -replace(scores, curves=moved).compute(codes[mine], points[mine])[:, s].sum()
                assert other >= cost - 0.02 * abs(cost) * (fitted_prototypes.metric != "squared") - 1e-6


@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_squared_distances_find_what_k_means_finds(load):
    points = StandardScaler().fit_transform(load().data)
    best = KMeans(3, n_init=20, random_state=0).fit(points).inertia_
    segmenter = xseg.PrototypeSegmenter(3, metric="squared", random_state=0).fit(load().data)
    assert segmenter.cost_ <= best * (1 + 1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_no_dearer_than_any_medoids(metric):
    """Exhaustive search over all pairs of rows as centres; ours may stand anywhere and so cost no more."""
    table = mixed_table(60, 3).dropna()
    segmenter = xseg.PrototypeSegmenter(2, metric=metric, min_members=1, random_state=0).fit(table)
    codes, points = segmenter.model_.coding.code(read_table(table))
    embedding = segmenter.model_.scores.embedding
    squared = metric == "squared"
    between = np.zeros((len(table), len(table)))
    for p in range(len(embedding.coordinates)):
        apart = np.abs(points[:, p, None].astype(float) - points[None, :, p])
        between += apart**2 if squared else apart
    for j, vectors in zip(embedding.looked_up, embedding.vectors, strict=True):
        places = vectors[codes[:, j]]
        apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
        between += apart**2 if squared else apart
    pairs = np.minimum(between[:, :, None], between[:, None, :]).sum(axis=0)
    assert segmenter.cost_ <= pairs.min() * (1 + 1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_order_threads_and_batches_change_nothing(metric, mixed):
    one = xseg.PrototypeSegmenter(4, metric=metric, random_state=0, n_jobs=1).fit(mixed)
    order = np.random.default_rng(0).permutation(len(mixed))
    other = xseg.PrototypeSegmenter(4, metric=metric, random_state=0, n_jobs=3).fit(mixed.iloc[order])
    assert same_model(one, other)
    assert (other.labels_ == one.labels_[order]).all()
    parts = [mixed.iloc[start : start + 77] for start in range(0, 600, 77)]
    assert same_model(
        one, xseg.PrototypeSegmenter(4, metric=metric, random_state=0).fit(xseg.backends.BatchBackend(parts))
    )


def test_order_and_batches_change_nothing_when_rows_are_sampled():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 4)) + 4 * rng.integers(0, 3, (60_000, 1))
    one = xseg.PrototypeSegmenter(3, random_state=0, n_jobs=1).fit(X)
    assert same_model(one, xseg.PrototypeSegmenter(3, random_state=0, n_jobs=2).fit(X[rng.permutation(len(X))]))
    assert same_model(
        one, xseg.PrototypeSegmenter(3, random_state=0).fit(xseg.backends.BatchBackend(np.array_split(X, 7)))
    )


@pytest.mark.parametrize("metric", METRICS)
def test_a_whole_weight_is_as_many_rows(metric, mixed):
    weight = np.random.default_rng(0).integers(0, 4, len(mixed))
    weighted = xseg.PrototypeSegmenter(4, metric=metric, random_state=0).fit(mixed, sample_weight=weight)
    repeated = xseg.PrototypeSegmenter(4, metric=metric, random_state=0).fit(mixed.loc[mixed.index.repeat(weight)])
    assert same_model(weighted, repeated)


def test_weights_of_features_multiply_their_part():
    X = load_iris().data
    for metric in ("manhattan", "squared"):
        weighted = xseg.PrototypeSegmenter(3, metric=metric, scaling="none", feature_weights=[4, 1, 1, 1]).fit(X)
        stretch = 4 if metric == "manhattan" else 2
        stretched = xseg.PrototypeSegmenter(3, metric=metric, scaling="none").fit(X * [stretch, 1, 1, 1])
        assert weighted.cost_ == pytest.approx(stretched.cost_, rel=1e-2)
    doubled = xseg.PrototypeSegmenter(3, feature_weights=[2, 2, 2, 2], min_members=1, random_state=0).fit(X)
    single = xseg.PrototypeSegmenter(3, min_members=1, random_state=0).fit(X)
    assert doubled.cost_ == pytest.approx(2 * single.cost_, rel=1e-6)


@pytest.mark.filterwarnings("ignore::xseg.exceptions.RareCategoriesWarning")
@pytest.mark.parametrize("min_members", [1, 10, 60, 100])
def test_segments_and_prototypes_are_of_enough_people(mixed, min_members):
    segmenter = xseg.PrototypeSegmenter(4, min_members=min_members, random_state=0).fit(mixed)
    assert np.bincount(segmenter.labels_).min() >= min_members
    assert segmenter.prototype_sizes_.min() >= min_members
    assert (segmenter.prototype_sizes_ <= [segment.size for segment in segmenter.segments_]).all()


@pytest.mark.filterwarnings("ignore::xseg.exceptions.RareCategoriesWarning")
def test_too_many_segments_for_the_people_are_fewer_segments(mixed):
    with pytest.warns(xseg.XsegWarning, match="of 4 segments with at least min_members=200"):
        segmenter = xseg.PrototypeSegmenter(4, min_members=200, random_state=0).fit(mixed)
    assert segmenter.n_segments_ < 4
    assert np.bincount(segmenter.labels_).min() >= 200
    with pytest.raises(DataError, match="min_members must be at most"):
        xseg.PrototypeSegmenter().fit(mixed.head(8))


def test_a_prototype_is_the_middle_of_the_nearer_half(mixed):
    segmenter = xseg.PrototypeSegmenter(4, random_state=0).fit(mixed)
    distances = segmenter.transform(mixed)
    shown = segmenter.prototypes_
    assert list(shown.columns) == list(mixed.columns)
    assert list(shown.index) == list(segmenter.segment_names_)
    for s in range(4):
        mine = np.flatnonzero(segmenter.labels_ == s)
        near = mixed.iloc[mine[np.argsort(distances[mine, s])][: int(segmenter.prototype_sizes_[s])]]
        assert len(near) >= len(mine) / 2
        assert shown.iloc[s]["orders"] == pytest.approx(near["orders"].median(), abs=1)
        assert shown.iloc[s]["spend"] == pytest.approx(near["spend"].median(), rel=0.15)
        assert shown.iloc[s]["channel"] == near["channel"].mode()[0]
        assert shown.iloc[s]["newsletter"] == near["newsletter"].mode()[0]
        assert not (mixed[list(shown)].astype(object) == shown.iloc[s].to_numpy()).all(axis=1).any()


@pytest.mark.parametrize("metric", METRICS)
def test_no_fitted_object_holds_a_row(metric):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_001, 3)) + 5 * rng.integers(0, 3, (3_001, 1))
    segmenter = xseg.PrototypeSegmenter(3, metric=metric, random_state=0).fit(X)
    for array in arrays_inside(vars(segmenter)):
        assert array is segmenter.labels_ or 3_001 not in array.shape
    knots = segmenter.model_.scores.curves[:, 1].T
    points = segmenter.model_.coding.embedding.points(read_table(X)).astype(float)
    assert (np.abs(points[:, None] - knots[None]) > 1e-6).any(axis=2).all()
    assert not np.isin(segmenter.prototypes_.to_numpy(dtype=float), X).any()


def test_representatives_are_rows_and_only_by_leave(mixed):
    segmenter = xseg.PrototypeSegmenter(4, random_state=0).fit(mixed)
    rows = segmenter.representatives(mixed)
    distances = segmenter.transform(mixed)
    assert list(rows.index) == distances.argmin(axis=0).tolist()
    pd.testing.assert_frame_equal(rows, mixed.loc[rows.index])
    pd.testing.assert_frame_equal(segmenter.representatives(mixed, policy={"real_people": True}), rows)
    for policy in ({}, {"minimum_group_size": 5}, {"real_people": False}):
        with pytest.raises(DefinitionError, match="real_people"):
            segmenter.representatives(mixed, policy=policy)
    with pytest.raises(NotFittedError):
        xseg.PrototypeSegmenter().representatives(mixed)


def test_unseen_and_missing_values_have_no_part(mixed):
    segmenter = xseg.PrototypeSegmenter(4, random_state=0).fit(mixed)
    unseen = mixed.head(5).assign(channel=["teleport"] * 5)
    missing = mixed.head(5).assign(channel=pd.Series([None] * 5, dtype=object))
    assert_allclose(segmenter.transform(unseen), segmenter.transform(missing))


def test_bad_parameters_are_refused(mixed):
    for parameters in (
        {"n_segments": 0},
        {"n_segments": "many"},
        {"metric": "cosine"},
        {"min_members": 0},
        {"scaling": "range"},
        {"max_iter": 0},
        {"n_jobs": 0},
        {"feature_weights": {"orders": -1}},
        {"forbid": list(mixed.columns)},
        {"segment_names": ["A", "A"], "n_segments": 2},
    ):
        with pytest.raises(ParameterError):
            xseg.PrototypeSegmenter(**parameters).fit(mixed)


def test_pickles_and_stages(mixed, caplog):
    with caplog.at_level("INFO", logger="xseg"):
        segmenter = xseg.PrototypeSegmenter(3, random_state=0, verbose=1).fit(mixed)
    assert sum(record.name == "xseg" for record in caplog.records) == 2
    again = pickle.loads(pickle.dumps(segmenter))
    assert (again.predict(mixed) == segmenter.labels_).all()
    assert again.prototypes_.equals(segmenter.prototypes_)


@pytest.mark.slow
@given(
    n_rows=st.integers(6, 60),
    seed=st.integers(0, 10_000),
    n_segments=st.integers(1, 4),
    metric=st.sampled_from(METRICS),
    scaling=st.sampled_from(["standard", "robust", "quantile", "none"]),
    kinds=st.lists(
        st.sampled_from(["number", "whole", "flag", "text", "constant", "empty", "huge"]), min_size=1, max_size=5
    ),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_any_table_is_segmented_or_refused_clearly(n_rows, seed, n_segments, metric, scaling, kinds):
    rng = np.random.default_rng(seed)
    make = {
        "number": lambda: rng.normal(size=n_rows),
        "whole": lambda: rng.integers(-2, 3, n_rows),
        "flag": lambda: rng.random(n_rows) < 0.5,
        "text": lambda: rng.choice(["a", "b", ""], n_rows).astype(object),
        "constant": lambda: np.ones(n_rows),
        "empty": lambda: np.full(n_rows, np.nan),
        "huge": lambda: rng.normal(size=n_rows) * 10.0 ** rng.integers(-30, 30),
    }
    table = pd.DataFrame({f"c{j}": make[kind]() for j, kind in enumerate(kinds)})
    table = table.mask(rng.random(table.shape) < 0.1)
    segmenter = xseg.PrototypeSegmenter(
        n_segments, metric=metric, scaling=scaling, min_members=2, random_state=0, n_jobs=1, n_init=2
    )
    try:
        segmenter.fit(table)
    except xseg.XsegError:
        return
    assert (segmenter.predict(table) == segmenter.labels_).all()
    assert np.bincount(segmenter.labels_).min() >= 2
    explanation = xseg.explain(segmenter, table, of="all")
    total = explanation.values.sum(axis=1) + explanation.base_values
    assert_allclose(total, -segmenter.transform(table), rtol=1e-9, atol=1e-9 * max(1, np.abs(total).max()))
