"""The words of a public notice without its markup, and how promises are worded in each language."""

import os
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from xseg.core.schema import suggest_name
from xseg.exceptions import DataError, ParameterError

__all__ = ["PROMISE_LOCALES", "NoticeText", "Wording", "find_languages", "fold_text", "read_notice"]

_FOLDER: Final = files("xseg.governance.reviews").joinpath("promises")
PROMISE_LOCALES: Final = tuple(sorted(one.name.removesuffix(".toml") for one in _FOLDER.iterdir()))
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
        return fold_text(self.text)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The sentences, case-folded."""
        return tuple(filter(None, map(fold_text, _SENTENCE_END.split(self.text))))

    def says(self, words: str) -> bool:
        """Return whether some words stand in the notice, as whole words and in this order."""
        wanted = fold_text(words)
        if not wanted:
            return False
        if _DENSE.search(wanted):
            return wanted in self.folded
        return re.search(rf"(?<!{_LETTER}){re.escape(wanted)}(?!{_LETTER})", self.folded) is not None


def fold_text(text: str) -> str:
    """Fold case, quotation marks, invisible characters and spaces."""
    plain = _MARKDOWN.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold())
    return " ".join(_APOSTROPHES.sub("'", plain).split())


def read_notice(notice: "str | os.PathLike[str] | NoticeText", *, locale: str | None = None) -> NoticeText:
    """Read a notice from a file of HTML, Markdown or plain text, or from such text itself.

    Parameters
    ----------
    notice : str, path-like or NoticeText
        A string with a line break or a tag is the text itself; any other is the path of a file.
    locale : str, default=None
        Its language, one of ten, such as ``"de"``. None goes by what its elements declare and by its commonest words;
        where neither tells, a review does not read its promises, and a note says so.

    Returns
    -------
    NoticeText
        The words; `review` takes it as `notice`.

    Raises
    ------
    DataError
        The file cannot be read, is not UTF-8, is too large, or says nothing.
    ParameterError
        The promises of that language are not known.

    Examples
    --------
    >>> from xseg.governance.reviews import read_notice
    >>> read_notice("<p>We never sell your data.</p>", locale="en").text.strip()
    'We never sell your data.'
    """
    _check_locale(locale)
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


_SLOT: Final = re.compile(r"\{([a-z_]+)\}")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_SHORTEST: Final = 3
# A text is of a language if that share of its words (of its letters, in a dense script) is among the commonest there,
# and if these are of several kinds: most languages have an "i".
_MIN_SHARE: Final = 0.05
_MIN_WORDS: Final = 2
_ENOUGH: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Wording:
    """The promises of one language.

    Attributes
    ----------
    tag : str
        The language.
    is_dense : bool
        Whether words are written without spaces between them.
    patterns : mapping of str to re.Pattern
        What silences a sentence (``excepted``, ``limited``, ``asked``), what parts it, and what tells the language.
    promises : mapping of str to tuple of re.Pattern
        Ways to word each kind of promise.
    days : tuple of tuple of (re.Pattern, int)
        Words for spans of time, in days.
    suffixes : tuple of str
        Endings that words lose before they are compared, the longest first.
    empty : frozenset of str
        Words that name nothing.
    """

    tag: str
    is_dense: bool
    patterns: Mapping[str, re.Pattern[str]]
    promises: Mapping[str, tuple[re.Pattern[str], ...]]
    days: tuple[tuple[re.Pattern[str], int], ...]
    suffixes: tuple[str, ...]
    empty: frozenset[str]

    def count_days(self, unit: str) -> int:
        """Return the length of a span of time in days."""
        return next(days for words, days in self.days if words.fullmatch(unit))

    def names(self, part: str, label: str, name: str) -> bool:
        """Return whether part of a sentence names a column: by words of its label or name, and by no other words."""
        if self.is_dense:
            bare = self.patterns["empty"].sub("", part).strip()
            return len(bare) > 1 and bare in fold_text(label)
        wanted = self._content(part)
        return bool(wanted) and wanted <= self._content(f"{label} {name.replace('_', ' ')}")

    def _content(self, text: str) -> frozenset[str]:
        return frozenset(self._stem(word) for word in _WORD.findall(fold_text(text)) if word not in self.empty)

    def _stem(self, word: str) -> str:
        begun = self.patterns["prefixes"].match(word)
        bare = unicodedata.normalize("NFKD", word[begun.end() :] if begun else word)
        bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
        while ending := self._ending(bare):
            bare = bare.removesuffix(ending)
        return bare

    def _ending(self, word: str) -> str:
        return next((one for one in self.suffixes if word.endswith(one) and len(word) - len(one) >= _SHORTEST), "")


def _check_locale(locale: str | None) -> None:
    """Raise an error for a language whose promises are not known.

    Raises
    ------
    ParameterError
        There is no such language.
    """
    if locale is not None and _find_promise_locale(locale) is None:
        near = suggest_name(locale, PROMISE_LOCALES, sentence=True)
        message = f"the language of a notice must be one of {', '.join(PROMISE_LOCALES)}, got {locale!r}.{near}"
        raise ParameterError(
            message, in_python="Pass another locale=.", on_command_line="Pass another --notice-locale."
        )


def find_languages(notice: NoticeText) -> tuple[list[Wording], list[str]]:
    """Return the languages of a notice, and the tags of those that are not known.

    What was said (`locale`) holds; otherwise what its elements declare and what its commonest words tell, since pages
    are often declared wrongly, and may be in several languages.
    """
    if notice.locale is not None:
        return [_load_wording(tag) for tag in [_find_promise_locale(notice.locale)] if tag is not None], []
    declared = {tag: _find_promise_locale(tag) for tag in notice.declared}
    tags = [tag for tag in dict.fromkeys([*declared.values(), *_detect_languages(notice.folded)]) if tag is not None]
    return [_load_wording(tag) for tag in tags], [tag for tag, known in declared.items() if known is None]


def _find_promise_locale(tag: str) -> str | None:
    """Return the language of a tag such as ``"de-AT"``."""
    return next((one for one in PROMISE_LOCALES if one.partition("-")[0] == tag.casefold().partition("-")[0]), None)


def _detect_languages(text: str) -> list[str]:
    """Detect the languages of a text by their commonest words."""
    shares = {}
    for tag in PROMISE_LOCALES:
        wording = _load_wording(tag)
        hits = wording.patterns["stop"].findall(text)
        of = sum(map(str.isalpha, text)) if wording.is_dense else len(text.split())
        if len(set(hits)) >= max(_MIN_WORDS, min(_ENOUGH, of // 10)) and len(hits) >= _MIN_SHARE * of:
            shares[tag] = len(hits) / of
    return sorted(shares, key=lambda tag: -shares[tag])


@cache
def _load_wording(tag: str) -> Wording:
    said = tomllib.loads(_FOLDER.joinpath(f"{tag}.toml").read_text(encoding="utf-8"))
    units = {int(days): "|".join(words) for days, words in said["units"].items()}
    slots = {"n": r"(?P<n>\d{1,5})", "unit": f"(?P<unit>{'|'.join(units.values())})", **said["words"]}
    language: dict[str, Any] = {"prefixes": "(?!)", "suffixes": [], "dense": False, **said["language"]}
    patterns = {
        name: re.compile(_insert_words(text, slots)) for name, text in language.items() if isinstance(text, str)
    }
    return Wording(
        tag=tag,
        is_dense=language["dense"],
        patterns=patterns,
        promises={
            kind: tuple(re.compile(_insert_words(text, slots)) for text in texts)
            for kind, texts in said["promises"].items()
        },
        days=tuple((re.compile(words), days) for days, words in units.items()),
        suffixes=tuple(sorted(language["suffixes"], key=len, reverse=True)),
        empty=frozenset(language["empty"].split()),
    )


def _insert_words(text: str, slots: Mapping[str, str]) -> str:
    """Insert the words; words may hold words."""
    while _SLOT.search(text):
        text = _SLOT.sub(lambda slot: slots[slot[1]], text)
    return text
