"""What is proven under bounds holds against every point of a fine grid, the bounds themselves included."""

import itertools

import numpy as np
import pandas as pd
import pytest

import xseg

FEATURES = ["recency", "orders", "spend", "share"]


def people(seed, n_rows=900):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n_rows)
    return pd.DataFrame(
        {
            "recency": np.round(rng.gamma(2, 30 + 40 * (group == 2)), 1),
            "orders": rng.poisson(2 + 6 * (group == 1)),
            "spend": np.round(rng.lognormal(3 + group * 0.8, 0.6), 2),
            "share": rng.beta(2 + 3 * (group == 0), 3),
        }
    )


MODELS = {
    "gower": lambda seed: xseg.PrototypeSegmenter(4, metric="gower", random_state=seed),
    "manhattan": lambda seed: xseg.PrototypeSegmenter(4, metric="manhattan", random_state=seed),
    "squared": lambda seed: xseg.PrototypeSegmenter(4, metric="squared", random_state=seed),
    "mixture": lambda seed: xseg.MixtureSegmenter(3, random_state=seed),
}


def bounds_for(rng, table, features):
    """Draw a low and a high bound each, mostly between two thresholds; some are open on one side."""
    bounds = {}
    for name in features:
        low, high = np.sort(np.quantile(table[name], rng.uniform(0.02, 0.98, 2)))
        kind = rng.integers(0, 4)
        bounds[name] = (None if kind == 1 else float(low), None if kind == 2 else float(high))
    return bounds


def grid(segmenter, table, row, features, bounds):
    """Every combination of 81 values for each free feature that the documentation allows, and the row's own value."""
    axes = []
    for name in features:
        j = table.columns.get_loc(name)
        thresholds = segmenter.profile_.bins[j].thresholds
        low, high = bounds[name]
        first = max(thresholds[0], -np.inf if low is None else low)
        last = min(thresholds[-1], np.inf if high is None else high)
        values = np.linspace(first, last, 81) if first <= last else np.empty(0)
        if segmenter.profile_.bins[j].feature.integral:
            values = np.unique(np.ceil(values[:-1])) if len(values) else values
            values = values[values <= last]
        axes.append(np.append(values, row[name]))
    points = pd.DataFrame(list(itertools.product(*axes)), columns=features)
    return pd.DataFrame({name: points[name] if name in points else row[name] for name in table.columns})


def leads(segmenter, points, target):
    scores = segmenter.model_.score(xseg.core.tables.read_table(points))
    others = np.delete(scores, target, axis=1).max(axis=1)
    return (scores[:, target] - others) / np.abs(scores).max(axis=1) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_no_point_of_a_grid_refutes_what_is_proven(kind, seed):
    table = people(seed)
    segmenter = MODELS[kind](seed).fit(table)
    rng = np.random.default_rng(100 + seed)
    scales = {}
    answers = {"none": 0, "cheapest": 0}
    for _ in range(40):
        features = [str(name) for name in rng.choice(FEATURES, 2, replace=False)]
        bounds, at = bounds_for(rng, table, features), int(rng.integers(len(table)))
        own = int(segmenter.predict(table.iloc[[at]])[0])
        target = int(rng.choice([s for s in range(segmenter.n_segments_) if s != own]))
        found = xseg.counterfactual(
            segmenter,
            table.iloc[[at]],
            target=target,
            bounds=bounds,
            frozen=[name for name in FEATURES if name not in features],
        )
        after = found.changed.iloc[0]
        row = table.iloc[at]
        for name in features:
            low, high = bounds[name]
            assert after[name] == row[name] or (-np.inf if low is None else low) <= after[name]
            assert after[name] == row[name] or after[name] <= (np.inf if high is None else high)
        if not found.proven[0]:
            continue
        points = grid(segmenter, table, row, features, bounds)
        wins = leads(segmenter, points, target)
        if not found.found[0]:
            assert not wins.any(), (features, bounds, at, target, points[wins].iloc[0].to_dict())
            answers["none"] += 1
            continue
        if kind == "mixture":
            continue
        if not scales:
            moves = xseg.explanations._change_costs.AllowedChanges.from_options(segmenter.profile_)
            scales = dict(zip(table.columns, moves.scale, strict=True))
        cost = sum((points[name] - row[name]).abs() / scales[name] for name in features)
        # Rounding at the end may add a thousandth of the scale for each number.
        assert found.cost[0] <= min(cost[wins], default=np.inf) + 2.1e-3, (features, bounds, at, target)
        answers["cheapest"] += 1
    assert answers["none"] + answers["cheapest"] > 3
