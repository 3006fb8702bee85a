"""Cards for the very people they are about: why you are in this segment, what was used, and what you can do.

`make_cards` builds one record of facts for each row. A card turns its facts into words, and the words into text,
Markdown or a page; nothing is said that the record does not hold.
"""

from xseg.cards._card import Card
from xseg.cards._cards import Cards, make_cards

__all__ = ["Card", "Cards", "make_cards"]
