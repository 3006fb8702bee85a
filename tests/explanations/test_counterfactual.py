"""The cheapest change: no cell is cheaper, it really moves the row, and it keeps to what is asked."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.explanations._change_costs import compute_scale

NUMBERS = ["orders", "spend", "balance"]
RESOLUTION = 1e-3
SCORED = {
    "gower": lambda: xseg.PrototypeSegmenter(3, metric="gower", max_bins=8, random_state=0),
    "quantile": lambda: xseg.PrototypeSegmenter(3, metric="manhattan", scaling="quantile", max_bins=8, random_state=0),
    "squared": lambda: xseg.PrototypeSegmenter(3, metric="squared", max_bins=8, random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, max_bins=8, random_state=0),
}
BOXES = {
    "tree": lambda: xseg.TreeSegmenter(3, max_leaves=7, max_bins=8, random_state=0),
    "rules": lambda: xseg.RuleSegmenter(
        {"busy": 'orders > 3 and channel in {"app", "web"}', "rich": "spend >= 250.5 or balance <= -1"}
    ),
    "surrogate": lambda: xseg.SurrogateSegmenter(
        xseg.PrototypeSegmenter(3, random_state=0), max_bins=8, random_state=0
    ),
    "outcome": lambda: xseg.OutcomeSegmenter(5, max_bins=8, random_state=0),
}
CONSTRAINTS = [
    {},
    {"frozen": ["spend", "channel"]},
    {"direction": {"orders": "up", "age": "up", "balance": "down", "newsletter": "up"}},
    {"bounds": {"orders": (1, 3.5), "balance": (-0.5, None), "spend": (None, 120)}, "frozen": ["age"]},
    {"frozen": [*NUMBERS, "channel", "newsletter"]},
]


def fit(kind, table):
    """Fit one of either family; what an outcome segmenter estimates is an outcome that three columns decide."""
    make = {**SCORED, **BOXES}[kind]
    if kind != "outcome":
        return make().fit(table)
    many = mixed_table(2_000, 9)
    segmenter = make().fit(many, 2.0 * (many["orders"] > 2) + (many["spend"] > 80) + (many["channel"] == "web"))
    assert segmenter.n_segments_ >= 3
    return segmenter


def scale_of(segmenter, name):
    j = segmenter.profile_.bins.schema.index(name)
    return compute_scale(segmenter.profile_.bins[j], segmenter.profile_.population[j])


def cell_price(own, inside, first, last, name, scale, asked):
    """What it costs a number to get into a cell; nothing if it is there, infinity if that is not allowed."""
    if inside:
        return 0.0
    if pd.isna(own) or name in asked.get("frozen", ()):
        return np.inf
    low, high = asked.get("bounds", {}).get(name, (None, None))
    first = first if low is None else max(first, low)
    last = last if high is None else min(last, high)
    if name in {"orders", "newsletter"}:
        first, last = np.ceil(first), np.floor(last)
    way = asked.get("direction", {}).get(name)
    if first > last or (own < first and way == "down") or (own > last and way == "up"):
        return np.inf
    return abs((first if own < first else last) - own) / scale


def category_price(own, other, order, name, asked):
    if own == other or (pd.isna(own) and pd.isna(other)):
        return 0.0
    if pd.isna(own) or pd.isna(other) or name in asked.get("frozen", ()):
        return np.inf
    way = asked.get("direction", {}).get(name)
    if way and (order.index(other) > order.index(own)) != (way == "up"):
        return np.inf
    return 1.0


def cells(bins):
    """Every cell of one feature: a value of it, and the first and last number in it."""
    if not bins.feature.kind.is_numeric:
        return [(name, None, None) for name in (*bins.categories, None)]
    edges = [-np.inf, *bins.thresholds, np.inf]
    spans = [(low, np.nextafter(high, -np.inf) if np.isfinite(high) else high) for low, high in pairwise(edges)]
    known = [(first if np.isfinite(first) else min(last, 0.0), first, last) for first, last in spans]
    return [*known, (np.nan, None, None)]


def cheapest_cell(segmenter, row, target, asked, used):
    """The cheapest of every combination of cells that `predict` puts into the target."""
    all_bins = segmenter.model_.boxes.bins
    options = []
    for j in used:
        bins = all_bins[j]
        name, own = bins.feature.name, row[bins.feature.name]
        scale = scale_of(segmenter, name)
        priced = []
        for value, first, last in cells(bins):
            if not bins.feature.kind.is_numeric:
                price = category_price(own, value, list(bins.categories), name, asked)
            elif first is None:
                price = 0.0 if pd.isna(own) else np.inf
            else:
                inside = not pd.isna(own) and first <= own <= last
                price = cell_price(own, inside, first, last, name, scale, asked)
                value = own if inside else value
            if np.isfinite(price):
                priced.append((value, price))
        options.append(priced)
    combinations = list(product(*options))
    rows = pd.DataFrame([row] * len(combinations)).astype(object)
    for place, j in enumerate(used):
        rows[all_bins[j].feature.name] = [combination[place][0] for combination in combinations]
    labels = segmenter.predict(typed(rows))
    prices = np.array([sum(price for _, price in combination) for combination in combinations])
    return prices[labels == target].min(initial=np.inf)


def typed(rows):
    """Give rows of any values the types that the segmenter reads."""
    for name in ("channel", "age"):
        rows[name] = rows[name].where(rows[name].notna(), None)
    return rows.astype(dict.fromkeys([*NUMBERS, "newsletter"], float))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
@pytest.mark.parametrize("asked", CONSTRAINTS)
@pytest.mark.parametrize("kind", BOXES)
def test_nothing_cheaper_exists_in_any_cell_and_no_way_means_none(kind, asked):
    table = mixed_table(200, 1)
    segmenter = fit(kind, table)
    used = segmenter.model_.used_features.tolist()
    for target in range(segmenter.n_segments_):
        answer = xseg.counterfactual(segmenter, table, target=target, **asked)
        for i in range(target, 200, 25):
            least = cheapest_cell(segmenter, table.iloc[i], target, asked, used)
            assert answer.found[i] == np.isfinite(least)
            if answer.found[i]:
                assert least - 1e-9 <= answer.cost[i] <= least + RESOLUTION * len(used) + 1e-9
            assert bool(answer.blocked_by[i]) == (not answer.found[i])
            assert all(obstacle.features for obstacle in answer.blocked_by[i])


def check(segmenter, table, answer, asked):
    """Whoever is found is moved, at the price told, as asked; whoever is not stays."""
    moved = segmenter.predict(answer.changed)
    assert_array_equal(moved[answer.found], answer.target[answer.found])
    assert_array_equal(segmenter.predict(table), answer.own)
    price = np.zeros(len(table))
    for i, changes in enumerate(answer.changes):
        for change in changes:
            name, before, after = change.feature, change.before, change.after
            assert name not in asked.get("frozen", ())
            assert not pd.isna(before)
            assert not pd.isna(after)
            if not isinstance(after, str):
                low, high = asked.get("bounds", {}).get(name, (None, None))
                assert low is None or after >= low
                assert high is None or after <= high
                price[i] += abs(float(after) - float(before)) / scale_of(segmenter, name)
                way = asked.get("direction", {}).get(name)
                assert way is None or (after > before) == (way == "up")
            else:
                price[i] += 1
                if name in asked.get("direction", {}):
                    order = ["18-34", "35-54", "55+"]
                    assert (order.index(after) > order.index(before)) == (asked["direction"][name] == "up")
            if name == "orders":
                assert after == int(after)
    assert_allclose(answer.cost[answer.found], price[answer.found], atol=1e-9)
    assert np.isinf(answer.cost[~answer.found]).all()
    assert not price[~answer.found].any()
    known = answer.changed.notna().to_numpy() == table.notna().to_numpy()
    assert known.all()


asked_for = st.fixed_dictionaries(
    {
        "frozen": st.lists(st.sampled_from([*NUMBERS, "channel", "newsletter", "age"]), max_size=4, unique=True),
        "direction": st.dictionaries(
            st.sampled_from([*NUMBERS, "newsletter", "age"]), st.sampled_from(["up", "down"]), max_size=3
        ),
        "bounds": st.dictionaries(
            st.sampled_from(NUMBERS),
            st.tuples(st.none() | st.floats(-2, 5), st.none() | st.floats(5, 400)),
            max_size=3,
        ),
    }
)


@pytest.fixture(scope="module")
def models():
    table = mixed_table(300, 2)
    return table, {kind: fit(kind, table) for kind in (*SCORED, *BOXES)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
@settings(max_examples=25, deadline=None)
@given(asked=asked_for, target=st.sampled_from([None, 0, 1, 2]))
@pytest.mark.parametrize("kind", [*SCORED, *BOXES])
def test_what_is_asked_is_honoured_and_every_change_moves(models, kind, asked, target):
    table, fitted = models
    some = table.head(60)
    answer = xseg.counterfactual(fitted[kind], some, target=target, **asked)
    check(fitted[kind], some, answer, asked)
    if target is None:
        assert (answer.target != answer.own).all()


@pytest.mark.parametrize("kind", SCORED)
def test_no_combination_of_round_numbers_is_cheaper_for_scores(kind):
    table = mixed_table(200, 1)[["orders", "spend", "channel"]]
    segmenter = SCORED[kind]().fit(table)
    bins = segmenter.model_.coding.bins
    for target in range(3):
        answer = xseg.counterfactual(segmenter, table, target=target)
        for i in range(0, 200, 10):
            row = table.iloc[i]
            options = []
            for j, name in enumerate(table.columns):
                if name == "channel":
                    names = [row[name]] if pd.isna(row[name]) else bins[j].categories
                    options.append([(other, float(other != row[name])) for other in names])
                else:
                    scale = scale_of(segmenter, name)
                    stops = bins[j].thresholds.tolist()
                    if name == "orders":
                        stops = [np.ceil(stop) if row[name] < stop else np.ceil(stop) - 1 for stop in stops]
                    options.append([(row[name], 0.0), *((stop, abs(stop - row[name]) / scale) for stop in stops)])
            every = list(product(*options))
            rows = pd.DataFrame([[value for value, _ in line] for line in every], columns=table.columns)
            rows["channel"] = pd.Categorical(rows["channel"], categories=table["channel"].cat.categories)
            prices = np.array([sum(0.0 if pd.isna(v) else p for v, p in line) for line in every])
            least = prices[segmenter.predict(rows) == target].min(initial=np.inf)
            if answer.proven[i]:
                assert answer.cost[i] <= least + 3 * RESOLUTION


@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
@pytest.mark.parametrize("kind", ["gower", "squared", "mixture"])
def test_one_number_alone_ends_at_the_very_boundary(kind):
    random = np.random.default_rng(0)
    X = (random.normal(size=(300, 1)) + random.choice([-9.0, 0.0, 12.0], size=(300, 1))) * 3
    segmenter = SCORED[kind]().set_params(max_bins=255).fit(X)
    line = np.linspace(X.min(), X.max(), 200_001)[:, None]
    labels, scale = segmenter.predict(line), scale_of(segmenter, "x0")
    assert len(np.unique(labels)) == 3
    answer = xseg.counterfactual(segmenter, X)
    for i in range(0, 300, 15):
        least = (np.abs(line[labels != answer.own[i], 0] - X[i, 0]) / scale).min()
        assert answer.cost[i] <= least + RESOLUTION + 1e-4
        assert segmenter.predict(answer.changed.to_numpy()[[i]])[0] == answer.target[i]


def test_whole_numbers_and_round_numbers(mixed):
    segmenter = xseg.RuleSegmenter({"loyal": "orders > 2.5 and spend < 150"}).fit(mixed)
    answer = xseg.counterfactual(segmenter, mixed, target="loyal")
    ends = {(change.feature, change.after) for changes in answer.changes for change in changes}
    assert {name for name, _ in ends} == {"orders", "spend"}
    assert {end for name, end in ends if name == "orders"} == {3}
    (spend,) = {end for name, end in ends if name == "spend"}
    assert 150 - RESOLUTION * scale_of(segmenter, "spend") <= spend < 150
    assert spend == round(spend, 2)
    assert answer.changed["orders"].dtype == mixed["orders"].dtype


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SCORED, *BOXES])
def test_forms_of_the_table_threads_and_rows_change_nothing(models, kind):
    table, fitted = models
    segmenter = fitted[kind]
    expected = xseg.counterfactual(segmenter, table, target=1)
    assert xseg.counterfactual(segmenter, pl.from_pandas(table), target=1).changes == expected.changes
    part = xseg.counterfactual(segmenter, table.iloc[40:60], target=1)
    assert part.changes == expected.changes[40:60]
    assert list(part.changed.index) == list(table.index[40:60])
    many = pd.concat([table] * 20, ignore_index=True)
    for n_jobs in (1, 3):
        assert_array_equal(
            xseg.counterfactual(segmenter.set_params(n_jobs=n_jobs), many, target=1).cost, np.tile(expected.cost, 20)
        )


def test_who_is_there_already_changes_nothing(fitted, mixed):
    answer = xseg.counterfactual(fitted, mixed, target=0)
    there = answer.own == 0
    assert not answer.cost[there].any()
    assert not any(changes for changes, inside in zip(answer.changes, there, strict=True) if inside)


def test_obstacles_are_named(mixed):
    segmenter = xseg.RuleSegmenter({"loyal": "orders >= 4 and spend < 150 and balance < 0"})
    segmenter.fit(mixed)
    row = mixed.head(1).assign(orders=1, spend=900.0, balance=np.nan)
    answer = xseg.counterfactual(segmenter, row, target="loyal", frozen=["spend"], bounds={"orders": (None, 3)})
    (obstacle,) = answer.blocked_by[0]
    assert dict(obstacle.features) == {"orders": "bounds", "spend": "frozen", "balance": "missing"}
    one_way = xseg.counterfactual(segmenter, row.assign(balance=-1.0), target="loyal", direction={"orders": "down"})
    assert dict(one_way.blocked_by[0][0].features) == {"orders": "direction"}


def test_what_cannot_be_asked_is_refused(fitted, mixed):
    for asked, error, told in (
        ({"frozen": "spend"}, ParameterError, "must be a list"),
        ({"frozen": ["spent"]}, DataError, "did you mean 'spend'"),
        ({"bounds": {"channel": (1, 2)}}, ParameterError, "must name columns of numbers"),
        ({"bounds": {"spend": 3}}, ParameterError, "must be a pair"),
        ({"bounds": {"spend": (3, 2)}}, ParameterError, "low <= high"),
        ({"direction": {"channel": "up"}}, ParameterError, "have an order"),
        ({"direction": {"spend": "more"}}, ParameterError, "must be 'up' or 'down'"),
        ({"target": "nobody"}, DataError, "a segment must be one of"),
        ({"target": 9}, ParameterError, "from 0 to 3"),
        ({"cost": "l2"}, ParameterError, "scaled-l1"),
    ):
        with pytest.raises(error, match=told):
            xseg.counterfactual(fitted, mixed, **asked)
    with pytest.raises(NotFittedError):
        xseg.counterfactual(xseg.TreeSegmenter(2), mixed)
    X = np.random.default_rng(0).normal(size=(60, 4))
    scaled = make_pipeline(StandardScaler(), xseg.TreeSegmenter(2)).fit(X)
    answer = xseg.counterfactual(scaled, X)
    assert answer.found.all()
    assert (scaled.predict(answer.changed) == answer.target).all()
    with pytest.raises(UnsupportedTypeError, match="'standardscaler'"):
        xseg.counterfactual(make_pipeline(StandardScaler(), xseg.PrototypeSegmenter(2)).fit(X), X)
    idle = make_pipeline("passthrough", xseg.TreeSegmenter(2)).fit(X)
    assert xseg.counterfactual(idle, X).found.all()


def numbers_table(n_rows=400):
    """Three groups on three columns of numbers that do not repeat."""
    rng = np.random.default_rng(4)
    group = rng.integers(0, 3, n_rows)
    columns = {f"x{j}": rng.normal(size=n_rows) + 3 * (group == j) + 0.5 * j for j in range(3)}
    return pd.DataFrame(columns)


def allowed_spans(segmenter, row, asked):
    """From where to where each number may go: to the first and last threshold, as far as is asked."""
    for bins in segmenter.model_.coding.bins.features:
        name = bins.feature.name
        own, low, high = row[name], bins.thresholds[0], bins.thresholds[-1]
        way = asked.get("direction", {}).get(name)
        fixed = name in asked.get("frozen", ())
        yield min(own, own if fixed or way == "up" else low), max(own, own if fixed or way == "down" else high)


LINEAR_ASKS = [{}, {"frozen": ["x0"]}, {"direction": {"x1": "up", "x2": "down"}}]


@pytest.mark.parametrize("asked", LINEAR_ASKS)
def test_squared_prototypes_have_the_least_change_of_all_by_linear_programming(asked):
    table = numbers_table()
    segmenter = SCORED["squared"]().set_params(n_segments=5, max_bins=255).fit(table)
    coding, scores = segmenter.model_.coding, segmenter.model_.scores
    scales = np.array([scale_of(segmenter, name) for name in table])
    answer = xseg.counterfactual(segmenter, table, target=0, **asked)
    assert answer.proven.all()
    several = 0
    for i in range(0, len(table), 8):
        if answer.own[i] == 0:
            continue
        knots = scores.curves[:, 1]
        slopes = 2 * (knots[:, [0]] - knots) * coding.embedding.factor[:, None] * scales[:, None]
        behind = segmenter.model_.score(segmenter.read_rows(table.iloc[[i]]))[0]
        spans = np.array(list(allowed_spans(segmenter, table.iloc[i], asked)))
        room = np.abs(spans - table.iloc[i].to_numpy()[:, None]) / scales[:, None]
        gains = np.vstack([slopes, -slopes])[:, 1:]
        best = linprog(
            np.ones(6), -gains.T, behind[0] - behind[1:], bounds=[(0, r) for r in (*room[:, 1], *room[:, 0])]
        )
        assert answer.found[i] == (best.status == 0)
        if answer.found[i]:
            assert best.fun - 1e-6 <= answer.cost[i] <= best.fun + 10 * RESOLUTION
            several += len(answer.changes[i]) > 1
    assert several > 0 or "frozen" in asked


@pytest.mark.parametrize("metric", ["gower", "manhattan", "squared"])
def test_proof_holds_against_a_lattice_of_two_numbers(metric):
    table = numbers_table()[["x0", "x1"]]
    segmenter = xseg.PrototypeSegmenter(5, metric=metric, random_state=0).fit(table)
    scales = [scale_of(segmenter, name) for name in table]
    lines = [
        np.linspace(bins.thresholds[0], bins.thresholds[-1], 301) for bins in segmenter.model_.coding.bins.features
    ]
    lattice = np.array(np.meshgrid(*lines)).reshape(2, -1).T
    labels = segmenter.predict(pd.DataFrame(lattice, columns=table.columns))
    answer = xseg.counterfactual(segmenter, table)
    assert answer.proven.mean() > 0.9
    for i in np.flatnonzero(answer.proven)[::10]:
        prices = (np.abs(lattice - table.iloc[i].to_numpy()) / scales).sum(axis=1)
        assert answer.cost[i] <= prices[labels != answer.own[i]].min() + 10 * RESOLUTION


def test_scores_out_of_reach_are_proven_and_what_is_proven_is_true():
    table = numbers_table()[["x0", "x1"]]
    unreached = 0
    for kind in ("gower", "squared", "mixture"):
        segmenter = SCORED[kind]().set_params(max_bins=255).fit(table)
        line = np.linspace(table["x0"].min(), table["x0"].max(), 3_001)
        for target in range(3):
            answer = xseg.counterfactual(segmenter, table, target=target, frozen=["x1"])
            assert answer.proven.all()
            unreached += (~answer.found).sum()
            for i in np.flatnonzero(~answer.found)[:10]:
                row = pd.DataFrame({"x0": line, "x1": table["x1"].iloc[i]})
                thresholds = segmenter.model_.coding.bins[0].thresholds
                inside = row[(line >= thresholds[0]) & (line <= thresholds[-1])]
                assert (segmenter.predict(inside) != target).all()
                assert answer.recourse(i).blocked_by == ()
                assert answer.recourse(i).target == segmenter.segment_names_[target]
    assert unreached > 10


def test_recourse_tells_one_person_the_facts(mixed):
    segmenter = xseg.RuleSegmenter(
        {"loyal": "orders > 2.5 and spend < 150 and balance <= 30", "rich": "spend >= 250.5"}
    )
    segmenter.fit(mixed)
    row = mixed.head(1).assign(orders=1, spend=900.0, balance=40.0)
    facts = xseg.counterfactual(segmenter, row, target="loyal").recourse(0)
    assert (facts.own, facts.target, facts.found, facts.proven) == ("rich", "loyal", True, True)
    told = {
        change.feature: (change.before, change.after, change.relation, change.threshold) for change in facts.changes
    }
    assert told["orders"] == (1, 3, ">=", 3)
    assert told["balance"] == (40.0, 30.0, "<=", 30.0)
    assert told["spend"][2:] == ("<", 150.0)
    few = xseg.RuleSegmenter({"new": "orders < 2.5 and balance > 30"}).fit(mixed)
    facts = xseg.counterfactual(few, row.assign(orders=7, balance=1.0), target="new").recourse(0)
    assert [(change.relation, change.threshold) for change in facts.changes] == [("<", 3), (">", 30.0)]
    facts = xseg.counterfactual(segmenter, row, target="loyal", frozen=["spend"]).recourse(0)
    assert (facts.found, facts.proven, facts.changes, facts.cost) == (False, True, (), np.inf)
    assert facts.blocked_by[0].features == (("spend", "frozen"),)
    scored = SCORED["gower"]().fit(mixed)
    for change in xseg.counterfactual(scored, mixed).recourse(0).changes:
        assert (change.relation, change.threshold) == ("=", change.after)
