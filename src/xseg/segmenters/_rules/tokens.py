"""From the text of a rule to its words, each with its place."""

import re
from dataclasses import dataclass
from math import inf, nextafter
from typing import NoReturn

from xseg.exceptions import RuleError
from xseg.segmenters._rules.expressions import KEYWORDS, Literal, write_literal

__all__ = ["Source", "Token", "tokens_of"]

_OPERATORS = {"<", "<=", ">", ">=", "==", "!="}
_NEAR_OPERATORS = {"=": "==", "=>": ">=", "=<": "<=", "<>": "!=", "&": "and", "&&": "and", "|": "or", "||": "or"}
_PATTERN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<column>`(?:[^`]|``)*`)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<sign><=|>=|==|!=|<>|=>|=<|&&|\|\||[<>=&|(){}\[\],])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a rule, and how to speak of it."""

    label: str
    text: str

    def refuse(self, position: int, problem: str) -> NoReturn:
        """Raise an error that points at a place in the text."""
        shown = re.sub(r"\s", " ", self.text)
        message = f"rule {self.label}: {problem}\n    {shown}\n    {' ' * position}^"
        raise RuleError(message)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: what it is, what it means, and where it stands.

    `kind` is a keyword or sign itself, or one of "column", "number", "text" and "end".
    """

    kind: str
    value: Literal
    position: int

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of the rule"
        return write_literal(self.value) if self.kind in {"number", "value"} else repr(self.value)


def tokens_of(source: Source) -> list[Token]:
    """Read the words of a rule; the last one is its end."""
    tokens, position = [], 0
    while position < len(source.text):
        found = _PATTERN.match(source.text, position)
        if found is None:
            _refuse_character(source, position)
        if found.lastgroup != "space":
            tokens.append(_token(source, str(found.lastgroup), found.group(), position))
        position = found.end()
    return [*tokens, Token("end", "", len(source.text))]


def _refuse_character(source: Source, position: int) -> NoReturn:
    character = source.text[position]
    if character in "\"'`":
        source.refuse(position, f"the {character} that opens here is never closed")
    source.refuse(position, f"{character!r} has no meaning in a rule")


def _token(source: Source, kind: str, text: str, position: int) -> Token:
    if kind == "number":
        return Token(kind, _number(source, text, position), position)
    if kind == "text":
        return Token(kind, re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL), position)
    if kind == "column":
        return _column(source, text[1:-1].replace("``", "`"), position)
    if kind == "word":
        return Token(text.lower(), text, position) if text.lower() in KEYWORDS else Token("column", text, position)
    if text in _NEAR_OPERATORS:
        source.refuse(position, f"{text!r} has no meaning in a rule; did you mean {_NEAR_OPERATORS[text]!r}?")
    return Token("operator" if text in _OPERATORS else text, text, position)


def _column(source: Source, name: str, position: int) -> Token:
    if not name:
        source.refuse(position, "a column's name is missing between the backquotes")
    return Token("column", name, position)


def _number(source: Source, text: str, position: int) -> float:
    try:
        value = float(text)
    except ValueError:
        source.refuse(position, f"{text!r} is not a number")
    if abs(nextafter(abs(value), inf)) == inf:
        source.refuse(position, f"{text} is too large a number")
    return value + 0.0
