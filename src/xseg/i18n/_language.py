"""One language: its sentences, numbers, dates and lists, and text from outside made fit for a sentence."""

import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from xseg.core.schema import suggest_name
from xseg.exceptions import ParameterError
from xseg.i18n._catalogues import Message, check_wording, find_tag, get_catalogue

if TYPE_CHECKING:
    from babel import Locale


__all__ = ["TONES", "Language", "Tone", "load_language", "one_line"]

R = TypeVar("R")

Tone: TypeAlias = Literal["plain", "formal"]

TONES: Final = ("plain", "formal")
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
# Beyond this many results a cache is emptied: one table of people must not fill the memory.
_MAX_CACHED: Final = 65_536


@dataclass(frozen=True, eq=False)
class Language:
    """What a card is written in; `load_language` gives one.

    Parameters
    ----------
    locale : str
        What was asked for, such as ``"de-CH"``.
    tag : str
        The language of the messages, as HTML names it, such as ``"pt-BR"``.
    cldr : babel.Locale
        How numbers, dates and lists are written.
    messages : mapping of str to str or mapping
        The sentences by key; those that depend on a number are mappings from its CLDR plural form.

    Examples
    --------
    >>> german = load_language("de")
    >>> german.join_items(["App", "Laden"], "or"), german.number(1234.5)
    ('App oder Laden', '1.234,5')
    """

    locale: str
    tag: str
    cldr: "Locale"
    messages: Mapping[str, Message]
    _cache: dict[Hashable, Any] | None = field(default=None, init=False, repr=False)

    def with_cache(self) -> "Language":
        """Return a copy that keeps what was put into words for as long as the copy lives.

        `load_language` returns one object to all callers. That one keeps nothing, because words about people would stay
        in the process after all their cards are deleted.
        """
        own = copy(self)
        object.__setattr__(own, "_cache", {})
        return own

    def compute_once(self, function: Callable[..., R], *arguments: Hashable) -> R:
        """Return ``function(*arguments)``; a language with a cache computes it only once."""
        if self._cache is None:
            return function(*arguments)
        key = (function, arguments)
        try:
            known: R = self._cache[key]
        except KeyError:
            known = function(*arguments)
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[key] = known
        return known

    @cached_property
    def direction(self) -> str:
        """Return whether lines run from left to right (``"ltr"``) or from right to left (``"rtl"``)."""
        return str(self.cldr.text_direction)

    def say(self, key: str, /, **slots: str) -> str:
        """Return a sentence with its slots filled."""
        return self._fill(self._templates[key], slots)

    def count(self, key: str, number: int, /, **slots: str) -> str:
        """Return a sentence in the form that a number asks for; the number fills ``{number}``."""
        form = f"{key}.{self.cldr.plural_form(abs(number))}"
        template = self._templates.get(form) or self._templates[f"{key}.other"]
        return self._fill(template, {"number": self.number(number), **slots})

    def plural_form(self, number: float) -> str:
        """Return the CLDR plural form of a number."""
        return str(self.cldr.plural_form(abs(Decimal(repr(float(number))).normalize())))

    def number(self, value: float | Decimal) -> str:
        """Write a number with every digit it has."""
        # By its digits: 1 and 1.0 are equal, and are written in different ways.
        return self.compute_once(_decimal, str(value), self)

    def date(self, day: date) -> str:
        """Write a day in words."""
        return self.compute_once(_write_date, day, self)

    def join_items(self, items: Sequence[str], last: Literal["and", "or"] = "and") -> str:
        """Join items as a sentence does."""
        from babel.lists import format_list

        return str(format_list(list(items), "standard" if last == "and" else "or", self.cldr))

    def capitalise(self, text: str) -> str:
        """Begin with a capital letter, where the script has them."""
        return text[:1].upper() + text[1:]

    def _fill(self, template: str, slots: Mapping[str, str]) -> str:
        if self.direction == "ltr":
            return template.format_map(slots)
        # Text of either direction may be filled in; each piece keeps its own order, and does not turn its surroundings.
        return template.format_map({name: f"{_ISOLATE}{text}{_END}" for name, text in slots.items()})

    @cached_property
    def _templates(self) -> Mapping[str, str]:
        flat: dict[str, str] = {}
        for key, message in self.messages.items():
            flat |= {key: message} if isinstance(message, str) else {f"{key}.{f}": t for f, t in message.items()}
        return flat


def load_language(locale: str = "en", tone: str = "plain", wording: Mapping[str, Message] | None = None) -> Language:
    """Return a language.

    Parameters
    ----------
    locale : str, default="en"
        A tag such as ``"de"``, ``"de-CH"`` or ``"pt-BR"``; a country decides how numbers and dates are written.
    tone : {"plain", "formal"}, default="plain"
        How people are spoken to.
    wording : mapping of str to str or mapping, optional
        Messages to use instead of ours, by key.

    Returns
    -------
    Language
        The language.

    Raises
    ------
    ParameterError
        There are no messages in this language, or no such tone.
    DefinitionError
        A wording has an unknown key, or leaves out a fact that ours states.

    Examples
    --------
    >>> load_language("en").say("card.title", group="Loyal readers")
    'You are in “Loyal readers”'
    >>> load_language("en", wording={"card.title": "Hello! This is your group: {group}"}).say("card.title", group="A")
    'Hello! This is your group: A'
    >>> load_language("en", wording={"card.title": "Hello!"})
    Traceback (most recent call last):
    xseg.exceptions.DefinitionError: the wording of 'card.title' leaves out {group}; ours is 'You are in “{group}”'
    """
    if not wording:
        return _language(locale, tone)
    return _load_reworded(locale, tone, tuple((key, _freeze(message)) for key, message in sorted(wording.items())))


@cache
def _language(locale: str, tone: str) -> Language:
    from babel import Locale, UnknownLocaleError

    if tone not in TONES:
        message = f"tone={tone!r} is not one of {', '.join(TONES)}{suggest_name(tone, TONES)}"
        raise ParameterError(message)
    tag = find_tag(locale)
    catalogue = get_catalogue(tag)
    try:
        cldr = Locale.parse((catalogue.cldr if locale == tag else locale).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        cldr = Locale.parse(catalogue.cldr.replace("-", "_"))
    messages = {**catalogue.messages, **catalogue.formal} if tone == "formal" else catalogue.messages
    return Language(locale, tag, cldr, messages)


def _decimal(digits: str, language: Language) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(Decimal(digits), locale=language.cldr, decimal_quantization=False))


def _write_date(day: date, language: Language) -> str:
    from babel.dates import format_date

    return str(format_date(day, "long", language.cldr))


def _freeze(message: Message) -> str | tuple[tuple[str, str], ...]:
    return message if isinstance(message, str) else tuple(sorted(message.items()))


@lru_cache(maxsize=64)
def _load_reworded(
    locale: str, tone: str, wording: tuple[tuple[str, str | tuple[tuple[str, str], ...]], ...]
) -> Language:
    language = _language(locale, tone)
    messages: dict[str, Message] = {key: text if isinstance(text, str) else dict(text) for key, text in wording}
    for key, message in messages.items():
        check_wording(language.messages, key, message)
    return Language(language.locale, language.tag, language.cldr, {**language.messages, **messages})


_MAX_LENGTH = 120
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str, longest: int = _MAX_LENGTH) -> str:
    r"""Make text from outside safe to put in a sentence.

    Line breaks and control characters could forge lines of their own, and direction marks could turn the rest of a
    line around. What is longer than `longest` characters is cut.

    Examples
    --------
    >>> one_line("crime\n\nYou have won")
    'crime You have won'
    """
    # No separator, control or direction mark is printable, so that most text needs no look at each character.
    kept = (
        text
        if text.isprintable()
        else "".join(
            " " if unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} else character
            for character in text
            if character not in _DIRECTION_MARKS
        )
    )
    line = " ".join(kept.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
