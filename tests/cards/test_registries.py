"""What `CONTRIBUTING.md` says of adding a fact holds: everything else follows from the registries."""

import xseg
from xseg.cards import AnyCard, Card
from xseg.cards._content_checks import REQUIRED_CONTENT
from xseg.policy import STATEMENTS, Policy, Translation


def test_a_statement_is_a_field_of_policies_translations_and_cards_and_required_of_a_card():
    assert {*STATEMENTS} <= {*Policy.model_fields} & {*Translation.model_fields} & {*AnyCard.model_fields}
    needed = " ".join(field.needs or "" for field in REQUIRED_CONTENT)
    assert all(name in needed for name in STATEMENTS)


def test_a_statement_reaches_every_form_and_is_verified_without_further_code():
    customers = xseg.make_customers(500, random_state=0)
    segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    policy = Policy(**{name: f"We say this of {name}." for name in STATEMENTS})
    card = xseg.make_cards(segmenter, customers, policy=policy)[0]
    for text in (card.text(), card.markdown(), card.html()):
        assert all(f"of {name}" in text.replace("\\_", "_") for name in STATEMENTS)
    assert xseg.verify_card(segmenter, customers.head(1), card=card, policy=policy).holds
    for name in STATEMENTS:
        altered = Card.from_facts({**card.model_dump(mode="json"), name: "something else"})
        (failure,) = xseg.verify_card(segmenter, customers.head(1), card=altered, policy=policy).failures
        assert failure.fact == name
