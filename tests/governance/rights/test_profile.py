"""What a person says is done: the segment, the card and what is given away really change, or it is said why not."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xseg
from xseg.cards import name_groups
from xseg.exceptions import ConsentError, DataError, DefinitionError, ParameterError
from xseg.governance.consent import Ledger
from xseg.governance.rights import ActionLog, SegmentBasis, UnchangedReason

START = datetime(2026, 11, 24, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(900, random_state=0)
    return customers, xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)


@pytest.fixture
def make(shop):
    customers, segmenter = shop

    def profile(row=0, *, agrees=True, **more):
        clock = Clock()
        ledger = Ledger(clock=clock)
        if agrees:
            ledger.append("ann", "offers", "given", source="account", at=clock())
        policy = xseg.datasets.customers_policy()
        return xseg.governance.rights.Profile(
            segmenter,
            customers.iloc[[row]],
            policy=policy,
            ledger=ledger,
            subject="ann",
            purpose="offers",
            clock=clock,
            **more,
        )

    return profile


def name_on_cards(profile):
    names = name_groups(profile.segmenter, policy=profile.policy)
    return names[profile.segmenter.segment_names_.index(profile.segment)]


def test_without_consent_there_is_no_segment_no_card_and_nothing_to_give(make):
    profile = make(agrees=False)
    assert profile.basis is SegmentBasis.NO_CONSENT
    assert profile.segment is profile.release("Parcel Post Ltd") is None
    assert profile.recipients() == ()
    assert profile.card().basis == "no_consent"
    answer = profile.agree()
    assert answer.effect.changed
    assert profile.segment == answer.effect.after
    assert answer.card.segment.name == name_on_cards(profile)


def test_agreeing_and_withdrawing_are_one_step_each_and_both_work(make):
    profile = make()
    own = profile.segment
    gone = profile.withdraw()
    assert (gone.effect.before, gone.effect.after, gone.card.basis) == (own, None, "no_consent")
    back = profile.agree()
    assert (back.effect.before, back.effect.after) == (None, own)


@pytest.mark.parametrize(
    ("action", "why", "undo"),
    [
        ("object", SegmentBasis.OBJECTED, "withdraw_objection"),
        ("object_marketing", SegmentBasis.OBJECTED, "withdraw_marketing_objection"),
        ("restrict", SegmentBasis.RESTRICTED, "lift"),
        ("leave", SegmentBasis.NOT_PROFILED, "rejoin"),
    ],
)
def test_whoever_says_no_is_in_no_segment_until_they_take_it_back(make, action, why, undo):
    profile = make()
    own = profile.segment
    answer = getattr(profile, action)()
    assert answer.effect.basis is why
    assert answer.effect.changed
    assert profile.segment is None
    assert profile.release("Parcel Post Ltd") is None
    profile.choose(0)
    assert profile.segment is None
    profile.choose(None)
    for other in sorted({"lift", "withdraw_objection", "withdraw_marketing_objection", "rejoin", "agree"} - {undo}):
        assert getattr(profile, other)().effect.basis is why
    lifted = getattr(profile, undo)()
    assert lifted.receipt["action"] == undo
    assert profile.segment == own
    assert not getattr(profile, undo)().effect.changed


@pytest.mark.slow
def test_what_is_withheld_is_missing_for_the_model_and_its_effect_is_measured(make, shop):
    customers, segmenter = shop
    names = [segmenter.profile_.bins.schema.names[j] for j in segmenter.model_.used_features]
    moved = 0
    for row in range(40):
        profile = make(row)
        answer = profile.withhold(names[0])
        expected = customers.iloc[[row]].copy()
        expected[names[0]] = np.nan
        assert answer.effect.after == segmenter.segment_names_[segmenter.predict(expected)[0]]
        assert profile.list_withheld() == (names[0],)
        assert pd.isna(profile.data()[names[0]].iloc[0])
        assert answer.effect.changed or answer.effect.unchanged_reason is UnchangedReason.SAME_SEGMENT
        moved += answer.effect.changed
        profile.allow(names[0])
        assert profile.segment == segmenter.segment_names_[segmenter.labels_[row]]
    assert moved
    unused = next(name for name in customers.columns if name not in names)
    assert make().withhold(unused).effect.unchanged_reason is UnchangedReason.NOT_USED


def test_corrections_reassign_and_bad_values_are_refused_before_anything_is_kept(make, shop):
    customers, segmenter = shop
    profile = make(0)
    other = int(np.argmax(segmenter.labels_ != segmenter.labels_[0]))
    for name in customers.columns:
        if not pd.isna(customers[name].iloc[other]):
            profile.correct(name, customers[name].iloc[other])
    assert profile.segment == segmenter.segment_names_[segmenter.labels_[other]]
    before = profile.data()
    with pytest.raises(xseg.XsegError):
        profile.correct("orders_90d", "many")
    pd.testing.assert_frame_equal(profile.data(), before)


def test_the_persons_own_word_overrides_the_model(make, shop):
    _, segmenter = shop
    profile = make()
    other = segmenter.segment_names_[(segmenter.labels_[0] + 1) % 4]
    answer = profile.choose(other)
    assert answer.effect.after == profile.segment == profile.release("Parcel Post Ltd") == other
    assert answer.effect.basis is SegmentBasis.CHOSEN
    assert profile.choose(None).effect.basis is SegmentBasis.MODEL


def test_contesting_makes_a_case_that_only_a_named_human_closes(make, shop):
    _, segmenter = shop
    profile = make()
    answer = profile.contest("I moved last year.")
    assert not answer.effect.changed
    assert answer.effect.unchanged_reason is UnchangedReason.PENDING
    (case,) = profile.cases()
    assert (case.kind, case.text) == ("contest", "I moved last year.")
    for by, decision, number in (("", "x", case.number), ("Kim Doe", " ", case.number), ("Kim Doe", "x", 99)):
        with pytest.raises(ParameterError):
            profile.decide(number, by=by, decision=decision)
    other = segmenter.segment_names_[(segmenter.labels_[0] + 1) % 4]
    assert profile.decide(case.number, by="Kim Doe", decision="You are right.", segment=other).effect.after == other
    assert profile.cases() == []
    with pytest.raises(ParameterError, match="in a few words"):
        profile.contest("  ")


def test_an_export_holds_everything_and_nothing_of_others(make):
    profile = make()
    profile.ledger.append("bob", "offers", "given", source="banner")
    profile.log.append({"subject": "bob", "action": "release", "details": {"recipient": "x"}})
    profile.withhold("area_income")
    profile.correct("orders_90d", 3)
    profile.release("Parcel Post Ltd")
    told = json.loads(json.dumps(profile.export()))
    assert "bob" not in json.dumps(told)
    assert told["recipients"] == ["Parcel Post Ltd"]
    assert told["corrections"] == {"orders_90d": 3}
    assert told["withheld"] == ["area_income"]
    assert [entry["state"] for entry in told["consent"]] == ["given", "withdrawn"]
    assert [one["action"] for one in told["receipts"]] == ["withhold", "correct", "release", "access"]
    assert told["segment"] == profile.segment
    assert told["card"]["segment"]["name"] == name_on_cards(profile)
    assert set(told["data"]) == set(profile.data().columns)


def test_what_is_erased_is_gone_and_stays_gone(make):
    profile = make()
    profile.correct("spend_year", 1234.5)
    answer = profile.erase()
    assert answer.effect.basis is SegmentBasis.ERASED
    assert profile.segment is profile.release("Parcel Post Ltd") is None
    assert profile.card().basis == answer.card.basis == "erased"
    told = json.dumps(profile.export())
    assert "1234.5" not in told
    assert json.loads(told)["data"] == json.loads(told)["corrections"] == {}
    for act in (profile.agree, profile.lift, lambda: profile.choose(0)):
        with pytest.raises(DataError, match="erased"):
            act()


def test_receipts_say_what_was_done_and_stand_in_a_log_that_shows_any_change(make, tmp_path):
    profile = make()
    receipts = [profile.withhold("area_income").receipt, profile.object().receipt, profile.lift().receipt]
    for receipt, right in zip(receipts, ("Article 7(3)", "Article 21", "Article 18"), strict=True):
        assert receipt["@type"] == "dpv:RightExerciseRecord"
        assert right in receipt["dpv:hasRight"]
        assert receipt["details"]["effect"].keys() == {"basis", "changed", "unchanged_reason"}
        assert {"before", "after"} <= receipt["private"].keys()
    profile.log.verify(profile.log.head)
    profile.log.save(tmp_path / "log.jsonl")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert list(ActionLog.load(tmp_path / "log.jsonl", head=profile.log.head)) == list(profile.log)
    forgeries = [lines[1:], lines[:1] + lines[2:], lines[::-1], [*lines, lines[-1]], lines[:-1]]
    forgeries += [[*lines[:1], lines[1].replace("ann", "bob"), *lines[2:]]]
    for forged in forgeries:
        (tmp_path / "forged.jsonl").write_text("\n".join(forged) + "\n")
        with pytest.raises(ConsentError):
            ActionLog.load(tmp_path / "forged.jsonl", head=profile.log.head)


UNDOES = {
    "lift": "restrict",
    "rejoin": "leave",
    "withdraw_objection": "object",
    "withdraw_marketing_objection": "object_marketing",
}
ACTIONS = ("withdraw", "agree", *UNDOES, *UNDOES.values())


@pytest.mark.slow
@given(st.lists(st.sampled_from(ACTIONS), max_size=8))
def test_nothing_fails_open_whatever_is_said_in_whatever_order(shop, said):
    customers, segmenter = shop
    clock = Clock()
    profile = xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=xseg.datasets.customers_policy(),
        ledger=Ledger(clock=clock),
        subject="ann",
        purpose="offers",
        clock=clock,
    )
    agrees, stopped = False, set()
    for action in said:
        getattr(profile, action)()
        agrees = {"agree": True, "withdraw": False, "object_marketing": False}.get(action, agrees)
        stopped = (stopped | {action} & set(UNDOES.values())) - {UNDOES.get(action)}
        assert (profile.segment is not None) == (agrees and not stopped)
        assert (profile.release("Parcel Post Ltd") is not None) == (agrees and not stopped)
    profile.log.verify()


def test_what_makes_no_sense_is_refused(make, shop):
    customers, segmenter = shop
    profile = make()
    with pytest.raises(DataError, match="did you mean 'orders_90d'"):
        profile.withhold("order_90d")
    with pytest.raises(DataError):
        profile.choose("nobody")
    with pytest.raises(DefinitionError, match="names no recipient"):
        profile.release("somebody else")
    with pytest.raises(DefinitionError, match="no purpose 'ofers'"):
        xseg.governance.rights.Profile(
            segmenter,
            customers.head(1),
            policy=xseg.datasets.customers_policy(),
            ledger=Ledger(),
            subject="ann",
            purpose="ofers",
        )
    with pytest.raises(DataError, match="2 rows"):
        xseg.governance.rights.Profile(
            segmenter,
            customers.head(2),
            policy=xseg.datasets.customers_policy(),
            ledger=Ledger(),
            subject="ann",
            purpose="offers",
        )
    assert len(profile.log) == 0
