"""Reading rules from texts, conditions or mappings, all by one grammar, and writing fitted boxes as rules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xseg.core.bins import FeatureBins
from xseg.core.boxes import Boxes
from xseg.core.conditions import Condition, Rule, make_condition
from xseg.core.schema import Kind
from xseg.exceptions import ParameterError, UnsupportedTypeError
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._rule_language import Expression, Source, parse, write_column, write_literal

__all__ = ["NamedRule", "read_rules", "write_condition", "write_rules"]


_OPERATORS = ("<", "<=", ">", ">=", "==", "!=", "in", "not in", "is")
_STATES = ("missing", "known")


@dataclass(frozen=True, slots=True)
class NamedRule:
    """One rule of one segment.

    Attributes
    ----------
    name : str
        The segment.
    label : str
        Its label in messages: the segment, and the number of the rule where a segment has several.
    source : Source
        Its text.
    expression : Expression
        The parsed text.
    """

    name: str
    label: str
    source: Source
    expression: Expression


def read_rules(given: Any) -> tuple[NamedRule, ...]:
    """Read rules in any of their forms, in their order.

    Parameters
    ----------
    given : mapping of name to rule, or sequence of (name, rule)
        A rule is a text, a `Condition` or `Rule`, a mapping of columns to what they must be, or a sequence of those,
        any of which may hold.

    Raises
    ------
    ParameterError
        A rule cannot be read.
    """
    texts = [(name, text) for name, rule in _pairs(given) for text in _alternatives(name, rule)]
    names = [name for name, _ in texts]
    rules = []
    for place, (name, text) in enumerate(texts):
        several = names.count(name) > 1
        label = f"{name!r}, number {names[: place + 1].count(name)}" if several else repr(name)
        source = Source(label, text)
        rules.append(NamedRule(name, label, source, parse(source)))
    return tuple(rules)


def _pairs(given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, str) or not isinstance(given, Mapping | Iterable):
        message = f"rules must be a dict of names and rules, or a list of (name, rule), got {given!r}"
        raise ParameterError(message)
    pairs = list(given.items()) if isinstance(given, Mapping) else list(given)
    for place, pair in enumerate(pairs):
        if not (isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2):
            message = f"rules[{place}] must be a pair (name, rule), got {pair!r}"
            raise ParameterError(message)
        if not isinstance(pair[0], str) or not pair[0].strip():
            message = f"rules[{place}]: the name of a segment must be a text that is not empty, got {pair[0]!r}"
            raise ParameterError(message)
    return [(str(name), rule) for name, rule in pairs]


def _alternatives(name: str, rule: Any) -> list[str]:
    if isinstance(rule, Sequence) and not isinstance(rule, str):
        if not rule:
            message = f"rule {name!r} must not be an empty list, which describes no row; leave the name out"
            raise ParameterError(message)
        return [_text(name, one) for one in rule]
    return [_text(name, rule)]


def _text(name: str, rule: Any) -> str:
    match rule:
        case str():
            return rule
        case Condition():
            return write_condition(rule)
        case Rule():
            return " and ".join(map(_bracket, map(write_condition, rule.conditions))) or "everyone"
        case Mapping():
            parts = [text for column, asked in rule.items() for text in _write_conditions(name, column, asked)]
            return " and ".join(parts) or "everyone"
    message = f"rule {name!r} must be a text, a dict of columns, a Condition or a list of those, got {rule!r}"
    raise ParameterError(message)


def _write_conditions(name: str, column: Any, asked: Any) -> list[str]:
    """Return the texts of the conditions that a mapping has on one column."""
    if not isinstance(column, str) or not column:
        message = f"rule {name!r}: a column must be named by a text, got {column!r}"
        raise ParameterError(message)
    written = write_column(column)
    if isinstance(asked, Mapping):
        unknown = [operator for operator in asked if operator not in _OPERATORS]
        if unknown:
            message = f"rule {name!r}, column {column!r}: operators are {', '.join(_OPERATORS)}, got {unknown[0]!r}"
            raise ParameterError(message)
        return [
            f"{written} is {value}"
            if operator == "is" and value in _STATES
            else f"{written} {operator} {_value(name, column, value)}"
            for operator, value in asked.items()
        ]
    return [f"{written} {'in' if _is_several(asked) else '=='} {_value(name, column, asked)}"]


def _is_several(value: Any) -> bool:
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, str)


def _value(name: str, column: str, value: Any) -> str:
    if _is_several(value):
        members = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return "{" + ", ".join(_value(name, column, member) for member in members) + "}"
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool | str | int | float) and plain == plain:
        return write_literal(plain)
    message = (
        f"rule {name!r}, column {column!r}: a value must be a number, text or truth value, got {value!r}; for missing "
        "values write {'is': 'missing'}"
    )
    raise ParameterError(message)


def write_condition(condition: Condition) -> str:
    """Write a condition in the language of rules."""
    column = write_column(condition.feature)
    known = _known_text(condition, column)
    if known is None:
        return f"{column} is missing"
    return f"{known} or {column} is missing" if condition.missing else known


def _known_text(condition: Condition, column: str) -> str | None:
    """Return the text of the known values that satisfy a condition; None if there are none."""
    lower, upper = condition.lower, condition.upper
    if condition.categories is not None:
        values = ", ".join(map(write_literal, condition.categories))
        return f"{column} in {{{values}}}" if condition.categories else None
    if upper == float("-inf"):
        return None
    if condition.kind is Kind.BOOLEAN and (lower is None) != (upper is None):
        return f"{column} == {write_literal(lower is not None)}"
    if lower is not None and upper is not None:
        return f"{write_literal(lower)} <= {column} < {write_literal(upper)}"
    if lower is not None:
        return f"{column} >= {write_literal(lower)}"
    return f"{column} is known" if upper is None else f"{column} < {write_literal(upper)}"


def _bracket(text: str) -> str:
    return f"({text})" if " or " in text else text


def write_rules(segmenter: FittedSegmenter) -> dict[str, str]:
    """Write the boxes of a fitted segmenter as one rule for each segment."""
    boxes = segmenter.model_.boxes
    if boxes is None:
        message = f"segmenter must be made of boxes to be written as rules, got {type(segmenter).__name__}"
        raise UnsupportedTypeError(message)
    return {
        name: " or ".join(_several(_box_text(boxes, box) for box in np.flatnonzero(boxes.segment == segment).tolist()))
        for segment, name in enumerate(segmenter.segment_names_)
    }


def _several(texts: Iterator[str]) -> list[str]:
    found = list(texts)
    return found if len(found) == 1 else [f"({text})" for text in found]


def _box_text(boxes: Boxes, box: int) -> str:
    tested = np.flatnonzero(~boxes.inside[box].all(axis=1)).tolist()
    parts = [_write_box_condition(boxes.bins[j], boxes.inside[box, j]) for j in tested]
    joined = " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)
    return joined or "everyone"


def _write_box_condition(bins: FeatureBins, inside: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    condition = make_condition(bins, inside)
    if not condition.missing:
        return write_condition(condition)
    if bins.feature.kind.is_numeric:
        one_sided = (condition.lower is None) != (condition.upper is None)
        is_number = bins.feature.kind is Kind.NUMBER
        return _not_beyond(condition) if is_number and one_sided else write_condition(condition)
    # Categories that no row of the fit had count as missing, so they belong where missing values do.
    others = [name for code, name in enumerate(bins.categories) if not inside[code]]
    return f"not {write_column(bins.feature.name)} in {{{', '.join(map(write_literal, others))}}}"


def _not_beyond(condition: Condition) -> str:
    """Return the negated opposite side of a one-sided condition, which holds for missing values too."""
    if condition.upper == -np.inf:
        return write_condition(condition)
    sign, end = ("<", condition.lower) if condition.upper is None else (">=", condition.upper)
    assert end is not None
    return f"not {write_column(condition.feature)} {sign} {write_literal(end)}"
