"""A card says of consent what the ledger says, to the letter; whoever has not agreed gets a card that says so."""

import json
from datetime import timedelta

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import xseg
from consent_cases import Clock, day
from xseg.cards import AnyCard, DecidedCard, make_decided_card, make_gated_cards, write_cards
from xseg.exceptions import ConsentError, DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.governance.consent import ConsentGate, ConsentState, Identities, Ledger
from xseg.governance.rights import ActionLog
from xseg.i18n import LOCALES, TONES

NOW = day(50)
POLICY = xseg.datasets.customers_policy()


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(600, random_state=0)
    return customers, xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)


def said_by(shop, *statements, identities=None, subject="ann", **more):
    """Give the card of one person whose ledger holds some statements, each (purpose, state, source, day, until)."""
    customers, segmenter = shop
    ledger = Ledger(clock=Clock(50))
    for purpose, state, source, at, *until in statements:
        ledger.append(subject, purpose, state, source=source, at=day(at), until=day(until[0]) if until else None)
    known = {"policy": POLICY, "ledger": ledger, "identities": identities}
    card = xseg.make_cards(segmenter, customers.head(1), ids=["ann"], at=NOW, **known, **more)[0]
    assert xseg.verify_card(segmenter, customers.head(1), card=card, **known).holds
    return card


@pytest.mark.parametrize(
    ("state", "source", "until", "answer"),
    [
        ("given", "account", None, "given"),
        ("renewed", "banner", 60, "given"),
        ("given", "business", None, "not_given"),
        ("given", "account", 40, "ended"),
        ("given", "account", 50, "ended"),
        ("refused", "banner", None, "denied"),
        ("withdrawn", "account", None, "denied"),
        ("refused", "signal", None, "denied_by_signal"),
        ("refused", "business", None, "not_given"),
        ("terminated", "staff", None, "ended"),
        ("invalidated", "staff", None, "ended"),
        ("requested", "banner", None, "not_given"),
        ("deferred", "banner", None, "not_given"),
        ("unknown", "banner", None, "not_given"),
    ],
)
def test_every_state_is_told_as_what_it_is(shop, state, source, until, answer):
    card = said_by(shop, ("offers", state, source, 10, *([] if until is None else [until])))
    offers, range_ = card.consent.statements
    assert (offers.purpose, offers.answer, range_.purpose, range_.answer) == ("offers", answer, "range", "not_denied")
    ignored = (state, source) == ("given", "business")
    assert (offers.state, offers.on) == (("unknown", None) if ignored else (ConsentState(state), day(10).date()))
    assert (answer == "given") == bool(state in {"given", "renewed"} and source != "business" and until in {None, 60})


statements = st.lists(
    st.tuples(
        st.sampled_from(["offers", "range"]),
        st.sampled_from([state for state in ConsentState if state is not ConsentState.EXPIRED]),
        st.sampled_from(["account", "signal", "business", "device"]),
        st.integers(1, 49),
    ),
    max_size=6,
)


# Every purpose of the policy is asked for here, whether somebody spoke of it or not.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::xseg.exceptions.UnknownPurposeWarning")
@given(said=statements)
def test_a_card_says_yes_exactly_where_the_ledger_does(shop, said):
    customers, segmenter = shop
    ledger = Ledger(clock=Clock(50))
    for purpose, state, source, at in said:
        ledger.append("ann", purpose, state, source=source, at=day(at))
    (card,) = xseg.make_cards(segmenter, customers.head(1), ids=["ann"], at=NOW, policy=POLICY, ledger=ledger)
    for fact in card.consent.statements:
        assert (fact.answer == "given") == bool(ledger.mask(["ann"], fact.purpose, at=NOW)[0])


def test_a_denial_that_came_over_a_link_is_told(shop):
    identities = Identities(clock=Clock(50))
    identities.link("phone", "ann", kind="login", since=day(1))
    card = said_by(shop, ("offers", "refused", "signal", 10), subject="phone", identities=identities)
    assert card.consent.statements[0].answer == "denied_by_link"
    assert "another of your devices or accounts said no" in card.text()
    ledger = Ledger(clock=Clock(50))
    for subject in ("phone", "ann"):
        ledger.append(subject, "offers", "refused", source="device", at=day(10))
    known = {"policy": POLICY, "ledger": ledger, "identities": identities}
    own = xseg.make_cards(shop[1], shop[0].head(1), ids=["ann"], at=NOW, **known)[0]
    assert own.consent.statements[0].answer == "denied"


def test_the_checklist_asks_for_a_ledger_and_no_card_speaks_of_consent_without_one(shop):
    customers, segmenter = shop
    silent = xseg.make_cards(segmenter, customers.head(1), policy=POLICY, ids=["ann"])[0]
    telling = said_by(shop)
    wanted = {"consent", "opt_out_status"}
    for card, state in ((silent, "missing"), (telling, "stated")):
        assert {field.key: field.state for field in card.completeness() if field.key in wanted} == dict.fromkeys(
            wanted, state
        )
    assert silent.consent is None
    with pytest.raises(ConsentError, match="give ids"):
        xseg.make_cards(segmenter, customers.head(1), ledger=Ledger())


def test_any_altered_word_about_consent_is_found(shop):
    customers, segmenter = shop
    ledger = Ledger(clock=Clock(50))
    ledger.append("ann", "offers", "given", source="account", at=day(10), until=day(60))
    known = {"policy": POLICY, "ledger": ledger}
    card = xseg.make_cards(segmenter, customers.head(1), ids=["ann"], at=NOW, **known)[0]
    said = card.consent.statements[0]
    changes = {
        "answer": "denied",
        "state": ConsentState.REFUSED,
        "source": None,
        "on": said.on + timedelta(1),
        "until": None,
        "label": "nothing",
        "purpose": "range",
    }
    for name, value in changes.items():
        forged = said.model_copy(update={name: value})
        consent = card.consent.model_copy(update={"statements": (forged, *card.consent.statements[1:])})
        check = xseg.verify_card(
            segmenter, customers.head(1), card=card.model_copy(update={"consent": consent}), **known
        )
        assert [failure.fact for failure in check.failures] == [f"consent.statements.0.{name}"]
    earlier = card.consent.model_copy(update={"at": day(5)})
    backdated = card.model_copy(update={"consent": earlier})
    assert not xseg.verify_card(segmenter, customers.head(1), card=backdated, **known).holds
    assert not xseg.verify_card(segmenter, customers.head(1), card=card, policy=POLICY).holds
    silent = card.model_copy(update={"consent": None})
    assert [one.fact for one in xseg.verify_card(segmenter, customers.head(1), card=silent, **known).failures] == [
        "consent"
    ]
    with pytest.raises(DataError, match="no reasons to prove"):
        xseg.verify_card(segmenter, customers.head(1), card=make_decided_card(segmenter, "objected"))
    somebody = card.model_copy(update={"reference": None})
    assert not xseg.verify_card(segmenter, customers.head(1), card=somebody, **known).holds


@pytest.mark.slow
@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("locale", LOCALES)
def test_every_answer_is_a_sentence_in_every_language(shop, locale, tone):
    said = []
    for state, source, until in (
        ("given", "account", ()),
        ("given", "account", (60,)),
        ("given", "account", (40,)),
        ("refused", "account", ()),
        ("refused", "signal", ()),
        ("unknown", "account", ()),
    ):
        card = said_by(shop, ("offers", state, source, 10, *until), locale=locale, tone=tone)
        text = card.text()
        said.append(text)
        assert card.consent.statements[0].label.casefold() in text.casefold()
        assert "{" not in text
    assert len(set(said)) == len(said)


def test_behind_a_gate_everybody_gets_the_card_of_what_they_agreed_to(shop):
    customers, _ = shop
    ids = list(customers.index)
    ledger = Ledger(clock=Clock(50))
    for name in ids[:400]:
        ledger.append(name, "offers", "given", source="account", at=day(2))
    gate = ConsentGate(xseg.TreeSegmenter(4, random_state=0), ledger, purpose="offers", policy=POLICY, at=NOW)
    gate.fit(customers, ids=ids)
    used = gate.segmenter_.profile_.bins.schema.names[int(gate.segmenter_.model_.used_features[0])]
    ledger.append(ids[0], "offers", "withdrawn", source="account", at=day(3), feature=used)
    ledger.append(ids[1], "offers", "withdrawn", source="account", at=day(3))
    labels = gate.predict(customers, ids=ids)
    cards = make_gated_cards(gate, customers, ids=ids, at=NOW)
    assert len(cards) == len(ids)
    for row in (0, 1, 2, 399, 400, 599, -1):
        card = cards[row]
        assert card.reference == ids[row]
        assert isinstance(card, DecidedCard) == bool(labels[row] == -1)
        if labels[row] >= 0:
            assert card.segment.index == labels[row]
    assert POLICY.feature(used).label in cards[0].unknown
    assert cards[1].basis == "no_consent"
    assert [card.reference for card in cards[398:402]] == ids[398:402]
    with pytest.raises(UnsupportedTypeError, match="make_gated_cards"):
        xseg.make_cards(gate, customers)
    with pytest.raises(NotFittedError):
        make_gated_cards(ConsentGate(xseg.TreeSegmenter(4), ledger, purpose="offers"), customers, ids=ids)
    nobody = make_gated_cards(gate, customers.head(2), ids=["x", "y"], at=NOW)
    assert {type(card) for card in nobody} == {DecidedCard}


def test_cards_behind_a_gate_are_written_too(shop, tmp_path):
    customers, _ = shop
    ids = list(customers.index)
    ledger = Ledger(clock=Clock(50))
    for name in ids[:300]:
        ledger.append(name, "offers", "given", source="account", at=day(2))
    gate = ConsentGate(xseg.TreeSegmenter(4, random_state=0), ledger, purpose="offers", policy=POLICY, at=NOW)
    gate.fit(customers, ids=ids)
    some, names = customers.iloc[295:305], ids[295:305]
    forms = ["html", "jsonl", "parquet"]
    assert write_cards(gate, some, folder=tmp_path, ids=names, forms=forms, at=NOW).n_written == 10
    assert write_cards(gate, some, folder=tmp_path, ids=names, forms=forms, at=NOW).n_kept == 10
    table = pyarrow.parquet.read_table(tmp_path / "cards-00000.parquet").to_pydict()
    assert [segment is None for segment in table["segment"]] == [False] * 5 + [True] * 5
    lines = (tmp_path / "cards-00000.jsonl").read_text().splitlines()
    assert ["basis" in json.loads(line) for line in lines] == [False] * 5 + [True] * 5
    assert len(list(tmp_path.glob("*.html"))) == 10
    with pytest.raises(DataError, match="another"):
        write_cards(gate.segmenter_, some, folder=tmp_path, ids=names, policy=POLICY, forms=forms, at=NOW)


@pytest.mark.parametrize(("why", "segment"), [("chosen", 1), ("no_consent", None), ("erased", None)])
def test_a_decided_card_has_every_form_and_survives_the_way(shop, why, segment):
    _, segmenter = shop
    card = make_decided_card(segmenter, why, segment=segment, reference="ann", policy=POLICY, ledger=Ledger())
    assert DecidedCard.from_json(card.json()) == card
    title = "You are in no group." if card.segment is None else f"You chose the group “{card.segment.name}” yourself."
    for form in (card.html(), card.email(), card.text(), card.markdown(), card._repr_html_()):
        assert title in form
    assert card.svg().startswith(b"<?xml")
    with pytest.raises(DataError):
        DecidedCard.from_json(card.json().replace("ann", "bob"))
    with pytest.raises(DataError):
        xseg.cards.Card.from_json(card.json())
    assert isinstance(card, AnyCard)
    assert not any(word in card.text() for word in ("Why\n", "How sure", "{"))


def test_a_group_is_there_if_and_only_if_it_was_chosen(shop):
    _, segmenter = shop
    for why, segment in (("chosen", None), ("objected", 1)):
        with pytest.raises(ParameterError, match="only then"):
            make_decided_card(segmenter, why, segment=segment)
    facts = json.loads(make_decided_card(segmenter, "chosen", segment=0).model_dump_json())
    with pytest.raises(DataError, match="if, and only if"):
        DecidedCard.from_facts({**facts, "segment": None})


def test_who_objected_is_segmented_by_no_gate_and_reads_why(shop):
    customers, _ = shop
    ids = list(customers.index)
    ledger, log = Ledger(clock=Clock(50)), ActionLog()
    for name in ids:
        ledger.append(name, "offers", "given", source="account", at=day(2))
    gate = ConsentGate(xseg.TreeSegmenter(4, random_state=0), ledger, purpose="offers", policy=POLICY, log=log, at=NOW)
    gate.fit(customers, ids=ids)
    asked = {"object": "objected", "restrict": "restricted", "leave": "not_profiled"}
    for row, call in enumerate(asked):
        known = {"purpose": "offers", "log": log, "clock": Clock(50)}
        getattr(
            xseg.governance.rights.Profile(
                gate.segmenter_, customers.iloc[[row]], policy=POLICY, ledger=ledger, subject=ids[row], **known
            ),
            call,
        )()
    labels = clone(gate).fit(customers, ids=ids).labels_
    assert (labels[:3] == -1).all()
    assert (labels[3:] >= 0).all()
    assert [card.basis for card in make_gated_cards(gate, customers.head(3), ids=ids[:3])] == list(asked.values())


def test_behind_a_gate_people_are_admitted_and_told_as_of_one_moment(shop):
    customers, _ = shop
    ids = list(customers.index)
    ledger = Ledger(clock=Clock(50))
    for name in ids:
        ledger.append(name, "offers", "given", source="account", at=day(1))
    gate = ConsentGate(xseg.TreeSegmenter(4, random_state=0), ledger, purpose="offers", policy=POLICY)
    gate.fit(customers, ids=ids)
    ledger.append(ids[0], "offers", "withdrawn", source="account", at=day(10))
    ledger.append(ids[0], "offers", "given", source="account", at=day(20))
    for at, kind in ((5, "placed"), (15, "decided"), (25, "placed")):
        card = make_gated_cards(gate, customers.head(1), ids=ids[:1], at=day(at))[0]
        assert (card.kind, card.consent.statements[0].answer) == (kind, "given" if kind == "placed" else "denied")


def test_cards_of_before_somebody_said_no_are_not_kept_as_cards_of_after(shop, tmp_path):
    customers, segmenter = shop
    ledger = Ledger(clock=Clock(50))
    ledger.append("ann", "offers", "given", source="account", at=day(2))
    known = {"ids": ["ann"], "policy": POLICY, "forms": ["json"], "at": NOW, "ledger": ledger}
    assert write_cards(segmenter, customers.head(1), folder=tmp_path, **known).n_written == 1
    assert write_cards(segmenter, customers.head(1), folder=tmp_path, **known).n_kept == 1
    ledger.append("ann", "offers", "withdrawn", source="account", at=day(3))
    with pytest.raises(DataError, match="differs in: state of the ledger"):
        write_cards(segmenter, customers.head(1), folder=tmp_path, **known)
