"""The forms of a card: its words through a template, as a document, and drawn with matplotlib.

An interactive card also carries the model narrowed down to one person, with labels and words for the page.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from io import BytesIO
from typing import Any, Final, Literal

from markupsafe import Markup

from xseg._optional import require
from xseg.cards._card_record import AnyCard, Card
from xseg.cards._content_checks import check_content
from xseg.cards._sentences import CardWords, ScaleWords, build_quantity
from xseg.cards._shared_facts import CardLabels
from xseg.cards._wording import build_card_words, consent_words
from xseg.core.schema import Kind
from xseg.exceptions import DataError, ParameterError
from xseg.explanations import EditOption, build_portable_model
from xseg.i18n import Language, get_environment, one_line
from xseg.segmenters import FittedSegmenter

__all__ = [
    "WhatIf",
    "document",
    "draw_picture",
    "interactive_page",
    "interactive_parts",
    "render",
    "render_article",
]

_SCRIPTS = ("model.js", "page.js")
_MESSAGES = ("title", "intro", "withhold", "result", "same_result", "reset", "unknown")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Narrows a model down to any person.

    Attributes
    ----------
    segmenter : fitted segmenter
        The model.
    naming : CardLabels
        What may be named and changed.
    """

    segmenter: FittedSegmenter
    naming: CardLabels

    def facts(self, values: Mapping[int, Any], language: Language) -> dict[str, Any]:
        """Return what the page needs, as JSON can hold it.

        Parameters
        ----------
        values : mapping of int to bool, float, str or None
            The person's values, by column.
        language : Language
            What it is told in.

        Raises
        ------
        UnsupportedTypeError
            The model is too large to travel, or would describe a group of too few people.
        """
        portable = build_portable_model(self.segmenter, minimum_group_size=self.naming.policy.minimum_group_size)
        options = {j: self._edit_option(j) for j in portable.used}
        model = portable.narrow(values, options)
        for j, feature in zip(portable.used, model["features"], strict=True):
            feature["hidden"] = bool(self.naming.hidden[j])
        return {
            "model": model,
            "values": [values[j] for j in portable.used],
            "fields": [self._field(j, values[j], options[j], language) for j in portable.used],
            "segments": [one_line(segment.name) for segment in self.naming.segments],
            "locale": str(language.cldr).replace("_", "-"),
            "say": {name: language.say(f"what_if.{name}", **_open_slots(name)) for name in _MESSAGES},
            "points": _points(language),
            "yes": language.say("value.yes"),
            "no": language.say("value.no"),
        }

    def _edit_option(self, j: int) -> EditOption:
        if self.naming.hidden[j]:
            return EditOption.STAY
        return EditOption.LEAVE_OUT if self.naming.features[j].mutable is False else EditOption.CHANGE

    def _field(self, j: int, value: Any, option: EditOption, language: Language) -> dict[str, Any] | None:
        """Return the control of a feature; None where it is not to be named."""
        if option is EditOption.STAY:
            return None
        kind = self.segmenter.profile_.bins[j].feature.kind
        feature = self.naming.features[j]
        quantity = build_quantity(self.naming.units[j], feature.number_format, language)
        number = isinstance(value, float) and not isinstance(value, bool)
        return {
            "label": language.capitalise(self.naming.labels[j]),
            "kind": "yes or no" if kind is Kind.BOOLEAN else "number" if kind.is_numeric else "choice",
            "fixed": option is EditOption.LEAVE_OUT,
            "shown": quantity.format_rounded(value) if number else one_line(value) if isinstance(value, str) else None,
            "whole": bool(self.segmenter.profile_.bins[j].feature.integral),
        }


def _open_slots(name: str) -> dict[str, str]:
    """Keep the place of the group's name in a message, for the page to fill."""
    return {"group": "{group}"} if name in {"result", "same_result"} else {}


def _points(language: Language) -> dict[str, str]:
    """Return the forms of "3 points", with the place of the number left open."""
    message = language.messages["sum.points"]
    assert not isinstance(message, str)
    return dict(message)


def interactive_parts(card: Card) -> dict[str, Any]:
    """Return what the template of an interactive page needs: the model, the script, and the digest that allows it."""
    script = _script()
    carried = json.dumps(card.embedded_model(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        carried = carried.replace(mark, f"\\u{ord(mark):04x}")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing in the model can end the element it stands in, and the script is ours.
    return {"carried": Markup(carried), "script": Markup(script), "digest": digest}


@cache
def _script() -> str:
    parts = (files("xseg.cards").joinpath("scripts", name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return "(() => {\n" + "".join(parts) + "})();\n"


_WIDTH, _MARGIN, _DPI = 640.0, 44.0, 72
_TEXT, _SOFT, _LINE = "#1d2430", "#566070", "#d9dce2"
_ACCENT, _ACCENT_SOFT, _AGAINST = "#1f5f8b", "#dbe8f1", "#8a4b12"
_LEADING, _BAR = 1.45, 8.0


@dataclass(frozen=True, slots=True)
class _Text:
    """A paragraph, and what stands at the other end of its first line."""

    text: str
    size: float = 15.0
    bold: bool = False
    colour: str = _TEXT
    above: float = 4.0
    right: str = ""


@dataclass(frozen=True, slots=True)
class _Scale:
    """A scale with the person's place on it."""

    words: ScaleWords
    against: bool


def draw_picture(card: AnyCard, form: Literal["png", "svg"], scale: float) -> bytes:
    """Draw a card.

    Raises
    ------
    ParameterError
        The card's script is not one that matplotlib can set.
    """
    words = build_card_words(card)
    painter = _Painter(words)
    for block in _blocks(words):
        painter.draw(block)
    return painter.save_file(form, scale)


def _blocks(words: CardWords) -> Iterator[_Text | _Scale]:
    say = words.language.say
    gap = say("text.gap")
    yield _Text(words.title, 25, bold=True)
    yield _Text(gap.join(words.lead), 16, colour=_SOFT, above=8)
    if words.reasons:
        yield _Text(say("card.reasons"), bold=True, above=24)
    for reason in words.reasons[: words.shown]:
        yield _Text(reason.label, above=12, right=reason.value)
        yield _Text(gap.join(reason.sentences), 14, colour=_SOFT)
        if reason.scale is not None:
            yield _Scale(reason.scale, reason.points < 0)
            yield _Text(reason.scale.first, 12, colour=_SOFT, above=0, right=reason.scale.last)
    sections = (
        (words.why_not[:1], words.why_not[1:]),
        ((say("card.counterfactual"),), words.change),
        ((say("card.certainty"),), words.sure),
        ((say("card.consequence"),), words.effect),
        (
            (say("card.choices"),),
            (*(f"{choice.label}{say('text.colon')}{choice.url}" for choice in words.choices), *words.rights_sentences),
        ),
    )
    for heading, sentences in sections:
        if sentences:
            yield _Text(heading[0], bold=True, above=22)
            for sentence in sentences:
                yield _Text(sentence)
    yield _Text(gap.join(words.closing), 13, colour=_SOFT, above=24)


class _Painter:
    """Draws blocks under each other, and makes the paper as long as it must be."""

    def __init__(self, words: CardWords) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(_WIDTH / _DPI, 1.0), dpi=_DPI, facecolor="white")
        canvas: Any = FigureCanvasAgg(self.figure)
        self.renderer = canvas.get_renderer()
        self.describer = _family_for(words)
        self.drawn: list[tuple[Callable[[float, float], object], float]] = []
        self.y = _MARGIN

    def draw(self, block: _Text | _Scale) -> None:
        """Draw one block below what is there."""
        if isinstance(block, _Scale):
            self._scale(block)
        elif block.text:
            self._text(block)

    def save_file(self, form: str, scale: float) -> bytes:
        """Return the file; the same card gives the same bytes."""
        from matplotlib import rc_context

        height = self.y + _MARGIN
        self.figure.set_size_inches(_WIDTH / _DPI, height / _DPI)
        for place, y in self.drawn:
            place(y, height)
        stream = BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        with rc_context({"svg.hashsalt": "xseg"}):
            self.figure.savefig(stream, format=form, dpi=_DPI * scale, metadata=metadata)
        return stream.getvalue()

    def _text(self, block: _Text) -> None:
        self.y += block.above
        room = _WIDTH - 2 * _MARGIN
        if block.right:
            width = self._width(block.right, block.size, bold=True)
            self._line(block.right, block, _WIDTH - _MARGIN, bold=True, align="right")
            room -= width + 16
        for line in self._lines(block, room):
            self._line(line, block, _MARGIN, bold=block.bold, align="left")
            self.y += block.size * _LEADING

    def _line(self, line: str, block: _Text, x: float, *, bold: bool, align: Literal["left", "right"]) -> None:
        text = self.figure.text(
            x / _WIDTH,
            0,
            line,
            fontsize=block.size,
            color=block.colour,
            fontweight="bold" if bold else "normal",
            fontfamily=self.describer,
            ha=align,
            va="top",
            parse_math=False,
        )
        self.drawn.append((lambda y, height: text.set_y(1 - y / height), self.y))

    def _scale(self, scale: _Scale) -> None:
        """Draw the track, the range of the group, its limits and the person."""
        from matplotlib.patches import Ellipse, Rectangle

        self.y += 6
        left, room = _MARGIN / _WIDTH, (_WIDTH - 2 * _MARGIN) / _WIDTH
        words, colour = scale.words, _AGAINST if scale.against else _ACCENT
        marks = [(0.0, 100.0, "white", _SOFT), (words.start, words.stop, _ACCENT_SOFT, _SOFT)]
        for start, stop, face, edge in marks:
            drawn = Rectangle((left + room * start / 100, 0), room * (stop - start) / 100, 0, fc=face, ec=edge, lw=0.8)
            self._place(drawn, partial(_stretch, drawn, thickness=_BAR, above=0.0))
        for limit in words.limits:
            drawn = Rectangle((left + room * limit / 100, 0), 2 / _WIDTH, 0, color=_TEXT, lw=0)
            self._place(drawn, partial(_stretch, drawn, thickness=_BAR + 8, above=4.0))
        dot = Ellipse((left + room * words.own / 100, 0), 1.6 * _BAR / _WIDTH, 0, fc=colour, ec="white", lw=1.5)
        self._place(dot, partial(_centre, dot))
        self.y += _BAR + 6

    def _place(self, drawn: Any, place: Callable[[float, float], object]) -> None:
        drawn.set_transform(self.figure.transFigure)
        self.figure.add_artist(drawn)
        self.drawn.append((place, self.y))

    def _lines(self, block: _Text, room: float) -> Iterator[str]:
        """Break a paragraph where a line is full; what is longer than a line is broken anywhere."""
        line = ""
        for word in block.text.split(" "):
            longer = f"{line} {word}" if line else word
            if self._width(longer, block.size, bold=block.bold) <= room:
                line = longer
                continue
            if line:
                yield line
            line = word
            while self._width(line, block.size, bold=block.bold) > room:
                fits = next(n for n in range(len(line) - 1, 0, -1) if self._fits(line[:n], block, room))
                yield line[:fits]
                line = line[fits:]
        yield line

    def _fits(self, text: str, block: _Text, room: float) -> bool:
        return len(text) == 1 or self._width(text, block.size, bold=block.bold) <= room

    def _width(self, text: str, size: float, *, bold: bool) -> float:
        from matplotlib.font_manager import FontProperties

        font = FontProperties(family=self.describer, size=size, weight="bold" if bold else "normal")
        width, _, _ = self.renderer.get_text_width_height_descent(text, font, ismath=False)
        return float(width)


def _stretch(mark: Any, y: float, height: float, *, thickness: float, above: float) -> None:
    mark.set(y=1 - (y - above + thickness) / height, height=thickness / height)


def _centre(dot: Any, y: float, height: float) -> None:
    dot.set(center=(dot.get_center()[0], 1 - (y + _BAR / 2) / height), height=1.6 * _BAR / height)


# Letters that join, or lines that run from right to left, need a text engine that matplotlib does not have.
_SHAPED: Final = frozenset({"ar"})


def _family_for(words: CardWords) -> list[str]:
    """Return fonts that have every letter of a card."""
    from matplotlib.font_manager import findfont, fontManager, get_font

    text = "".join([*words.body(), *words.effect, *words.closing, *words.rights_sentences])
    needed = {ord(letter) for letter in text if letter > " "}
    if words.language.tag in _SHAPED:
        message = f"pictures of cards cannot be set in {words.language.tag!r}; use html() or pdf()"
        raise ParameterError(message)
    family = ["DejaVu Sans"]
    lacking = needed - get_font(findfont(family[0])).get_charmap().keys()
    for font in fontManager.ttflist if lacking else ():
        # A font of last resort has a box for every letter.
        if "last resort" not in font.name.casefold() and lacking <= get_font(font.fname).get_charmap().keys():
            return [*family, font.name]
    if lacking:
        letters = "".join(map(chr, sorted(lacking)))[:20]
        message = f"no font installed here has the letters {letters}; install one, or use html() or pdf()"
        raise ParameterError(message)
    return family


def render(card: AnyCard, template: str, *, unfolded: bool = False, more: Mapping[str, Any] | None = None) -> str:
    """Fill a template with the words of a card."""
    words = build_card_words(card)
    context = {"card": card, "words": words, "unfolded": unfolded, "carried": None, "part": _make_parts(words.language)}
    return get_environment("xseg.cards").get_template(template).render({**context, **(more or {})})


def _make_parts(language: Language) -> Callable[..., Markup]:
    """Return a function for templates that fills another one, once for all cards that give it the same."""

    def part(template: str, **given: Hashable) -> Markup:
        return language.compute_once(_render_part, template, tuple(given.items()), language)

    return part


def _render_part(template: str, given: tuple[tuple[str, Hashable], ...], language: Language) -> Markup:
    # The template escapes what it is given.
    return Markup(get_environment("xseg.cards").get_template(template).render(given, language=language))


def interactive_page(card: Card) -> str:
    """Fill the page of a card with what it carries, and allow the one script that reads it."""
    return render(card, "page.html.j2", more=interactive_parts(card))


def render_article(card: AnyCard, *, choices: bool = True) -> Any:
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
    >>> from xseg.cards import render_article
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> "<article" in render_article(xseg.make_cards(segmenter, customers)[0])
    True
    """
    from markupsafe import Markup

    words = build_card_words(card)
    if not choices:
        words = replace(words, choices=(), also=consent_words(card.consent, words.language), unlinked="")
    return Markup(render(card, "card.html.j2", more={"words": words}))


def document(card: AnyCard) -> bytes:
    """Set the unfolded page as a PDF document."""
    weasyprint: Any = require("weasyprint", extra="pdf", purpose="a card as PDF")

    def fetch(url: str, *_: Any, **__: Any) -> Any:
        message = f"cards need no network, and this one asks for {url}"
        raise DataError(message)

    page = render(card, "page.html.j2", unfolded=True)
    written: bytes = weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf()
    return written


class _Forms:
    """Every form of a card, for `AnyCard` to call."""

    render = staticmethod(render)
    interactive_page = staticmethod(interactive_page)
    draw = staticmethod(draw_picture)
    document = staticmethod(document)
    check_content = staticmethod(check_content)


AnyCard._forms = _Forms()
