"""One table, one space, whatever the segmenter."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

import xseg
from xseg.exceptions import ParameterError


@pytest.fixture(scope="module")
def customers():
    return xseg.make_customers(600, random_state=0)


def test_costs_are_comparable_and_never_beat_the_reference_by_much(customers):
    candidates = {
        "tree": xseg.TreeSegmenter(4, effort="fast", random_state=0),
        "larger tree": xseg.TreeSegmenter(4, max_leaves=8, effort="fast", random_state=0),
        "prototypes": xseg.PrototypeSegmenter(4, random_state=0),
        "mixture": xseg.MixtureSegmenter(4, random_state=0),
    }
    table = xseg.compare(candidates, customers, n_resamples=0, random_state=0)
    assert list(table.index) == list(candidates)
    assert (table["relative_cost"] > 0.999).all()
    assert table.loc["larger tree", "cost"] <= table.loc["tree", "cost"] * 1.001
    assert table.loc["tree", "mean_depth"] > 1
    assert np.isnan(table.loc["mixture", "mean_depth"])
    assert table["stability"].isna().all()
    assert (table["seconds"] > 0).all()
    assert (table["smallest"] <= table["largest"]).all()


def test_the_cost_is_that_of_the_definition():
    X = np.random.default_rng(0).normal(size=(300, 3))
    fitted = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(X)
    table = xseg.compare([fitted], X, scaling="standard", n_resamples=2, random_state=0)
    assert table.columns.name == 'scaling="standard"'
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = sum(((Z[fitted.labels_ == s] - Z[fitted.labels_ == s].mean(axis=0)) ** 2).sum() for s in range(3))
    assert table.loc["TreeSegmenter", "cost"] == pytest.approx(expected / 300, rel=1e-5)
    assert np.isnan(table.loc["TreeSegmenter", "seconds"])
    assert 0 <= table.loc["TreeSegmenter", "stability"] <= 1


def test_stand_ins_say_how_faithful_they_are():
    X = np.random.default_rng(1).normal(size=(300, 3))
    table = xseg.compare([xseg.SurrogateSegmenter(KMeans(3, n_init=2, random_state=0))], X, n_resamples=0)
    assert 0.5 < table["fidelity"].iloc[0] <= 1


def test_same_kinds_are_numbered(customers):
    fitted = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(customers)
    assert list(xseg.compare([fitted, fitted, fitted], customers, n_resamples=0).index) == [
        "TreeSegmenter",
        "TreeSegmenter 2",
        "TreeSegmenter 3",
    ]


@pytest.mark.parametrize("wrong", [[], {}, [KMeans(2)]])
def test_what_cannot_be_compared_is_refused(customers, wrong):
    with pytest.raises(ParameterError, match=r"nothing to compare|SurrogateSegmenter"):
        xseg.compare(wrong, customers)
