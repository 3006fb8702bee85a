"""Ink: the words of a card through a template. Nothing here looks at a model."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from xseg._optional import require
from xseg.cards._standing_words import consent_words
from xseg.cards._words import words_of
from xseg.exceptions import DataError
from xseg.ink import environment

if TYPE_CHECKING:
    from xseg.cards._any_card import AnyCard
    from xseg.cards._record import Card

__all__ = ["card_article", "document", "interactive_page", "render"]

_SCRIPTS = ("model.js", "page.js")


def render(card: "AnyCard", template: str, *, unfolded: bool = False, more: Mapping[str, Any] | None = None) -> str:
    """Fill a template with the words of a card."""
    pages = environment("xseg.cards")
    told = {"card": card, "words": words_of(card), "unfolded": unfolded, "carried": None}
    return pages.get_template(template).render({**told, **(more or {})})


def interactive_page(card: "Card") -> str:
    """Fill the page of a card with what it carries, and allow the one script that reads it."""
    from markupsafe import Markup

    script = _script()
    carried = json.dumps(card.travelling(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        carried = carried.replace(mark, f"\\u{ord(mark):04x}")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing in the model can end the element it stands in, and the script is ours.
    return render(card, "page.html.j2", more={"carried": Markup(carried), "script": Markup(script), "digest": digest})


@cache
def _script() -> str:
    parts = (files("xseg.cards").joinpath("scripts", name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return "(() => {\n" + "".join(parts) + "})();\n"


def card_article(card: "AnyCard", *, choices: bool = True) -> Any:
    """Return the card as a piece of a page, with its style, to be put into another page as it is.

    Parameters
    ----------
    card : Card or DecidedCard
        The card.
    choices : bool, default=True
        Whether it says what the person can do; a page that does it itself need not say so twice.

    Returns
    -------
    markupsafe.Markup
        HTML.

    Examples
    --------
    >>> import xseg
    >>> from xseg.cards import card_article
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> "<article" in card_article(xseg.make_cards(segmenter, customers)[0])
    True
    """
    from markupsafe import Markup

    words = words_of(card)
    if not choices:
        words = replace(words, choices=(), also=consent_words(card.consent, words.language))
    return Markup(render(card, "card.html.j2", more={"words": words}))


def document(card: "AnyCard") -> bytes:
    """Set the unfolded page as a PDF document."""
    weasyprint: Any = require("weasyprint", extra="pdf", purpose="a card as PDF")

    def fetch(url: str, *_: Any, **__: Any) -> Any:
        message = f"cards need no network, and this one asks for {url}"
        raise DataError(message)

    page = render(card, "page.html.j2", unfolded=True)
    written: bytes = weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf()
    return written
