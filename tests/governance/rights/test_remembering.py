"""What a person said outlives the process, reaches who must know, and waits for humans who answer in time."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from signal_cases import gpp, text_of, us_core
from xseg import Policy
from xseg.cards import DecidedCard
from xseg.exceptions import ConsentError, DataError, ParameterError
from xseg.governance.consent import Identities, Ledger
from xseg.governance.consent._gpp_signals import LAYOUTS
from xseg.governance.rights import ActionLog, SegmentBasis, UnchangedReason
from xseg.policy import RIGHTS

START = datetime(2026, 1, 31, 9, tzinfo=UTC)


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


def opened(shop, ledger=None, log=None, *, purpose="offers", agrees=True, policy=None, clock=None, **more):
    customers, segmenter = shop
    clock = Clock() if clock is None else clock
    if ledger is None:
        ledger = Ledger(clock=clock)
        if agrees:
            ledger.append("ann", purpose, "given", source="account", at=clock())
    policy = xseg.datasets.customers_policy() if policy is None else policy
    return xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=policy,
        ledger=ledger,
        subject="ann",
        purpose=purpose,
        log=log,
        clock=clock,
        **more,
    )


CALLS = {
    "agree": (),
    "withdraw": (),
    "object": ("too many",),
    "object_marketing": (),
    "opt_out": (),
    "restrict": (),
    "leave": (),
    "lift": (),
    "withdraw_objection": (),
    "withdraw_marketing_objection": (),
    "rejoin": (),
    "limit_sensitive": (),
    "choose": (2,),
    "withhold": ("orders_90d",),
    "allow": ("orders_90d",),
    "correct": ("spend_year", 12.5),
    "contest": ("wrong",),
    "ask": ("why?",),
    "express_view": ("I moved",),
    "signal": ("1",),
    "erase": (),
}


# A no is heard whatever was erased.
STILL_HEARD = {"withdraw", "object", "object_marketing", "opt_out", "restrict", "leave", "signal", "erase"}


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(said=st.lists(st.sampled_from(sorted(CALLS)), max_size=6))
def test_another_process_finds_the_person_where_they_stand(shop, said, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    clock = Clock()
    ledger = Ledger(clock=clock)
    ledger.append("ann", "offers", "given", source="account", at=clock())
    profile = opened(shop, ledger, ActionLog(path), clock=clock)
    for name in said:
        if profile.basis is SegmentBasis.ERASED and name not in STILL_HEARD:
            with pytest.raises(DataError):
                getattr(profile, name)(*CALLS[name])
            continue
        answer = getattr(profile, name)(*CALLS[name])
        other = opened(shop, ledger, ActionLog(path), clock=clock)
        assert (other.basis, other.segment, other.list_withheld()) == (
            profile.basis,
            profile.segment,
            profile.list_withheld(),
        )
        assert other.status == profile.status
        assert other.cases() == profile.cases()
        pd.testing.assert_frame_equal(other.data(), profile.data())
        if answer is not None:
            assert (answer.effect.after, answer.effect.basis) == (profile.segment, profile.basis)
            assert isinstance(answer.card, DecidedCard) == (profile.basis is not SegmentBasis.MODEL)
            assert answer.card.answer.changed == answer.effect.changed
    ActionLog(path).verify(profile.log.head)


def test_a_card_is_an_answer_that_says_what_changed_or_why_nothing_did(shop):
    profile = opened(shop)
    assert "Your group has changed" in profile.withdraw().card.text()
    assert "Your group has changed" in profile.agree().card.text()
    chosen = profile.choose(profile.segment).card.text()
    assert "Done." in chosen
    assert "has changed" not in chosen
    profile.choose(None)
    unused = profile.withhold("area_income").card
    assert "Your group stays as it is: the group does not depend on it." in unused.text()
    assert type(unused).from_json(unused.json()) == unused
    assert profile.card().answer is None
    known = {"policy": profile.policy, "ledger": profile.ledger}
    assert xseg.verify_card(profile.segmenter, profile.data(), card=unused, **known).holds


def test_an_objection_waits_for_a_human_and_one_to_marketing_for_nobody(shop):
    profile = opened(shop)
    own = profile.segment
    profile.object("I never asked for this")
    profile.express_view("and I moved")
    (case,) = profile.cases()
    assert (case.kind, case.text, case.views) == ("object", "I never asked for this", ("and I moved",))
    assert case.due == date(2026, 2, 28)
    with pytest.raises(ParameterError, match="upheld=True or False"):
        profile.decide(case.number, by="Kim Doe", decision="It is needed.")
    assert profile.decide(case.number, by="Kim Doe", decision="It is not needed.", upheld=True).effect.after is None
    profile.withdraw_objection()
    profile.object()
    (case,) = profile.cases()
    assert profile.decide(case.number, by="Kim Doe", decision="It is needed.", upheld=False).effect.after == own
    profile.object_marketing()
    assert profile.cases() == []
    profile.ask("Who decides?")
    (case,) = profile.cases()
    with pytest.raises(ParameterError, match="of nothing else"):
        profile.decide(case.number, by="Kim Doe", decision="We do.", upheld=True)
    assert profile.contest("x").effect.unchanged_reason is UnchangedReason.PENDING


@pytest.mark.parametrize(
    ("opened_on", "due"),
    [((2026, 1, 31), (2026, 2, 28)), ((2028, 1, 30), (2028, 2, 29)), ((2026, 12, 5), (2027, 1, 5))],
)
def test_an_answer_is_due_within_a_month(shop, opened_on, due):
    profile = opened(shop)
    profile._clock.now = datetime(*opened_on, 9, tzinfo=UTC)
    profile.ask("SegmentBasis?")
    assert profile.cases()[0].due == date(*due)


class Partner:
    def __init__(self):
        self.heard = []

    def __call__(self, notice):
        self.heard.append(notice)
        if notice.recipient == "Gone Ltd":
            message = "no such host"
            raise OSError(message)
        return "" if notice.recipient == "Mute Ltd" else "done"


def with_recipients(*names):
    policy = xseg.datasets.customers_policy()
    return Policy.parse(policy.to_yaml().replace("- Parcel Post Ltd", "\n".join(f"- {name}" for name in names)))


def test_everybody_who_got_the_segment_is_told_whatever_becomes_of_the_others(shop):
    partner = Partner()
    names = ("Gone Ltd", "Mute Ltd", "Parcel Post Ltd")
    profile = opened(shop, policy=with_recipients(*names), send=partner)
    for name in names:
        profile.release(name)
    receipt = profile.object_marketing().receipt
    told = {one["recipient"]: (one["action"], one["delivered"]) for one in receipt["details"]["recipients"]}
    assert told == {"Gone Ltd": ("stop", False), "Mute Ltd": ("stop", False), "Parcel Post Ltd": ("stop", True)}
    assert [notice.recipient for notice in partner.heard] == list(names)
    assert profile.release("Parcel Post Ltd") is None
    profile.withdraw_marketing_objection()
    profile.agree()
    partner.heard.clear()
    other = next(name for name in profile.segmenter.segment_names_ if name != profile.segment)
    profile.choose(other)
    assert {(notice.action, notice.segment) for notice in partner.heard} == {("replace", other)}
    partner.heard.clear()
    profile.withhold("area_income")
    assert {notice.recipient for notice in partner.heard} == {"Gone Ltd", "Mute Ltd"}
    nobody = opened(shop)
    nobody.release("Parcel Post Ltd")
    receipt = nobody.withdraw().receipt
    (left,) = receipt["details"]["recipients"]
    assert not left["delivered"]
    assert "tell them" in receipt["private"]["answers"][0]


def test_denials_of_other_devices_count_here_and_ours_there(shop):
    identities = Identities(clock=Clock())
    identities.link("phone", "ann", kind="login", since=START - timedelta(days=9))
    partner = Partner()
    profile = opened(shop, identities=identities, send=partner)
    identities.record_disclosure("phone", "Ad Exchange", at=START)
    profile.release("Parcel Post Ltd")
    profile.withdraw()
    assert {(one.recipient, one.identifier) for one in partner.heard} == {
        ("Parcel Post Ltd", "ann"),
        ("Ad Exchange", "phone"),
    }
    later = profile._clock() + timedelta(days=1)
    profile.ledger.append("phone", "offers", "given", source="device", at=START + timedelta(minutes=1))
    assert not identities.mask(profile.ledger, ["phone"], "offers", at=later)[0]
    assert profile.agree().effect.after is not None
    profile.ledger.append("phone", "offers", "refused", source="device", at=profile._clock())
    assert profile.basis is SegmentBasis.NO_CONSENT
    assert profile.card().consent.statements[0].answer == "denied_by_link"


def test_silence_is_no_where_consent_is_asked_and_a_no_counts_everywhere(shop):
    profile = opened(shop, purpose="range", agrees=False)
    assert profile.basis is SegmentBasis.MODEL
    assert profile.withdraw().effect.basis is SegmentBasis.OBJECTED
    assert profile.release("Parcel Post Ltd") is None
    assert profile.agree().effect.basis is SegmentBasis.MODEL
    assert opened(shop, agrees=False).basis is SegmentBasis.NO_CONSENT


def test_a_browsers_signal_is_followed_to_the_letter_and_once(shop):
    profile = opened(shop)
    for value in (None, "", "0", "true", " 1", "1,1"):
        assert profile.signal(value) is None
    answer = profile.signal("1")
    assert (answer.effect.basis, answer.receipt["details"]["scope"]) == (
        SegmentBasis.NO_CONSENT,
        ["cross-context-advertising", "sale", "sharing"],
    )
    assert "your browser said no" in answer.card.text()
    profile.agree()
    assert profile.signal("1") is None
    assert profile.basis is SegmentBasis.MODEL
    untouched = opened(shop, purpose="range", agrees=False)
    untouched.signal("1")
    assert untouched.basis is SegmentBasis.MODEL


def test_a_gpp_string_is_followed_where_it_opts_out_and_grants_nothing(shop):
    profile = opened(shop)
    with pytest.raises(ConsentError):
        profile.signal(gpp="DBABBg~")
    california = LAYOUTS[8, 1]
    silent, opted_out = (
        gpp({8: text_of(us_core(california, said))}) for said in ({}, {"sale_opt_out_notice": 1, "sale_opt_out": 1})
    )
    assert profile.signal(gpp=silent) is None
    answer = profile.signal(gpp=opted_out)
    assert (answer.effect.basis, answer.receipt["details"]["scope"]) == (SegmentBasis.NO_CONSENT, ["sale"])


def test_a_person_is_told_where_to_complain(shop):
    assert opened(shop).complain() == "Data Protection Commission"
    text = (
        xseg.datasets.customers_policy()
        .to_yaml()
        .replace("rights:\n", "rights:\n  complain: https://dpc.example/form\n", 1)
    )
    assert opened(shop, policy=Policy.parse(text)).complain() == "https://dpc.example/form"


def test_what_is_sensitive_can_be_switched_off_at_once(shop):
    text = xseg.datasets.customers_policy().to_yaml().replace("  age_band:", "  age_band:\n    sensitive: true", 1)
    profile = opened(shop, policy=Policy.parse(text))
    answer = profile.limit_sensitive()
    assert profile.list_withheld() == ("age_band",)
    assert (
        answer.effect.unchanged_reason in {UnchangedReason.NOT_USED, UnchangedReason.SAME_SEGMENT}
        or answer.effect.changed
    )
    assert RIGHTS["limit_sensitive"] == answer.receipt["dpv:hasRight"]


def test_a_person_takes_with_them_what_they_provided(shop):
    profile = opened(shop)
    profile.correct("spend_year", 12.5)
    taken = profile.port()["data"]
    assert taken["spend_year"] == 12.5
    assert "area_income" not in taken
    assert json.loads(json.dumps(taken)) == taken
    assert opened(shop, purpose="range", agrees=False).port()["data"] == {}
    profile.erase()
    assert profile.port()["data"] == {}


def test_what_is_erased_is_in_no_byte_of_the_log(shop, tmp_path):
    profile = opened(shop, log=ActionLog(tmp_path / "log.jsonl"))
    own = profile.segment
    profile.correct("spend_year", 98765.25)
    profile.contest("a word of my own")
    profile.release("Parcel Post Ltd")
    profile.erase()
    text = (tmp_path / "log.jsonl").read_text()
    for gone in ("98765.25", "a word of my own", own, *profile.segmenter.segment_names_):
        assert gone not in text
    assert ActionLog.load(tmp_path / "log.jsonl").head == profile.log.head
    again = opened(shop, profile.ledger, ActionLog(tmp_path / "log.jsonl"))
    assert again.basis is SegmentBasis.ERASED
    assert again.export()["data"] == {}


def test_statements_come_with_the_receipts_of_the_standard(shop):
    (record,) = opened(shop).withdraw().receipt["consent"]
    assert record["@type"] == "dpv:ConsentReceipt"
    assert record["dpv:hasRecordOfActivity"]["dpv:hasProcess"]["dpv:hasDataController"] == "Harbour Books"
    assert record["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]["@type"] == "dpv:ConsentWithdrawn"


def test_a_choice_that_a_later_model_does_not_have_is_void(shop):
    customers, _ = shop
    profile = opened(shop)
    profile.choose(1)
    later = xseg.TreeSegmenter(2, random_state=1).fit(customers[["orders_90d", "spend_year"]])
    moved = xseg.governance.rights.Profile(
        later,
        customers[["orders_90d", "spend_year"]].head(1),
        policy=profile.policy,
        ledger=profile.ledger,
        subject="ann",
        purpose="offers",
        log=profile.log,
        clock=profile._clock,
    )
    assert (moved.basis, moved.segment in later.segment_names_) == (SegmentBasis.MODEL, True)


def test_a_log_that_was_altered_or_is_not_there_is_refused(shop, tmp_path):
    path = tmp_path / "log.jsonl"
    opened(shop, log=ActionLog(path)).object()
    path.write_text(path.read_text().replace('"object"', '"lift"'))
    with pytest.raises(ConsentError, match="not what was written"):
        ActionLog(path)
    with pytest.raises(ConsentError, match="no log"):
        ActionLog.load(tmp_path / "none")


@pytest.mark.parametrize("value", ["many", object(), np.inf])
def test_a_correction_that_the_model_cannot_read_leaves_no_trace(shop, value):
    profile = opened(shop)
    with pytest.raises(xseg.XsegError):
        profile.correct("orders_90d", value)
    assert len(profile.log) == 0


def test_a_clock_that_is_behind_loses_no_denial(shop):
    ahead = Clock()
    ledger = Ledger(clock=ahead)
    ledger.append("ann", "offers", "given", source="account", at=ahead())
    behind = Clock()
    behind.now = START - timedelta(hours=1)
    for deny in ("withdraw", "opt_out", "object_marketing"):
        ledger.append("ann", "offers", "given", source="account", at=ahead())
        opened(shop, ledger, clock=behind).agree()
        getattr(opened(shop, ledger, clock=behind), deny)()
        later = opened(shop, ledger, clock=ahead)
        assert later.basis is SegmentBasis.NO_CONSENT, deny
        assert later.release("Parcel Post Ltd") is None
    ledger.append("ann", "offers", "given", source="account", at=ahead())
    opened(shop, ledger, clock=behind).withhold("area_income")
    assert opened(shop, ledger, clock=ahead).list_withheld() == ("area_income",)
    ledger.append("ann", "offers", "withdrawn", source="device", at=ahead())
    assert opened(shop, ledger, clock=behind).basis is SegmentBasis.NO_CONSENT


@pytest.mark.parametrize("call", ["withdraw", "opt_out", "object_marketing", "signal", "withhold", "erase"])
def test_what_an_old_copy_of_the_ledger_lost_the_log_still_knows(shop, call, tmp_path):
    clock = Clock()
    ledger = Ledger(clock=clock)
    ledger.append("ann", "offers", "given", source="account", at=clock())
    ledger.save(tmp_path / "old.csv")
    log = ActionLog(tmp_path / "log.jsonl")
    profile = opened(shop, ledger, log, clock=clock)
    getattr(profile, call)(*CALLS[call])
    old = opened(shop, Ledger.load(tmp_path / "old.csv", clock=clock), ActionLog(tmp_path / "log.jsonl"), clock=clock)
    assert (old.basis, old.list_withheld()) == (profile.basis, profile.list_withheld())
    if call not in {"withhold", "erase"}:
        old.withdraw_marketing_objection()
        assert old.agree().effect.basis is SegmentBasis.MODEL


def test_a_no_is_heard_although_the_model_cannot_read_the_row(shop):
    customers, segmenter = shop
    for call in ("withdraw", "object_marketing", "opt_out", "object", "restrict", "leave", "erase", "signal"):
        ledger = Ledger(clock=Clock())
        ledger.append("ann", "offers", "given", source="account", at=START)
        row = customers.head(1).drop(columns="orders_90d")
        profile = xseg.governance.rights.Profile(
            segmenter,
            row,
            policy=xseg.datasets.customers_policy(),
            ledger=ledger,
            subject="ann",
            purpose="offers",
            clock=Clock(),
        )
        assert (profile.basis, profile.segment, profile.card().basis) == (SegmentBasis.UNKNOWN, None, "unknown")
        answer = getattr(profile, call)(*CALLS[call])
        assert answer.effect.basis in {
            SegmentBasis.NO_CONSENT,
            SegmentBasis.OBJECTED,
            SegmentBasis.RESTRICTED,
            SegmentBasis.NOT_PROFILED,
            SegmentBasis.ERASED,
        }
        assert len(profile.log) == 2 + (call == "erase")


def test_who_could_not_be_reached_or_lost_it_another_way_is_told_later(shop):
    identities, partner = Identities(clock=Clock()), Partner()
    identities.link("phone", "ann", kind="login", since=START - timedelta(days=9))
    profile = opened(shop, identities=identities, send=partner)
    profile.release("Parcel Post Ltd")
    assert profile.settle() == []
    profile.ledger.append("phone", "offers", "refused", source="device", at=profile._clock())
    assert [one["action"] for one in profile.settle()] == ["stop"]
    assert profile.settle() == []
    flaky = opened(shop, send=Partner(), policy=with_recipients("Gone Ltd"))
    flaky.release("Gone Ltd")
    flaky.withdraw()
    flaky._send = partner.__class__.__call__.__get__(partner)
    assert [one["delivered"] for one in flaky.settle()] == [False]
    flaky._send = lambda notice: "done"
    assert [one["delivered"] for one in flaky.settle()] == [True]
    assert flaky.settle() == []
    assert flaky.erase().receipt["details"]["recipients"] == []


def test_an_objection_to_marketing_reaches_every_such_purpose_also_one_declared_later(shop):
    partner = Partner()
    text = (
        xseg.datasets.customers_policy()
        .to_yaml()
        .replace(
            "purposes:\n",
            "purposes:\n  ads: {label: choosing ads, legal_basis: legitimate-interest, marketing: true}\n",
            1,
        )
    )
    clock, policy = Clock(), Policy.parse(text)
    offers = opened(shop, policy=policy, send=partner, clock=clock)
    ads = opened(shop, offers.ledger, offers.log, purpose="ads", policy=policy, send=partner, clock=clock)
    ads.release("Parcel Post Ltd")
    receipt = offers.object_marketing().receipt
    assert [(one["purpose"], one["action"]) for one in receipt["details"]["recipients"]] == [("ads", "stop")]
    assert ads.basis is SegmentBasis.OBJECTED
    later = Policy.parse(text.replace("  ads:", "  letters:"))
    letters = opened(shop, offers.ledger, offers.log, purpose="letters", policy=later, clock=clock)
    assert letters.basis is SegmentBasis.OBJECTED
    letters.agree()
    assert (letters.basis, ads.basis) == (SegmentBasis.MODEL, SegmentBasis.OBJECTED)


def test_no_objection_is_undone_by_the_decision_of_another(shop):
    profile = opened(shop)
    profile.object("first")
    profile.object("second")
    first, second = profile.cases()
    profile.decide(first.number, by="Kim Doe", decision="Needed.", upheld=False)
    assert profile.basis is SegmentBasis.OBJECTED
    profile.decide(second.number, by="Kim Doe", decision="Not needed.", upheld=True)
    profile.object("third")
    profile.decide(profile.cases()[0].number, by="Kim Doe", decision="Needed.", upheld=False)
    assert profile.basis is SegmentBasis.OBJECTED
    told = dict(profile.log.find_receipts("ann")[-1])
    told["details"] = {"case": second.number, "by": "x", "upheld": False}
    profile.log.append({name: told[name] for name in told if name not in {"private", "hash", "previous", "number"}})
    assert profile.basis is SegmentBasis.OBJECTED
    for by, decision in (("\u200b", "No."), ("Kim Doe", "\u2060 .")):
        profile.ask("SegmentBasis?")
        with pytest.raises(ParameterError, match="a person with a name"):
            profile.decide(profile.cases()[0].number, by=by, decision=decision)


def test_nothing_of_any_call_is_left_after_erasure(shop, tmp_path):
    path = tmp_path / "log.jsonl"
    profile = opened(shop, log=ActionLog(path), send=lambda notice: f"{notice.identifier} to {notice.segment}")
    profile.release("Parcel Post Ltd")
    for call, given_ in CALLS.items():
        if call not in {"erase", "withdraw", "opt_out", "object_marketing", "signal", "object", "restrict", "leave"}:
            getattr(profile, call)(*given_)
    for name in profile.segmenter.segment_names_:
        profile.choose(name)
    profile.decide(profile.cases()[0].number, by="Kim Doe", decision="my words", segment=1)
    other = opened(shop, profile.ledger, ActionLog(path), purpose="range", clock=profile._clock)
    other.correct("spend_year", 4711.5)
    profile.erase()
    text = path.read_text()
    assert not [name for name in (*profile.segmenter.segment_names_, "4711.5", "my words", "I moved") if name in text]
    assert other.basis is SegmentBasis.ERASED
    assert other.data().empty
    assert profile.ledger.states(["ann"], "offers")[0] == "withdrawn"
    ActionLog(path).verify()


def test_an_erasure_that_was_interrupted_is_finished(shop, tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    profile = opened(shop, log=ActionLog(path))
    profile.contest("my secret")
    monkeypatch.setattr(
        "xseg.governance.append_only.write_whole", lambda *_: (_ for _ in ()).throw(OSError(28, "no space"))
    )
    with pytest.raises(ConsentError, match="no space"):
        profile.erase()
    monkeypatch.undo()
    assert "my secret" in path.read_text()
    again = opened(shop, profile.ledger, ActionLog(path))
    assert "my secret" not in path.read_text()
    assert again.erase().effect.basis is SegmentBasis.ERASED


def test_people_may_be_called_by_numbers(shop):
    customers, segmenter = shop
    ledger = Ledger()
    ledger.append(7, "offers", "given", source="account")
    profile = xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=xseg.datasets.customers_policy(),
        ledger=ledger,
        subject=7,
        purpose="offers",
    )
    profile.release("Parcel Post Ltd")
    profile.object()
    assert (profile.basis, profile.recipients()) == (SegmentBasis.OBJECTED, ("Parcel Post Ltd",))


def test_nothing_is_corrected_that_was_erased(shop):
    profile = opened(shop)
    profile.erase()
    for call in ("correct", "withhold", "choose", "agree", "lift", "contest"):
        with pytest.raises(DataError, match="erased"):
            getattr(profile, call)(*CALLS[call])


def test_a_new_model_between_two_words_leaves_no_recipient_with_the_old_segment(shop):
    customers, segmenter = shop
    partner = Partner()
    profile = opened(shop, send=partner)
    given_ = profile.release("Parcel Post Ltd")
    renamed = xseg.TreeSegmenter(4, max_leaves=6, segment_names=("A", "B", "C", "D"), random_state=0).fit(customers)
    later = opened((customers, renamed), profile.ledger, profile.log, send=partner, clock=profile._clock)
    assert given_ in segmenter.segment_names_
    assert [(one["recipient"], one["action"]) for one in later.settle()] == [("Parcel Post Ltd", "replace")]
    assert partner.heard[-1].segment == later.segment
    assert later.choose(later.segment).receipt["details"]["recipients"] == []


def test_a_no_of_somebody_in_no_segment_reaches_who_was_given_their_telephone(shop):
    identities, partner = Identities(clock=Clock()), Partner()
    identities.link("phone", "ann", kind="login", since=START - timedelta(days=9))
    identities.record_disclosure("phone", "Ad Exchange", at=START)
    profile = opened(shop, agrees=False, identities=identities, send=partner)
    assert profile.segment is None
    assert profile.withdraw().receipt["details"]["linked"] == 1
    assert [(one.recipient, one.identifier, one.action) for one in partner.heard] == [("Ad Exchange", "phone", "stop")]
    assert "phone" not in json.dumps(profile.log.find_receipts("ann"))
    assert profile.withdraw().receipt["details"]["linked"] == 0
