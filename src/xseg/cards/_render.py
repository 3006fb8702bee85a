"""Ink: the words of a card through a template. Nothing here looks at a model."""

import re
from typing import TYPE_CHECKING

from xseg.cards._words import words_of
from xseg.ink import environment

if TYPE_CHECKING:
    from xseg.cards._record import Card

__all__ = ["render"]

_MARKS = re.compile(r"([\\`*_\[\]#|<>~&])")
_LINE_START = re.compile(r"^(\s*)(?:(\d+)([.)])|([-+=]))")


def render(card: "Card", template: str) -> str:
    """Fill a template with the words of a card."""
    pages = environment("xseg.cards")
    pages.filters.setdefault("plain_markdown", plain_markdown)
    return pages.get_template(template).render(card=card, words=words_of(card))


def plain_markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is."""
    return _LINE_START.sub(r"\1\2\\\3\4", _MARKS.sub(r"\\\1", text))
