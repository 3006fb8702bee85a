"""The language of rules: expressions as data, their text, and the grammar that reads it.

Text is read by recursive descent and never run as code. The grammar::

    rule       = all {"or" all}
    all        = single {"and" single}
    single     = "not" single | "(" rule ")" | "everyone" | predicate
    predicate   = operand sign operand [sign operand]
               | column "is" ["not"] ("missing" | "known" | value)
               | column ["not"] "in" "{" value {"," value} "}"
    sign       = "<" | "<=" | ">" | ">=" | "==" | "!="
    operand    = column | value
    value      = number | quoted text | "true" | "false" | "yes" | "no"
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, nextafter
from typing import NoReturn, TypeAlias

from xseg.exceptions import ParameterError

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
    "Predicate",
    "Presence",
    "Source",
    "Token",
    "list_predicates",
    "parse",
    "tokenize",
    "write",
    "write_column",
    "write_literal",
]


Literal: TypeAlias = "float | str | bool"

KEYWORDS = frozenset({"and", "everyone", "false", "in", "is", "known", "missing", "no", "not", "or", "true", "yes"})
_PLAIN_COLUMN = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Predicate: a column compared with a value; false where the column is missing."""

    column: str
    operator: str
    value: Literal
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Predicate: a column is, or with `negated` is not, one of some values; false where the column is missing."""

    column: str
    values: tuple[Literal, ...]
    negated: bool = False
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Presence:
    """Predicate: a column is known, or is missing."""

    column: str
    known: bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Negation: holds wherever the part is false, also where it is false because a value is missing."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction: every part holds; without parts it holds for all rows."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction: at least one part holds."""

    parts: tuple["Expression", ...]


Predicate: TypeAlias = Comparison | OneOf | Presence
Expression: TypeAlias = Predicate | Not | And | Or
EVERYONE = And(())


def list_predicates(expression: Expression) -> Iterator[Predicate]:
    """Return the list_predicates of an expression, from left to right."""
    if isinstance(expression, And | Or):
        for part in expression.parts:
            yield from list_predicates(part)
    elif isinstance(expression, Not):
        yield from list_predicates(expression.part)
    else:
        yield expression


def write(expression: Expression) -> str:
    """Write an expression as text that reads back as the same expression."""
    if isinstance(expression, And):
        return " and ".join(_write_part(part, And, Or) for part in expression.parts) or "everyone"
    if isinstance(expression, Or):
        return " or ".join(_write_part(part, Or) for part in expression.parts)
    if isinstance(expression, Not):
        return f"not {_write_part(expression.part, And, Or)}"
    return _write_question(expression)


def _write_part(part: Expression, *weaker: type) -> str:
    needs_brackets = isinstance(part, weaker) and part != EVERYONE
    return f"({write(part)})" if needs_brackets else write(part)


def _write_question(predicate: Predicate) -> str:
    column = write_column(predicate.column)
    if isinstance(predicate, Presence):
        return f"{column} is {'known' if predicate.known else 'missing'}"
    if isinstance(predicate, OneOf):
        values = ", ".join(map(write_literal, predicate.values))
        return f"{column} {'not in' if predicate.negated else 'in'} {{{values}}}"
    return f"{column} {predicate.operator} {write_literal(predicate.value)}"


def write_column(name: str) -> str:
    """Write a column's name, in backquotes where it is not a plain name."""
    plain = _PLAIN_COLUMN.fullmatch(name) and name.lower() not in KEYWORDS
    return name if plain else "`" + name.replace("`", "``") + "`"


def write_literal(value: Literal) -> str:
    """Write a value so that it reads back as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(value)).removesuffix(".0")


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
    """The text of a rule, and its label in messages."""

    label: str
    text: str

    def raise_error(self, position: int, problem: str) -> NoReturn:
        """Raise an error that points at a position in the text."""
        shown = re.sub(r"\s", " ", self.text)
        message = f"rule {self.label}: {problem}\n    {shown}\n    {' ' * position}^"
        raise ParameterError(message)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a rule: its kind, its value and its position in the text.

    `kind` is a keyword or sign itself, or one of "column", "number", "text" and "end".
    """

    kind: str
    value: Literal
    position: int

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of the rule"
        return write_literal(self.value) if self.kind in {"number", "value"} else repr(self.value)


def tokenize(source: Source) -> list[Token]:
    """Split a rule into tokens; the last one is its end."""
    tokens, position = [], 0
    while position < len(source.text):
        found = _PATTERN.match(source.text, position)
        if found is None:
            _raise_bad_character(source, position)
        if found.lastgroup != "space":
            tokens.append(_token(source, str(found.lastgroup), found.group(), position))
        position = found.end()
    return [*tokens, Token("end", "", len(source.text))]


def _raise_bad_character(source: Source, position: int) -> NoReturn:
    character = source.text[position]
    if character in "\"'`":
        source.raise_error(position, f"the {character} that opens here is never closed")
    source.raise_error(position, f"{character!r} has no meaning in a rule")


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
        source.raise_error(position, f"{text!r} has no meaning in a rule; did you mean {_NEAR_OPERATORS[text]!r}?")
    return Token("operator" if text in _OPERATORS else text, text, position)


def _column(source: Source, name: str, position: int) -> Token:
    if not name:
        source.raise_error(position, "a column's name is missing between the backquotes")
    return Token("column", name, position)


def _number(source: Source, text: str, position: int) -> float:
    try:
        value = float(text)
    except ValueError:
        source.raise_error(position, f"{text!r} is not a number")
    if abs(nextafter(abs(value), inf)) == inf:
        source.raise_error(position, f"{text} is too large a number")
    return value + 0.0


_DEEPEST = 60
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_CLOSING = {"{": "}", "(": ")", "[": "]"}


def parse(source: Source) -> Expression:
    """Read the text of a rule.

    Raises
    ------
    ParameterError
        The text is not a rule; the message points at the place.
    """
    return _Reader(source).parse_rule()


class _Reader:
    """Recursive-descent parser of one rule."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.place = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def read_next(self) -> Token:
        token = self.next
        self.place += 1
        return token

    def accept(self, *kinds: str) -> bool:
        """Consume the next token if it is of one of these kinds, and return whether it was."""
        found = self.next.kind in kinds
        self.place += found
        return found

    def expect(self, what: str, token: Token | None = None) -> None:
        token = self.next if token is None else token
        self.source.raise_error(token.position, f"expected {what}, found {token}")

    def parse_rule(self) -> Expression:
        expression = self.parse_or()
        if self.next.kind != "end":
            self.expect("'and', 'or' or the end of the rule")
        return expression

    def parse_or(self) -> Expression:
        parts = [self.parse_and()]
        while self.accept("or"):
            parts.append(self.parse_and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def parse_and(self) -> Expression:
        parts = [self.parse_factor()]
        while self.accept("and"):
            parts.append(self.parse_factor())
        # A chained comparison is a conjunction of its own, and joins the one around it.
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) and part.parts else (part,))]
        return flat[0] if len(flat) == 1 else And(tuple(flat))

    def parse_factor(self) -> Expression:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.source.raise_error(self.next.position, f"brackets and 'not' are nested more than {_DEEPEST} deep")
        expression = self._single()
        self.depth -= 1
        return expression

    def _single(self) -> Expression:
        if self.accept("not"):
            return Not(self.parse_factor())
        if self.accept("everyone"):
            return EVERYONE
        if self.next.kind == "(":
            opening = self.read_next()
            inner = self.parse_or()
            if self.next.kind == "end":
                self.source.raise_error(opening.position, "the bracket that opens here is never closed")
            if not self.accept(")"):
                self.expect("'and', 'or' or ')'")
            return inner
        return self.parse_condition()

    def parse_condition(self) -> Expression:
        first = self.parse_operand()
        if first.kind == "column" and self.next.kind in {"is", "in", "not"}:
            return self.parse_category_condition(first)
        chain = [first]
        signs: list[str] = []
        while self.next.kind == "operator" and len(signs) < 2:
            signs.append(str(self.read_next().value))
            chain.append(self.parse_operand())
        if not signs:
            self.expect(f"a comparison such as '<' or 'in' after {first}")
        comparisons = [
            self.parse_comparison(left, sign, right)
            for left, sign, right in zip(chain[:-1], signs, chain[1:], strict=True)
        ]
        return comparisons[0] if len(comparisons) == 1 else And(tuple(comparisons))

    def parse_comparison(self, left: Token, sign: str, right: Token) -> Comparison:
        if left.kind == "column" and right.kind == "column":
            self.source.raise_error(
                right.position,
                f"{left} is compared with the column {right}; a rule compares a column with a value "
                f"(write {write_literal(str(right.value))} for the text)",
            )
        if left.kind != "column" and right.kind != "column":
            self.source.raise_error(left.position, f"{left} is compared with {right}; one of them must be a column")
        column, value = (left, right) if left.kind == "column" else (right, left)
        operator = sign if column is left else _MIRRORED[sign]
        if operator not in {"==", "!="} and not isinstance(value.value, float):
            self.source.raise_error(
                value.position, f"{sign!r} compares numbers; to ask for {value} use '==', '!=' or 'in {{...}}'"
            )
        return Comparison(str(column.value), operator, value.value, column.position)

    def parse_category_condition(self, column: Token) -> Expression:
        name, position = str(column.value), column.position
        if self.accept("is"):
            negated = self.accept("not")
            if self.next.kind in {"known", "missing"}:
                return Presence(name, (self.read_next().kind == "known") != negated, position)
            return Comparison(name, "!=" if negated else "==", self.parse_value(), position)
        negated = self.accept("not")
        if not self.accept("in"):
            self.expect("'in' after 'not'")
        return OneOf(name, self.parse_values(), negated, position)

    def parse_values(self) -> tuple[Literal, ...]:
        opening = self.read_next()
        if opening.kind not in _CLOSING:
            self.expect("'{' to open a list of values", opening)
        values = [self.parse_value()]
        while self.accept(","):
            values.append(self.parse_value())
        if not self.accept(_CLOSING[opening.kind]):
            self.expect(f"',' or {_CLOSING[opening.kind]!r}")
        return tuple(dict.fromkeys(values))

    def parse_operand(self) -> Token:
        if self.next.kind == "column":
            return self.read_next()
        position = self.next.position
        if self.next.kind in {"number", "text", *_TRUTHS}:
            value = self.parse_value()
            return Token("value", value, position)
        self.expect("a column, a number or a quoted text")
        raise AssertionError

    def parse_value(self) -> Literal:
        token = self.read_next()
        if token.kind in _TRUTHS:
            return _TRUTHS[token.kind]
        if token.kind == "column":
            quoted = write_literal(str(token.value))
            self.source.raise_error(
                token.position, f"expected a value, found the name {token}; a text needs quotes: {quoted}"
            )
        if token.kind not in {"number", "text"}:
            self.expect("a number or a quoted text", token)
        return token.value
