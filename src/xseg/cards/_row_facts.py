"""Gathering the facts of cards from a model, a row and a policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil, floor, fsum, inf, isnan
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from xseg.cards._card_record import Card
from xseg.cards._consent_facts import ConsentLookup, ConsentQuestion
from xseg.cards._fact_types import (
    CLOSE,
    Alternative,
    Certainty,
    Comparison,
    ConditionFact,
    CounterfactualFact,
    FeatureRequirement,
    HiddenPart,
    OriginalAgrees,
    OwnValue,
    Reason,
    ScaleFact,
)
from xseg.cards._rendering import WhatIf
from xseg.cards._shared_facts import CardLabels, CardSettings, build_condition_fact, collect_model_facts
from xseg.core.bins import MISSING, FeatureBins
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table
from xseg.explanations import (
    NO_RIVAL,
    Contributions,
    GroupDescription,
    NearestChange,
    NearestChangeFinder,
    describe_groups,
)
from xseg.i18n import Language
from xseg.segmenters import FittedSegmenter

__all__ = [
    "CardBuilder",
    "ChangePair",
    "NeighbourFinder",
    "Points",
    "Surroundings",
    "allocate_points",
    "round_points",
]

MAX_REASONS = 4
# No part of a card has more than this many times 100 points: where two groups fit almost equally well, the points by
# which one is ahead are fewer than 100 instead.
MAX_PER_POINT = 2.0
_NEGLIGIBLE_PART = 1e-12


@dataclass(frozen=True, slots=True)
class Points:
    """The parts of an answer, in whole points.

    Attributes
    ----------
    shown : list of int
        The features that are reasons, the most influential first.
    base, reasons, rest, total : int, list of int, int, int
        Points; base, reasons, rest and what is hidden add up to the total.
    hidden : HiddenPart or None
        What is not named.
    total_value : float
        What the exact parts add up to.
    weighty : list of int
        All features that add anything, the most influential first.
    """

    shown: list[int]
    base: int
    reasons: list[int]
    rest: int
    hidden: HiddenPart | None
    total: int
    total_value: float
    weighty: list[int]


def allocate_points(parts: Sequence[float], base: float, hidden: Sequence[bool], *, compared: bool) -> Points:
    """Share out an answer among the strongest features, what is left, and what is not named.

    Parameters
    ----------
    parts : sequence of float of shape (n_features,)
        Contributions.
    base : float
        The base value: what holds on average over everyone.
    hidden : sequence of bool of shape (n_features,)
        What is not named.
    compared : bool
        Whether the answer is a margin over another group; otherwise it is 1.
    """
    order = sorted(range(len(parts)), key=lambda j: -abs(parts[j]))
    weighty = [j for j in order if abs(parts[j]) > _NEGLIGIBLE_PART]
    shown = [j for j in weighty if not hidden[j]][:MAX_REASONS]
    secret = [j for j in weighty if hidden[j]]
    unnamed = fsum(parts[j] for j in secret)
    total = max(base + fsum(parts), 0.0) if compared else 1.0
    rest = total - base - fsum(parts[j] for j in shown) - unnamed
    all_parts = [base, *(parts[j] for j in shown), rest, unnamed]
    scale = max(total, max(map(abs, all_parts)) / MAX_PER_POINT) if compared else 1.0
    whole = round(100 * total / scale) if scale > 0 else 0
    points = round_points([part / (scale or 1.0) for part in all_parts], whole)
    weakest = min((abs(parts[j]) for j in shown), default=inf)
    outweighs = any(abs(parts[j]) > weakest for j in secret) or bool(secret and not shown)
    return Points(
        shown=shown,
        base=points[0],
        reasons=points[1:-2],
        rest=points[-2],
        hidden=HiddenPart(features=len(secret), points=points[-1], outweighs=outweighs) if secret else None,
        total=whole,
        total_value=total,
        weighty=weighty,
    )


def round_points(parts: Sequence[float], total: int = 100) -> list[int]:
    """Round parts of 1 to whole percentage points that add up to `total`: largest remainders (Hamilton's method)."""
    exact = [100 * part for part in parts]
    whole = [floor(part + 1e-9) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in by_remainder[: total - sum(whole)]:
        whole[place] += 1
    return whole


_CLOSE_POINTS = 10
# Rows of a box model have few different contributions and changes, and those of a score model are all different.
_MAX_CACHED = 16_384


_Asking = TypeVar("_Asking", bound=Alternative | CounterfactualFact | None)
# This share of the people is beyond each end of a scale; more, up to a tenth, where so few are not enough to hide in.
_OUTSIDE_SCALE = 0.02
_MAX_OUTSIDE_SCALE = 0.1

ChangePair: TypeAlias = tuple[NearestChange | None, NearestChange | None]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The neighbour group, the counterfactual and the certainty of one person."""

    alternative: Alternative | None
    counterfactual: CounterfactualFact | None
    certainty: Certainty


class NeighbourFinder:
    """Finder of the surroundings of any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    naming : CardLabels
        What may be named, and what a person can change.
    """

    def __init__(self, segmenter: FittedSegmenter, naming: CardLabels) -> None:
        self.naming = naming
        self.bins = segmenter.profile_.bins
        self.by_scores = segmenter.model_.boxes is None
        used = segmenter.model_.used_features.tolist()
        stated = [naming.features[j].mutable for j in used]
        self.says_mutable = any(mutable is not None for mutable in stated)
        self.says_all = all(mutable is not None for mutable in stated)
        # Where groups are compared by scores, the lead says how near the next one is.
        self._nearest = None if self.by_scores else NearestChangeFinder(segmenter)
        self._open = NearestChangeFinder(segmenter, **self._asked_of_people()) if self.says_mutable else None
        self._cached_requirement = lru_cache(_MAX_CACHED)(naming.build_requirement)
        self._cached_alternative = lru_cache(_MAX_CACHED)(self._find_alternative)
        self._cached_change = lru_cache(_MAX_CACHED)(self._find_change)

    def find_changes(self, rows: Table) -> list[ChangePair]:
        """Return the nearest change of each row, and the nearest that the person can take."""
        nothing: list[NearestChange | None] = [None] * len(rows)
        found = [nothing if finder is None else finder.find(rows) for finder in (self._nearest, self._open)]
        return list(zip(*found, strict=True))

    def collect_facts(
        self, changes: ChangePair, segment: int, rival: int, points: Points, own: Sequence[OwnValue]
    ) -> Surroundings:
        """Collect the facts about the surroundings of one row, whose values are `own`."""
        nearest, possible = changes
        alternative = (
            self._by_score(rival, segment, points)
            if nearest is None
            else self._cached_alternative(nearest.segment, nearest.conditions)
        )
        change = (
            None
            if possible is None
            else self._cached_change(possible.segment, possible.conditions, proven=possible.proven)
        )
        certainty = self._lead(rival, segment, points) if nearest is None else self._distance(nearest, own)
        if change is not None and not certainty.close and _is_one_unit(change.requirements, self._select(own, change)):
            only = change.requirements[0]
            certainty = Certainty(
                close=True, distance=certainty.distance, requirement=only, own=self._select(own, change)[0]
            )
        return Surroundings(self._add_own(alternative, own), self._add_own(change, own), certainty)

    def _select(self, own: Sequence[OwnValue], asking: Alternative | CounterfactualFact) -> tuple[OwnValue, ...]:
        """Return a person's values of the features of which something is asked."""
        return tuple(own[self.bins.schema.index(asked.feature)] for asked in asking.requirements)

    def _add_own(self, asking: _Asking, own: Sequence[OwnValue]) -> _Asking:
        if asking is None or not asking.requirements:
            return asking
        return cast("_Asking", asking.model_copy(update={"own": self._select(own, asking)}))

    def _asked_of_people(self) -> dict[str, Any]:
        """Return what must stay as it is, and what can only rise or fall."""
        naming = self.naming
        pairs = list(zip(naming.names, naming.features, naming.hidden, strict=True))
        frozen = [name for name, feature, hidden in pairs if feature.mutable is not True or hidden]
        direction = {name: feature.direction for name, feature, _ in pairs if feature.direction is not None}
        return {"frozen": frozen, "direction": direction}

    def _find_alternative(self, segment: int | None, conditions: tuple[Condition, ...]) -> Alternative | None:
        if segment is None:
            return None
        asked = [self._cached_requirement(condition) for condition in conditions]
        # What is asked of a group that is too small to be sized says too much about the few in it.
        nameable = () if self._is_small(segment) else tuple(one for one in asked if one is not None)
        return Alternative(
            segment=self.naming.segments[segment].name,
            requirements=nameable,
            strongest=None,
            hidden=len(nameable) < len(conditions),
        )

    def _is_small(self, segment: int) -> bool:
        return self.naming.segments[segment].size is None

    def _by_score(self, rival: int, segment: int, points: Points) -> Alternative | None:
        if rival in (NO_RIVAL, segment):
            return None
        strongest = next((j for j, n in zip(points.shown, points.reasons, strict=True) if n > 0), None)
        return Alternative(
            segment=self.naming.segments[rival].name,
            requirements=(),
            strongest=None if strongest is None else self.naming.labels[strongest],
            hidden=points.hidden is not None and points.hidden.outweighs,
        )

    def _find_change(
        self, segment: int | None, conditions: tuple[Condition, ...], *, proven: bool
    ) -> CounterfactualFact | None:
        if segment is None:
            return CounterfactualFact(segment=None, requirements=(), proven=proven) if self.says_all else None
        if self._is_small(segment):
            return None
        nameable = tuple(
            asked for condition in conditions if (asked := self._cached_requirement(condition)) is not None
        )
        if len(nameable) < len(conditions):
            return None
        return CounterfactualFact(segment=self.naming.segments[segment].name, requirements=nameable, proven=proven)

    def _distance(self, change: NearestChange, own: Sequence[OwnValue]) -> Certainty:
        if change.segment is None:
            return Certainty(close=False, distance=None)
        if len(change.conditions) > 1:
            return Certainty(close=change.cost < CLOSE, distance=change.cost)
        [condition] = change.conditions
        value = own[self.bins.schema.index(condition.feature)]
        integral = self.bins[self.bins.schema.index(condition.feature)].feature.integral
        close = change.cost < CLOSE or _reaches_in_one_unit(condition.lower, condition.upper, value, integral=integral)
        asked = self._cached_requirement(condition) if close and not self._is_small(change.segment) else None
        return Certainty(close=close, distance=change.cost, requirement=asked, own=None if asked is None else value)

    def _lead(self, rival: int, segment: int, points: Points) -> Certainty:
        if rival in (NO_RIVAL, segment):
            return Certainty(close=False, distance=None)
        return Certainty(close=points.total < _CLOSE_POINTS, distance=points.total / 100)


def _is_one_unit(requirements: Sequence[FeatureRequirement], own: Sequence[OwnValue]) -> bool:
    """Return whether all that is asked is one unit of one feature of whole numbers."""
    if len(requirements) != 1:
        return False
    [asked], [value] = requirements, own
    return _reaches_in_one_unit(asked.limits.lower, asked.limits.upper, value, integral=asked.integral)


def _reaches_in_one_unit(lower: float | None, upper: float | None, value: OwnValue, *, integral: bool) -> bool:
    if not integral or isinstance(value, bool | str) or value is None:
        return False
    too_low = 0.0 if lower is None else ceil(lower) - value
    too_high = 0.0 if upper is None or upper == -inf else value - (ceil(upper) - 1)
    return 0 < max(too_low, too_high) <= 1


_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some rows that follow each other, from `first` on: their values and codes, contributions, descriptions, changes.

    Values are by feature and row, codes and contributions by row and feature.
    """

    first: int
    values: list[list[bool | float | str | None]]
    codes: list[list[int]]
    contributions: list[tuple[float, ...]]
    descriptions: list[GroupDescription]
    changes: list[ChangePair]

    def place(self, row: int) -> int:
        """Return the place of a row, and never that of another: a negative place would count from the end."""
        place = row - self.first
        if not 0 <= place < len(self.descriptions):
            message = f"row {row} is not among rows {self.first} to {self.first + len(self.descriptions) - 1}"
            raise IndexError(message)
        return place


class CardBuilder:
    """Builder of the card of any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    table : Table
        The rows.
    explained : Contributions
        Exact contributions to each row's own segment.
    settings : CardSettings
        What the cards have in common.
    agreement : sequence of {"yes", "no", "not known"} or None
        For a stand-in: whether the original agrees, by row.
    question : ConsentQuestion or None
        The ledger to ask, and whom about.
    """

    def __init__(
        self,
        segmenter: FittedSegmenter,
        table: Table,
        explained: Contributions,
        settings: CardSettings,
        agreement: Sequence[OriginalAgrees] | None = None,
        question: ConsentQuestion | None = None,
    ) -> None:
        self.table = table
        self.explained = explained
        self.policy = settings.policy
        self.agreement = agreement
        self.segmenter = segmenter
        self.profile = segmenter.profile_
        self.describer = describe_groups(segmenter)
        self.naming = CardLabels(segmenter, table.names, settings.policy, settings.language)
        self.neighbours = NeighbourFinder(segmenter, self.naming)
        self._languages: dict[Language, Language] = {}
        self._latest: _Block | None = None
        self._limits = cache(self._find_limits)
        self._compared = cache(self._compare)
        self._scaled = cache(self._find_scale)
        self._allocated = lru_cache(_MAX_CACHED)(self._allocate)
        model_facts = collect_model_facts(segmenter, self.naming)
        self._consents = None if question is None else ConsentLookup(question, model_facts.purposes)
        self._same: dict[str, Any] = {
            **settings.facts(model_facts),
            "used": model_facts.used,
            "unnamed": model_facts.unnamed,
            "not_used": model_facts.not_used,
            "minimum_group_size": settings.policy.minimum_group_size,
        }

    def card(self, row: int, reference: str | None) -> Card:
        """Gather the facts of one row."""
        block = self._block(row)
        place = block.place(row)
        parts, base = block.contributions[place], float(self.explained.base[row])
        segment, rival = int(self.explained.segments[row]), int(self.explained.rivals[row])
        codes, description = block.codes[place], block.descriptions[place]
        points = self._allocated(parts, base, compared=rival != NO_RIVAL)
        own = [column[place] for column in block.values]
        surroundings = self.neighbours.collect_facts(block.changes[place], segment, rival, points, own)
        card = Card(
            segment=self.naming.segments[segment],
            rival=None if rival in (NO_RIVAL, segment) else self.naming.segments[rival].name,
            base_value=base,
            total_value=points.total_value,
            base_points=points.base,
            reasons=tuple(
                self._reason(j, description, segment, codes[j], block.values[j][place], parts[j], whole)
                for j, whole in zip(points.shown, points.reasons, strict=True)
            ),
            rest_points=points.rest,
            hidden=points.hidden,
            total_points=points.total,
            alternative=surroundings.alternative,
            counterfactual=surroundings.counterfactual,
            certainty=surroundings.certainty,
            unknown=tuple(self._unknown(description, codes)),
            unknown_matters=any(codes[j] == MISSING for j in points.weighty),
            original_agrees=None if self.agreement is None else self.agreement[row],
            reference=reference,
            consent=None if self._consents is None else self._consents.facts(row),
            **self._same,
        )
        card._source, card._languages = (self, row), self._languages
        return card

    def what_if(self, row: int) -> dict[str, Any]:
        """Return what an interactive card of a row carries."""
        block = self._block(row)
        values = {j: column[block.place(row)] for j, column in enumerate(block.values)}
        return WhatIf(self.segmenter, self.naming).facts(values, self.naming.language)

    def _block(self, row: int) -> _Block:
        """Return the block of rows around a row, prepared together."""
        first = row - row % _ROWS_AT_ONCE
        # Another thread may replace the latest block at any time, so it is read once, and never changed.
        latest = self._latest
        if latest is not None and latest.first == first:
            return latest
        rows = self.table.rows(first, min(first + _ROWS_AT_ONCE, len(self.table)))
        block = _Block(
            first,
            [_list_values(column) for column in rows.columns],
            self.profile.bins.encode(rows).tolist(),
            list(map(tuple, self.explained.values[first : first + len(rows)].tolist())),
            self.describer.describe_rows(rows, self.explained.segments[first : first + len(rows)]),
            self.neighbours.find_changes(rows),
        )
        self._latest = block
        return block

    def _allocate(self, parts: tuple[float, ...], base: float, *, compared: bool) -> Points:
        return allocate_points(parts, base, self.naming.hidden, compared=compared)

    def _unknown(self, description: GroupDescription, codes: Sequence[int]) -> Iterator[str]:
        named = self.naming
        return (named.labels[j] for j in description.features if codes[j] == MISSING and not named.hidden[j])

    def _reason(
        self,
        j: int,
        description: GroupDescription,
        segment: int,
        code: int,
        value: bool | float | str | None,
        contribution: float,
        points: int,
    ) -> Reason:
        naming = self.naming
        return Reason(
            feature=naming.names[j],
            label=naming.labels[j],
            value=value,
            unit=naming.units[j],
            number_format=naming.features[j].number_format,
            integral=self.profile.bins[j].feature.integral,
            limits=self._limits(j, description.rule.get(j), self._find_rare_value(j, value)),
            typical=self._typical(j, description.typical.get(j), segment),
            comparison=self._compared(j, code),
            scale=None if value is None else self._scaled(j),
            contribution=contribution,
            points=points,
            origin=naming.origins[j],
        )

    def _typical(self, j: int, condition: Condition | None, segment: int) -> ConditionFact | None:
        """Return what is typical of the group, if it is large enough to hide in."""
        return None if self.naming.segments[segment].size is None else self._limits(j, condition, None)

    def _find_rare_value(self, j: int, value: Any) -> str | None:
        """Return a value that only its owner may read, if it is one."""
        return value if isinstance(value, str) and value in self.naming.rare[j] else None

    def _find_limits(self, j: int, condition: Condition | None, own: str | None) -> ConditionFact | None:
        """Return what is asked of a feature, if anything is; a rare value is named to its owner only."""
        if condition is None:
            return None
        return build_condition_fact(condition, self.describer.bins[j], self.naming.rare[j] - {own})

    def _find_scale(self, j: int) -> ScaleFact | None:
        """Return the ends between which nearly everyone is, where nobody's own value can be told from them."""
        bins = self.profile.bins[j]
        known = self.profile.population[j, :MISSING]
        least = self.policy.minimum_group_size / max(self.profile.get_known_weight(j), 1.0)
        outside = max(_OUTSIDE_SCALE, least)
        if bins.feature.kind is not Kind.NUMBER or not len(bins.thresholds) or outside > _MAX_OUTSIDE_SCALE:
            return None
        reached = np.cumsum(known) / known.sum()
        first = _find_edge(bins, reached, outside)
        last = _find_edge(bins, reached, 1 - outside)
        # A scale of what nobody has less than nothing of begins at 0.
        first = 0.0 if bins.thresholds[0] > 0 else first
        return ScaleFact(first=first, last=last) if first < last else None

    def _compare(self, j: int, code: int) -> Comparison | None:
        """Compare with everyone whose value is known, if they are enough people to hide in."""
        known = self.profile.get_known_weight(j)
        if code == MISSING or known < self.policy.minimum_group_size:
            return None
        below, same = self.profile.window_shares(j, code)
        if self.profile.bins[j].feature.kind is Kind.NUMBER:
            return Comparison(share_below=below, share_same=same, group_size=known)
        if same * known < self.policy.minimum_group_size:
            return None
        return Comparison(share_below=None, share_same=same, group_size=known)


def _find_edge(bins: FeatureBins, reached: NDArray[np.float64], share: float) -> float:
    """Return the threshold above the code at which a share of the rows is reached; the last one if there is none."""
    return float(bins.thresholds[min(int(np.searchsorted(reached, share)), len(bins.thresholds) - 1)])


def _list_values(column: Column) -> list[bool | float | str | None]:
    """Return the values of a column; None where they are missing."""
    if not column.kind.is_numeric:
        return [column.categories[code] if code >= 0 else None for code in column.values.tolist()]
    numbers = column.values.astype(np.float64).tolist()
    if column.kind is Kind.BOOLEAN:
        return [None if isnan(number) else bool(number) for number in numbers]
    return [None if isnan(number) else number for number in numbers]
