"""What cards and reports share to put facts before people: languages, words for quantities, pages without scripts."""

from xseg.i18n._language import LOCALES, TONES, Language, Message, Tone, language_of, one_line
from xseg.i18n._pages import environment
from xseg.i18n._quantities import Limits, Quantity, Unit, condition_words, other_categories, range_words
from xseg.i18n._word_lists import FoundWords, found_words

__all__ = [
    "LOCALES",
    "TONES",
    "FoundWords",
    "Language",
    "Limits",
    "Message",
    "Quantity",
    "Tone",
    "Unit",
    "condition_words",
    "environment",
    "found_words",
    "language_of",
    "one_line",
    "other_categories",
    "range_words",
]
