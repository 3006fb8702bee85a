"""Whatever is changed in a ledger is found, and named."""

import hashlib
import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_cases import day, full
from xseg.exceptions import ConsentError
from xseg.governance.consent import Ledger, make_consent_receipt


def test_hashes_are_those_of_the_documented_bytes():
    ledger = full()
    previous = bytes(32)
    for entry in ledger:
        times = [entry.at, entry.until, entry.recorded]
        numbers = [entry.number, *(2**63 - 1 if t is None else round(t.timestamp() * 1e6) for t in times)]
        texts = [entry.subject, entry.purpose, entry.feature or "", entry.reference, entry.state, entry.source]
        pieces = [number.to_bytes(8, "big") for number in numbers]
        pieces += [len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts]
        previous = hashlib.sha256(previous + b"".join(pieces)).digest()
        assert entry.hash == previous.hex()
    assert ledger.head.hash == previous.hex()


CHANGES = {
    "subject": "somebody else",
    "purpose": "another",
    "feature": "income",
    "state": "renewed",
    "source": "banner",
    "reference": "other",
    "at": day(200),
    "until": day(300),
    "recorded": day(201),
    "hash": "0" * 64,
}


def findings(frame, head=None):
    with pytest.raises(ConsentError) as caught:
        Ledger.from_frame(frame, head=head)
    for found in caught.value.findings[:20]:
        assert found.message in str(caught.value)
    return {(found.number, found.kind) for found in caught.value.findings}


@pytest.mark.slow
@pytest.mark.parametrize("column", CHANGES)
def test_an_edited_entry_is_named(column):
    for number in range(len(full())):
        frame = full().to_frame()
        frame[column] = frame[column].astype(object)
        if frame.loc[number, column] == CHANGES[column]:
            continue
        frame.loc[number, column] = CHANGES[column]
        found = findings(frame)
        assert (number, "edited") in found
        assert {kind for _, kind in found} == {"edited"}
        assert {place for place, _ in found} <= {number, number + 1}


def test_an_edited_entry_with_a_hash_to_fit_breaks_the_next():
    ledger = full()
    frame = ledger.to_frame()
    forged = full_but(ledger, 4)
    frame.loc[4] = forged.to_frame().loc[4]
    assert findings(frame) == {(5, "edited")}


def full_but(ledger, changed):
    again = Ledger(clock=ledger._clock)
    for entry in ledger:
        again._clock = lambda entry=entry: entry.recorded
        again.append(
            entry.subject if entry.number != changed else "forged",
            entry.purpose,
            entry.state,
            source=entry.source,
            at=entry.at,
            until=entry.until,
            feature=entry.feature,
            reference=entry.reference,
        )
    return again


def test_a_ledger_written_anew_is_found_by_its_head():
    ledger = full()
    forged = full_but(ledger, 4)
    assert len(Ledger.from_frame(forged.to_frame())) == len(ledger)
    assert findings(forged.to_frame(), ledger.head) == {(len(ledger) - 1, "rewritten")}


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 12), min_size=1, max_size=12))
def test_removed_entries_are_named(removed):
    ledger = full()
    frame = ledger.to_frame().drop(index=sorted(removed))
    expected = {first for first in removed if first - 1 not in removed}
    found = findings(frame, ledger.head)
    assert {number for number, _ in found} == expected
    tail = max(expected) if 12 in removed else None
    assert found == {(number, "cut" if number == tail else "missing") for number in expected}


def test_a_cut_tail_needs_the_head():
    ledger = full()
    cut = ledger.to_frame().head(5)
    assert len(Ledger.from_frame(cut)) == 5
    assert findings(cut, ledger.head) == {(5, "cut")}


def test_a_ledger_may_have_grown_since_its_head_was_kept():
    ledger = full()
    head = ledger.head
    ledger.append("new", "offers", "given", source="account", at=day(1))
    Ledger.from_frame(ledger.to_frame(), head=head).verify(head)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(13)))
def test_moved_entries_are_named(order):
    frame = full().to_frame().iloc[order]
    moved = {number for place, number in enumerate(order) if any(earlier > number for earlier in order[:place])}
    if moved:
        assert findings(frame) == {(number, "moved") for number in moved}
    else:
        assert len(Ledger.from_frame(frame)) == 13


def test_a_repeated_entry_is_named():
    frame = full().to_frame()
    assert findings(pd.concat([frame, frame.loc[[6]]])) == {(6, "repeated")}


def test_an_absurd_number_is_found_in_no_time():
    frame = full().to_frame()
    frame.loc[3, "number"] = 2**61
    assert (3, "missing") in findings(frame)


def test_memory_is_checked_too():
    ledger = full()
    ledger.verify(ledger.head)
    ledger._store.rows["at"][4] += 1
    with pytest.raises(ConsentError, match="entry 4 was edited"):
        ledger.verify()


def test_receipts_are_json_and_name_the_entry():
    for entry in full():
        written = json.loads(
            json.dumps(make_consent_receipt(entry, controller="Harbour Books", concept="dpv:Marketing"))
        )
        record = written["dpv:hasRecordOfActivity"]
        assert record["dct:identifier"] == entry.hash
        assert record["dpv:hasConsentStatus"]["@type"] == entry.state.iri
        assert ("dpv:hasPersonalData" in record["dpv:hasProcess"]) == (entry.feature is not None)
        assert ("dpv:hasDuration" in record) == (entry.until is not None)
