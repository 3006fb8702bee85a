"""Words that may not stand on a card: hints at special categories of data, jargon, blame, urgency."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from xseg.i18n._catalogues import get_catalogue

__all__ = ["FlaggedWords", "find_words"]


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
