"""Cards that can be shown to the very person they are about: facts first, then words, then ink."""

from xseg.cards._any_card import AnyCard
from xseg.cards._consent import (
    AdmittedRows,
    ConsentGateLike,
    ConsentLedger,
    ConsentStatement,
    DecisionBasis,
    IdentityLinks,
)
from xseg.cards._decided import DecidedCard, decided_card
from xseg.cards._gated import GatedCards, make_gated_cards
from xseg.cards._lint import UnfitWords, lint_words
from xseg.cards._make import Cards, make_cards
from xseg.cards._record import Card
from xseg.cards._removing import remove_cards
from xseg.cards._render import card_article
from xseg.cards._sinks import FORMS
from xseg.cards._verify import CardCheck, Failure, verify_card, verify_cards
from xseg.cards._writing import WrittenCards, write_cards

__all__ = [
    "FORMS",
    "AdmittedRows",
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
    "UnfitWords",
    "WrittenCards",
    "card_article",
    "decided_card",
    "lint_words",
    "make_cards",
    "make_gated_cards",
    "remove_cards",
    "verify_card",
    "verify_cards",
    "write_cards",
]
