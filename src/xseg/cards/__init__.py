"""Cards that can be shown to the very person they are about: facts first, then words, then ink."""

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
    "Card",
    "CardCheck",
    "Cards",
    "Failure",
    "UnfitWords",
    "WrittenCards",
    "card_article",
    "lint_words",
    "make_cards",
    "remove_cards",
    "verify_card",
    "verify_cards",
    "write_cards",
]
