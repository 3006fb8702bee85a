"""What a rule says, as data, and back as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "EVERYONE",
    "KEYWORDS",
    "And",
    "Comparison",
    "Expression",
    "Literal",
    "Not",
    "OneOf",
    "Or",
    "Presence",
    "Question",
    "questions",
    "write",
    "write_column",
    "write_literal",
]

Literal: TypeAlias = "float | str | bool"

KEYWORDS = frozenset({"and", "everyone", "false", "in", "is", "known", "missing", "no", "not", "or", "true", "yes"})
_PLAIN_COLUMN = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a value; false where the column is missing."""

    column: str
    operator: str
    value: Literal
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A column that is, or with `negated` is not, one of some values; false where the column is missing."""

    column: str
    values: tuple[Literal, ...]
    negated: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a column is known, or missing."""

    column: str
    known: bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary: holds wherever the part is false, also because something is missing."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds; no parts at all: everyone."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple["Expression", ...]


Question: TypeAlias = Comparison | OneOf | Presence
Expression: TypeAlias = Question | Not | And | Or
EVERYONE = And(())


def questions(expression: Expression) -> Iterator[Question]:
    """Return the questions of an expression, from left to right."""
    if isinstance(expression, And | Or):
        for part in expression.parts:
            yield from questions(part)
    elif isinstance(expression, Not):
        yield from questions(expression.part)
    else:
        yield expression


def write(expression: Expression) -> str:
    """Write an expression as text that reads back as the same expression."""
    if isinstance(expression, And):
        return " and ".join(_inside(part, And, Or) for part in expression.parts) or "everyone"
    if isinstance(expression, Or):
        return " or ".join(_inside(part, Or) for part in expression.parts)
    if isinstance(expression, Not):
        return f"not {_inside(expression.part, And, Or)}"
    return _write_question(expression)


def _inside(part: Expression, *weaker: type) -> str:
    needs_brackets = isinstance(part, weaker) and part != EVERYONE
    return f"({write(part)})" if needs_brackets else write(part)


def _write_question(question: Question) -> str:
    column = write_column(question.column)
    if isinstance(question, Presence):
        return f"{column} is {'known' if question.known else 'missing'}"
    if isinstance(question, OneOf):
        values = ", ".join(map(write_literal, question.values))
        return f"{column} {'not in' if question.negated else 'in'} {{{values}}}"
    return f"{column} {question.operator} {write_literal(question.value)}"


def write_column(name: str) -> str:
    """Write a column's name, in backquotes where it would not read as a name."""
    plain = _PLAIN_COLUMN.fullmatch(name) and name.lower() not in KEYWORDS
    return name if plain else "`" + name.replace("`", "``") + "`"


def write_literal(value: Literal) -> str:
    """Write a value so that it reads back as the very same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(value)).removesuffix(".0")
