"""The words of a public notice, without its markup."""

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from xseg.exceptions import DataError

__all__ = ["NoticeText", "folded", "read_notice"]

_MAX_BYTES: Final = 8 * 2**20
_UNSEEN: Final = frozenset({"script", "style", "template", "head", "noscript"})
_BLOCKS: Final = frozenset(
    {
        "p",
        "li",
        "div",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "td",
        "th",
        "tr",
        "dt",
        "dd",
        "br",
        "ul",
        "ol",
    }
)
_IS_HTML: Final = re.compile(r"<(?:!doctype|html|head|body|p|div|section|article|h[1-6]|ul|table)\b", re.IGNORECASE)
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_MARKDOWN: Final = re.compile(r"[*_`#>\\]+")
_APOSTROPHES: Final = re.compile("[\u2018\u2019\u02bc]")
_WITHOUT_END: Final = frozenset({"area", "br", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SENTENCE_END: Final = re.compile(r"(?<=[.!?\u061f])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
# Scripts that are written without spaces between words; a letter of another is a letter of a word.
_DENSE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_LETTER: Final = r"[^\W\u3040-\u30ff\u3400-\u9fff]"


@dataclass(frozen=True)
class NoticeText:
    """What the public is told.

    Attributes
    ----------
    text : str
        The words, without markup.
    source : str
        What messages call it.
    locale : str or None
        Its language, if somebody said it.
    declared : tuple of str
        The languages that its elements declare.
    """

    text: str
    source: str
    locale: str | None = None
    declared: tuple[str, ...] = ()

    @cached_property
    def folded(self) -> str:
        """The words, case-folded, with single spaces."""
        return folded(self.text)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The sentences, case-folded."""
        return tuple(filter(None, map(folded, _SENTENCE_END.split(self.text))))

    def says(self, words: str) -> bool:
        """Return whether some words stand in the notice, as whole words and in this order."""
        wanted = folded(words)
        if not wanted:
            return False
        if _DENSE.search(wanted):
            return wanted in self.folded
        return re.search(rf"(?<!{_LETTER}){re.escape(wanted)}(?!{_LETTER})", self.folded) is not None


def folded(text: str) -> str:
    """Fold case, quotation marks, invisible characters and spaces."""
    plain = _MARKDOWN.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold())
    return " ".join(_APOSTROPHES.sub("'", plain).split())


def read_notice(notice: "str | os.PathLike[str] | NoticeText", locale: str | None = None) -> NoticeText:
    """Read a notice from a file of HTML, Markdown or plain text, or from such text itself.

    Parameters
    ----------
    notice : str, path-like or NoticeText
        A string with a line break or a tag is the text itself; any other is the path of a file.
    locale : str, default=None
        Its language, if it is known.

    Raises
    ------
    DataError
        The file cannot be read, is not UTF-8, is too large, or says nothing.
    """
    if isinstance(notice, NoticeText):
        return notice
    if isinstance(notice, str) and ("\n" in notice or "<" in notice):
        return _of_text(notice, "the notice", locale)
    if isinstance(notice, str | os.PathLike):
        return _of_text(_file(Path(notice)), str(notice), locale)
    message = f"notice is a {type(notice).__name__}; give the path of an HTML or text file, or the text"
    raise DataError(message)


def _file(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            message = f"{path}: larger than {_MAX_BYTES // 2**20} MiB, which no notice is"
            raise DataError(message)
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"cannot read the notice {path}: {error.strerror}; check the path"
        raise DataError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise DataError(message) from error


def _of_text(text: str, source: str, locale: str | None) -> NoticeText:
    declared: tuple[str, ...] = ()
    if _IS_HTML.search(text):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        text, declared = "".join(reader.pieces), tuple(reader.languages)
    if not text.strip():
        message = f"{source} says nothing that a reader can see; give the page with its text"
        raise DataError(message)
    return NoticeText(text, source, locale, declared)


class _Reader(HTMLParser):
    """Gathers what a reader of the page can see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.languages: dict[str, None] = {}
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        inside = bool(self._unseen) and tag == self._unseen[-1]
        if tag not in _WITHOUT_END and (tag in _UNSEEN or inside or _is_hidden(said)):
            self._unseen.append(tag)
        if not self._unseen and (language := (said.get("lang") or "").strip()):
            self.languages[language] = None
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen and tag == self._unseen[-1]:
            self._unseen.pop()
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            # A line break in the source is no end of a sentence.
            self.pieces.append(re.sub(r"\s+", " ", data))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = (attributes.get("style") or "").replace(" ", "").casefold()
    return "hidden" in attributes or "display:none" in style or "visibility:hidden" in style
