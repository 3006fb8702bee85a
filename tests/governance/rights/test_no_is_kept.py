"""No act undoes a no that it is not about, and no failure loses one."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from signal_cases import gpp, text_of, us_core
from xseg.exceptions import ConsentError
from xseg.governance.consent import ConsentGate, Ledger
from xseg.governance.consent._gpp_signals import LAYOUTS
from xseg.governance.rights import ActionLog, SegmentBasis, UnchangedReason

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
NOES = {
    "restrict": ("lift", SegmentBasis.RESTRICTED),
    "leave": ("rejoin", SegmentBasis.NOT_PROFILED),
    "object": ("withdraw_objection", SegmentBasis.OBJECTED),
    "object_marketing": ("withdraw_marketing_objection", SegmentBasis.OBJECTED),
}


def clock():
    minutes = itertools.count(1)
    return lambda: START + timedelta(minutes=next(minutes))


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(600, random_state=0)
    return customers, xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)


def opened(shop, ledger=None, log=None, *, now=None, agrees=True, purpose="offers", **more):
    customers, segmenter = shop
    now = clock() if now is None else now
    if ledger is None:
        ledger = Ledger(clock=now)
        if agrees:
            ledger.append("ann", purpose, "given", source="account", at=now())
    policy = xseg.datasets.customers_policy()
    return xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=policy,
        ledger=ledger,
        subject="ann",
        purpose=purpose,
        log=log,
        clock=now,
        **more,
    )


# ------------------------------------------------------------------------------- taking back one thing at a time


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(st.sampled_from(sorted(NOES)), min_size=1, max_size=4, unique=True),
    undone=st.lists(st.sampled_from(sorted(NOES)), max_size=4, unique=True),
)
def test_what_is_taken_back_ends_one_no_and_no_other(shop, said, undone):
    profile = opened(shop)
    for no in said:
        getattr(profile, no)()
    for no in undone:
        answer = getattr(profile, NOES[no][0])()
        assert answer.receipt["action"] == NOES[no][0]
        assert answer.card.answer.action == NOES[no][0]
    profile.agree()
    left = [no for no in said if no not in undone]
    assert (profile.segment is None) == bool(left)
    assert not left or profile.basis in {NOES[no][1] for no in left}
    assert profile.release("Parcel Post Ltd") == profile.segment


def test_withdrawing_an_objection_to_marketing_is_no_consent(shop):
    for basis in ("offers", "range"):
        profile = opened(shop, purpose=basis)
        profile.object_marketing()
        answer = profile.withdraw_marketing_objection()
        if basis == "offers":
            assert (answer.effect.basis, answer.effect.unchanged_reason) == (SegmentBasis.NO_CONSENT, None)
        assert profile.agree().effect.after is not None


def test_an_opt_out_outlives_the_withdrawal_of_an_objection(shop):
    for no in ("opt_out", "signal"):
        profile = opened(shop)
        getattr(profile, no)(*(["1"] if no == "signal" else []))
        profile.object_marketing()
        answer = profile.withdraw_marketing_objection()
        assert (answer.effect.basis, profile.segment) == (SegmentBasis.NO_CONSENT, None)


def test_an_objection_that_is_withdrawn_waits_for_nobody(shop):
    profile = opened(shop)
    profile.object("too many")
    profile.ask("why?")
    profile.withdraw_objection()
    assert [case.kind for case in profile.cases()] == ["ask"]
    profile.object("again")
    assert [case.text for case in profile.cases()] == ["why?", "again"]
    assert profile.withdraw_marketing_objection().effect.unchanged_reason is UnchangedReason.OTHER_DECISION


# ------------------------------------------------------------------------------------------------------- signals

BROKEN = ["", "DBAB", "DBABBg~", "nonsense", "\ud800", "A" * 100_001, gpp({8: "!"})]


@pytest.mark.parametrize("text", BROKEN)
def test_the_header_counts_whatever_is_wrong_with_the_string(shop, text):
    profile = opened(shop)
    answer = profile.signal("1", gpp=text)
    assert (profile.basis, profile.segment) == (SegmentBasis.NO_CONSENT, None)
    details = answer.receipt["details"]
    assert details["scope"] == ["cross-context-advertising", "sale", "sharing"]
    assert details["gpp"]["problems"]
    other = opened(shop)
    with pytest.raises(ConsentError):
        other.signal("0", gpp=text)
    assert other.basis is SegmentBasis.MODEL


def test_an_opt_out_beside_a_broken_section_is_followed_and_what_was_broken_is_in_the_receipt(shop):
    profile = opened(shop)
    sections = {7: "!", 9: text_of(us_core(LAYOUTS[9, 1], {"sale_opt_out": 1})), 900: "x"}
    answer = profile.signal(gpp=gpp(sections))
    assert (profile.basis, answer.receipt["details"]["scope"]) == (SegmentBasis.NO_CONSENT, ["sale"])
    told = answer.receipt["details"]["gpp"]
    assert told["unread"] == [900]
    assert "section 7" in told["problems"][0]


def test_a_string_without_sections_is_no_signal(shop):
    profile = opened(shop)
    assert profile.signal(gpp="DBAA") is None
    assert profile.signal("1", gpp="DBAA").effect.basis is SegmentBasis.NO_CONSENT


def test_a_no_to_sensitive_data_switches_it_off_also_after_another_signal(shop):
    profile = opened(shop)
    policy = profile.policy
    sensitive = [name for name in profile.data() if policy.feature(name).sensitive]
    text = gpp({8: text_of(us_core(LAYOUTS[8, 1], {"sensitive_data_processing": (1,) + (0,) * 8}))})
    profile.signal("1")
    profile.agree()
    profile.signal(gpp=text)
    assert set(profile.list_withheld()) == set(sensitive)
    assert profile.basis is SegmentBasis.MODEL
    assert profile.signal(gpp=text) is None


# ------------------------------------------------------------------------------------------- failures at every step

CALLS = {
    "withdraw": (),
    "object": ("too many",),
    "object_marketing": (),
    "opt_out": (),
    "signal": ("1",),
    "restrict": (),
    "leave": (),
    "withhold": ("orders_90d",),
    "limit_sensitive": (),
    "contest": ("wrong",),
    "erase": (),
}


class Failure(Exception):
    pass


def fail(*_, **__):
    raise Failure


def standing(profile):
    return profile.basis, profile.segment, profile.list_withheld(), [(one.kind, one.text) for one in profile.cases()]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["log before", "ledger", "recipient", "log after"])
@pytest.mark.parametrize("call", sorted(CALLS))
def test_a_decision_is_kept_whole_or_was_never_made(shop, tmp_path, monkeypatch, call, step):
    expected = opened(shop)
    getattr(expected, call)(*CALLS[call])
    now, heard = clock(), []
    ledger = Ledger(clock=now)
    ledger.append("ann", "offers", "given", source="account", at=now())
    path = tmp_path / "log.jsonl"
    broken = {"recipient": step == "recipient"}

    def send(notice):
        if broken["recipient"]:
            raise KeyboardInterrupt
        heard.append((notice.recipient, notice.action))
        return "ok"

    profile = opened(shop, ledger, ActionLog(path), now=now, send=send)
    profile.release("Parcel Post Ltd")
    before = standing(profile)
    with monkeypatch.context() as patch:
        if step == "ledger":
            patch.setattr(ledger, "append", fail)
        if step.startswith("log"):
            lines = []

            def append(*args, append=profile.log.append, **more):
                lines.append(args)
                return fail() if len(lines) == (1 if step == "log before" else 2) else append(*args, **more)

            patch.setattr(profile.log, "append", append)
        try:
            getattr(profile, call)(*CALLS[call])
            ended = True
        except (Failure, KeyboardInterrupt):
            ended = False
    again = opened(shop, ledger, ActionLog(path), now=now, send=send)
    if step == "log before":
        # Nothing was done at all, and whoever asked was told so by the error.
        assert not ended
        assert standing(again) == before
        assert heard == []
        assert len(ledger) == 1
        return
    assert standing(again) == standing(expected)
    assert ended == (again.list_unfinished() == [])
    broken["recipient"] = False
    again.settle()
    assert again.list_unfinished() == []
    assert standing(again) == standing(expected)
    stopped = expected.segment is None
    assert (("Parcel Post Ltd", "stop") in heard) == stopped
    assert again.settle() == []
    # What the log told the ledger, the ledger knows by itself.
    fresh = opened(shop, ledger, ActionLog(), now=now)
    if call in {"withdraw", "object_marketing", "opt_out", "signal", "erase"}:
        assert fresh.segment is None
    assert fresh.list_withheld() == (() if call == "erase" else expected.list_withheld()) or call == "erase"
    ActionLog(path).verify()


def test_a_yes_that_did_not_reach_the_ledger_has_to_be_said_again(shop, tmp_path, monkeypatch):
    now = clock()
    profile = opened(shop, log=ActionLog(tmp_path / "log.jsonl"), now=now, agrees=False)
    profile.withdraw()
    monkeypatch.setattr(profile.ledger, "append", fail)
    with pytest.raises(Failure):
        profile.agree()
    monkeypatch.undo()
    again = opened(shop, profile.ledger, ActionLog(tmp_path / "log.jsonl"), now=now)
    assert [told["action"] for told in again.list_unfinished()] == ["agree"]
    again.settle()
    assert again.basis is SegmentBasis.NO_CONSENT
    assert again.list_unfinished() == []
    assert again.agree().effect.basis is SegmentBasis.MODEL


@pytest.mark.slow
@pytest.mark.parametrize("call", ["withdraw", "withhold", "opt_out"])
def test_a_gate_hears_the_log_where_the_ledger_failed(shop, tmp_path, monkeypatch, call):
    customers, segmenter = shop
    now = clock()
    ledger = Ledger(clock=now)
    ids = [f"c{row}" for row in range(len(customers) - 1)] + ["ann"]
    for name in ids:
        ledger.append(name, "offers", "given", source="account", at=now())
    log = ActionLog(tmp_path / "log.jsonl")
    gate = ConsentGate(segmenter, ledger, purpose="offers", log=log).fit(customers, ids=ids)
    assert gate.predict(customers, ids=ids)[-1] != -1
    profile = opened(shop, ledger, log, now=now)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append", fail)
        with pytest.raises(Failure):
            getattr(profile, call)(*CALLS[call])
    assert gate.predict(customers, ids=ids)[-1] == -1
    profile.settle()
    assert (gate.predict(customers, ids=ids)[-1] == -1) == (call != "withhold")


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("error", [RuntimeError, TypeError, MemoryError])
def test_a_model_that_fails_keeps_no_no_from_being_heard(shop, monkeypatch, call, error):
    def broken(*_, **__):
        raise error

    profile = opened(shop)
    monkeypatch.setattr(type(profile.segmenter), "predict", broken)
    getattr(profile, call)(*CALLS[call])
    assert profile.segment is None
    assert profile.log.find_receipts("ann")[-1]["action"] == call
    assert profile.list_unfinished() == []


def test_a_log_that_cannot_be_written_is_a_typed_error(shop, tmp_path):
    profile = opened(shop, log=ActionLog(tmp_path / "gone" / "log.jsonl"))
    with pytest.raises(ConsentError):
        profile.withdraw()


# ---------------------------------------------------------------------------------------------------------- time


def test_receipts_cases_and_days_are_of_the_clock_that_was_given(shop):
    """Requests of the past can be brought in with their dates, although the ledger was written today."""
    customers, segmenter = shop
    ledger = Ledger()
    ledger.append("ann", "offers", "given", source="account", at="2026-01-02T00:00:00Z")
    then = datetime(2026, 3, 10, 12, tzinfo=UTC)
    profile = xseg.governance.rights.Profile(
        segmenter,
        customers.head(1),
        policy=xseg.datasets.customers_policy(),
        ledger=ledger,
        subject="ann",
        purpose="offers",
        clock=lambda: then,
    )
    profile.contest("wrong")
    profile.withdraw()
    (case,) = profile.cases()
    assert (case.opened, case.due) == (then, date(2026, 4, 10))
    assert {told["dct:created"] for told in profile.log.find_receipts("ann")} == {then.isoformat()}
    # The denial itself is dated no earlier than what the ledger has heard, so that it cannot be lost.
    assert profile.basis is SegmentBasis.NO_CONSENT
    profile.agree()
    profile.object_marketing()
    assert profile.segment is None
