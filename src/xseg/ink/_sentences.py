"""Text from outside, made fit for a sentence."""

import unicodedata

__all__ = ["one_line"]

_LONGEST = 120
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str, longest: int = _LONGEST) -> str:
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
