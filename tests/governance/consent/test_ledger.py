"""The latest statement decides, a denial of the same instant wins, and nothing that is not said is a yes."""

import itertools
import sqlite3
import sys
from contextlib import closing
from datetime import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from consent_cases import ALLOWING, Clock, day, full, statement, write
from xseg.exceptions import ConsentError, OptionalDependencyError, XsegError
from xseg.governance.consent import ConsentSource, ConsentState, Ledger


@st.composite
def histories(draw):
    days = st.integers(0, 8)
    made = st.builds(
        lambda subject, purpose, feature, state, source, at, lasts: statement(
            subject,
            state,
            at,
            purpose="offers" if purpose == "*" and state in ALLOWING else purpose,
            feature=feature,
            source=source,
            until=at + lasts,
        ),
        st.sampled_from("ab"),
        st.sampled_from(["offers", "offers", "news", "*"]),
        st.sampled_from(["", "", "age"]),
        st.sampled_from([str(state) for state in ConsentState] + ["given"] * 8),
        st.sampled_from([str(source) for source in ConsentSource]),
        days,
        st.sampled_from([1, 3, 10**6]),
    )
    said = draw(st.lists(made, max_size=12))
    said += draw(st.lists(st.sampled_from(said), max_size=3)) if said else []
    recorded = sorted(draw(st.lists(days, min_size=len(said), max_size=len(said))))
    return [
        one | {"recorded": heard, "until": min(one["until"], 10**6)} for one, heard in zip(said, recorded, strict=True)
    ]


# Any purpose is asked for here, whether somebody spoke of it or not.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.exceptions.UnknownPurposeWarning")
@settings(max_examples=300, deadline=None)
@given(histories())
def test_answers_are_those_of_reading_every_statement(statements):
    ledger = write(statements)
    for subject, purpose, now in itertools.product("abc", ["offers", "news"], [0, 3, 8, 20]):
        expected = naive.consent(statements, subject, purpose, "", now)
        assert ledger.mask([subject], purpose, at=day(now))[0] == bool(expected)
        withheld = naive.consent(statements, subject, purpose, "age", now) is False
        assert ledger.is_withheld([subject], "age", purpose, at=day(now))[0] == withheld


# Any purpose is asked for here, whether somebody spoke of it or not.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.exceptions.UnknownPurposeWarning")
@settings(max_examples=100, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(statements, random):
    """Of what had all been said when it was recorded; statements from the future rank by when they were heard."""
    past = [one | {"recorded": 50} for one in statements]
    shuffled = [*past, *past[:3]]
    random.shuffle(shuffled)
    there, here = write(past), write(shuffled)
    for now in (0, 4, 9, 60):
        for purpose in ("offers", "news"):
            assert (there.mask(list("abc"), purpose, at=day(now)) == here.mask(list("abc"), purpose, at=day(now))).all()
            assert there.states(list("abc"), purpose, at=day(now)) == here.states(list("abc"), purpose, at=day(now))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_table_says_what_its_rows_say(statements):
    past = [one | {"recorded": 50} for one in statements]
    table = pd.DataFrame(past, columns=list(statement("a", "given", 0)))
    table["at"] = [day(number) for number in table["at"]] if len(table) else pd.to_datetime([], utc=True)
    table["until"] = [None if number == 10**6 else day(number) for number in table["until"]]
    ledger = Ledger(clock=Clock(50))
    ledger.append_table(table.drop(columns="recorded"))
    assert ledger.head == write(past).head


@pytest.mark.parametrize("state", [state for state in ConsentState if state not in ALLOWING])
@pytest.mark.parametrize("first", [True, False])
def test_at_the_same_instant_a_denial_wins(state, first):
    said = [statement("ann", state, 5), statement("ann", "given", 5)]
    assert not write(said if first else said[::-1]).mask(["ann"], "offers", at=day(6)).any()


def test_only_given_and_renewed_allow():
    allowing = {
        state for state in ConsentState if write([statement("ann", state, 5)]).mask(["ann"], "offers", at=day(6))[0]
    }
    assert allowing == {ConsentState.GIVEN, ConsentState.RENEWED}


def test_what_the_business_grants_is_not_consent():
    default = statement("ann", "given", 5, source="business")
    assert not write([default]).mask(["ann"], "offers").any()
    assert not write([statement("ann", "withdrawn", 4), default]).mask(["ann"], "offers").any()
    assert write([statement("ann", "given", 4), default]).mask(["ann"], "offers").all()
    assert not write([statement("ann", "given", 4), default | {"state": "terminated"}]).mask(["ann"], "offers").any()


def test_consent_ends_when_it_says():
    ledger = write([statement("ann", "given", 5, until=7)])
    assert [bool(ledger.mask(["ann"], "offers", at=day(number))[0]) for number in (4, 5, 6, 7, 8)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert ledger.states(["ann", "bob"], "offers", at=day(7)) == ["expired", "unknown"]


def test_an_old_grant_that_arrives_late_does_not_undo_a_withdrawal():
    assert not write([statement("ann", "withdrawn", 5), statement("ann", "given", 4)]).mask(["ann"], "offers").any()


def test_a_grant_from_the_future_waits_for_its_day():
    ledger = write([statement("ann", "given", 20, recorded=10)])
    assert ledger.mask(["ann"], "offers", at=day(19)).tolist() == [False]
    assert ledger.mask(["ann"], "offers", at=day(20)).tolist() == [True]


def test_a_denial_from_the_future_counts_at_once():
    ledger = write([statement("ann", "given", 5, recorded=6), statement("ann", "withdrawn", 20, recorded=10)])
    assert ledger.mask(["ann"], "offers", at=day(9)).tolist() == [True]
    assert ledger.mask(["ann"], "offers", at=day(10)).tolist() == [False]


def test_a_grant_from_the_future_does_not_outlive_a_withdrawal_however_often_it_is_replayed():
    early = statement("ann", "given", 90, recorded=10)
    said = [early, statement("ann", "withdrawn", 20, recorded=20), early | {"recorded": 30}, early | {"recorded": 80}]
    assert not write(said).mask(["ann"], "offers", at=day(95)).any()


def test_a_clock_that_goes_back_does_not_reorder_the_ledger():
    clock = Clock(50)
    ledger = Ledger(clock=clock)
    ledger.append("ann", "offers", "withdrawn", source="account")
    clock.number = 40
    entry = ledger.append("bob", "offers", "given", source="account")
    assert entry.recorded == day(50)


# Any purpose is asked for here, whether somebody spoke of it or not.
@pytest.mark.filterwarnings("ignore::xseg.exceptions.UnknownPurposeWarning")
def test_a_denial_of_every_purpose_denies_each():
    ledger = write([statement("ann", "given", 4), statement("ann", "withdrawn", 5, purpose="*")])
    assert not ledger.mask(["ann"], "offers").any()
    assert not ledger.mask(["ann"], "never heard of").any()
    ledger.append("ann", "offers", "given", source="account", at=day(6))
    assert ledger.mask(["ann"], "offers", at=day(7)).all()


def test_a_feature_is_given_back_only_by_the_person():
    said = [statement("ann", "withdrawn", 5, feature="age")]
    assert write(said).is_withheld(["ann", "bob"], "age", "offers").tolist() == [True, False]
    assert not write(said).is_withheld(["ann"], "age", "news").any()
    assert write([*said, statement("ann", "given", 6, feature="age", source="business")]).is_withheld(
        ["ann"], "age", "offers"
    )[0]
    assert not write([*said, statement("ann", "given", 6, feature="age")]).is_withheld(["ann"], "age", "offers")[0]
    assert not write([statement("ann", "given", 6, feature="age")]).mask(["ann"], "offers").any()


def test_identifiers_of_every_kind():
    ledger = Ledger(clock=Clock())
    ledger.append(7, "offers", "given", source="account")
    for asked in (
        [7, 8],
        np.array([7, 8]),
        ["7", "8"],
        pd.Series([7, 8]),
        pd.array([7, None], "Int64"),
        pl.Series([7, 8]),
    ):
        assert ledger.mask(asked, "offers").tolist() == [True, False]
    assert ledger.mask([None, "7", float("nan")], "offers").tolist() == [False, True, False]
    assert ledger.mask([], "offers").tolist() == []
    tables = np.array([[7]]), pd.DataFrame({"7": [7]}), pl.DataFrame({"7": [7]}), np.array(7)
    for wrong in ([7.0], [True], "7", 7, None, [["7"]], [b"7"], [7, "8"], [("7",)], {"7"}, {"7": 7}, *tables):
        with pytest.raises(ConsentError):
            ledger.mask(wrong, "offers")


@pytest.mark.parametrize(
    "change",
    [
        {"subject": ""},
        {"subject": None},
        {"subject": " ann"},
        {"subject": 7.0},
        {"subject": "\ud800"},
        {"purpose": ""},
        {"purpose": None},
        {"purpose": "*"},
        {"state": "yes"},
        {"state": "Given"},
        {"state": None},
        {"state": True},
        {"state": "dpv:ConsentStatus"},
        {"source": "hearsay"},
        {"source": None},
        {"at": "2026-01-01"},
        {"at": "2026-01-01T00:00:00"},
        {"at": "2026-13-01T00:00:00Z"},
        {"at": datetime(2026, 1, 1)},
        {"at": pd.NaT},
        {"at": 1_767_225_600},
        {"at": "tomorrow"},
        {"until": day(0)},
        {"until": "2026-02-01T00:00:00"},
        {"feature": ""},
        {"reference": None},
    ],
)
def test_malformed_statements_are_refused_whole(change):
    said = {"subject": "ann", "purpose": "offers", "state": "given", "source": "account", "at": day(1)}
    ledger = Ledger(clock=Clock())
    with pytest.raises(ConsentError):
        ledger.append(**(said | change))
    assert len(ledger) == 0
    assert not ledger.mask(["ann"], "offers").any()
    rows = [said | {"at": day(2)}, said | {"until": day(9)} | change]
    if change not in ({"feature": ""}, {"reference": None}):
        with pytest.raises(ConsentError, match=r"row 1|column"):
            ledger.append_table(pd.DataFrame(rows, dtype=object))
    assert len(ledger) == 0


def test_tables_must_say_what_they_mean():
    table = pd.DataFrame({"subject": ["a"], "purpose": ["offers"], "at": ["2026-01-01T00:00:00Z"], "granted": [True]})
    ledger = Ledger(clock=Clock())
    for wrong, kind in [
        (table, "source"),
        (table.assign(untill="2026-02-01T00:00:00Z"), "Did you mean 'until'"),
        (table.assign(state="given"), "not both"),
        (table.drop(columns="granted"), "'granted'"),
        (table.drop(columns="at"), "'at'"),
        (table.assign(granted="yes"), "row 0: granted"),
        (table.assign(granted=1), "row 0: granted"),
    ]:
        with pytest.raises(ConsentError, match=kind):
            ledger.append_table(wrong, source=None if kind == "source" else "account")
    twice = table.assign(more=1).rename(columns={"more": "subject"})
    for wrong in ([1, 2], None, "table", twice):
        with pytest.raises(ConsentError, match="table"):
            ledger.append_table(wrong, source="account")
    assert len(ledger) == 0
    granted = pd.DataFrame({"subject": list("abc"), "purpose": "offers", "at": day(1), "granted": [True, False, None]})
    for made in (granted, pl.from_pandas(granted), pa.Table.from_pandas(granted)):
        ledger = Ledger(clock=Clock())
        assert ledger.append_table(made, source="account") == 3
        assert ledger.states(list("abcd"), "offers") == ["given", "refused", "unknown", "unknown"]


def test_a_clock_without_a_zone_stops_everything():
    ledger = Ledger(clock=lambda: datetime(2026, 1, 1))
    with pytest.raises(XsegError, match="zone"):
        ledger.append("ann", "offers", "given", source="account")
    with pytest.raises(XsegError, match="zone"):
        ledger.mask(["ann"], "offers")


def frames(ledger):
    yield ledger.to_frame()
    yield pl.from_pandas(ledger.to_frame())
    yield pa.Table.from_pandas(ledger.to_frame())


def test_a_ledger_comes_back_from_every_store(tmp_path):
    ledger = full()
    back = [Ledger.from_frame(frame, head=ledger.head) for frame in frames(ledger)]
    for name in ("ledger.csv", "ledger.parquet"):
        ledger.save(tmp_path / name)
        back.append(Ledger.load(tmp_path / name, head=ledger.head))
    with closing(sqlite3.connect(":memory:")) as database:
        ledger.to_sql("my ledger", database)
        back.append(Ledger.read_sql("my ledger", database, head=ledger.head))
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("sqlite://")
    ledger.to_sql("ledger", engine)
    back.append(Ledger.read_sql("ledger", engine, head=ledger.head))
    engine.dispose()
    for again in back:
        assert list(again) == list(ledger)
        assert (again.mask(["p0", "p1", "p2"], "offers") == ledger.mask(["p0", "p1", "p2"], "offers")).all()
        again._clock = ledger._clock
        assert again.append("p0", "offers", "given", source="account", at=day(1)) is not None
        again.verify(again.head)


def test_what_is_no_ledger_is_refused(tmp_path):
    frame = full().to_frame()
    for column in frame:
        with pytest.raises(ConsentError, match=column):
            Ledger.from_frame(frame.drop(columns=column))
    for column, value in [("number", -1), ("hash", "00"), ("hash", "Z" * 64), ("state", "fine"), ("at", "2026-01-01")]:
        broken = frame.astype(object)
        broken.loc[3, column] = value
        with pytest.raises(ConsentError, match=f"row 3|{column}"):
            Ledger.from_frame(broken)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for name in ("bad.parquet", "none.csv", "ledger.txt", "ledger"):
        with pytest.raises(ConsentError):
            Ledger.load(tmp_path / name)
    with pytest.raises(ConsentError):
        full().save(tmp_path / "nowhere" / "ledger.csv")
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(ConsentError, match="none"):
        Ledger.read_sql("none", database)


def databases():
    yield sqlite3.connect(":memory:")
    yield pytest.importorskip("sqlalchemy").create_engine("sqlite://")


@pytest.mark.parametrize("kind", [0, 1])
def test_databases_only_ever_gain_entries(kind):
    database = list(databases())[kind]
    ledger = full()
    assert ledger.to_sql("ledger", database) == len(ledger)
    assert ledger.to_sql("ledger", database) == 0
    ledger.append("new", "offers", "given", source="account", at=day(1))
    assert ledger.to_sql("ledger", database) == 1
    assert len(Ledger.read_sql("ledger", database, head=ledger.head)) == len(ledger)
    other = write([statement("ann", "given", 1)])
    with pytest.raises(ConsentError, match="beginning"):
        other.to_sql("ledger", database)
    pd.DataFrame({"a": [1]}).to_sql("else", database, index=False)
    with pytest.raises(ConsentError, match="'else'"):
        other.to_sql("else", database)
    assert len(Ledger.read_sql("ledger", database)) == len(ledger)
    getattr(database, "dispose", getattr(database, "close", None))()


def test_optional_packages_are_named(monkeypatch, tmp_path):
    engine = pytest.importorskip("sqlalchemy").create_engine("sqlite://")
    for module in ("sqlalchemy", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OptionalDependencyError, match=r"xseg\[parquet\]"):
        full().save(tmp_path / "ledger.parquet")
    with pytest.raises(OptionalDependencyError, match=r"xseg\[sql\]"):
        full().to_sql("ledger", engine)
    engine.dispose()
