"""Columns that stand in for sensitive ones are found, and others are not: no more often than was promised."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2_contingency

from xseg.core.tables import read_table
from xseg.governance.reviews._proxies import compute_wilson_interval, group_values, measure_associations

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "proxies.py"


@pytest.fixture(scope="module")
def benchmark():
    specification = importlib.util.spec_from_file_location("proxies_benchmark", BENCHMARK)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


@pytest.mark.slow
def test_planted_proxies_are_found_and_others_are_not(benchmark):
    tally = benchmark.Tally()
    for seed in range(20):
        benchmark.judge(10_000 + seed, tally)
    assert tally.planted >= 10
    assert tally.recall >= 0.95
    assert tally.false_flags <= 0.05


def test_the_chance_of_any_false_find_is_held():
    columns, rows, level = 12, 120, 0.05
    false = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        shared = rng.integers(0, 3, rows)
        candidates = {
            f"x{j}": np.where(rng.random(rows) < 0.5, shared, rng.integers(0, 3, rows)) for j in range(columns)
        }
        found = measure_associations(candidates, rng.integers(0, 2, rows), n_permutations=199, seed=seed)
        false += min(one.p_value for one in found) <= level
    assert binomtest(false, 150, level, alternative="greater").pvalue > 0.01


def test_strength_is_that_of_chi_squared_less_its_bias():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 900)
    column = np.where(rng.random(900) < 0.5, groups, rng.integers(0, 4, 900))
    [found] = measure_associations({"x": column}, groups, n_permutations=100, seed=0)
    counts = np.array([[np.sum((column == a) & (groups == b)) for b in range(3)] for a in range(4)])
    phi = max(0, chi2_contingency(counts, correction=False).statistic / 900 - 3 * 2 / 899)
    assert found.strength == pytest.approx(np.sqrt(phi / min(4 - 9 / 899 - 1, 3 - 4 / 899 - 1)), rel=1e-6)
    assert found.p_value == pytest.approx(1 / 101)


def test_nothing_depends_on_how_values_are_numbered():
    rng = np.random.default_rng(1)
    groups, column = rng.integers(0, 3, 300), rng.integers(0, 5, 300)
    [one] = measure_associations({"x": column}, groups, n_permutations=99, seed=0)
    [other] = measure_associations({"x": 7 * (4 - column)}, groups, n_permutations=99, seed=0)
    assert one.strength == pytest.approx(other.strength)
    assert one.p_value == other.p_value


def test_values_are_put_into_few_groups_and_missing_ones_stay_apart():
    rng = np.random.default_rng(0)
    table = read_table(
        pd.DataFrame(
            {
                "number": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
                "text": rng.choice([f"c{j}" for j in range(20)], 400),
                "same": np.ones(400),
            }
        )
    )
    number, text, same = (group_values(column, missing=-1) for column in table.columns)
    assert ((number == -1) == np.isnan(table.columns[0].values)).all()
    known = np.bincount(number[number >= 0])
    assert len(known) == 8
    assert known.max() - known.min() <= 1
    assert len(np.unique(text)) == 8
    assert set(same) == {0}


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (81, 263)])
def test_intervals_are_wilsons(successes, n):
    ours = compute_wilson_interval(successes, n)
    theirs = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_of_nobody_nothing_is_known():
    assert compute_wilson_interval(0, 0) == (0.0, 1.0)
