"""Cheapest changes of additive scores cost what HiGHS finds, up to the rounding of changed numbers."""

import numpy as np
import pandas as pd
import pytest

import xseg
from reference_changes import solve_by_highs
from xseg.explanations._change_costs import AllowedChanges

N_ROWS = 20
# A changed number is rounded to a thousandth of its scale (or the power of ten below), outward.
ROUNDING = 1e-3


@pytest.mark.parametrize(("metric", "n_features", "n_segments"), [("manhattan", 3, 4), ("gower", 8, 5)])
@pytest.mark.parametrize("target", [0, 1])
def test_proven_changes_cost_what_highs_finds(metric, n_features, n_segments, target):
    rng = np.random.default_rng(n_features)
    centres = 1.5 * rng.normal(size=(n_segments, n_features))
    points = centres[rng.integers(n_segments, size=1_500)] + rng.normal(size=(1_500, n_features))
    X = pd.DataFrame(points).add_prefix("x")
    segmenter = xseg.PrototypeSegmenter(n_segments, metric=metric, random_state=0).fit(X)
    bounds = {name: (float(X[name].min()), float(X[name].max())) for name in X}
    rows = X[segmenter.labels_ != target].head(N_ROWS)
    answers = xseg.counterfactual(segmenter, rows, target=target, bounds=bounds)
    scale = AllowedChanges.from_options(segmenter.profile_).scale

    assert answers.proven.all()
    for row, cost in zip(rows.to_numpy(), answers.cost, strict=True):
        least, is_proven = solve_by_highs(segmenter, row, target, scale, list(bounds.values()))
        assert is_proven
        assert least - 1e-6 <= cost <= least + ROUNDING * n_features + 1e-6
