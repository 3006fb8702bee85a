"""What cards and reports share to put facts before people: languages, words for quantities, pages without scripts."""

from xseg.i18n._catalogues import (
    LOCALES,
    Catalogue,
    FlaggedWords,
    Message,
    find_words,
    get_registered_languages,
    register_language,
    restore_languages,
)
from xseg.i18n._language import TONES, Language, Tone, load_language, one_line
from xseg.i18n._pages import get_environment
from xseg.i18n._quantities import Quantity, Unit, condition_words, other_categories, range_words

__all__ = [
    "LOCALES",
    "TONES",
    "Catalogue",
    "FlaggedWords",
    "Language",
    "Message",
    "Quantity",
    "Tone",
    "Unit",
    "condition_words",
    "find_words",
    "get_environment",
    "get_registered_languages",
    "load_language",
    "one_line",
    "other_categories",
    "range_words",
    "register_language",
    "restore_languages",
]
