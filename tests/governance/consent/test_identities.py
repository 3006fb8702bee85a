"""Denials reach whatever the business reaches, agreement reaches nothing, and nothing undoes a denial by itself."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from consent_cases import Clock, day
from xseg.exceptions import ConsentError, LargeComponentWarning
from xseg.governance.consent import Identities, Ledger

NAMES = "abcdef"
FOREVER = 10**6


def ledger_of(statements):
    """Statements are (subject, state, day); all were recorded on day 100."""
    ledger = Ledger(clock=Clock(100))
    for subject, state, at in statements:
        ledger.append(subject, "offers", state, source="account", at=day(at))
    return ledger


def graph(links, **options):
    """Links are (left, right, since, until)."""
    identities = Identities(clock=Clock(100), **options)
    for left, right, since, until in links:
        identities.link(left, right, kind="login", since=day(since), until=None if until == FOREVER else day(until))
    return identities


def spells(statements):
    """When people denied, from their statements: until they themselves agree later."""
    found = []
    for who, state, at in statements:
        if state == "withdrawn":
            later = [t for other, said, t in statements if other == who and said == "given" and t > at]
            found.append((who, at, min(later, default=FOREVER)))
    return found


said = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["given", "withdrawn"]), st.integers(0, 12)), max_size=8
)
drawn = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 12), st.sampled_from([1, 2, 4, FOREVER])
    ).filter(lambda link: link[0] != link[1]),
    max_size=9,
).map(lambda links: [(a, b, since, min(since + lasts, FOREVER)) for a, b, since, lasts in links])


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(said, drawn)
def test_denials_spread_as_following_each_of_them_shows(statements, links):
    ledger, identities = ledger_of(statements), graph(links)
    for now in (3, 7, 20):
        expected = naive.inherited_denials(NAMES, links, spells(statements), now)
        reached = identities.find_reached(ledger, "offers", at=day(now))
        assert reached == {name: day(time) for name, time in expected.items()}
        own = ledger.mask(list(NAMES), "offers", at=day(now))
        allowed = identities.mask(ledger, list(NAMES), "offers", at=day(now))
        assert allowed.tolist() == [bool(mine) and name not in expected for name, mine in zip(NAMES, own, strict=True)]


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(said, drawn, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(statements, links, source):
    shuffled, turned = list(statements), [(b, a, since, until) for a, b, since, until in links]
    source.shuffle(shuffled)
    source.shuffle(turned)
    here = graph(links).mask(ledger_of(statements), list(NAMES), "offers", at=day(20))
    there = graph(turned).mask(ledger_of(shuffled), list(NAMES), "offers", at=day(20))
    assert (here == there).all()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(said, drawn, st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 14))
def test_neither_links_nor_their_ends_allow_anything_new(statements, links, left, right, at):
    ledger = ledger_of(statements)
    alone = ledger.mask(list(NAMES), "offers")
    identities = graph(links)
    before = identities.mask(ledger, list(NAMES), "offers")
    assert not (before & ~alone).any()
    identities.unlink(left, right, at=day(at))
    assert (identities.mask(ledger, list(NAMES), "offers", at=day(101)) == before).all()
    if left != right:
        identities.link(left, right, kind="login", since=day(at))
        assert not (identities.mask(ledger, list(NAMES), "offers") & ~before).any()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(said, drawn, st.sampled_from(NAMES), st.integers(13, 20))
def test_agreement_reaches_nobody_else(statements, links, who, at):
    before = graph(links).mask(ledger_of(statements), list(NAMES), "offers")
    after = graph(links).mask(ledger_of([*statements, (who, "given", at)]), list(NAMES), "offers")
    others = np.array([name != who for name in NAMES])
    assert not (after & ~before & others).any()


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(said, drawn)
def test_links_come_back_from_their_table(statements, links):
    ledger, identities = ledger_of(statements), graph(links)
    identities.unlink("a", "b")
    identities.link("e", "f", kind="later", since=day(200))
    identities.unlink("e", "f")
    again = Identities(clock=Clock(100))
    again.link_table(identities.to_frame())
    for now in (3, 20, 300):
        there, here = (one.mask(ledger, list(NAMES), "offers", at=day(now)) for one in (identities, again))
        assert (there == here).all()


def test_unlinking_does_not_re_enable_and_splitting_neither():
    ledger = ledger_of([("phone", "given", 1), ("ann", "given", 1), ("tablet", "given", 1), ("phone", "withdrawn", 5)])
    identities = graph([("phone", "ann", 1, FOREVER), ("ann", "tablet", 1, FOREVER)])
    assert identities.states(ledger, ["phone", "ann", "tablet", "new"], "offers") == [
        "denied",
        "conflict",
        "conflict",
        "denied",
    ]
    identities.unlink("phone", "ann", at=day(2))
    identities.unlink("ann", "tablet")
    assert not identities.mask(ledger, ["phone", "ann", "tablet"], "offers", at=day(200)).any()


def test_a_link_that_was_over_before_the_denial_carries_nothing():
    ledger = ledger_of([("ann", "given", 1), ("phone", "withdrawn", 5)])
    assert graph([("phone", "ann", 1, 5)]).mask(ledger, ["ann"], "offers").all()
    assert not graph([("phone", "ann", 1, 6)]).mask(ledger, ["ann"], "offers").any()


def test_a_third_denial_is_not_lost_behind_two_that_count_for_nothing():
    """Found by the property above: the first two origins at a are those of b and c themselves."""
    said = [("b", "withdrawn", 0), ("c", "withdrawn", 0), ("b", "given", 1), ("a", "withdrawn", 2), ("c", "given", 3)]
    ledger = ledger_of(said)
    identities = graph([("a", "b", 0, 4), ("b", "c", 1, 3)])
    assert identities.states(ledger, ["a", "b", "c"], "offers") == ["denied by link", "conflict", "conflict"]


def test_a_denial_that_comes_back_is_not_held_against_its_own_origin():
    ledger = ledger_of([("phone", "withdrawn", 5), ("ann", "given", 6), ("phone", "given", 9)])
    identities = graph([("phone", "ann", 1, FOREVER), ("ann", "tablet", 1, FOREVER), ("tablet", "phone", 1, FOREVER)])
    assert identities.states(ledger, ["phone", "ann"], "offers") == ["allowed", "conflict"]


def test_later_links_inherit():
    ledger = ledger_of([("new phone", "given", 30), ("phone", "withdrawn", 5)])
    identities = graph([("phone", "ann", 1, 10), ("ann", "new phone", 20, FOREVER)])
    assert identities.states(ledger, ["ann", "new phone"], "offers") == ["denied by link", "conflict"]
    assert identities.find_reached(ledger, "offers") == {"ann": day(5), "new phone": day(20)}


def test_silence_requests_and_expiry_do_not_spread():
    for state in ("unknown", "requested", "deferred", "expired"):
        ledger = ledger_of([("ann", "given", 1), ("phone", state, 5)])
        assert graph([("phone", "ann", 1, FOREVER)]).mask(ledger, ["ann"], "offers").all()
    for state in ("refused", "withdrawn", "revoked", "invalidated", "terminated"):
        ledger = ledger_of([("ann", "given", 1), ("phone", state, 5)])
        assert not graph([("phone", "ann", 1, FOREVER)]).mask(ledger, ["ann"], "offers").any()


def test_only_links_that_the_business_uses_carry_denials():
    ledger = ledger_of([("ann", "given", 1), ("phone", "withdrawn", 5)])
    for options, carried in [
        ({}, True),
        ({"used_from": 0.6}, False),
        ({"used_from": 0.5}, True),
        ({"used_kinds": ["login"]}, False),
        ({"used_kinds": ["guess"]}, True),
        ({"used_kinds": []}, False),
    ]:
        identities = Identities(clock=Clock(100), **options)
        identities.link("phone", "ann", kind="guess", confidence=0.5, since=day(1))
        assert identities.mask(ledger, ["ann"], "offers").all() == (not carried)


def test_another_purpose_is_another_matter():
    ledger = ledger_of([("ann", "given", 1)])
    identities = graph([("phone", "ann", 1, FOREVER)])
    ledger.append("phone", "news", "withdrawn", source="device", at=day(5))
    assert identities.mask(ledger, ["ann"], "offers").all()
    ledger.append("phone", "*", "withdrawn", source="device", at=day(6))
    assert not identities.mask(ledger, ["ann"], "offers").any()


def test_what_is_withheld_spreads_too():
    ledger = ledger_of([("ann", "given", 1), ("phone", "given", 1), ("tablet", "given", 1)])
    identities = graph([("phone", "ann", 1, FOREVER), ("ann", "tablet", 20, 30)])
    ledger.append("phone", "offers", "withdrawn", source="device", at=day(5), feature="age")
    ledger.append("phone", "offers", "given", source="device", at=day(9), feature="age")
    assert identities.mask(ledger, ["ann", "phone", "tablet"], "offers").all()
    for feature, expected in [("age", [True, False, True, False]), ("income", [False] * 4)]:
        asked = identities.is_withheld(ledger, ["ann", "phone", "tablet", "bob"], feature, "offers")
        assert asked.tolist() == expected
    assert not identities.is_withheld(ledger, ["ann"], "age", "news").any()


def test_a_shared_device_raises_an_alarm_and_misses_nobody():
    n = 3_000
    table = pd.DataFrame({"left": range(1, n), "right": 0, "kind": "login", "since": day(1)})
    identities = Identities(clock=Clock(100), largest=500)
    assert identities.link_table(table) == n - 1
    assert [(one.size, one.hub, one.links) for one in identities.find_large_components()] == [(n, "0", n - 1)]
    ledger = ledger_of([(str(one), "given", 1) for one in range(n)] + [("17", "withdrawn", 5)])
    with pytest.warns(LargeComponentWarning, match="'0' alone has 2999 links"):
        assert not identities.mask(ledger, range(n), "offers").any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not Identities(clock=Clock(100)).mask(ledger, ["17"], "offers").any()


def test_everybody_who_was_ever_given_an_identifier_is_told():
    identities = graph([("phone", "ann", 1, FOREVER), ("ann", "tablet", 1, FOREVER), ("bob", "car", 1, FOREVER)])
    ledger = ledger_of([("phone", "withdrawn", 5)])
    for identifier, recipient, at in [
        ("phone", "Parcel Post", 2),
        ("ann", "Parcel Post", 3),
        ("ann", "Parcel Post", 4),
        ("ann", "Ad Hall", 3),
        ("tablet", "Ad Hall", 3),
        ("bob", "Ad Hall", 3),
        ("lonely", "Ad Hall", 3),
    ]:
        identities.record_disclosure(identifier, recipient, at=day(at))
    identities.unlink("ann", "tablet")
    answered = []

    def send(order):
        answered.append((order.identifier, order.recipient))
        if order.recipient == "Ad Hall" and order.identifier == "ann":
            message = "closed"
            raise ConnectionError(message)
        return "" if order.identifier == "tablet" else f"done {order.hash[:4]}"

    receipts = identities.recall(ledger, "phone", "offers", send)
    expected = {("phone", "Parcel Post"), ("ann", "Parcel Post"), ("ann", "Ad Hall"), ("tablet", "Ad Hall")}
    assert {(one.identifier, one.recipient) for one in receipts} == set(answered) == expected
    assert len(receipts) == len(expected)
    failed = {(one.identifier, one.recipient) for one in receipts if not one.delivered}
    assert failed == {("ann", "Ad Hall"), ("tablet", "Ad Hall")}
    assert "ConnectionError: closed" in {one.answer for one in receipts}
    assert {one.suppression.received for one in receipts if one.identifier == "ann"} == {day(3)}
    assert len({one.suppression.hash for one in receipts}) == 4
    assert [one.identifier for one in identities.recall(ledger, "lonely", "offers", send)] == ["lonely"]
    assert identities.recall(ledger, "never heard of", "offers", send) == []


@pytest.mark.parametrize(
    "change",
    [
        {"left": "ann"},
        {"left": ""},
        {"left": None},
        {"left": 1.5},
        {"kind": ""},
        {"kind": None},
        {"confidence": 1.1},
        {"confidence": -0.1},
        {"confidence": float("nan")},
        {"confidence": "sure"},
        {"confidence": None},
        {"since": "2026-01-01"},
        {"until": day(0)},
        {"until": day(1)},
    ],
)
def test_malformed_links_are_refused(change):
    drawn = {"left": "phone", "right": "ann", "kind": "login", "confidence": 1.0, "since": day(1), "until": day(9)}
    identities = Identities(clock=Clock(100))
    with pytest.raises(ConsentError):
        identities.link(**(drawn | change))
    with pytest.raises(ConsentError, match=r"row 1|column"):
        identities.link_table(pd.DataFrame([drawn, drawn | change], dtype=object))
    assert identities._links.size == 0


def test_parameters_are_checked():
    for wrong in ({"used_from": 2}, {"largest": 0}, {"used_kinds": "login"}):
        with pytest.raises(ConsentError):
            Identities(**wrong)
    with pytest.raises(ConsentError, match="confidense"):
        Identities().link_table(pd.DataFrame({"left": [1], "right": 2, "kind": "a", "since": day(1), "confidense": 1}))
    empty = pd.DataFrame({"left": [], "right": [], "kind": [], "since": []}, dtype=object)
    assert Identities().link_table(empty) == 0
