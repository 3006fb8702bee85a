"""Which cells the questions of some rules cut each feature into."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import inf, nextafter
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MAX_BINS, MISSING, N_CODES, Bins, FeatureBins
from xseg.core.conditions import Rule, condition_of
from xseg.core.schema import Feature, Kind, Schema, suggestion
from xseg.segmenters._rules.expressions import (
    And,
    Comparison,
    Expression,
    Literal,
    Not,
    OneOf,
    Or,
    Presence,
    Question,
    questions,
    write_literal,
)
from xseg.segmenters._rules.given import NamedRule
from xseg.segmenters._rules.regions import Box, Regions

__all__ = ["OTHER", "Axes", "axes_of", "schema_of"]

OTHER = "any other"
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
_MAX_THRESHOLDS = MAX_BINS - 1


@dataclass(frozen=True, eq=False)
class Axes:
    """Every feature, cut where rules ask.

    Attributes
    ----------
    bins : Bins
        The thresholds are those of the rules, exactly.
    tested : tuple of int
        The features that rules ask about: the axes of boxes.
    """

    bins: Bins
    tested: tuple[int, ...]

    @cached_property
    def regions(self) -> Regions:
        """The geometry over the tested features."""
        columns = [self.bins[j] for j in self.tested]
        everything = tuple((2 << column.n_codes) - 1 for column in columns)
        ordered = tuple(column.is_ordered for column in columns)
        return Regions(everything, ordered, tuple(range(len(columns))))

    @cached_property
    def _axis(self) -> dict[str, int]:
        return {self.bins[j].feature.name: axis for axis, j in enumerate(self.tested)}

    def region(self, expression: Expression, *, negated: bool = False) -> list[Box]:
        """Return where an expression holds."""
        if isinstance(expression, Not):
            return self.region(expression.part, negated=not negated)
        if isinstance(expression, And | Or):
            parts = (self.region(part, negated=negated) for part in expression.parts)
            joined = isinstance(expression, And) == negated
            return self.regions.union(parts) if joined else self.regions.intersection(parts)
        axis = self._axis[expression.column]
        cells = self.cells(expression)
        everything = self.regions.everything
        inside = everything[axis] & ~cells if negated else cells
        return [(*everything[:axis], inside, *everything[axis + 1 :])] if inside else []

    def cells(self, question: Question) -> int:
        """Return the cells of its feature in which a question is answered by yes."""
        column = self.bins[self.tested[self._axis[question.column]]]
        missing = 1 << column.n_codes
        if isinstance(question, Presence):
            return missing - 1 if question.known else missing
        held = [_holds(question, value) for value in _representatives(column)]
        return sum(1 << code for code, holds in enumerate(held) if holds)

    def holds(self, expression: Expression, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of codes whether an expression holds."""
        if isinstance(expression, Not):
            return ~self.holds(expression.part, codes)
        if isinstance(expression, And | Or):
            start = np.full(len(codes), isinstance(expression, And))
            parts = (self.holds(part, codes) for part in expression.parts)
            return reduce(and_ if isinstance(expression, And) else or_, parts, start)
        j = self.tested[self._axis[expression.column]]
        return np.asarray(self.inside(self.cells(expression), j)[codes[:, j]])

    def inside(self, cells: int, j: int) -> NDArray[np.bool_]:
        """Turn the cells of a feature into the codes they hold, shape (256,)."""
        n_codes = self.bins[j].n_codes
        inside = np.zeros(N_CODES, dtype=bool)
        if cells == (2 << n_codes) - 1:
            inside[:] = True
        inside[:n_codes] = [bool(cells >> code & 1) for code in range(n_codes)]
        inside[MISSING] = bool(cells >> n_codes & 1)
        return inside

    def rule(self, box: Box) -> Rule:
        """Return a readable box as conditions on raw columns."""
        tested = zip(self.tested, box, self.regions.everything, strict=True)
        return Rule(
            tuple(condition_of(self.bins[j], self.inside(cells, j)) for j, cells, every in tested if cells != every)
        )

    def witness(self, box: Box) -> dict[str, Any]:
        """Return somebody in a box: a value for each feature it asks about; None where it must be missing."""
        tested = zip(self.tested, box, self.regions.everything, strict=True)
        return {
            self.bins[j].feature.name: _witness(self.bins[j], cells) for j, cells, every in tested if cells != every
        }


def _representatives(column: FeatureBins) -> list[Literal]:
    """Return a value in each known cell: the lowest, for numbers."""
    if not column.feature.kind.is_numeric:
        return list(column.categories)
    if column.feature.kind is Kind.BOOLEAN:
        return [0.0, 1.0]
    return [-inf, *column.thresholds.tolist()]


def _holds(question: Comparison | OneOf, value: Literal) -> bool:
    if isinstance(question, OneOf):
        return (value in question.values) != question.negated
    return bool(_SIGNS[question.operator](value, question.value))


def _witness(column: FeatureBins, cells: int) -> Any:
    code = (cells & -cells).bit_length() - 1
    if code == column.n_codes:
        return None
    if not column.feature.kind.is_numeric:
        return column.categories[code]
    if column.feature.kind is Kind.BOOLEAN:
        return code == 1
    return _number_between(-inf if code == 0 else float(column.thresholds[code - 1]), _next(column, code))


def _next(column: FeatureBins, code: int) -> float:
    return float(column.thresholds[code]) if code < len(column.thresholds) else inf


def _number_between(low: float, high: float) -> float:
    """Return a number from `low` on and below `high` that reads well."""
    if low == -inf:
        below = high - max(1.0, abs(high))
        return 0.0 if high == inf else below if -inf < below < high else nextafter(high, -inf)
    whole = float(np.ceil(low))
    return whole if low <= whole < high else low


def axes_of(rules: Sequence[NamedRule], schema: Schema) -> Axes:
    """Cut the features of a table where rules ask.

    Raises
    ------
    RuleError
        A rule asks about a column that is not there, or compares it with a value of another kind.
    """
    asked: dict[int, list[tuple[NamedRule, Question]]] = {}
    for rule in rules:
        for question in questions(rule.expression):
            asked.setdefault(_column(rule, question, schema.names), []).append((rule, question))
    features = []
    for j, feature in enumerate(schema):
        for rule, question in asked.get(j, ()):
            _check_kind(rule, question, feature)
        features.append(_cut(feature, asked.get(j, ())))
    return Axes(Bins(tuple(features)), tuple(sorted(asked)))


def _column(rule: NamedRule, question: Question, names: Sequence[str]) -> int:
    if question.column not in names:
        hint = suggestion(question.column, names)
        rule.source.refuse(question.position, f"there is no column {question.column!r}{hint}")
    return names.index(question.column)


def values_of(question: Question) -> tuple[Literal, ...]:
    """Return the values a question names."""
    if isinstance(question, OneOf):
        return question.values
    return (question.value,) if isinstance(question, Comparison) else ()


def _check_kind(rule: NamedRule, question: Question, feature: Feature) -> None:
    for value in values_of(question):
        if isinstance(value, str) and feature.kind.is_numeric:
            what = "truth values (true or false)" if feature.kind is Kind.BOOLEAN else "numbers"
            rule.source.refuse(
                question.position, f"column {feature.name!r} holds {what} and is compared with the text {value!r}"
            )
        if not isinstance(value, str) and not feature.kind.is_numeric:
            known = ", ".join(map(repr, feature.categories[:6])) or "text"
            rule.source.refuse(
                question.position,
                f"column {feature.name!r} holds text ({known}) and is compared with {write_literal(value)}; "
                "give the text in quotes",
            )


def _cut(feature: Feature, asked: Sequence[tuple[NamedRule, Question]]) -> FeatureBins:
    if not feature.kind.is_numeric:
        return FeatureBins(feature, np.empty(0), feature.categories)
    if feature.kind is Kind.BOOLEAN:
        return FeatureBins(feature, np.array([1.0]) if asked else np.empty(0))
    ends = sorted({end for _, question in asked for end in _ends(question)})
    if len(ends) > _MAX_THRESHOLDS:
        rule, question = asked[-1]
        rule.source.refuse(
            question.position,
            f"the rules cut column {feature.name!r} at {len(ends)} places; the limit is {_MAX_THRESHOLDS}",
        )
    return FeatureBins(feature, np.array(ends, dtype=np.float64))


def _ends(question: Question) -> list[float]:
    """Return the numbers at which the answer to a question changes: the first one of each new cell."""
    if isinstance(question, Comparison) and question.operator in {"<", ">="}:
        return [float(question.value)]
    if isinstance(question, Comparison) and question.operator in {"<=", ">"}:
        return [nextafter(float(question.value), inf)]
    return [end for value in values_of(question) for end in (float(value), nextafter(float(value), inf))]


def schema_of(rules: Sequence[NamedRule], known: Mapping[str, Feature] | None = None) -> Schema:
    """Return the columns that rules speak of, with the kinds their values say; `known` ones are as they are.

    A category that no rule names stands for all others.
    """
    values: dict[str, list[Literal]] = {}
    sources: dict[str, tuple[NamedRule, Question]] = {}
    for rule in rules:
        for question in questions(rule.expression):
            values.setdefault(question.column, []).extend(values_of(question))
            sources.setdefault(question.column, (rule, question))
    known = known or {}
    return Schema(tuple(known.get(name) or _guessed(name, found, *sources[name]) for name, found in values.items()))


def _guessed(name: str, values: Sequence[Literal], rule: NamedRule, question: Question) -> Feature:
    texts = sorted({value for value in values if isinstance(value, str)})
    if texts and not all(isinstance(value, str) for value in values):
        rule.source.refuse(question.position, f"column {name!r} is compared with text and with numbers; it holds one")
    if texts:
        return Feature(name, Kind.CATEGORY, (*texts, OTHER), has_missing=True)
    is_truth = bool(values) and all(isinstance(value, bool) for value in values)
    return Feature(name, Kind.BOOLEAN if is_truth else Kind.NUMBER, has_missing=True)
