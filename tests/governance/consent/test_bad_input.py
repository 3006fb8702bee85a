"""What is malformed in questions and ledgers is refused with one clear error; what is not known agrees to nothing."""

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from consent_cases import Clock, day, full
from xseg.exceptions import ConsentError
from xseg.governance.consent import Identities, Ledger, LedgerHead

NAMES = ("ann", "nan", "None", "1", "1.0", "True", "<NA>", "NaT")


def lookalikes():
    """People who are called as missing values and numbers are written."""
    ledger = Ledger(clock=Clock(100))
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
    assert not Identities(clock=Clock(100)).mask(ledger, [name], "offers").any()


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
    identities = Identities(clock=Clock(100))
    for ask in (
        lambda: ledger.mask(who, "offers"),
        lambda: ledger.states(who, "offers"),
        lambda: ledger.is_withheld(who, "age", "offers"),
        lambda: identities.mask(ledger, who, "offers"),
        lambda: identities.states(ledger, who, "offers"),
        lambda: identities.is_withheld(ledger, who, "age", "offers"),
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
    ledger, identities = lookalikes(), Identities(clock=Clock(100))
    identities.link("phone", "ann", kind="login", since=day(1))
    size = len(ledger)
    for ask in (
        lambda: ledger.append("ann", "offers", "given", source="account", at=at),
        lambda: ledger.append("ann", "offers", "given", source="account", at=day(1), until=at),
        lambda: ledger.mask(["ann"], "offers", at=at),
        lambda: identities.mask(ledger, ["ann"], "offers", at=at),
        lambda: identities.find_reached(ledger, "offers", at=at),
        lambda: identities.unlink("phone", "ann", at=at),
        lambda: identities.record_disclosure("ann", "Parcel Post", at=at),
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
            ledger = Ledger(clock=Clock(100))
            ledger.append_table(table.assign(at=times))
            assert not ledger.mask(["ann"], "offers").any()
            assert ledger.mask(["ann"], "offers", at="2026-03-01T03:30:00Z").all()


@pytest.mark.parametrize("now", [lambda: datetime(2026, 1, 1), lambda: None, lambda: "now", lambda: 0, lambda: pd.NaT])
def test_a_clock_that_tells_no_time_answers_nothing(now):
    ledger, identities = Ledger(clock=now), Identities(clock=now)
    for ask in (
        lambda: ledger.mask(["ann"], "offers"),
        lambda: ledger.append("ann", "offers", "given", source="account", at=day(1)),
        lambda: identities.mask(ledger, ["ann"], "offers"),
        lambda: identities.record_disclosure("ann", "Parcel Post"),
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
        Ledger(clock=Clock()).append_table(ROWS.drop(columns="state").assign(granted=cells))


def test_a_replayed_table_changes_no_answer_and_is_seen_in_the_record():
    ledger = Ledger(clock=Clock(100))
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
        LedgerHead(-1, "0" * 64),
        LedgerHead(13, "x"),
        LedgerHead(13, "F" * 64),
        LedgerHead(0, "f" * 64),
        LedgerHead("13", "0" * 64),
        LedgerHead(13, None),
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
    for head in (other.head, LedgerHead(len(ledger), other.head.hash), LedgerHead(len(ledger) + 1, ledger.head.hash)):
        with pytest.raises(ConsentError):
            ledger.verify(head)
    ledger.verify(Ledger().head)
