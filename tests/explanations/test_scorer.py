"""One person at a time gives what a table gives, bit for bit."""

import numpy as np
import pytest

import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, NotFittedError, UnsupportedTypeError
from xseg.explanations import explain_row

BOXES = {"4": (4, 4), "9 boxes": (4, 9), "one": (1, 1)}
SCORES = {
    "gower": lambda: xseg.PrototypeSegmenter(4, metric="gower", random_state=0),
    "manhattan": lambda: xseg.PrototypeSegmenter(3, metric="manhattan", scaling="quantile", forbid=["age"]),
    "squared": lambda: xseg.PrototypeSegmenter(3, metric="squared", random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, random_state=0),
    "one prototype": lambda: xseg.PrototypeSegmenter(1, random_state=0),
}


def make_tree(name):
    n_segments, max_leaves = BOXES[name]
    return xseg.TreeSegmenter(n_segments, max_leaves=max_leaves, max_depth=8, random_state=0)


@pytest.fixture(scope="module", params=BOXES)
def scored(request):
    table = mixed_table(500, seed=2)
    return table, make_tree(request.param).fit(table)


@pytest.fixture(scope="module", params=[*BOXES, *SCORES])
def any_scored(request):
    table = mixed_table(500, seed=2)
    segmenter = SCORES[request.param]() if request.param in SCORES else make_tree(request.param)
    return table, segmenter.fit(table)


@pytest.mark.slow
def test_every_row_scores_as_in_the_table(any_scored):
    table, segmenter = any_scored
    scorer, explanation = xseg.Scorer(segmenter), xseg.explain(segmenter, table)
    for row, (_, values) in enumerate(table.iterrows()):
        found = scorer(values.to_dict())
        assert found.segment == segmenter.labels_[row]
        assert found.name == segmenter.segment_names_[found.segment]
        assert found.base_value == explanation.base_values[row]
        by_name = {reason.feature: reason.contribution for reason in found.reasons}
        assert [by_name.get(name, 0.0) for name in table.columns] == explanation.values[row].tolist()
        sizes = [abs(reason.contribution) for reason in found.reasons]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_the_rival_is_that_of_the_explanation(any_scored):
    table, segmenter = any_scored
    for row in range(0, 500, 50):
        found = xseg.Scorer(segmenter)(table.iloc[row].to_dict())
        assert found.rival == explain_row(segmenter, table.iloc[[row]]).rival


def test_rules_and_ranks_are_those_of_the_model(scored):
    table, segmenter = scored
    found = xseg.Scorer(segmenter)(table.iloc[0].to_dict())
    rules = [str(rule) for rule in segmenter.segments_[found.segment].rules]
    told = [reason.rule for reason in found.reasons if reason.rule is not None]
    assert not told or any(all(rule in whole for rule in told) for whole in rules)
    for reason in found.reasons:
        if reason.feature == "spend":
            known = table["spend"].dropna()
            assert (
                reason.share_below <= (known < table["spend"].iloc[0]).mean() <= reason.share_below + reason.share_same
            )


def test_tests_beyond_the_tables_score_the_same():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3_000, 14)) + 3 * (rng.integers(0, 2, (3_000, 14)))
    segmenter = xseg.TreeSegmenter(
        24, max_leaves=24, max_depth=14, min_segment_size=1, depth_weight=0, effort="fast", random_state=0
    ).fit(X)
    scorer, explanation = xseg.Scorer(segmenter), xseg.explain(segmenter, X[:50])
    for row in range(50):
        found = scorer({f"x{j}": value for j, value in enumerate(X[row])})
        by_name = {reason.feature: reason.contribution for reason in found.reasons}
        assert [by_name.get(f"x{j}", 0.0) for j in range(14)] == explanation.values[row].tolist()


def test_unknown_values_and_other_keys(any_scored):
    table, segmenter = any_scored
    row = dict.fromkeys(table.columns) | {"customer_id": 7}
    nothing = table.head(1).copy()
    for name in nothing.columns:
        nothing[name] = None
    assert xseg.Scorer(segmenter)(row).segment == segmenter.predict(nothing)[0]


def test_bad_rows_are_refused(any_scored):
    table, segmenter = any_scored
    scorer, row = xseg.Scorer(segmenter), table.iloc[0].to_dict()
    if segmenter.n_segments_ == 1:
        return
    with pytest.raises(DataError, match="'spend'"):
        scorer({name: value for name, value in row.items() if name != "spend"})
    asked = {table.columns[j] for j in segmenter.model_.used_features}
    for name, value, error in (
        ("spend", "310,50", DataError),
        ("spend", np.inf, DataError),
        ("channel", 3, DataError),
    ):
        if name in asked:
            with pytest.raises(error, match=name):
                scorer(row | {name: value})


def test_what_is_no_fitted_segmenter_is_refused():
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline

    with pytest.raises(NotFittedError):
        xseg.Scorer(xseg.TreeSegmenter())
    with pytest.raises(UnsupportedTypeError):
        xseg.Scorer(KMeans())
    with pytest.raises(UnsupportedTypeError):
        xseg.Scorer(make_pipeline(xseg.TreeSegmenter()))
