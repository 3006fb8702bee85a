"""Personas are what people say of themselves; who has not said enough is not known, whatever the rest of it."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from xseg.exceptions import DataError, ParameterError
from xseg.governance.personas import (
    NOT_KNOWN,
    PERSONAS,
    SCORES,
    combine_scores,
    compare_personas,
    learn_personas,
    persona_policy,
    persona_rules,
    persona_survey,
)
from xseg.governance.personas._persona_survey import ARCHETYPES

GRID = pd.DataFrame(list(product(np.arange(1, 5.5, 0.5), repeat=3)), columns=list(SCORES))
BAD = [np.nan, 0, 0.5, 5.5, 9, -3, 1e300]


@pytest.fixture(scope="module")
def preset():
    return persona_rules().fit(pd.concat([GRID, GRID.head(1).assign(ai_use=np.nan)]))


def made_up(n_people=600, seed=0):
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n_people)
    centres = np.array([ARCHETYPES[name] for name in PERSONAS])
    points = np.clip(np.round(2 * (centres[kind] + rng.normal(0, 0.4, (n_people, 3)))) / 2, 1, 5)
    scores = pd.DataFrame(points, columns=list(SCORES))
    scores.loc[::20, "ai_trust"] = np.nan
    return scores, np.array(PERSONAS)[kind]


def names(segmenter, table):
    return np.array(segmenter.segment_names_)[segmenter.predict(table)]


def test_the_rules_say_of_everybody_exactly_one_thing(preset):
    said = names(preset, GRID)
    use, trust, feeling = GRID.to_numpy().T
    expected = np.select(
        [use < 2, (trust < 2.5) | (feeling < 2.5), (use >= 4) & (trust >= 3.5) & (feeling >= 4)],
        ["Avoiders", "Skeptics", "Enthusiasts"],
        "AI-Assisted Shoppers",
    )
    assert (said == expected).all()
    assert set(said) == set(PERSONAS)
    for persona, point in ARCHETYPES.items():
        assert names(preset, pd.DataFrame([point], columns=list(SCORES)))[0] == persona


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whoever_lacks_a_score_is_not_known(preset, data):
    values = st.one_of(st.floats(1, 5), st.sampled_from(BAD))
    point = data.draw(st.tuples(values, values, values))
    is_known = all(1 <= value <= 5 for value in point)
    said = names(preset, pd.DataFrame([point], columns=list(SCORES), dtype=float))[0]
    assert (said != NOT_KNOWN) == is_known


def test_the_survey_makes_the_scores_and_missing_answers_stay_missing(preset):
    survey = persona_survey()
    assert tuple(survey.scores) == SCORES
    full = {"shops_with_ai": 5, "advice_is_right": 4, "checks_everything": 2, "handles_difficult": 5, "glad_of_it": 5,
            "prefers_people": 1}  # fmt: skip
    rows = [{"respondent": 0, **full}]
    for place, left in enumerate(["shops_with_ai", "advice_is_right", "glad_of_it"], 1):
        rows.append({"respondent": place, **{name: said for name, said in full.items() if name != left}})
    rows.append({"respondent": 9, "shops_with_ai": "I would rather not say", "may_use": True})
    scores = survey.score(rows)
    assert names(preset, scores).tolist() == ["Enthusiasts", NOT_KNOWN, "Enthusiasts", "Enthusiasts", NOT_KNOWN]
    # Nobody who did not agree is put anywhere.
    assert set(names(preset, survey.score(rows, purpose="assistance"))) == {NOT_KNOWN}
    assert set(names(preset, survey.score([{**row, "may_use": True} for row in rows[:1]], purpose="assistance"))) == {
        "Enthusiasts"
    }


def test_a_card_says_whether_a_score_was_asked_or_inferred():
    scores, _ = made_up()
    segmenter = persona_rules().fit(scores)
    for inferred, source in ((("ai_trust", "ai_use", "ai_feeling"), "inferred"), ((), "zero-party")):
        policy = persona_policy(inferred=inferred)
        card = xseg.make_cards(segmenter, scores.iloc[1:2], policy=policy)[0]
        assert {reason.origin.source for reason in card.reasons} == {source}
        assert ("worked this out" in card.text()) == bool(inferred)
        assert xseg.verify_card(segmenter, scores.iloc[1:2], card=card, policy=policy).holds
        other = persona_policy(inferred=() if inferred else SCORES)
        assert not xseg.verify_card(segmenter, scores.iloc[1:2], card=card, policy=other).holds


def test_no_policy_passes_an_inferred_score_off_as_asked():
    base = xseg.Policy(
        features={"ai_trust": {"label": "trust", "source": "zero-party", "collected_from": "you"}},
        segments={"Skeptics": {"sentence": "You ask questions."}},
    )
    policy = persona_policy(inferred={"ai_trust": "your clicks"}, base=base)
    assert policy.feature("ai_trust").origin == "worked out from your clicks"
    assert policy.feature("ai_trust").label == "trust"
    assert policy.segments["Skeptics"].sentence == "You ask questions."
    assert xseg.Policy.parse(policy.to_yaml()) == policy
    with pytest.raises(ParameterError, match="'trust', which is none of ai_use"):
        persona_policy(inferred=["trust"])


ASKED = pd.DataFrame(
    [[5, 5, 5], [4, np.nan, 4], [np.nan] * 3, [9, np.nan, 4]], columns=list(SCORES), index=["a", "b", "c", "d"]
)
CLICKS = pd.DataFrame([[1, 1], [2, 4], [1, 2], [3, 3], [1, 2]], columns=["ai_use", "ai_trust"], index=[*"abcd", 7])


def test_what_people_said_comes_before_what_was_worked_out():
    people = combine_scores(ASKED, CLICKS, permitted=dict.fromkeys(CLICKS.index, True))
    assert people.scores.index.tolist() == ["a", "b", "c", "d", "7"]
    # What was said is never replaced, not even by something that makes more sense.
    said = ASKED.notna()
    assert people.scores.head(4)[said].equals(ASKED[said])
    assert not people.inferred.head(4).to_numpy()[said.to_numpy()].any()
    assert people.scores.loc["c"].tolist()[:2] == [1, 2]
    assert people.inferred.to_numpy().sum() == 6
    assert people.scores["ai_feeling"].isna().tolist() == [False, False, True, False, True]


@pytest.mark.parametrize("answer", [None, False, 1, "yes", np.nan, 1.0])
def test_nothing_is_worked_out_of_who_has_not_said_yes(answer):
    for permitted in ({}, dict.fromkeys(CLICKS.index, answer)):
        people = combine_scores(ASKED, CLICKS, permitted=permitted)
        assert people.scores.equals(ASKED.astype(float).rename_axis("person"))
        assert not people.inferred.to_numpy().any()


def test_each_card_says_what_was_worked_out_of_that_very_person():
    people = combine_scores(ASKED, CLICKS, permitted={"b": np.True_})
    segmenter = persona_rules().fit(made_up()[0])
    told = {}
    for rows, policy in people.by_scores("your clicks"):
        cards = xseg.make_cards(segmenter, people.scores.iloc[rows], policy=policy)
        told |= {people.scores.index[row]: card for row, card in zip(rows, cards, strict=True)}
    assert sorted(told) == list("abcd")
    for name, card in told.items():
        sources = {reason.feature: reason.origin.source for reason in card.reasons}
        assert [feature for feature, source in sources.items() if source == "inferred"] == ["ai_trust"] * (name == "b")
        assert ("We worked this out from your clicks" in card.text()) == (name == "b")


def test_what_cannot_be_put_together_is_refused():
    everybody = dict.fromkeys(CLICKS.index, True)
    with pytest.raises(DataError, match="asked has no column 'ai_trust'"):
        combine_scores(ASKED.drop(columns="ai_trust"), CLICKS, permitted=everybody)
    with pytest.raises(DataError, match="worked_out has none"):
        combine_scores(ASKED, CLICKS[[]], permitted=everybody)
    with pytest.raises(DataError, match="asked: 'a' is there twice"):
        combine_scores(pd.concat([ASKED, ASKED]), CLICKS, permitted=everybody)
    with pytest.raises(DataError, match="worked_out: '7' is there twice"):
        combine_scores(ASKED, pd.concat([CLICKS, CLICKS.rename(index={7: "7"}).tail(1)]), permitted=everybody)
    for bad in (0, 5.5, np.inf, -1):
        with pytest.raises(DataError, match=r"worked_out, 'a': ai_use is .*; scores are 1 to 5"):
            combine_scores(ASKED, CLICKS.assign(ai_use=bad), permitted=everybody)


def test_learned_personas_find_those_that_were_put_in():
    scores, truth = made_up()
    learned = learn_personas(scores, random_state=0)
    said = names(learned.segmenter, scores)
    assert ((said == NOT_KNOWN) == scores.isna().any(axis=1)).all()
    known = said != NOT_KNOWN
    assert (said == truth)[known].mean() > 0.9
    assert max(learned.distance.values()) < 0.5
    # The rules are the tree.
    groups = pd.crosstab(said[known], learned.tree.predict(scores[known]))
    assert ((groups > 0).sum(axis=1) == 1).all()
    figures = compare_personas(learned, scores, preset=persona_rules().fit(scores), random_state=0)
    assert figures.unknown == pytest.approx(1 / 20)
    assert figures.relative_cost["learned"] >= 1
    assert figures.agreement > 0.85
    assert sum(figures.shares["preset"].values()) == pytest.approx(1)
    assert list(figures.to_frame().columns) == ["preset", "learned"]


@pytest.mark.parametrize("bad", BAD)
def test_learned_personas_guess_nobody_either(bad):
    learned = learn_personas(made_up()[0], random_state=0)
    for name in SCORES:
        table = GRID.head(5).assign(**{name: bad})
        assert set(names(learned.segmenter, table)) == {NOT_KNOWN}


def test_learned_personas_have_exact_reasons_and_cards_and_are_saved(tmp_path):
    scores, _ = made_up()
    segmenter = learn_personas(scores, random_state=0).segmenter
    explanation = xseg.explain(segmenter, scores, of="all")
    total = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(total, segmenter.transform(scores), atol=1e-12)
    cards = xseg.make_cards(segmenter, scores, policy=persona_policy())
    assert all(check.holds for check in xseg.verify_cards(segmenter, scores, cards=cards, policy=persona_policy()))
    xseg.save(segmenter, tmp_path / "p.json")
    assert (xseg.load(tmp_path / "p.json").predict(scores) == segmenter.labels_).all()


def test_a_persona_that_nobody_is_still_gets_the_nearest_group():
    scores, truth = made_up()
    without = scores[(truth != "Avoiders") & (scores["ai_use"] >= 2)]
    learned = learn_personas(without, random_state=0)
    assert set(learned.distance) == set(PERSONAS)


def test_too_few_people_and_missing_columns_are_refused():
    scores, _ = made_up()
    with pytest.raises(DataError, match="'ai_use'"):
        learn_personas(scores.drop(columns="ai_use"))
    with pytest.raises(DataError, match="0 of 600 people"):
        learn_personas(scores * np.nan)
    with pytest.raises(DataError, match="different answers"):
        learn_personas(pd.concat([scores.iloc[1:2]] * 50))
    learned = learn_personas(scores, random_state=0)
    with pytest.raises(DataError, match="fewer than two personas"):
        compare_personas(learned, scores.iloc[1:2], preset=persona_rules().fit(scores), random_state=0)


@pytest.mark.slow
@pytest.mark.realdata
def test_real_answers_fit_the_personas_only_roughly(shared_data):
    survey = xseg.governance.surveys.Survey.load(Path(__file__).resolve().parents[3] / "benchmarks" / "so2025_ai.yaml")
    table = pd.read_csv(shared_data / "so2025_ai.csv.gz")
    answers = survey.read(table[list(survey.questions)].assign(respondent=range(len(table))))
    scores = survey.score(answers)
    # The words of the file and the scores say the same.
    assert scores["ai_use"].notna().all()
    assert (scores["ai_feeling"].isna().to_numpy() == (table["AISent"] == "Unsure").to_numpy()).all()
    preset, learned = persona_rules().fit(scores), learn_personas(scores, random_state=0)
    figures = compare_personas(learned, scores, preset=preset, random_state=0)
    assert (names(preset, scores) == NOT_KNOWN).sum() == (table["AISent"] == "Unsure").sum()
    assert figures.n_people == 30_482
    assert figures.unknown == pytest.approx(621 / 30_482)
    # What a tree finds is tighter than what was written down; both call most people the same, and far from all.
    assert figures.silhouette["learned"] > figures.silhouette["preset"] > 0.2
    assert 1 <= figures.relative_cost["learned"] < figures.relative_cost["preset"]
    assert 0.5 < figures.agreement < 0.8
    assert figures.adjusted_rand < 0.6
