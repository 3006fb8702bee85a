"""Ink: the words of a card through a template. Nothing here looks at a model."""

from typing import TYPE_CHECKING, Any

from xseg._optional import require
from xseg.cards._words import words_of
from xseg.exceptions import DataError
from xseg.ink import environment

if TYPE_CHECKING:
    from xseg.cards._record import Card

__all__ = ["document", "render"]


def render(card: "Card", template: str, *, unfolded: bool = False) -> str:
    """Fill a template with the words of a card."""
    page = environment("xseg.cards").get_template(template)
    return page.render(card=card, words=words_of(card), unfolded=unfolded)


def document(card: "Card") -> bytes:
    """Set the unfolded page as a PDF document."""
    weasyprint: Any = require("weasyprint", extra="pdf", purpose="a card as PDF")

    def fetch(url: str, *_: Any, **__: Any) -> Any:
        message = f"cards need no network, and this one asks for {url}"
        raise DataError(message)

    page = render(card, "page.html.j2", unfolded=True)
    written: bytes = weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf()
    return written
