"""How promises are worded in each language, read from one file a language."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from xseg.core.schema import suggestion
from xseg.exceptions import ParameterError
from xseg.governance.reviews._notice_text import NoticeText, folded
from xseg.i18n import LOCALES

__all__ = ["Wording", "check_locale", "languages_of"]

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

    def days_of(self, unit: str) -> int:
        """Return the length of a span of time in days."""
        return next(days for words, days in self.days if words.fullmatch(unit))

    def names(self, part: str, label: str, name: str) -> bool:
        """Return whether part of a sentence names a column: by words of its label or name, and by no other words."""
        if self.is_dense:
            bare = self.patterns["empty"].sub("", part).strip()
            return len(bare) > 1 and bare in folded(label)
        wanted = self._content(part)
        return bool(wanted) and wanted <= self._content(f"{label} {name.replace('_', ' ')}")

    def _content(self, text: str) -> frozenset[str]:
        return frozenset(self._stem(word) for word in _WORD.findall(folded(text)) if word not in self.empty)

    def _stem(self, word: str) -> str:
        begun = self.patterns["prefixes"].match(word)
        bare = unicodedata.normalize("NFKD", word[begun.end() :] if begun else word)
        bare = "".join(letter for letter in bare if not unicodedata.combining(letter))
        while ending := self._ending(bare):
            bare = bare.removesuffix(ending)
        return bare

    def _ending(self, word: str) -> str:
        return next((one for one in self.suffixes if word.endswith(one) and len(word) - len(one) >= _SHORTEST), "")


def check_locale(locale: str | None) -> None:
    """Raise an error for a language whose promises are not known.

    Raises
    ------
    ParameterError
        There is no such language.
    """
    if locale is not None and _known(locale) is None:
        message = f"notice_locale={locale!r} is not one of {', '.join(LOCALES)}{suggestion(locale, LOCALES)}"
        raise ParameterError(message)


def languages_of(notice: NoticeText) -> tuple[list[Wording], list[str]]:
    """Return the languages of a notice, and the tags of those that are not known.

    What was said (`locale`) holds; otherwise what its elements declare and what its commonest words tell, since pages
    are often declared wrongly, and may be in several languages.
    """
    if notice.locale is not None:
        return [_wording(tag) for tag in [_known(notice.locale)] if tag is not None], []
    declared = {tag: _known(tag) for tag in notice.declared}
    tags = [tag for tag in dict.fromkeys([*declared.values(), *_told(notice.folded)]) if tag is not None]
    return [_wording(tag) for tag in tags], [tag for tag, known in declared.items() if known is None]


def _known(tag: str) -> str | None:
    """Return the language of a tag such as ``"de-AT"``."""
    return next((one for one in LOCALES if one.partition("-")[0] == tag.casefold().partition("-")[0]), None)


def _told(text: str) -> list[str]:
    """Detect the languages of a text by their commonest words."""
    shares = {}
    for tag in LOCALES:
        wording = _wording(tag)
        hits = wording.patterns["stop"].findall(text)
        of = sum(map(str.isalpha, text)) if wording.is_dense else len(text.split())
        if len(set(hits)) >= max(_MIN_WORDS, min(_ENOUGH, of // 10)) and len(hits) >= _MIN_SHARE * of:
            shares[tag] = len(hits) / of
    return sorted(shares, key=lambda tag: -shares[tag])


@cache
def _wording(tag: str) -> Wording:
    said = tomllib.loads(
        files("xseg.governance.reviews").joinpath("promises", f"{tag}.toml").read_text(encoding="utf-8")
    )
    units = {int(days): "|".join(words) for days, words in said["units"].items()}
    slots = {"n": r"(?P<n>\d{1,5})", "unit": f"(?P<unit>{'|'.join(units.values())})", **said["words"]}
    language: dict[str, Any] = {"prefixes": "(?!)", "suffixes": [], "dense": False, **said["language"]}
    patterns = {name: re.compile(_filled(text, slots)) for name, text in language.items() if isinstance(text, str)}
    return Wording(
        tag=tag,
        is_dense=language["dense"],
        patterns=patterns,
        promises={
            kind: tuple(re.compile(_filled(text, slots)) for text in texts) for kind, texts in said["promises"].items()
        },
        days=tuple((re.compile(words), days) for days, words in units.items()),
        suffixes=tuple(sorted(language["suffixes"], key=len, reverse=True)),
        empty=frozenset(language["empty"].split()),
    )


def _filled(text: str, slots: Mapping[str, str]) -> str:
    """Insert the words; words may hold words."""
    while _SLOT.search(text):
        text = _SLOT.sub(lambda slot: slots[slot[1]], text)
    return text
