"""Catalogues: one TOML file for each language, with its sentences and the words that a card may not hold."""

import os
import re
import string
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeAlias

from xseg.core.schema import suggest_name
from xseg.exceptions import DefinitionError, ParameterError

__all__ = [
    "LOCALES",
    "Catalogue",
    "FlaggedWords",
    "Message",
    "check_wording",
    "find_slots",
    "find_tag",
    "find_words",
    "get_catalogue",
    "get_registered_languages",
    "register_language",
    "restore_languages",
]

Message: TypeAlias = str | Mapping[str, str]

_FOLDER: Final = files("xseg.i18n").joinpath("catalogues")
_TAGS: Final = [entry.name.removesuffix(".toml") for entry in _FOLDER.iterdir() if entry.name.endswith(".toml")]
LOCALES: Final = tuple(sorted(_TAGS, key=lambda tag: (tag != "en", tag)))
_PLURAL_FORMS: Final = frozenset({"zero", "one", "two", "few", "many", "other"})
_REGISTERED: Final[dict[str, "Catalogue"]] = {}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a file says of one language.

    Attributes
    ----------
    cldr : str
        The locale of the Unicode CLDR by whose rules numbers, dates and lists are written.
    messages, formal : mapping of str to str or mapping
        The sentences by key, and those that a formal tone says otherwise.
    special_categories : tuple of str
        Beginnings of words that name or hint at a special category of personal data.
    unfit : tuple of str
        Beginnings of words of jargon, blame, urgency and flattery.
    anywhere : bool
        Whether such a word may begin within another, since words are written without spaces between them.
    particles : str
        Regular expression of what may be written together with the word that follows.
    """

    cldr: str
    messages: Mapping[str, Message]
    formal: Mapping[str, Message]
    special_categories: tuple[str, ...]
    unfit: tuple[str, ...]
    anywhere: bool
    particles: str


def register_language(path: str | os.PathLike[str]) -> str:
    """Register the catalogue of a language that xseg does not come with.

    Parameters
    ----------
    path : path
        A TOML file named by the language tag, such as ``da.toml``, with every message of ``en.toml`` and the table
        ``[words_to_avoid]``.

    Returns
    -------
    str
        The tag; from now on every `locale` may be this one.

    Raises
    ------
    DefinitionError
        The file cannot be read, lacks a message, or a message leaves out what the English one fills in.
    ParameterError
        There is a catalogue of this language already.

    Examples
    --------
    >>> from importlib.resources import files
    >>> import pathlib, tempfile
    >>> from xseg.i18n import load_language
    >>> english = files("xseg.i18n").joinpath("catalogues", "en.toml").read_text(encoding="utf-8")
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "cy.toml"
    >>> _ = path.write_text(english.replace("You are in", "Rydych chi yn"), encoding="utf-8")
    >>> register_language(path)
    'cy'
    >>> load_language("cy").say("card.title", group="A")
    'Rydych chi yn “A”'
    """
    file = Path(path)
    tag = file.stem
    if tag in LOCALES or tag in _REGISTERED:
        message = f"path must name a language without a catalogue, got {file.name}; choose another tag"
        raise ParameterError(message)
    try:
        catalogue = _read(file.read_text(encoding="utf-8"), tag)
    except OSError as error:
        message = f"cannot read the catalogue {path}: {error.strerror}"
        raise DefinitionError(message) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{path} is not a catalogue: {error}; begin with a copy of en.toml"
        raise DefinitionError(message) from error
    english = get_catalogue("en").messages
    missing = [key for key in english if key not in catalogue.messages]
    if missing:
        some = ", ".join(missing[:3])
        message = f"{path} must have every message of en.toml, and lacks {len(missing)}: {some}; add them"
        raise DefinitionError(message)
    for key, text in (*catalogue.messages.items(), *catalogue.formal.items()):
        check_wording(english, key, text)
    _REGISTERED[tag] = catalogue
    return tag


def get_registered_languages() -> dict[str, Catalogue]:
    """Return the catalogues that were registered in this process, by tag, for `restore_languages` in another one."""
    return dict(_REGISTERED)


def restore_languages(catalogues: Mapping[str, Catalogue]) -> None:
    """Register catalogues that `get_registered_languages` returned in another process, where they were checked."""
    _REGISTERED.update(catalogues)


def get_catalogue(tag: str) -> Catalogue:
    """Return the catalogue of one of the tags that `find_tag` finds."""
    return _REGISTERED[tag] if tag in _REGISTERED else _load(tag)


def find_tag(locale: str) -> str:
    """Find the catalogue of a locale: its own, or one of its language."""
    wanted = str(locale).replace("_", "-").casefold()
    known = (*LOCALES, *_REGISTERED)
    language = wanted.partition("-")[0]
    found = next((tag for tag in known if tag.casefold() == wanted), None)
    found = found or next((tag for tag in known if tag.casefold().partition("-")[0] == language), None)
    if found is None:
        message = f"locale={locale!r}: there are cards in {', '.join(known)}{suggest_name(str(locale), known)}"
        raise ParameterError(message)
    return found


def find_slots(message: Message) -> frozenset[str]:
    """Return the names that a message fills in."""
    texts = [message] if isinstance(message, str) else list(message.values())
    return frozenset(name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def check_wording(ours: Mapping[str, Message], key: str, message: Message) -> None:
    """Raise an error for a wording of a message that is unknown, or leaves out a fact that ours states."""
    if key not in ours:
        problem = f"there is no message {key!r} to word anew{suggest_name(key, list(ours))}"
        raise DefinitionError(problem)
    if isinstance(ours[key], str) != isinstance(message, str) or (
        not isinstance(message, str) and "other" not in message
    ):
        forms = "one text" if isinstance(ours[key], str) else "a text for each plural form, 'other' at least"
        problem = f"the wording of {key!r} must be {forms}"
        raise DefinitionError(problem)
    # Some languages say one or two of a thing without a number.
    optional = frozenset() if isinstance(message, str) else {"number"}
    needed = find_slots(ours[key])
    for text in [message] if isinstance(message, str) else message.values():
        try:
            found = find_slots(text)
        except ValueError as error:
            problem = f"the wording of {key!r} is no message: {error}"
            raise DefinitionError(problem) from error
        missing, unknown = sorted(needed - found - optional), sorted(found - needed)
        if missing or unknown:
            what = "leaves out" if missing else "fills in"
            names = ", ".join(f"{{{name}}}" for name in missing or unknown)
            problem = f"the wording of {key!r} {what} {names}; ours is {ours[key]!r}"
            raise DefinitionError(problem)


@cache
def _load(tag: str) -> Catalogue:
    return _read(_FOLDER.joinpath(f"{tag}.toml").read_text(encoding="utf-8"), tag)


def _read(text: str, tag: str) -> Catalogue:
    tables = tomllib.loads(text)
    words = tables.pop("words_to_avoid")
    formal = tables.pop("formal", {})
    return Catalogue(
        cldr=tables.pop("cldr", tag),
        messages=_flatten(tables),
        formal=_flatten(formal),
        special_categories=tuple(words["special_categories"]),
        unfit=tuple(words["unfit"]),
        anywhere=words.get("anywhere", False),
        particles=words.get("particles", ""),
    )


def _flatten(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Message]:
    flat: dict[str, Message] = {}
    for name, value in tables.items():
        if isinstance(value, str) or value.keys() <= _PLURAL_FORMS:
            flat[f"{prefix}{name}"] = value
        else:
            flat |= _flatten(value, f"{prefix}{name}.")
    return flat


@dataclass(frozen=True, slots=True)
class FlaggedWords:
    """What a text says that it should not.

    Attributes
    ----------
    special : tuple of str
        Beginnings of words that name a special category of personal data, or hint at one.
    unfit : tuple of str
        Jargon, blame, urgency and flattery.
    """

    special: tuple[str, ...]
    unfit: tuple[str, ...]


def find_words(text: str, tag: str) -> FlaggedWords:
    """Find words that may not stand on a card.

    Parameters
    ----------
    text : str
        A name or a sentence.
    tag : str
        Its language, as in `LOCALES`.

    Returns
    -------
    FlaggedWords
        The entries of our lists that were found.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 9; Regulation (EU) 2022/2065 (DSA), Article 26(3).

    Examples
    --------
    >>> find_words("Expecting parents: hurry!", "en")
    FlaggedWords(special=('expecting',), unfit=('hurry',))
    """
    folded = unicodedata.normalize("NFC", text.casefold())
    special, unfit = _patterns(tag)
    return FlaggedWords(*(tuple(dict.fromkeys(pattern.findall(folded))) for pattern in (special, unfit)))


@cache
def _patterns(tag: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    catalogue = get_catalogue(tag)
    start = "" if catalogue.anywhere else rf"(?<!\w){catalogue.particles}"
    return _compile(start, catalogue.special_categories), _compile(start, catalogue.unfit)


def _compile(start: str, stems: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first, so that what is found is as much as is known.
    return re.compile(f"{start}({'|'.join(map(re.escape, sorted(stems, key=len, reverse=True)))})")
