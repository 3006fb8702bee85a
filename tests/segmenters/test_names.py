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


NAMES = ["Rare buyers", "Regular buyers", "Frequent buyers"]


def is_public(segmenter):
    return [name is not None for name in segmenter.public_names_]


@pytest.mark.parametrize("kind", kinds())
def test_given_names_are_public_and_proposed_ones_are_not(kind, tmp_path):
    table = mixed_table(400, 0)
    y = [table["spend"]] if kind == "outcome" else []
    proposed = kinds()[kind].fit(table, *y)
    assert proposed.public_names_ == (None,) * proposed.n_segments_
    given = kinds(segment_names=NAMES)[kind].fit(table, *y)
    assert given.public_names_ == given.segment_names_
    for segmenter in (proposed, given):
        xseg.save(segmenter, tmp_path / "model.json")
        assert xseg.load(tmp_path / "model.json").public_names_ == segmenter.public_names_


@pytest.mark.parametrize("kind", ["tree", "prototypes", "mixture"])
def test_inherited_names_are_public_if_they_were_given(kind):
    table = mixed_table(400, 0)
    for parameters in ({}, {"segment_names": NAMES}):
        earlier = kinds(**parameters)[kind].fit(table)
        later = kinds()[kind].fit(table, align_to=earlier)
        assert later.segment_names_ == earlier.segment_names_
        assert later.public_names_ == earlier.public_names_
    more = xseg.TreeSegmenter(5, random_state=0).fit(table, align_to=earlier)
    assert is_public(more) == [True] * 3 + [False] * 2


def test_labels_of_an_original_are_not_public():
    table = mixed_table(400, 0)
    labels = np.where(table["spend"] > table["spend"].median(), "VIP", "cheap")
    stand_in = xseg.SurrogateSegmenter(random_state=0).fit(table, labels)
    assert set(stand_in.segment_names_) == {"VIP", "cheap"}
    assert not any(is_public(stand_in))
    named = xseg.SurrogateSegmenter(segment_names=["Saving", "Spending"], random_state=0).fit(table, labels)
    assert named.public_names_ == ("Saving", "Spending")


def test_names_of_rules_are_public_and_that_of_the_unnamed_rest_is_not(tmp_path):
    table, rules = mixed_table(400, 0), {"Big spenders": "spend > 50"}
    assert xseg.RuleSegmenter(rules).fit(table).public_names_ == ("Big spenders", None)
    rest = xseg.RuleSegmenter(rules, default="Others").fit(table)
    assert rest.public_names_ == ("Big spenders", "Others")
    xseg.save(rest, tmp_path / "rules.json")
    assert xseg.load(tmp_path / "rules.json").public_names_ == rest.public_names_


def test_folded_names_stay_public():
    numbers = shop(200, 200, 0)
    for names in (None, ["Often", "Seldom"]):
        tree = xseg.TreeSegmenter(2, segment_names=names, random_state=0)
        pipeline = make_pipeline(StandardScaler(), tree).fit(numbers)
        assert xseg.fold(pipeline).public_names_ == pipeline[-1].public_names_
