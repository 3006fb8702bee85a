"""The number of segments that is chosen, and what is no structure."""

import warnings

import numpy as np
import pandas as pd
import pytest

import xseg

SEGMENTERS = [
    lambda: xseg.TreeSegmenter("auto", effort="fast", n_init=3, random_state=0),
    lambda: xseg.PrototypeSegmenter("auto", n_init=3, random_state=0),
    lambda: xseg.MixtureSegmenter("auto", n_init=3, random_state=0),
]


def groups(n_groups, seed=0, n_rows=600):
    """Return rows of several types in groups of unequal size that hardly overlap."""
    rng = np.random.default_rng([seed, n_groups])
    shares = np.linspace(1, 2, n_groups)
    group = rng.choice(n_groups, n_rows, p=shares / shares.sum())
    table = pd.DataFrame(rng.standard_normal((n_rows, 3)), columns=list("abc"))
    corners = np.array([[x, y, z] for x in (0, 7) for y in (0, 7) for z in (0, 7)])
    table += rng.permutation(corners)[:n_groups][group]
    table["flag"] = rng.random(n_rows) < np.where(group % 2, 0.9, 0.1)
    table["plan"] = np.array(list("xyz"))[(group + (rng.random(n_rows) < 0.1)) % 3]
    return table


def noise(kind, n_rows=600):
    rng = np.random.default_rng(1)
    if kind == "uniform":
        return pd.DataFrame(rng.random((n_rows, 4)), columns=list("abcd"))
    if kind == "gaussian":
        return pd.DataFrame(rng.standard_normal((n_rows, 4)) @ rng.normal(size=(4, 4)), columns=list("abcd"))
    return pd.DataFrame(
        {
            "age": rng.normal(45, 12, n_rows).round(),
            "spend": np.exp(3 + rng.standard_normal(n_rows)).round(2),
            "orders": rng.poisson(2, n_rows),
            "flag": rng.random(n_rows) < 0.3,
            "plan": rng.choice(list("xyz"), n_rows),
        }
    )


@pytest.mark.parametrize("make", SEGMENTERS)
@pytest.mark.parametrize("n_groups", [2, 5, 8])
def test_known_groups_are_counted(make, n_groups):
    segmenter = make().fit(groups(n_groups))
    assert segmenter.n_segments_ == n_groups
    chosen = [choice for choice in segmenter.selection_ if choice.chosen]
    assert [choice.n_segments for choice in chosen] == [n_groups]
    assert chosen[0].score == max(choice.score for choice in segmenter.selection_)


@pytest.mark.parametrize("make", SEGMENTERS)
@pytest.mark.parametrize("kind", ["uniform", "gaussian", "independent"])
def test_noise_has_no_structure(make, kind):
    with pytest.warns(xseg.XsegWarning, match="no structure found"):
        segmenter = make().fit(noise(kind))
    assert segmenter.n_segments_ == 1
    assert segmenter.selection_[0].chosen


@pytest.mark.parametrize("make", SEGMENTERS)
def test_the_choice_depends_on_neither_order_nor_threads(make):
    table = groups(4)
    segmenter = make().fit(table)
    again = make().set_params(n_jobs=1).fit(table[::-1])
    assert again.selection_ == segmenter.selection_


@pytest.mark.parametrize("make", SEGMENTERS)
def test_a_weight_of_two_is_a_row_twice(make):
    table = groups(3, n_rows=300)
    weighted = make().fit(table, sample_weight=np.full(300, 2))
    assert weighted.n_segments_ == make().fit(pd.concat([table, table])).n_segments_


@pytest.mark.parametrize("make", SEGMENTERS)
def test_awkward_tables_are_counted_too(make):
    texts = pd.DataFrame({"city": [f"city {i % 60}" for i in range(600)], "flag": [i % 2 == 0 for i in range(600)]})
    gaps = groups(3).mask(np.random.default_rng(0).random((600, 5)) < 0.2)
    for table in (texts, gaps, groups(2, n_rows=40)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xseg.XsegWarning)
            assert 1 <= make().fit(table).n_segments_ <= 10
