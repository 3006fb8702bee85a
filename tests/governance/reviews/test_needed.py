"""How many columns are needed: told from segments made anew, and from an imitation where they do not come back."""

from functools import wraps

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

import xseg
from review_cases import NOW, clean_case
from xseg.governance.reviews._review_subject import Refits

BLOBS = np.array([[0, 0], [10, 0], [0, 10]])


def blobs(n_rows=1_500, n_idle=3, seed=0):
    """Three groups apart in two columns, and columns that hardly count."""
    source = np.random.default_rng(seed)
    places = BLOBS[source.integers(0, 3, n_rows)] + source.normal(size=(n_rows, 2))
    idle = source.normal(size=(n_rows, n_idle))
    return pd.DataFrame(np.hstack([places, idle]), columns=["east", "north", *(f"idle_{j}" for j in range(n_idle))])


def prototypes(table, weight=0.05, **parameters):
    weights = {name: weight for name in table if name.startswith("idle")}
    given = {"n_segments": 3, "feature_weights": weights, "random_state": 0} | parameters
    return xseg.PrototypeSegmenter(**given).fit(table)


def finding(model, X, policy=None, **given):
    [found] = [
        one
        for one in xseg.governance.reviews.review(
            model, X, policy=policy or {}, at=NOW, random_state=0, **given
        ).findings
        if one.check == "minimisation"
    ]
    return found


def test_what_a_refit_says_is_needless_can_be_left_out_by_others():
    table = blobs()
    model = prototypes(table)
    found = finding(model, table)
    evidence = found.evidence
    assert evidence["how"] == "refit"
    assert found.severity == "warning"
    assert evidence["columns"] == ["east", "north"]
    assert evidence["of"] == 5
    assert evidence["people"] == 500
    assert evidence["from_all"] >= 0.95
    gone = ["idle_0", "idle_1", "idle_2"]
    assert sorted(step["column"] for step in evidence["dropped"]) == gone
    assert found.remediation == f"fit with forbid={gone}"
    aligned = xseg.PrototypeSegmenter(3, forbid=gone, random_state=1).fit(blobs(seed=1), align_to=model)
    others = blobs(seed=2)
    assert np.mean(aligned.predict(others) == model.predict(others)) >= 0.95


@pytest.mark.slow
def test_fewer_columns_may_imitate_segments_than_make_them():
    """That a column can be guessed from others does not mean that the groups would have come about without it."""
    customers = xseg.make_customers(3_000, random_state=0)
    segmenter = xseg.TreeSegmenter(5, max_leaves=6, scaling="standard", random_state=0).fit(customers)
    found = finding(segmenter, customers)
    evidence = found.evidence
    assert evidence["how"] == "refit"
    assert evidence["imitated"]["how"] == "imitated"
    assert evidence["needed"] > evidence["imitated"]["needed"]
    assert f"To imitate the segments, {evidence['imitated']['needed']} would do" in found.message
    assert found.severity == "note"
    assert not found.remediation.startswith("fit")


def test_rules_that_people_wrote_are_imitated():
    customers = xseg.make_customers(1_500, random_state=0)
    model = xseg.RuleSegmenter(
        {"Big": "spend_year >= 200 and tenure_months >= 1 and orders_90d >= 0 and basket_mean >= 1"}
    ).fit(customers)
    found = finding(model, customers, xseg.datasets.customers_policy())
    assert found.severity == "warning"
    assert found.evidence["columns"] == ["spend_year"]
    assert found.evidence["agreement"] >= 0.95
    assert found.evidence["how"] == "imitated"
    assert "cannot be made anew" in found.evidence["why_imitated"]
    assert "SurrogateSegmenter" in found.remediation


def test_a_stand_in_is_imitated():
    table = blobs()
    model = xseg.SurrogateSegmenter(KMeans(3, random_state=0, n_init=2), random_state=0).fit(table)
    assert finding(model, table).evidence["how"] == "imitated"


def test_segments_that_do_not_come_back_are_imitated():
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(900, 8)), columns=list("abcdefgh"))
    found = finding(xseg.PrototypeSegmenter(6, random_state=0).fit(noise), noise)
    assert found.evidence["how"] == "imitated"
    assert found.evidence["refits"] == 1
    assert "made anew from all columns of 300 people it places only" in found.message


@pytest.mark.parametrize("n_rows", [2, 60, 149])
def test_a_few_people_are_imitated(n_rows):
    found = finding(prototypes(blobs()), blobs(n_rows, seed=1))
    assert found.evidence["how"] == "imitated"
    assert found.evidence["refits"] == 0


def test_an_imitation_that_cannot_tell_from_all_says_so():
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(900, 8)), columns=list("abcdefgh"))
    found = finding(xseg.PrototypeSegmenter(6, random_state=0).fit(noise), noise)
    assert found.message.startswith("8 of 8 columns needed: even from all of them only")


def test_columns_that_are_all_needed_stay():
    table = blobs(n_idle=0)
    found = finding(prototypes(table), table)
    assert (found.evidence["needed"], found.evidence["of"], found.severity, found.remediation) == (2, 2, "note", "")
    assert found.message.startswith("2 of 2 columns needed: made anew without any one of them")


@pytest.mark.slow
def test_refits_are_counted_and_few(monkeypatch):
    table = blobs(n_idle=12)
    model = prototypes(table, weight=0.02)
    made = []
    fit = xseg.PrototypeSegmenter.fit

    @wraps(fit)
    def counted(self, X, *given, **named):
        made.append(len(self.forbid))
        return fit(self, X, *given, **named)

    monkeypatch.setattr(xseg.PrototypeSegmenter, "fit", counted)
    found = finding(model, table)
    assert found.evidence["refits"] == len(made) == 13
    assert found.evidence["ended"]
    assert "The search ended after 12 refits" in found.message


def test_what_others_do_not_confirm_is_not_told(monkeypatch):
    without = Refits.without

    def doubted(self, columns, *, confirmed=False):
        return None if confirmed else without(self, columns)

    monkeypatch.setattr(Refits, "without", doubted)
    table = blobs()
    found = finding(prototypes(table), table)
    assert (found.evidence["needed"], found.evidence["dropped"]) == (5, [])
    assert "not confirmed by other people" in found.message


def test_a_model_from_a_file_is_made_anew_too(tmp_path):
    table = blobs()
    model = prototypes(table)
    xseg.save(model, tmp_path / "model.json")
    assert finding(xseg.load(tmp_path / "model.json"), table) == finding(model, table)


@pytest.mark.slow
def test_how_many_segments_there_are_is_not_chosen_anew():
    table = blobs()
    model = xseg.TreeSegmenter("auto", scaling="standard", random_state=0, effort="fast").fit(table)
    assert finding(model, table).evidence["from_all"] >= 0.95


def test_the_clean_shop_needs_its_columns():
    case = clean_case()
    assert finding(case.segmenter, case.table, case.policy).severity == "note"
