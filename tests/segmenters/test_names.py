"""Names speak of what the model uses, and stay with the people they were given to."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xseg
from conftest import mixed_table
from xseg.exceptions import XsegWarning


def shop(n_small, n_large, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "visits": np.r_[rng.poisson(1, n_small), rng.poisson(14, n_large)],
            "paid": np.r_[rng.gamma(2, 9, n_small), rng.gamma(2, 220, n_large)].round(2),
        }
    )


def kinds(**parameters):
    return {
        "tree": xseg.TreeSegmenter(3, random_state=0, **parameters),
        "many leaves": xseg.TreeSegmenter(3, max_leaves=7, random_state=0, **parameters),
        "prototypes": xseg.PrototypeSegmenter(3, random_state=0, **parameters),
        "mixture": xseg.MixtureSegmenter(3, random_state=0, **parameters),
        "outcome": xseg.OutcomeSegmenter(max_segments=3, random_state=0, **parameters),
    }


def mentioned(name, columns):
    return {column for column in columns if re.search(rf"(?<!\w){column.replace('_', ' ')}(?!\w)", name, re.IGNORECASE)}


def used_by(segmenter):
    names = segmenter.profile_.bins.schema.names
    return {names[j] for j in segmenter.model_.used_features}


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("forbid", [(), ("balance", "channel")])
def test_names_mention_only_what_the_model_uses(kind, seed, forbid):
    table = mixed_table(500, seed)
    y = table["spend"] + 90 * table["newsletter"]
    segmenter = kinds(forbid=forbid)[kind].fit(table, *([y] if kind == "outcome" else []))
    for name in segmenter.segment_names_:
        assert mentioned(name, table.columns) <= used_by(segmenter) - set(forbid)


def test_a_stand_in_and_a_folded_tree_name_only_what_they_use():
    table = mixed_table(500, 1)
    numbers = table[["orders", "spend", "balance"]].fillna(0.0)
    stand_in = xseg.SurrogateSegmenter(KMeans(3, n_init=1, random_state=0), forbid=["spend"]).fit(numbers)
    folded = xseg.fold(make_pipeline(StandardScaler(), xseg.TreeSegmenter(3, random_state=0)).fit(numbers))
    for segmenter in (stand_in, folded):
        for name in segmenter.segment_names_:
            assert mentioned(name, numbers.columns) <= used_by(segmenter)


def test_a_proposal_is_not_inherited_by_a_model_that_may_not_use_what_it_says():
    table = mixed_table(600, 2)
    earlier = xseg.TreeSegmenter(4, random_state=0).fit(table)
    spoken = set().union(*(mentioned(name, table.columns) for name in earlier.segment_names_))
    forbidden = sorted(spoken)[0]
    later = xseg.TreeSegmenter(4, forbid=[forbidden], random_state=0).fit(table, align_to=earlier)
    assert not any(mentioned(name, [forbidden]) for name in later.segment_names_)
    chosen = [f"People with high {forbidden}", "B", "C", "D"]
    named = xseg.TreeSegmenter(4, segment_names=chosen, random_state=0).fit(table)
    kept = xseg.TreeSegmenter(4, forbid=[forbidden], random_state=0).fit(table, align_to=named)
    assert chosen[0] in kept.segment_names_
    same = xseg.TreeSegmenter(4, random_state=0).fit(table, align_to=earlier)
    assert same.segment_names_ == earlier.segment_names_


NAMED = {
    "tree": xseg.TreeSegmenter(2, random_state=0, segment_names=["Quiet", "Regulars"]),
    "prototypes": xseg.PrototypeSegmenter(2, random_state=0, segment_names=["Quiet", "Regulars"]),
    "mixture": xseg.MixtureSegmenter(2, random_state=0, segment_names=["Quiet", "Regulars"]),
}


@pytest.mark.parametrize("kind", NAMED)
def test_a_refit_that_gives_a_name_to_other_people_warns(kind):
    may, june = shop(300, 200, 0), shop(200, 300, 1)
    segmenter = clone(NAMED[kind]).fit(may)
    with warnings.catch_warnings():
        warnings.simplefilter("error", XsegWarning)
        segmenter.fit(may)
    with pytest.warns(XsegWarning, match=r"'Quiet' are now in 'Regulars'.*align_to="):
        segmenter.fit(june)


@pytest.mark.parametrize("kind", NAMED)
def test_align_to_keeps_names_with_their_people_without_a_warning(kind):
    may, june = shop(300, 200, 0), shop(200, 300, 1)
    fresh, earlier = clone(NAMED[kind]), clone(NAMED[kind]).fit(may)
    with warnings.catch_warnings():
        warnings.simplefilter("error", XsegWarning)
        fresh.fit(june, align_to=earlier)
    heavy = int(fresh.predict(pd.DataFrame({"visits": [20], "paid": [900.0]}))[0])
    assert fresh.segment_names_[heavy] == earlier.segment_names_[int(earlier.predict(june.tail(1))[0])] == "Regulars"


def test_names_of_a_stand_in_and_of_outcomes_warn_too():
    may, june = shop(300, 200, 0), shop(200, 300, 1)
    first, second = np.repeat([0, 1], [300, 200]), np.repeat([1, 0], [200, 300])
    stand_in = xseg.SurrogateSegmenter(segment_names=["Quiet", "Regulars"]).fit(may, first)
    with pytest.warns(XsegWarning, match="'Quiet' are now in 'Regulars'"):
        stand_in.fit(june, second)
    outcome = xseg.OutcomeSegmenter(max_segments=2, segment_names=["A", "B"], random_state=0).fit(may, may["paid"])
    if outcome.n_segments_ == 2:
        with pytest.warns(XsegWarning, match="are now in"):
            outcome.fit(june, -june["paid"])


def test_a_refit_on_other_columns_follows_nobody():
    may = shop(300, 200, 0)
    segmenter = xseg.TreeSegmenter(2, random_state=0, segment_names=["Quiet", "Regulars"]).fit(may)
    with warnings.catch_warnings():
        warnings.simplefilter("error", XsegWarning)
        segmenter.fit(may.rename(columns={"paid": "spent"}))
