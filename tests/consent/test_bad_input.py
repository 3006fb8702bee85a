"""What is malformed is refused with one clear error, and what is not known agrees to nothing."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

import xseg
from consent_cases import Clock, day, full
from xseg.consent import ConsentGate, Head, Identities, Ledger, Suppression, read_gpp, read_tcf, receipt
from xseg.exceptions import ConsentError, LedgerError, SignalError, XsegError

NAMES = ("ann", "nan", "None", "1", "1.0", "True", "<NA>", "NaT")


def lookalikes():
    """People who are called as missing values and numbers are written."""
    ledger = Ledger(now=Clock(100))
    for name in NAMES:
        ledger.append(name, "offers", "given", source="account", at=day(1))
    return ledger


# ------------------------------------------------------------------------------------------- who is asked about

NOBODY = [
    np.nan,
    None,
    pd.NA,
    "",
    " ann",
    "ann ",
    "ANN",
    "ann\0",
    "a\u0301nn",
    "\ud800",
    "x" * 10**6,
    "*",
]


@pytest.mark.parametrize("name", NOBODY, ids=lambda name: repr(name)[:12])
def test_who_is_not_known_has_not_agreed(name):
    ledger = lookalikes()
    assert not ledger.mask([name], "offers").any()
    assert ledger.mask([name, "ann"], "offers").tolist() == [False, True]
    assert not Identities(now=Clock(100)).mask(ledger, [name], "offers").any()


UNREADABLE = {
    "decimals": [1.0],
    "decimals and none": np.array([1.0, np.nan]),
    "truths": [True],
    "an array of truths": np.array([True]),
    "bytes": [b"ann"],
    "an array of bytes": np.array([b"ann"]),
    "both": ["ann", 1],
    "lists": [["ann"]],
    "a matrix": np.array([["ann"]]),
    "one text": "ann",
    "one text as an array": np.array("ann"),
    "a set": {"ann"},
    "a mapping": {"ann": 1},
    "objects": [object()],
    "times": np.array(["2026-01-01"], dtype="datetime64[D]"),
    "one number": 5,
    "nothing": None,
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_identifiers_that_could_mean_somebody_else_are_refused(kind):
    ledger, who = lookalikes(), UNREADABLE[kind]
    identities = Identities(now=Clock(100))
    for ask in (
        lambda: ledger.mask(who, "offers"),
        lambda: ledger.states(who, "offers"),
        lambda: ledger.withheld(who, "age", "offers"),
        lambda: identities.mask(ledger, who, "offers"),
        lambda: identities.states(ledger, who, "offers"),
        lambda: identities.withheld(ledger, who, "age", "offers"),
    ):
        with pytest.raises(ConsentError):
            ask()


@pytest.mark.parametrize("purpose", [None, "", "*", 1, " offers", ["offers"], np.nan, "\ud800"])
def test_a_question_names_one_purpose(purpose):
    ledger = lookalikes()
    for ask in (ledger.mask, ledger.states):
        with pytest.raises(ConsentError):
            ask(["ann"], purpose)


# ------------------------------------------------------------------------------------------------------- times

WRONG_TIMES = [
    datetime(2026, 6, 1),
    date(2026, 6, 1),
    pd.NaT,
    pd.Timestamp("2026-06-01"),
    np.datetime64("2026-06-01"),
    1_780_272_000,
    np.nan,
    "",
    "2026-06-01",
    "2026-06-01T00:00:00",
    "2026-06-01T00:00:00z",
    "2026-06-31T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-06-01T00:00:00+99:99",
    "\uff12026-06-01T00:00:00Z",
    "2" * 10_000,
    datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))),
]


@pytest.mark.parametrize("at", WRONG_TIMES, ids=lambda at: repr(at)[:30])
def test_times_that_could_mean_another_moment_are_refused(at):
    ledger, identities = lookalikes(), Identities(now=Clock(100))
    identities.link("phone", "ann", kind="login", since=day(1))
    size = len(ledger)
    for ask in (
        lambda: ledger.append("ann", "offers", "given", source="account", at=at),
        lambda: ledger.append("ann", "offers", "given", source="account", at=day(1), until=at),
        lambda: ledger.mask(["ann"], "offers", at=at),
        lambda: identities.mask(ledger, ["ann"], "offers", at=at),
        lambda: identities.reached(ledger, "offers", at=at),
        lambda: identities.unlink("phone", "ann", at=at),
        lambda: identities.handed_over("ann", "Parcel Post", at=at),
        lambda: identities.recall(ledger, "ann", "offers", str, at=at),
        lambda: identities.link("a", "b", kind="login", since=at),
    ):
        with pytest.raises(ConsentError):
            ask()
    assert len(ledger) == size
    assert len(identities) == 2


def test_zones_are_moments_and_not_words():
    """Noon in Tokyo is before four in Greenwich, whatever the rows' order and the text."""
    said = [("given", "2026-03-01T12:00:00+09:00"), ("withdrawn", "2026-03-01T04:00:00+00:00")]
    for rows in (said, said[::-1]):
        table = pd.DataFrame(rows, columns=["state", "at"]).assign(subject="ann", purpose="offers", source="account")
        for times in (table["at"], [pd.Timestamp(at) for at in table["at"]], pd.to_datetime(table["at"], utc=True)):
            ledger = Ledger(now=Clock(100))
            ledger.append_table(table.assign(at=times))
            assert not ledger.mask(["ann"], "offers").any()
            assert ledger.mask(["ann"], "offers", at="2026-03-01T03:30:00Z").all()


@pytest.mark.parametrize("now", [lambda: datetime(2026, 1, 1), lambda: None, lambda: "now", lambda: 0, lambda: pd.NaT])
def test_a_clock_that_tells_no_time_answers_nothing(now):
    ledger, identities = Ledger(now=now), Identities(now=now)
    for ask in (
        lambda: ledger.mask(["ann"], "offers"),
        lambda: ledger.append("ann", "offers", "given", source="account", at=day(1)),
        lambda: identities.mask(ledger, ["ann"], "offers"),
        lambda: identities.handed_over("ann", "Parcel Post"),
    ):
        with pytest.raises(ConsentError):
            ask()
    assert len(ledger) == 0


# -------------------------------------------------------------------------------------------- tables of statements

ROWS = pd.DataFrame(
    {"subject": ["a", "b"], "purpose": "offers", "state": "given", "source": "account", "at": [day(1), day(2)]}
)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("subject", ["a", np.nan]),
        ("subject", ["a", ""]),
        ("subject", [1.0, 2.0]),
        ("subject", [["a"], ["b"]]),
        ("purpose", ["offers", None]),
        ("purpose", [["a"], ["b"]]),
        ("purpose", ["offers", "*"]),
        ("state", ["given", "GIVEN"]),
        ("state", [["given"], ["given"]]),
        ("state", ["given", "agreed"]),
        ("source", ["account", {}]),
        ("source", ["account", "rumour"]),
        ("at", [day(1), "2026-01-02"]),
        ("at", pd.to_datetime(["2026-01-01", "2026-01-02"])),
        ("at", [["x"], ["y"]]),
        ("until", ["", ""]),
        ("until", [day(0), day(9)]),
        ("feature", [{}, {}]),
        ("feature", ["age", 5]),
        ("reference", ["banner 7", " "]),
    ],
)
def test_a_table_with_one_bad_cell_writes_nothing(column, cells):
    ledger = lookalikes()
    head = ledger.head
    with pytest.raises(ConsentError, match=r"row \d|column|until"):
        ledger.append_table(ROWS.assign(**{column: pd.Series(cells)}))
    assert ledger.head == head
    ledger.verify(head)


@pytest.mark.parametrize("cells", [[1.0, 0.0], [1, 0], ["true", "false"], ["yes", "no"], [[True], [False]]])
def test_only_truths_grant(cells):
    with pytest.raises(ConsentError, match="row 0: granted"):
        Ledger(now=Clock()).append_table(ROWS.drop(columns="state").assign(granted=cells))


def test_a_replayed_table_changes_no_answer_and_is_seen_in_the_record():
    ledger = Ledger(now=Clock(100))
    ledger.append_table(ROWS)
    ledger.append("a", "offers", "withdrawn", source="account", at=day(5))
    before = ledger.mask(["a", "b"], "offers")
    for table in (ROWS, ROWS.iloc[::-1], pd.concat([ROWS, ROWS])):
        ledger.append_table(table)
        assert (ledger.mask(["a", "b"], "offers") == before).all()
    assert len(ledger) == 11
    ledger.verify(ledger.head)


# ---------------------------------------------------------------------------------------------------- stored ledgers


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("number", [1]),
        ("number", "3"),
        ("number", 3.0),
        ("number", True),
        ("number", np.nan),
        ("subject", ["x"]),
        ("subject", np.nan),
        ("subject", ""),
        ("hash", None),
        ("hash", b"x"),
        ("hash", ["x"]),
        ("hash", "A" * 64),
        ("at", np.nan),
        ("at", ["x"]),
        ("recorded", ""),
        ("until", "never"),
        ("state", {}),
        ("source", 1),
        ("feature", [1]),
    ],
)
def test_a_stored_ledger_with_one_bad_cell_is_not_read(column, cell):
    frame = full().to_frame().astype(object)
    frame.at[3, column] = cell
    with pytest.raises(ConsentError, match=f"row 3|{column}"):
        Ledger.from_frame(frame)


@pytest.mark.parametrize(
    "head",
    [
        Head(-1, "0" * 64),
        Head(13, "x"),
        Head(13, "F" * 64),
        Head(0, "f" * 64),
        Head("13", "0" * 64),
        Head(13, None),
        (13, "0" * 64),
        "0" * 64,
        {},
    ],
)
def test_what_is_no_head_does_not_pass_for_one(head):
    ledger = full()
    with pytest.raises(ConsentError, match="head is"):
        Ledger.from_frame(ledger.to_frame(), head=head)
    with pytest.raises(ConsentError, match="head is"):
        ledger.verify(head)


def test_another_ledger_s_head_is_found_out():
    ledger, other = full(), lookalikes()
    for head in (other.head, Head(len(ledger), other.head.hash), Head(len(ledger) + 1, ledger.head.hash)):
        with pytest.raises(LedgerError):
            ledger.verify(head)
    ledger.verify(Ledger().head)


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
    identities = Identities(now=Clock(100))
    with pytest.raises(ConsentError):
        identities.link(**drawn)
    with pytest.raises(ConsentError):
        identities.link_table(pd.DataFrame([drawn], dtype=object))
    assert identities._links.size == 0


def test_links_that_are_doubled_turned_or_late_carry_the_same_denials():
    ledger = lookalikes()
    ledger.append("phone", "offers", "withdrawn", source="device", at=day(5))
    once, often = Identities(now=Clock(100)), Identities(now=Clock(100))
    once.link("phone", "ann", kind="login", since=day(1))
    for left, right in [("ann", "phone"), ("phone", "ann"), ("ann", "phone")]:
        often.link(left, right, kind="login", since=day(1))
    for identities in (once, often):
        assert identities.reached(ledger, "offers") == {"ann": day(5)}
    future = Identities(now=Clock(100))
    future.link("phone", "ann", kind="login", since=day(200))
    assert future.mask(ledger, ["ann"], "offers").all()
    assert not future.mask(ledger, ["ann"], "offers", at=day(201)).any()


# ---------------------------------------------------------------------------------------------------------- recall


@pytest.mark.parametrize("name", [np.nan, None, "", 1.5, ["a"], b"a", " ann", "\ud800"])
def test_nobody_is_recalled_by_a_name_that_cannot_be_read(name):
    identities = Identities(now=Clock(100))
    for ask in (
        lambda: identities.handed_over(name, "Parcel Post", at=day(2)),
        lambda: identities.handed_over("ann", name, at=day(2)),
        lambda: identities.recall(Ledger(), name, "offers", str),
    ):
        with pytest.raises(ConsentError):
            ask()
    assert identities.recall(Ledger(), "ann", "offers", str) == []


@pytest.mark.parametrize("send", [None, "post", 5])
def test_a_recall_without_a_way_to_deliver_is_no_recall(send):
    identities = Identities(now=Clock(100))
    identities.handed_over("ann", "Parcel Post", at=day(2))
    with pytest.raises(ConsentError, match="send"):
        identities.recall(Ledger(now=Clock(100)), "ann", "offers", send)


@pytest.mark.parametrize("answer", [None, "", 0, True, b"done", ["done"]])
def test_what_is_no_answer_is_not_delivered(answer):
    identities = Identities(now=Clock(100))
    identities.handed_over("ann", "Parcel Post", at=day(2))
    [told] = identities.recall(Ledger(now=Clock(100)), "ann", "offers", lambda order: answer)
    assert not told.delivered


def test_a_recall_told_twice_is_the_same_order_and_one_forged_is_another():
    identities = Identities(now=Clock(100))
    for number in (9, 2, 200):
        identities.handed_over("ann", "Parcel Post", at=day(number))
    orders = [
        identities.recall(Ledger(now=Clock(100)), "ann", "offers", lambda order: "done")[0].suppression
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
        receipt(entry)


@pytest.mark.parametrize("said", [{"controller": np.nan}, {"controller": ""}, {"concept": 5}, {"concept": "\ud800"}])
def test_a_receipt_states_texts(said):
    entry = lookalikes()[0]
    with pytest.raises(ConsentError):
        receipt(entry, **said)


def test_receipts_of_a_replayed_statement_are_told_apart():
    ledger = Ledger(now=Clock(100))
    for _ in range(3):
        ledger.append("ann", "offers", "given", source="account", at=day(1))
    written = [json.dumps(receipt(entry), allow_nan=False) for entry in ledger]
    assert len(set(written)) == 3


# ------------------------------------------------------------------------------------------------------------ gate


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(300, random_state=0)
    ids = [f"c{row}" for row in range(300)]
    ledger = Ledger(now=Clock(100))
    ledger.append_table(
        pd.DataFrame({"subject": ids, "purpose": "offers", "state": "given", "source": "account", "at": day(1)})
    )
    gate = ConsentGate(xseg.TreeSegmenter(3, random_state=0, effort="fast"), ledger, "offers")
    return customers, ids, gate.fit(customers, subject_ids=ids)


@pytest.mark.parametrize("kind", ["missing", "blank", "unknown"])
def test_a_gate_lets_nobody_through_who_cannot_be_named(shop, kind):
    customers, ids, gate = shop
    name = {"missing": np.nan, "blank": "", "unknown": "c300"}[kind]
    labels = gate.predict(customers, subject_ids=[name] * 5 + ids[5:])
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
        gate.predict(customers, subject_ids=ids)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), pd.NaT, "2026-06-01", 3])
def test_a_gate_refuses_times_that_could_mean_another_moment(shop, at):
    customers, ids, gate = shop
    again = ConsentGate(gate.segmenter, gate.ledger, "offers", at=at)
    with pytest.raises(XsegError):
        again.fit(customers, subject_ids=ids)


# --------------------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("read", [read_tcf, read_gpp])
@pytest.mark.parametrize("text", [np.nan, pd.NA, np.str_(""), ["C"], "C" * 10**6, "\ud800", "＠", "C\u200b", "DBAA"])
def test_a_signal_that_cannot_be_read_grants_nothing(read, text):
    with pytest.raises(SignalError):
        read(text)


def test_a_signal_from_the_future_waits_like_any_statement():
    ledger = Ledger(now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    ledger.append("phone", "offers", "given", source="signal", at="2027-01-01T00:00:00Z")
    assert not ledger.mask(["phone"], "offers").any()
    ledger.append("phone", "offers", "refused", source="signal", at="2028-01-01T00:00:00Z")
    assert not ledger.mask(["phone"], "offers", at="2029-01-01T00:00:00Z").any()
