"""The geometry of rules: exact operations on boxes over a few axes, without any rows.

An axis is a feature divided into finitely many cells: the codes of its values, and one for missing. A box holds some
cells of each axis, one bit per cell, so that intersections and differences of boxes are operations on integers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import inf, nextafter
from operator import and_, eq, ge, gt, le, lt, ne, or_
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MAX_BINS, MISSING, N_CODES, Bins, FeatureBins
from xseg.core.conditions import Rule, make_condition
from xseg.core.schema import Feature, Kind, Schema, suggest_name
from xseg.exceptions import ParameterError
from xseg.segmenters._rule_definitions import NamedRule
from xseg.segmenters._rule_language import (
    And,
    Comparison,
    Expression,
    Literal,
    Not,
    OneOf,
    Or,
    Predicate,
    Presence,
    list_predicates,
    write_literal,
)

__all__ = ["MAX_BOXES", "OTHER", "Axes", "Box", "Regions", "infer_schema", "make_axes", "meet"]


MAX_BOXES = 1_000
_MAX_PIECES = 2 * MAX_BOXES

Box: TypeAlias = tuple[int, ...]


def meet(one: Box, other: Box) -> Box | None:
    """Return the intersection of two boxes; None if it is empty."""
    shared = tuple(a & b for a, b in zip(one, other, strict=True))
    return shared if all(shared) else None


def part(box: Box, taken: Box, order: Sequence[int]) -> list[Box]:
    """Return the difference of two boxes as disjoint boxes, split axis by axis in this order."""
    if meet(box, taken) is None:
        return [box]
    left, rest = [], list(box)
    for axis in order:
        outside = box[axis] & ~taken[axis]
        if outside:
            left.append((*rest[:axis], outside, *rest[axis + 1 :]))
            rest[axis] &= taken[axis]
    return left


@dataclass(frozen=True)
class Regions:
    """Operations on unions of boxes.

    Attributes
    ----------
    everything : tuple of int
        The box of all cells.
    ordered : tuple of bool
        Whether the known cells of an axis have an order, so that a readable box holds a range of them.
    order : tuple of int
        The order of axes in differences of boxes; it determines how a difference is divided into boxes.
    """

    everything: Box
    ordered: tuple[bool, ...]
    order: tuple[int, ...]

    def union(self, regions: Iterable[Sequence[Box]]) -> list[Box]:
        """Return the boxes of several regions, without those that lie inside another."""
        found: list[Box] = []
        for box in (box for region in regions for box in region):
            if any(meet(box, other) == box for other in found):
                continue
            found = [other for other in found if meet(box, other) != other]
            found.append(box)
            self._check(len(found))
        return found

    def intersection(self, regions: Iterable[Sequence[Box]]) -> list[Box]:
        """Return the intersection of several regions."""
        found = [self.everything]
        for region in regions:
            shared = [meet(one, other) for one in found for other in region]
            self._check(len(shared))
            found = self.union([[box for box in shared if box is not None]])
        return found

    def difference(self, region: Sequence[Box], taken: Iterable[Box]) -> list[Box]:
        """Return a region of disjoint boxes minus other boxes, as disjoint boxes."""
        left = list(region)
        for box in taken:
            left = [piece for one in left for piece in part(one, box, self.order)]
            self._check(len(left))
        return left

    def disjoint(self, region: Sequence[Box]) -> list[Box]:
        """Return a region as disjoint boxes."""
        found: list[Box] = []
        for place, box in enumerate(region):
            found += self.difference([box], region[:place])
            self._check(len(found))
        return found

    def covers(self, region: Sequence[Box], other: Sequence[Box]) -> bool:
        """Return whether a region contains another."""
        return not any(self.difference([box], region) for box in other)

    def merge_readable(self, region: Sequence[Box]) -> list[Box]:
        """Merge disjoint boxes into few readable ones: on each axis a range, or a list of categories."""
        pieces = [piece for box in region for piece in self._runs(box)]
        self._check(len(pieces))
        before: list[Box] = []
        while pieces != before:
            before = pieces
            for axis in range(len(self.everything)):
                pieces = self._join_boxes(pieces, axis)
            pieces.sort()
        return pieces

    def simplify(self, region: Sequence[Box], taken: Sequence[Box] = ()) -> list[Box]:
        """Return a region minus another as readable boxes: the fewer of those by two orders of axes."""
        attempts = []
        for order in (self.order, self.order[::-1]):
            cutting = replace(self, order=order)
            attempts.append(cutting.merge_readable(cutting.difference(cutting.disjoint(region), taken)))
        return min(attempts, key=len)

    def _runs(self, box: Box) -> list[Box]:
        """Split a box where the known cells of an ordered axis have a gap; missing stays with the first run."""
        pieces = [box]
        for axis, is_ordered in enumerate(self.ordered):
            if is_ordered:
                runs = find_runs(box[axis], self._missing(axis))
                pieces = [(*piece[:axis], run, *piece[axis + 1 :]) for piece in pieces for run in runs]
        return pieces

    def _join_boxes(self, boxes: Sequence[Box], axis: int) -> list[Box]:
        """Join boxes that differ on one axis only."""
        alike: dict[Box, list[int]] = {}
        for box in boxes:
            alike.setdefault((*box[:axis], *box[axis + 1 :]), []).append(box[axis])
        join = self._make_join(axis)
        return [(*rest[:axis], cells, *rest[axis:]) for rest, group in alike.items() for cells in join(group)]

    def _make_join(self, axis: int) -> Callable[[list[int]], list[int]]:
        missing = self._missing(axis)

        def join(group: list[int]) -> list[int]:
            whole = 0
            for cells in group:
                whole |= cells
            return find_runs(whole, missing) if self.ordered[axis] else [whole]

        return join

    def _missing(self, axis: int) -> int:
        return 1 << (self.everything[axis].bit_length() - 1)

    def _check(self, n_boxes: int) -> None:
        if n_boxes > _MAX_PIECES:
            message = (
                f"rules must form at most {_MAX_PIECES:,} boxes that do not overlap, and these form more; use fewer "
                "'or' and fewer thresholds, or reorder rules that exclude each other"
            )
            raise ParameterError(message)


def find_runs(cells: int, missing: int) -> list[int]:
    """Return the runs of consecutive cells; missing stays with the first of them."""
    known, runs = cells & ~missing, []
    # Adding the lowest set bit carries through the run of ones that it begins, so the bits that become 0 are that run.
    while known:
        lowest = known & -known
        run = known & ~(known + lowest)
        runs.append(run)
        known &= ~run
    if cells & missing:
        runs[:1] = [runs[0] | missing] if runs else [missing]
    return runs


OTHER = "any other"
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}
_MAX_THRESHOLDS = MAX_BINS - 1


@dataclass(frozen=True, eq=False)
class Axes:
    """The features that rules test, divided into cells at the rules' thresholds.

    Attributes
    ----------
    bins : Bins
        Bins whose thresholds are exactly those of the rules.
    tested : tuple of int
        The features that rules test: the axes of boxes.
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
        """Return the region in which an expression holds."""
        match expression:
            case Not(part):
                return self.region(part, negated=not negated)
            case And(parts) | Or(parts):
                # By De Morgan's laws, the negation of "and" is the union of the negated parts, and vice versa.
                join = self.regions.union if isinstance(expression, And) == negated else self.regions.intersection
                return join(self.region(part, negated=negated) for part in parts)
        axis = self._axis[expression.column]
        cells = self.cells(expression)
        everything = self.regions.everything
        inside = everything[axis] & ~cells if negated else cells
        return [(*everything[:axis], inside, *everything[axis + 1 :])] if inside else []

    def cells(self, predicate: Predicate) -> int:
        """Return the cells of its feature in which a predicate holds."""
        column = self.bins[self.tested[self._axis[predicate.column]]]
        missing = 1 << column.n_codes
        if isinstance(predicate, Presence):
            return missing - 1 if predicate.known else missing
        held = [_holds(predicate, value) for value in _representatives(column)]
        return sum(1 << code for code, holds in enumerate(held) if holds)

    def holds(self, expression: Expression, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return for each row of codes whether an expression holds."""
        match expression:
            case Not(part):
                return ~self.holds(part, codes)
            case And(parts):
                return reduce(and_, (self.holds(part, codes) for part in parts), np.full(len(codes), True))
            case Or(parts):
                return reduce(or_, (self.holds(part, codes) for part in parts), np.full(len(codes), False))
        j = self.tested[self._axis[expression.column]]
        return np.asarray(self.inside(self.cells(expression), j)[codes[:, j]])

    def inside(self, cells: int, j: int) -> NDArray[np.bool_]:
        """Convert the cells of a feature to the codes they hold, shape (256,)."""
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
            tuple(make_condition(self.bins[j], self.inside(cells, j)) for j, cells, every in tested if cells != every)
        )

    def witness(self, box: Box) -> dict[str, Any]:
        """Return a row in a box: a value for each feature that it tests; None where it must be missing."""
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


def _holds(predicate: Comparison | OneOf, value: Literal) -> bool:
    if isinstance(predicate, OneOf):
        return (value in predicate.values) != predicate.negated
    return bool(_SIGNS[predicate.operator](value, predicate.value))


def _witness(column: FeatureBins, cells: int) -> Any:
    code = (cells & -cells).bit_length() - 1
    if code == column.n_codes:
        return None
    if not column.feature.kind.is_numeric:
        return column.categories[code]
    if column.feature.kind is Kind.BOOLEAN:
        return code == 1
    return _number_between(-inf if code == 0 else float(column.thresholds[code - 1]), _get_next_threshold(column, code))


def _get_next_threshold(column: FeatureBins, code: int) -> float:
    return float(column.thresholds[code]) if code < len(column.thresholds) else inf


def _number_between(low: float, high: float) -> float:
    """Return a readable number in ``[low, high)``."""
    if low == -inf:
        below = high - max(1.0, abs(high))
        return 0.0 if high == inf else below if -inf < below < high else nextafter(high, -inf)
    whole = float(np.ceil(low))
    return whole if low <= whole < high else low


def make_axes(rules: Sequence[NamedRule], schema: Schema) -> Axes:
    """Divide the features of a table into cells at the thresholds and categories of rules.

    Raises
    ------
    ParameterError
        A rule names a column that the table does not have, or compares it with a value of another kind.
    """
    asked: dict[int, list[tuple[NamedRule, Predicate]]] = {}
    for rule in rules:
        for predicate in list_predicates(rule.expression):
            asked.setdefault(_column(rule, predicate, schema.names), []).append((rule, predicate))
    features = []
    for j, feature in enumerate(schema):
        for rule, predicate in asked.get(j, ()):
            _check_kind(rule, predicate, feature)
        features.append(_cut(feature, asked.get(j, ())))
    return Axes(Bins(tuple(features)), tuple(sorted(asked)))


def _column(rule: NamedRule, predicate: Predicate, names: Sequence[str]) -> int:
    if predicate.column not in names:
        hint = suggest_name(predicate.column, names)
        rule.source.raise_error(predicate.position, f"there is no column {predicate.column!r}{hint}")
    return names.index(predicate.column)


def list_values(predicate: Predicate) -> tuple[Literal, ...]:
    """Return the values that a predicate names."""
    match predicate:
        case OneOf(values=values):
            return values
        case Comparison(value=value):
            return (value,)
        case _:
            return ()


def _check_kind(rule: NamedRule, predicate: Predicate, feature: Feature) -> None:
    for value in list_values(predicate):
        if isinstance(value, str) and feature.kind.is_numeric:
            what = "truth values (true or false)" if feature.kind is Kind.BOOLEAN else "numbers"
            rule.source.raise_error(
                predicate.position, f"column {feature.name!r} holds {what} and is compared with the text {value!r}"
            )
        if not isinstance(value, str) and not feature.kind.is_numeric:
            known = ", ".join(map(repr, feature.categories[:6])) or "text"
            rule.source.raise_error(
                predicate.position,
                f"column {feature.name!r} holds text ({known}) and is compared with {write_literal(value)}; "
                "give the text in quotes",
            )


def _cut(feature: Feature, asked: Sequence[tuple[NamedRule, Predicate]]) -> FeatureBins:
    if not feature.kind.is_numeric:
        return FeatureBins(feature, np.empty(0), feature.categories)
    if feature.kind is Kind.BOOLEAN:
        return FeatureBins(feature, np.array([1.0]) if asked else np.empty(0))
    ends = sorted({end for _, predicate in asked for end in _ends(predicate)})
    if len(ends) > _MAX_THRESHOLDS:
        rule, predicate = asked[-1]
        rule.source.raise_error(
            predicate.position,
            f"rules may have {_MAX_THRESHOLDS} thresholds per column, and column {feature.name!r} has {len(ends)}",
        )
    return FeatureBins(feature, np.array(ends, dtype=np.float64))


def _ends(predicate: Predicate) -> list[float]:
    """Return the numbers at which a predicate changes: the first one of each new cell."""
    match predicate:
        case Comparison(operator="<" | ">=", value=value):
            return [float(value)]
        case Comparison(operator="<=" | ">", value=value):
            return [nextafter(float(value), inf)]
    return [end for value in list_values(predicate) for end in (float(value), nextafter(float(value), inf))]


def infer_schema(rules: Sequence[NamedRule], known: Mapping[str, Feature] | None = None) -> Schema:
    """Return the columns that rules name, with the kinds of the values they are compared with.

    Columns in `known` are returned as they are. An additional category `OTHER` represents all that no rule names.
    """
    values: dict[str, list[Literal]] = {}
    sources: dict[str, tuple[NamedRule, Predicate]] = {}
    for rule in rules:
        for predicate in list_predicates(rule.expression):
            values.setdefault(predicate.column, []).extend(list_values(predicate))
            sources.setdefault(predicate.column, (rule, predicate))
    known = known or {}
    return Schema(
        tuple(known.get(name) or _guess_feature(name, found, *sources[name]) for name, found in values.items())
    )


def _guess_feature(name: str, values: Sequence[Literal], rule: NamedRule, predicate: Predicate) -> Feature:
    texts = sorted({value for value in values if isinstance(value, str)})
    if texts and not all(isinstance(value, str) for value in values):
        rule.source.raise_error(
            predicate.position, f"column {name!r} is compared with text and with numbers; it holds one"
        )
    if texts:
        return Feature(name, Kind.CATEGORY, (*texts, OTHER), has_missing=True)
    is_truth = bool(values) and all(isinstance(value, bool) for value in values)
    return Feature(name, Kind.BOOLEAN if is_truth else Kind.NUMBER, has_missing=True)
