"""What cards and reports share to put facts before people: languages, words for quantities, pages without scripts."""

from xseg.ink._conditions import Limits, condition_words, other_categories, range_words
from xseg.ink._figures import Figure, figures_of
from xseg.ink._language import LOCALES, TONES, Language, Message, Tone, language_of
from xseg.ink._pages import environment
from xseg.ink._quantities import Quantity, Unit
from xseg.ink._sentences import one_line
from xseg.ink._word_lists import FoundWords, found_words

__all__ = [
    "LOCALES",
    "TONES",
    "Figure",
    "FoundWords",
    "Language",
    "Limits",
    "Message",
    "Quantity",
    "Tone",
    "Unit",
    "condition_words",
    "environment",
    "figures_of",
    "found_words",
    "language_of",
    "one_line",
    "other_categories",
    "range_words",
]
