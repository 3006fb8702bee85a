"""Noise is called noise, whatever its columns look like, and groups are seen."""

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.exceptions import DataError, ParameterError
from xseg.metrics import structure


def noise(seed, n_rows=150):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "spend": rng.lognormal(4, 1, n_rows),
            "orders": rng.poisson(2, n_rows),
            "age": rng.integers(18, 90, n_rows),
            "city": rng.choice(list("abc"), n_rows),
            "two heights": rng.normal(size=n_rows) + 6 * rng.integers(0, 2, n_rows),
        }
    )


@pytest.mark.slow
def test_at_most_five_of_a_hundred_tables_of_noise_are_called_groups():
    claims, reported = 0, 0
    for seed in range(100):
        X = noise(seed)
        found = structure(X, n_segments=3, random_state=seed)
        claims += found.found
        assert ("No structure found" in str(found)) == (not found.found)
        if seed < 10:
            segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(X)
            page = xseg.make_report(segmenter, X).html()
            reported += "No structure found" in page
    assert claims <= 5
    assert reported >= 9


@pytest.mark.slow
def test_groups_are_seen_and_told():
    customers = xseg.make_customers(3_000, random_state=0)
    found = structure(customers, n_segments=4, random_state=0)
    assert found.found
    assert found.tightness < 0.95
    segmenter = xseg.TreeSegmenter(4, effort="fast", random_state=0).fit(customers)
    assert "tighter than in tables" in xseg.make_report(segmenter, customers).html()
    assert "tighter" not in xseg.make_report(segmenter).html()


@pytest.mark.slow
def test_p_values_of_noise_are_spread_evenly():
    values = [
        structure(noise(seed, 60), n_segments=2, n_permutations=9, random_state=seed).p_value for seed in range(60)
    ]
    assert 0.4 < np.mean(values) < 0.7
    assert min(values) >= 0.1


def test_reports_of_outcomes_say_whether_they_differ():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    nothing = xseg.OutcomeSegmenter(random_state=0).fit(X, rng.integers(0, 2, 400))
    assert "No structure found: the outcome does not differ" in xseg.make_report(nothing).html()
    something = xseg.OutcomeSegmenter(random_state=0).fit(X, X[:, 0] > 0)
    assert "The outcome differs between groups" in xseg.make_report(something).html()


def test_what_cannot_be_tested():
    with pytest.raises(ParameterError, match="2 groups or more"):
        structure(noise(0), n_segments=1)
    with pytest.raises(DataError, match="too few"):
        structure(noise(0).head(3), n_segments=3)
