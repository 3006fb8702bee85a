"""What cards and reports share to put facts before people: words for quantities, and pages without scripts."""

from xseg.ink._conditions import Limits, condition_words, other_categories, range_words
from xseg.ink._figures import Figure, figures_of
from xseg.ink._pages import environment
from xseg.ink._quantities import Quantity
from xseg.ink._sentences import capitalised, listed, one_line

__all__ = [
    "Figure",
    "Limits",
    "Quantity",
    "capitalised",
    "condition_words",
    "environment",
    "figures_of",
    "listed",
    "one_line",
    "other_categories",
    "range_words",
]
