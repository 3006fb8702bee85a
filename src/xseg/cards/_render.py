"""Ink: the words of a card through a template. Nothing here looks at a model."""

import re
from typing import TYPE_CHECKING, Any

from xseg._optional import require
from xseg.cards._words import words_of
from xseg.exceptions import DataError
from xseg.ink import environment

if TYPE_CHECKING:
    from xseg.cards._record import Card

__all__ = ["card_article", "document", "render"]

_MARKS = re.compile(r"([\\`*_\[\]#|<>~&])")
_LINE_START = re.compile(r"^(\s*)(?:(\d+)([.)])|([-+=]))")


def render(card: "Card", template: str, *, unfolded: bool = False) -> str:
    """Fill a template with the words of a card."""
    pages = environment("xseg.cards")
    pages.filters.setdefault("plain_markdown", plain_markdown)
    return pages.get_template(template).render(card=card, words=words_of(card), unfolded=unfolded)


def card_article(card: "Card") -> Any:
    """Give the card as a piece of a page, with its style, to be put into another page as it is."""
    from markupsafe import Markup

    return Markup(render(card, "card.html.j2"))


def document(card: "Card") -> bytes:
    """Set the unfolded page as a PDF document."""
    weasyprint: Any = require("weasyprint", extra="pdf", purpose="a card as PDF")

    def fetch(url: str, *_: Any, **__: Any) -> Any:
        message = f"cards need no network, and this one asks for {url}"
        raise DataError(message)

    page = render(card, "page.html.j2", unfolded=True)
    written: bytes = weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf()
    return written


def plain_markdown(text: str) -> str:
    """Write text so that Markdown shows it as it is."""
    return _LINE_START.sub(r"\1\2\\\3\4", _MARKS.sub(r"\\\1", text))
