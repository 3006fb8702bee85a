"""Numbers at the ends of what a computer holds work, or are refused by column; files never hold what JSON cannot."""

import contextlib
import json

import numpy as np
import pandas as pd
import pytest

import xseg
from xseg.exceptions import DataError, UnsupportedTypeError

ROW = np.arange(300)
PLAIN = pd.DataFrame(
    {"visits": np.random.default_rng(0).poisson(3, 300), "days": np.random.default_rng(1).gamma(2, 30, 300)}
)
WORKING = {
    "one large": np.where(ROW < 3, 9e37, ROW * 1.0),
    "both signs": np.where(ROW % 2, 1e38, -1e38) * np.linspace(0.5, 1, 300),
    "tiny": ROW * 1e-310,
    "least": np.where(ROW < 3, 5e-324, ROW * 1.0),
    "wide": np.where(ROW < 3, 1e30, ROW * 1.0),
}
REFUSED = {
    "range": np.where(ROW % 2, 1.5e308, -1.5e308) * np.linspace(0.5, 1, 300),
    "outlier": np.where(ROW < 3, 1e300, ROW * 1.0),
    "negative": np.where(ROW < 1, -1e120, ROW * 1.0),
    "largest": np.where(ROW < 1, np.finfo(float).max, ROW * 1.0),
}
KINDS = {
    "tree": lambda X: xseg.TreeSegmenter(3, random_state=0, effort="fast").fit(X),
    "squared": lambda X: xseg.PrototypeSegmenter(3, metric="squared", random_state=0).fit(X),
    "gower": lambda X: xseg.PrototypeSegmenter(3, metric="gower", min_members=1, random_state=0).fit(X),
    "mixture": lambda X: xseg.MixtureSegmenter(2, random_state=0).fit(X),
    "outcome": lambda X: xseg.OutcomeSegmenter(max_segments=3, random_state=0).fit(X, X["visits"]),
    "surrogate": lambda X: xseg.SurrogateSegmenter().fit(X, ROW % 3),
    "rules": lambda X: xseg.RuleSegmenter({"A": "paid >= 3", "B": "visits >= 2"}, default="C").fit(X),
}


def refuse(constant):
    raise AssertionError(constant)


def use(segmenter, rows, tmp_path):
    xseg.save(segmenter, tmp_path / "model.json")
    json.loads((tmp_path / "model.json").read_text(), parse_constant=refuse)
    np.testing.assert_array_equal(xseg.load(tmp_path / "model.json").predict(rows), segmenter.predict(rows))
    policy = {"features": {"paid": {"mutable": True}, "visits": {"mutable": True}}}
    for card in xseg.make_cards(segmenter, rows, policy=policy):
        json.loads(card.json(), parse_constant=refuse)
        assert card.text()
        # A small segment may not travel.
        with contextlib.suppress(UnsupportedTypeError):
            assert card.html(interactive=True)
    assert np.isfinite(xseg.explain(segmenter, rows).values).all()
    assert xseg.counterfactual(segmenter, rows).changes is not None
    assert xseg.make_report(segmenter).html()
    score = xseg.Scorer(segmenter)
    own = [score(row.to_dict()).segment for _, row in rows.iterrows()]
    assert own == segmenter.predict(rows).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", WORKING)
@pytest.mark.filterwarnings("ignore::xseg.XsegWarning")
def test_extreme_numbers_that_can_be_held_work_everywhere(kind, values, tmp_path):
    table = PLAIN.assign(paid=WORKING[values])
    use(KINDS[kind](table), table.iloc[[0, 1, 2, 150, 299]], tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", REFUSED)
def test_extreme_numbers_that_cannot_be_held_are_refused_by_column(kind, values):
    with pytest.raises(DataError, match="column 'paid' holds"):
        KINDS[kind](PLAIN.assign(paid=REFUSED[values]))


def test_outcomes_have_the_same_limit():
    with pytest.raises(DataError, match=r"y must lie between.*row 0"):
        xseg.OutcomeSegmenter().fit(PLAIN, np.where(ROW < 1, 1e200, ROW * 1.0))


@pytest.mark.filterwarnings("ignore::xseg.exceptions.ColumnWarning")
def test_a_scale_that_a_value_leaves_is_said():
    table = PLAIN.assign(paid=np.where(ROW < 3, 1e37, ROW * 1e-9))
    with pytest.raises(DataError, match=r"column 'paid' reaches from.*quantile"):
        xseg.TreeSegmenter(3, scaling="robust", random_state=0).fit(table)
    assert xseg.TreeSegmenter(3, scaling="quantile", random_state=0).fit(table).n_segments_ == 3


@pytest.mark.parametrize("kind", ["squared", "gower", "mixture"])
@pytest.mark.parametrize("value", [1e300, -1e300, np.finfo(float).max])
def test_rows_beyond_all_distances_are_refused_by_scores(kind, value):
    segmenter = KINDS[kind](PLAIN.assign(paid=ROW * 1.5))
    rows = PLAIN.head(4).assign(paid=value)
    for ask in (
        segmenter.predict,
        lambda rows: xseg.explain(segmenter, rows),
        lambda rows: xseg.make_cards(segmenter, rows),
    ):
        with pytest.raises(DataError, match="column 'paid' must"):
            ask(rows)
    with pytest.raises(DataError, match="column 'paid' must"):
        xseg.Scorer(segmenter)(rows.iloc[0].to_dict())
