"""Findings that can be proven about rules before any row is assigned by them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any

from xseg.core.conditions import Rule
from xseg.segmenters._rule_counts import RuleCounts
from xseg.segmenters._rule_definitions import NamedRule
from xseg.segmenters._rule_geometry import Axes, Box
from xseg.segmenters._rule_language import And, Expression, Not, Or, write

__all__ = ["FindingKind", "RuleCoverage", "RuleFinding", "RuleReview", "compute_coverage", "find"]


class FindingKind(StrEnum):
    """Kind of a finding."""

    CONTRADICTORY = "contradictory"
    UNREACHABLE = "unreachable"
    OVERLAP = "overlap"
    REDUNDANT = "redundant"
    SETTLED = "settled"
    DEFAULT = "default"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """One proven finding about rules.

    Attributes
    ----------
    kind : FindingKind
        "contradictory": no row can meet the rule. "unreachable": earlier rules win all rows it describes. "overlap":
        two rules of different segments describe some of the same rows, and the earlier one wins them. "redundant":
        a condition can be left out without changing which rows the rule describes. "settled": a condition can be left
        out because of earlier rules. "default": the rows left to the default. "unseen": a category that a rule names
        and no row of the table has.
    rules : tuple of str
        Labels of the rules.
    region : tuple of Rule
        The rows concerned: each satisfies exactly one of these. Empty where there is no such row.
    witness : dict
        One such row: a value for each feature that matters, None for missing.
    condition : str or None
        The condition that can be left out, or the category that no row has.
    """

    kind: FindingKind
    rules: tuple[str, ...]
    region: tuple[Rule, ...] = ()
    witness: dict[str, Any] | None = None
    condition: str | None = None

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(
            one=self.rules[0] if self.rules else "",
            other=self.rules[1] if len(self.rules) > 1 else "",
            others=" and ".join(self.rules[1:]),
            where="; or ".join(map(str, self.region)),
            condition=self.condition,
        )


_SENTENCES = {
    FindingKind.CONTRADICTORY: "{one} contradicts itself: no row can meet it",
    FindingKind.UNREACHABLE: "{one} is never reached: all rows it describes are won by {others}",
    FindingKind.OVERLAP: "{one} and {other} overlap, and {one} wins: {where}",
    FindingKind.REDUNDANT: "{one} does not need the condition {condition}",
    FindingKind.SETTLED: "{one} does not need the condition {condition}, because of the rules before it",
    FindingKind.DEFAULT: "left to {one}: {where}",
    FindingKind.UNSEEN: "{one} names {condition}, which no row has",
}


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """The rows of a table that a rule describes.

    Attributes
    ----------
    rule : str
        Label of the rule; the default comes last and describes the remaining rows.
    matched : float
        Number of rows (or weight) that it describes.
    won : float
        Number of them that no earlier rule wins.
    lost : dict
        Number of them that each earlier rule wins, by its label.
    """

    rule: str
    matched: float
    won: float
    lost: dict[str, float]


@dataclass(frozen=True, slots=True)
class RuleReview:
    """Findings about rules, and with a table the rows they describe; prints as text.

    Attributes
    ----------
    findings : tuple of RuleFinding
        In the order of the rules.
    coverage : tuple of RuleCoverage or None
        One for each rule and the default; None without a table.
    """

    findings: tuple[RuleFinding, ...]
    coverage: tuple[RuleCoverage, ...] | None = None

    def of_kind(self, kind: str) -> tuple[RuleFinding, ...]:
        """Return the findings of one kind, such as "overlap"."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def __str__(self) -> str:
        lines = [f"{finding.kind}: {finding}" for finding in self.findings]
        lines += [
            f"coverage: {one.rule} describes {one.matched:,.6g}, wins {one.won:,.6g}"
            + "".join(f", loses {lost:,.6g} to {winner}" for winner, lost in one.lost.items())
            for one in self.coverage or ()
        ]
        return "\n".join(lines) or "nothing to remark"


def find(axes: Axes, rules: Sequence[NamedRule], default: str | None) -> tuple[RuleFinding, ...]:
    """Return all findings about rules that follow from their geometry, without rows."""
    return tuple(_Linter(axes, rules).findings(default))


class _Linter:
    """Comparison of the regions of rules."""

    def __init__(self, axes: Axes, rules: Sequence[NamedRule]) -> None:
        self.axes = axes
        self.rules = rules
        self.regions = [axes.region(rule.expression) for rule in rules]

    def findings(self, default: str | None) -> Iterator[RuleFinding]:
        for place in range(len(self.rules)):
            yield from self._lint_rule(place)
        taken = [box for region in self.regions for box in region]
        rest = self.axes.regions.simplify([self.axes.regions.everything], taken)
        if rest:
            name = "nobody" if default is None else repr(default)
            yield self._shown(RuleFinding(FindingKind.DEFAULT, (name,)), rest)

    def _lint_rule(self, place: int) -> Iterator[RuleFinding]:
        rule, region, geometry = self.rules[place], self.regions[place], self.axes.regions
        if not region:
            yield RuleFinding(FindingKind.CONTRADICTORY, (rule.label,))
            return
        takers = self._takers(place)
        if geometry.covers([box for taker in takers for box in self.regions[taker]], region):
            labels = tuple(self.rules[taker].label for taker in takers)
            yield self._shown(RuleFinding(FindingKind.UNREACHABLE, (rule.label, *labels)), geometry.simplify(region))
            return
        for taker in takers:
            earlier = self.rules[taker]
            if earlier.name != rule.name:
                shared = geometry.intersection([self.regions[taker], region])
                overlap = RuleFinding(FindingKind.OVERLAP, (earlier.label, rule.label))
                yield self._shown(overlap, geometry.simplify(shared))
        yield from self._needless(place)

    def _takers(self, place: int) -> list[int]:
        """Return the earlier rules that share a row with a rule."""
        region, meets = self.regions[place], self.axes.regions.intersection
        return [taker for taker in range(place) if meets([self.regions[taker], region])]

    def _needless(self, place: int) -> Iterator[RuleFinding]:
        """Find conditions that can be left out, each by itself."""
        rule, region, geometry = self.rules[place], self.regions[place], self.axes.regions
        earlier = [box for before in self.regions[:place] for box in before]
        for condition, wider in _without_each(self.axes, rule.expression, negated=False):
            if geometry.covers(wider, region) and geometry.covers(region, wider):
                kind = FindingKind.REDUNDANT
            elif (
                earlier and geometry.covers([*region, *earlier], wider) and geometry.covers([*wider, *earlier], region)
            ):
                kind = FindingKind.SETTLED
            else:
                continue
            yield RuleFinding(kind, (rule.label,), condition=write(condition))

    def _shown(self, finding: RuleFinding, boxes: Sequence[Box]) -> RuleFinding:
        region = tuple(map(self.axes.rule, boxes))
        return replace(finding, region=region, witness=self.axes.witness(boxes[0]))


def _is_condition(expression: Expression) -> bool:
    part = expression.part if isinstance(expression, Not) else expression
    return not isinstance(part, And | Or | Not)


def _without_each(axes: Axes, expression: Expression, *, negated: bool) -> Iterator[tuple[Expression, list[Box]]]:
    """Yield each condition, with the region that is left of the expression without it.

    The parts before and after each one are combined once (prefixes and suffixes), so that the time is linear in the
    number of conditions.
    """
    if isinstance(expression, Not):
        yield from _without_each(axes, expression.part, negated=not negated)
    elif isinstance(expression, And | Or):
        join = axes.regions.union if isinstance(expression, And) == negated else axes.regions.intersection
        regions = [axes.region(part, negated=negated) for part in expression.parts]
        before = [*accumulate(regions, lambda one, other: join([one, other]), initial=join([]))]
        after = [*accumulate(reversed(regions), lambda one, other: join([other, one]), initial=join([]))][::-1]
        for place, part in enumerate(expression.parts):
            if _is_condition(part) and len(expression.parts) > 1:
                yield part, join([before[place], after[place + 1]])
            else:
                for condition, left in _without_each(axes, part, negated=negated):
                    yield condition, join([before[place], left, after[place + 1]])
    elif _is_condition(expression):
        # A single condition can only be left out if it holds for all rows.
        yield expression, [axes.regions.everything]


def compute_coverage(counts: RuleCounts, unit: float, default: str | None) -> tuple[RuleCoverage, ...]:
    """Return the number of rows that each rule describes, and which rules win them."""
    labels = [rule.label for rule in counts.rules]
    by_rule = [
        RuleCoverage(
            label,
            float(counts.won[place].sum() / unit),
            float(counts.won[place, place] / unit),
            {
                labels[winner]: float(counts.won[place, winner] / unit)
                for winner in counts.won[place, :place].nonzero()[0]
            },
        )
        for place, label in enumerate(labels)
    ]
    left = float((counts.total - counts.won.diagonal().sum()) / unit)
    return (*by_rule, RuleCoverage("nobody" if default is None else repr(default), left, left, {}))
