"""What is malformed about links, recalls, receipts, gates and signals is refused, and lets nobody through."""

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import xseg
from consent_cases import Clock, day
from xseg.exceptions import ConsentError, XsegError
from xseg.governance.consent import (
    ConsentGate,
    Identities,
    Ledger,
    Suppression,
    make_consent_receipt,
    read_gpp,
    read_tcf,
)

# ------------------------------------------------------------------------------------------------------ identities


@pytest.mark.parametrize(
    "wrong",
    [
        {"used_from": float("nan")},
        {"used_from": "0.5"},
        {"used_from": None},
        {"used_from": True},
        {"largest": float("nan")},
        {"largest": "5"},
        {"largest": 2.5},
        {"largest": True},
        {"used_kinds": b"login"},
        {"used_kinds": 5},
        {"used_kinds": [1]},
        {"used_kinds": ["login", ""]},
    ],
)
def test_parameters_that_would_let_denials_go_nowhere_are_refused(wrong):
    with pytest.raises(ConsentError):
        Identities(**wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"left": np.nan},
        {"left": 1.0},
        {"left": b"x"},
        {"left": True},
        {"left": "ann "},
        {"kind": 1},
        {"kind": ["login"]},
        {"confidence": [1]},
        {"confidence": 1j},
        {"confidence": True},
        {"confidence": float("inf")},
        {"confidence": "high"},
    ],
)
def test_a_malformed_link_draws_nothing(change):
    drawn = {"left": "phone", "right": "ann", "kind": "login", "confidence": 1.0, "since": day(1)} | change
    identities = Identities(clock=Clock(100))
    with pytest.raises(ConsentError):
        identities.link(**drawn)
    with pytest.raises(ConsentError):
        identities.link_table(pd.DataFrame([drawn], dtype=object))
    assert identities._links.size == 0


def test_links_that_are_doubled_turned_or_late_carry_the_same_denials():
    ledger = Ledger(clock=Clock(100))
    ledger.append("ann", "offers", "given", source="account", at=day(1))
    ledger.append("phone", "offers", "withdrawn", source="device", at=day(5))
    once, often = Identities(clock=Clock(100)), Identities(clock=Clock(100))
    once.link("phone", "ann", kind="login", since=day(1))
    for left, right in [("ann", "phone"), ("phone", "ann"), ("ann", "phone")]:
        often.link(left, right, kind="login", since=day(1))
    for identities in (once, often):
        assert identities.find_reached(ledger, "offers") == {"ann": day(5)}
    future = Identities(clock=Clock(100))
    future.link("phone", "ann", kind="login", since=day(200))
    assert future.mask(ledger, ["ann"], "offers").all()
    assert not future.mask(ledger, ["ann"], "offers", at=day(201)).any()


# ---------------------------------------------------------------------------------------------------------- recall


@pytest.mark.parametrize("name", [np.nan, None, "", 1.5, ["a"], b"a", " ann", "\ud800"])
def test_nobody_is_recalled_by_a_name_that_cannot_be_read(name):
    identities = Identities(clock=Clock(100))
    for ask in (
        lambda: identities.record_disclosure(name, "Parcel Post", at=day(2)),
        lambda: identities.record_disclosure("ann", name, at=day(2)),
        lambda: identities.recall(Ledger(), name, "offers", str),
    ):
        with pytest.raises(ConsentError):
            ask()
    assert identities.recall(Ledger(), "ann", "offers", str) == []


@pytest.mark.parametrize("send", [None, "post", 5])
def test_a_recall_without_a_way_to_deliver_is_no_recall(send):
    identities = Identities(clock=Clock(100))
    identities.record_disclosure("ann", "Parcel Post", at=day(2))
    with pytest.raises(ConsentError, match="send"):
        identities.recall(Ledger(clock=Clock(100)), "ann", "offers", send)


@pytest.mark.parametrize("answer", [None, "", 0, True, b"done", ["done"]])
def test_what_is_no_answer_is_not_delivered(answer):
    identities = Identities(clock=Clock(100))
    identities.record_disclosure("ann", "Parcel Post", at=day(2))
    [told] = identities.recall(Ledger(clock=Clock(100)), "ann", "offers", lambda order: answer)
    assert not told.delivered


def test_a_recall_told_twice_is_the_same_order_and_one_forged_is_another():
    identities = Identities(clock=Clock(100))
    for number in (9, 2, 200):
        identities.record_disclosure("ann", "Parcel Post", at=day(number))
    orders = [
        identities.recall(Ledger(clock=Clock(100)), "ann", "offers", lambda order: "done")[0].suppression
        for _ in range(2)
    ]
    assert orders[0] == orders[1]
    assert orders[0].hash == orders[1].hash
    assert orders[0].received == day(2)
    said = {name: getattr(orders[0], name) for name in Suppression.__dataclass_fields__}
    hashes = {
        Suppression(**(said | {name: day(3) if isinstance(value, datetime) else value + "."})).hash
        for name, value in said.items()
    }
    assert len(hashes | {orders[0].hash}) == len(said) + 1


# -------------------------------------------------------------------------------------------------------- receipts


@pytest.mark.parametrize("entry", [None, {}, "entry", Ledger()])
def test_only_an_entry_has_a_receipt(entry):
    with pytest.raises(ConsentError, match="Entry"):
        make_consent_receipt(entry)


@pytest.mark.parametrize("said", [{"controller": np.nan}, {"controller": ""}, {"concept": 5}, {"concept": "\ud800"}])
def test_a_receipt_states_texts(said):
    entry = Ledger().append("ann", "offers", "given", source="account")
    with pytest.raises(ConsentError):
        make_consent_receipt(entry, **said)


def test_receipts_of_a_replayed_statement_are_told_apart():
    ledger = Ledger(clock=Clock(100))
    for _ in range(3):
        ledger.append("ann", "offers", "given", source="account", at=day(1))
    written = [json.dumps(make_consent_receipt(entry), allow_nan=False) for entry in ledger]
    assert len(set(written)) == 3


# ------------------------------------------------------------------------------------------------------------ gate


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(300, random_state=0)
    ids = [f"c{row}" for row in range(300)]
    ledger = Ledger(clock=Clock(100))
    ledger.append_table(
        pd.DataFrame({"subject": ids, "purpose": "offers", "state": "given", "source": "account", "at": day(1)})
    )
    gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0, effort="fast"), ledger, purpose="offers")
    return customers, ids, gate.fit(customers, ids=ids)


@pytest.mark.parametrize("kind", ["missing", "blank", "unknown"])
def test_a_gate_lets_nobody_through_who_cannot_be_named(shop, kind):
    customers, ids, gate = shop
    name = {"missing": np.nan, "blank": "", "unknown": "c300"}[kind]
    labels = gate.predict(customers, ids=[name] * 5 + ids[5:])
    assert (labels[:5] == -1).all()
    assert (labels[5:] >= 0).all()


@pytest.mark.parametrize(
    "ids",
    [np.arange(300.0), [b"x"] * 300, "x" * 300, [True] * 300, ["c0", 1] * 150, np.full((300, 1), "c0")],
    ids=["decimals", "bytes", "one text", "truths", "mixed", "a matrix"],
)
def test_a_gate_refuses_names_that_could_mean_somebody_else(shop, ids):
    customers, _, gate = shop
    with pytest.raises(ConsentError):
        gate.predict(customers, ids=ids)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), pd.NaT, "2026-06-01", 3])
def test_a_gate_refuses_times_that_could_mean_another_moment(shop, at):
    customers, ids, gate = shop
    again = ConsentGate(gate.segmenter, gate.ledger, purpose="offers", at=at)
    with pytest.raises(XsegError):
        again.fit(customers, ids=ids)


# --------------------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("read", [read_tcf, read_gpp])
@pytest.mark.parametrize("text", [np.nan, pd.NA, np.str_(""), ["C"], "C" * 10**6, "\ud800", "＠", "C\u200b", "DBAB"])
def test_a_signal_that_cannot_be_read_grants_nothing(read, text):
    with pytest.raises(ConsentError):
        read(text)


def test_a_signal_from_the_future_waits_like_any_statement():
    ledger = Ledger(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    ledger.append("phone", "offers", "given", source="signal", at="2027-01-01T00:00:00Z")
    assert not ledger.mask(["phone"], "offers").any()
    ledger.append("phone", "offers", "refused", source="signal", at="2028-01-01T00:00:00Z")
    assert not ledger.mask(["phone"], "offers", at="2029-01-01T00:00:00Z").any()
