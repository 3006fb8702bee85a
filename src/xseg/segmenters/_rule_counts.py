"""Boxes that do not overlap from an ordered list of rules, and the counts of a population in them.

The first rule that holds wins. Counts are sums over rows, wherever the rows are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from xseg.backends import Backend
from xseg.core.bins import MAX_BINS, Bins, FeatureBins
from xseg.core.boxes import MAX_TESTS, Boxes
from xseg.core.schema import Kind
from xseg.core.statistics import RawBlock
from xseg.core.summaries import CategoryCounts
from xseg.exceptions import ParameterError
from xseg.segmenters._learning import MIN_MEMBERS, learn_columns
from xseg.segmenters._rule_definitions import NamedRule
from xseg.segmenters._rule_geometry import MAX_BOXES, Axes, Box, Regions, infer_schema, list_values, make_axes
from xseg.segmenters._rule_language import Literal, list_predicates

__all__ = [
    "BoxAssignment",
    "RuleColumns",
    "RuleCounts",
    "assign_boxes",
    "axes_on",
    "names_category",
    "read_rule_columns",
]


@dataclass(frozen=True, eq=False)
class BoxAssignment:
    """The boxes of each segment.

    Attributes
    ----------
    names : tuple of str
        The segments, in the order of the rules, the default last.
    boxes : Boxes
        Their boxes.
    """

    names: tuple[str, ...]
    boxes: Boxes


def assign_boxes(axes: Axes, rules: Sequence[NamedRule], default: str | None) -> BoxAssignment:
    """Assign to each segment the boxes that its rules win.

    Raises
    ------
    ParameterError
        A segment can have no row, there is no default for rows that no rule describes, or there are too many boxes.
    """
    names = tuple(dict.fromkeys([*(rule.name for rule in rules), *([] if default is None else [default])]))
    described = [(rule.name, axes.region(rule.expression)) for rule in rules]
    _check_all_described(axes, described, default)
    attempts = [_won(replace(axes.regions, order=order), names, described, default) for order in _orders(axes, rules)]
    won = min(attempts, key=lambda attempt: sum(map(len, attempt.values())))
    _check_reachable(axes, rules, won)
    # A default that can have no row is no segment.
    kept = tuple(name for name in names if won[name])
    pieces = [(segment, box) for segment, name in enumerate(kept) for box in won[name]]
    _check_size(axes, pieces)
    inside = np.ones((len(pieces), len(axes.bins), 256), dtype=bool)
    for place, (_, box) in enumerate(pieces):
        for j, cells in zip(axes.tested, box, strict=True):
            inside[place, j] = axes.inside(cells, j)
    return BoxAssignment(kept, Boxes(axes.bins, inside, np.array([segment for segment, _ in pieces], dtype=np.int32)))


def _orders(axes: Axes, rules: Sequence[NamedRule]) -> list[tuple[int, ...]]:
    """Return some orders of axes to try: that of the columns, and by how often rules test them, and their reverses."""
    asked = [predicate.column for rule in rules for predicate in list_predicates(rule.expression)]
    natural = tuple(range(len(axes.tested)))
    often = tuple(sorted(natural, key=lambda axis: -asked.count(axes.bins[axes.tested[axis]].feature.name)))
    return list(dict.fromkeys([natural, natural[::-1], often, often[::-1]]))


def _won(
    regions: Regions, names: Sequence[str], described: Sequence[tuple[str, list[Box]]], default: str | None
) -> dict[str, list[Box]]:
    """Return the region that the rules of each segment win, as readable boxes."""
    won: dict[str, list[Box]] = {name: [] for name in names}
    taken: list[Box] = []
    for name, region in described:
        for box in region:
            won[name] += regions.difference([box], taken)
            taken.append(box)
    if default is not None:
        won[default] += regions.difference([regions.everything], taken)
    return {name: regions.merge_readable(boxes) for name, boxes in won.items()}


def _check_all_described(axes: Axes, described: Sequence[tuple[str, list[Box]]], default: str | None) -> None:
    if default is not None:
        return
    taken = [box for _, region in described for box in region]
    rest = axes.regions.simplify([axes.regions.everything], taken)
    if rest:
        left_out = "; or ".join(str(axes.rule(box)) for box in rest[:3])
        message = (
            f"rules must describe all rows, and none describes those with {left_out}; add a rule, or pass a default"
        )
        raise ParameterError(message)


def _check_reachable(axes: Axes, rules: Sequence[NamedRule], won: dict[str, list[Box]]) -> None:
    for rule in rules:
        if won[rule.name]:
            continue
        if axes.region(rule.expression):
            problem = "rules before it win all rows it describes; move it up, or leave it out"
        else:
            problem = "its conditions contradict each other, so no row can meet it; correct it, or leave it out"
        message = f"rule {rule.label}: {problem}: {rule.source.text}"
        raise ParameterError(message)


def _check_size(axes: Axes, pieces: Sequence[tuple[int, Box]]) -> None:
    if len(pieces) > MAX_BOXES:
        message = (
            f"rules must form at most {MAX_BOXES:,} boxes that do not overlap, got {len(pieces):,}; use fewer 'or' and "
            "fewer thresholds"
        )
        raise ParameterError(message)
    everything = axes.regions.everything
    for _, box in pieces:
        n_tests = sum(cells != every for cells, every in zip(box, everything, strict=True))
        if n_tests > MAX_TESTS:
            message = f"a rule may test at most {MAX_TESTS} columns, got {n_tests}; use fewer columns"
            raise ParameterError(message)


@dataclass(frozen=True, eq=False)
class RuleColumns:
    """The columns of a table, with the codes that rules need.

    Attributes
    ----------
    axes : Axes
        The features, divided at the rules' thresholds.
    bins : Bins
        The features, divided so that the distribution of their values is known.
    unseen_categories : tuple of (str, str)
        Categories that rules name and no row has, with their columns.
    backend : Backend
        The rows, as the columns are read.
    """

    axes: Axes
    bins: Bins
    unseen_categories: tuple[tuple[str, str], ...]
    backend: Backend


def read_rule_columns(
    backend: Backend,
    rules: Sequence[NamedRule],
    *,
    include: Sequence[str] = (),
    min_members: int = MIN_MEMBERS,
    warns: bool = True,
) -> RuleColumns:
    """Read the columns of a table for rules; those that rules name are used even if they look like identifiers.

    Raises
    ------
    DataError
        There are no rows.
    ParameterError
        A rule names a column that the table does not have, or compares it with a value of another kind.
    """
    asked = _collect_values(rules)
    named = {name: [value for value in values if isinstance(value, str)] for name, values in asked.items()}
    columns = learn_columns(
        backend,
        max_bins=MAX_BINS,
        min_members=min_members,
        warns=warns,
        include=include,
        asked=tuple(asked),
        as_numbers={name for name, values in asked.items() if any(type(value) is float for value in values)},
        as_texts={name for name, values in named.items() if values},
        categories=named,
    )
    bins = columns.bins
    unseen_categories = [
        (name, category)
        for name, counts in zip(bins.schema.names, columns.summary.columns, strict=True)
        if isinstance(counts, CategoryCounts)
        for category in named.get(name, ())
        if category not in counts.counts
    ]
    columns_of_rules = _with_kinds(bins, rules)
    full = Bins(tuple(_with_categories(column, named.get(column.feature.name, ())) for column in columns_of_rules))
    return RuleColumns(axes_on(full, rules), full, tuple(unseen_categories), columns.backend)


def axes_on(bins: Bins, rules: Sequence[NamedRule]) -> Axes:
    """Divide the columns of a table at the thresholds and categories of rules."""
    return make_axes(rules, bins.schema)


def _collect_values(rules: Sequence[NamedRule]) -> dict[str, list[Literal]]:
    """Return the columns that rules name, each with the values it is compared with."""
    asked: dict[str, dict[Literal, None]] = {}
    for rule in rules:
        for predicate in list_predicates(rule.expression):
            asked.setdefault(predicate.column, {}).update(dict.fromkeys(list_values(predicate)))
    return {column: list(values) for column, values in asked.items()}


def _with_categories(column: FeatureBins, named: Sequence[str]) -> FeatureBins:
    """Return the bins with a code for every category that a rule names, whether a row has it or not."""
    if column.feature.kind.is_numeric or set(named) <= set(column.categories):
        return column
    room = MAX_BINS - len(named)
    others = [category for category in column.categories if category not in named][:room]
    kept = [category for category in column.categories if category in named or category in others]
    categories = (*kept, *(category for category in named if category not in kept))
    if column.feature.kind is Kind.CATEGORY:
        categories = tuple(sorted(categories))
    return FeatureBins(replace(column.feature, categories=categories), column.thresholds, categories)


def _with_kinds(bins: Bins, rules: Sequence[NamedRule]) -> tuple[FeatureBins, ...]:
    """Return the columns; those without values have the kind of the values that rules compare them with."""
    if all(column.feature.kind is not Kind.EMPTY for column in bins.features):
        return bins.features
    inferred = {feature.name: replace(feature, categories=()) for feature in infer_schema(rules)}
    return tuple(
        FeatureBins(inferred.get(column.feature.name, column.feature), np.empty(0))
        if column.feature.kind is Kind.EMPTY
        else column
        for column in bins.features
    )


class RuleCounts:
    """A statistic over raw rows: the weight of the rows that each rule describes, by the rule that wins them.

    `won` has shape (n_rules, n_rules): ``won[rule, winner]``; `total` is the weight of all rows.
    """

    def __init__(self, axes: Axes, rules: Sequence[NamedRule]) -> None:
        self.axes = axes
        self.rules = rules
        self.won = np.zeros((len(rules), len(rules)), dtype=np.int64)
        self.total = 0

    def empty(self) -> Self:
        """Return one over no rows."""
        return type(self)(self.axes, self.rules)

    def add(self, block: RawBlock) -> None:
        """Add a block of rows."""
        codes = self.axes.bins.encode(block.table, list(self.axes.tested))
        winner = np.full(len(codes), -1)
        for place, rule in enumerate(self.rules):
            held = self.axes.holds(rule.expression, codes)
            winner[held & (winner < 0)] = place
            np.add.at(self.won[place], winner[held], block.weights[held])
        self.total += int(block.weights.sum())

    def merge(self, other: Self) -> None:
        """Add everything that `other` has seen."""
        self.won += other.won
        self.total += other.total


def names_category(rule: NamedRule, column: str, category: str) -> bool:
    """Return whether a rule names a category of a column."""
    return any(
        predicate.column == column and category in list_values(predicate)
        for predicate in list_predicates(rule.expression)
    )
