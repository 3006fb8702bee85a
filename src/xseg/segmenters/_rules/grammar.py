"""The grammar of rules: read by recursive descent, never run as code.

::

    rule       = all {"or" all}
    all        = single {"and" single}
    single     = "not" single | "(" rule ")" | "everyone" | question
    question   = operand sign operand [sign operand]
               | column "is" ["not"] ("missing" | "known" | value)
               | column ["not"] "in" "{" value {"," value} "}"
    sign       = "<" | "<=" | ">" | ">=" | "==" | "!="
    operand    = column | value
    value      = number | quoted text | "true" | "false" | "yes" | "no"
"""

from xseg.segmenters._rules.expressions import (
    EVERYONE,
    And,
    Comparison,
    Expression,
    Literal,
    Not,
    OneOf,
    Or,
    Presence,
    write_literal,
)
from xseg.segmenters._rules.tokens import Source, Token, tokens_of

__all__ = ["parse"]

_DEEPEST = 60
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_CLOSING = {"{": "}", "(": ")", "[": "]"}


def parse(source: Source) -> Expression:
    """Read the text of a rule.

    Raises
    ------
    RuleError
        The text is not a rule; the message points at the place.
    """
    return _Reader(source).rule()


class _Reader:
    """Reads the words of one rule from left to right."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokens_of(source)
        self.place = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.next
        self.place += 1
        return token

    def takes(self, *kinds: str) -> bool:
        """Consume the next word if it is one of these."""
        found = self.next.kind in kinds
        self.place += found
        return found

    def expected(self, what: str, token: Token | None = None) -> None:
        token = self.next if token is None else token
        self.source.refuse(token.position, f"expected {what}, found {token}")

    def rule(self) -> Expression:
        expression = self.any()
        if self.next.kind != "end":
            self.expected("'and', 'or' or the end of the rule")
        return expression

    def any(self) -> Expression:
        parts = [self.all()]
        while self.takes("or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all(self) -> Expression:
        parts = [self.single()]
        while self.takes("and"):
            parts.append(self.single())
        # A chained comparison is a conjunction of its own, and joins the one around it.
        flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) and part.parts else (part,))]
        return flat[0] if len(flat) == 1 else And(tuple(flat))

    def single(self) -> Expression:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.source.refuse(self.next.position, f"brackets and 'not' are nested more than {_DEEPEST} deep")
        expression = self._single()
        self.depth -= 1
        return expression

    def _single(self) -> Expression:
        if self.takes("not"):
            return Not(self.single())
        if self.takes("everyone"):
            return EVERYONE
        if self.next.kind == "(":
            opening = self.take()
            inner = self.any()
            if self.next.kind == "end":
                self.source.refuse(opening.position, "the bracket that opens here is never closed")
            if not self.takes(")"):
                self.expected("'and', 'or' or ')'")
            return inner
        return self.question()

    def question(self) -> Expression:
        first = self.operand()
        if first.kind == "column" and self.next.kind in {"is", "in", "not"}:
            return self.asked(first)
        chain = [first]
        signs: list[str] = []
        while self.next.kind == "operator" and len(signs) < 2:
            signs.append(str(self.take().value))
            chain.append(self.operand())
        if not signs:
            self.expected(f"a comparison such as '<' or 'in' after {first}")
        comparisons = [
            self.comparison(left, sign, right) for left, sign, right in zip(chain[:-1], signs, chain[1:], strict=True)
        ]
        return comparisons[0] if len(comparisons) == 1 else And(tuple(comparisons))

    def comparison(self, left: Token, sign: str, right: Token) -> Comparison:
        if left.kind == "column" and right.kind == "column":
            self.source.refuse(
                right.position,
                f"{left} is compared with the column {right}; a rule compares a column with a value "
                f"(write {write_literal(str(right.value))} for the text)",
            )
        if left.kind != "column" and right.kind != "column":
            self.source.refuse(left.position, f"{left} is compared with {right}; one of them must be a column")
        column, value = (left, right) if left.kind == "column" else (right, left)
        operator = sign if column is left else _MIRRORED[sign]
        if operator not in {"==", "!="} and not isinstance(value.value, float):
            self.source.refuse(
                value.position, f"{sign!r} compares numbers; to ask for {value} use '==', '!=' or 'in {{...}}'"
            )
        return Comparison(str(column.value), operator, value.value, column.position)

    def asked(self, column: Token) -> Expression:
        name, position = str(column.value), column.position
        if self.takes("is"):
            negated = self.takes("not")
            if self.next.kind in {"known", "missing"}:
                return Presence(name, (self.take().kind == "known") != negated, position)
            return Comparison(name, "!=" if negated else "==", self.value(), position)
        negated = self.takes("not")
        if not self.takes("in"):
            self.expected("'in' after 'not'")
        return OneOf(name, self.values(), negated, position)

    def values(self) -> tuple[Literal, ...]:
        opening = self.take()
        if opening.kind not in _CLOSING:
            self.expected("'{' to open a list of values", opening)
        values = [self.value()]
        while self.takes(","):
            values.append(self.value())
        if not self.takes(_CLOSING[opening.kind]):
            self.expected(f"',' or {_CLOSING[opening.kind]!r}")
        return tuple(dict.fromkeys(values))

    def operand(self) -> Token:
        if self.next.kind == "column":
            return self.take()
        position = self.next.position
        if self.next.kind in {"number", "text", *_TRUTHS}:
            value = self.value()
            return Token("value", value, position)
        self.expected("a column, a number or a quoted text")
        raise AssertionError

    def value(self) -> Literal:
        token = self.take()
        if token.kind in _TRUTHS:
            return _TRUTHS[token.kind]
        if token.kind == "column":
            quoted = write_literal(str(token.value))
            self.source.refuse(
                token.position, f"expected a value, found the name {token}; a text needs quotes: {quoted}"
            )
        if token.kind not in {"number", "text"}:
            self.expected("a number or a quoted text", token)
        return token.value
