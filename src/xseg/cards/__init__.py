"""Cards that can be shown to the very person they are about: facts first, then sentences, then forms."""

from xseg.cards._card_folder import FORMS, remove_cards
from xseg.cards._card_record import AnyCard, Card, DecidedCard
from xseg.cards._consent_facts import (
    AdmittedRowsLike,
    ConsentGateLike,
    ConsentLedger,
    ConsentStatement,
    IdentityLinks,
)
from xseg.cards._content_checks import UnsuitableWords, lint_words
from xseg.cards._fact_types import AnswerFact, DecisionBasis
from xseg.cards._make_cards import Cards, GatedCards, make_cards, make_decided_card, make_gated_cards, name_groups
from xseg.cards._rendering import render_article
from xseg.cards._verify_cards import CardCheck, Failure, verify_card, verify_cards
from xseg.cards._wording import answer_words
from xseg.cards._write_cards import WriteOptions, WrittenCards, write_cards

__all__ = [
    "FORMS",
    "AdmittedRowsLike",
    "AnswerFact",
    "AnyCard",
    "Card",
    "CardCheck",
    "Cards",
    "ConsentGateLike",
    "ConsentLedger",
    "ConsentStatement",
    "DecidedCard",
    "DecisionBasis",
    "Failure",
    "GatedCards",
    "IdentityLinks",
    "UnsuitableWords",
    "WriteOptions",
    "WrittenCards",
    "answer_words",
    "lint_words",
    "make_cards",
    "make_decided_card",
    "make_gated_cards",
    "name_groups",
    "remove_cards",
    "render_article",
    "verify_card",
    "verify_cards",
    "write_cards",
]
