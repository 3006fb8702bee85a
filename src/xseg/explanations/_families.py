"""All that explanations ask of a family of models, in one object for boxes and one for additive scores.

`find_family` chooses it by the type of the fitted model; a family of your own is registered by
``make_family.register(YourModel)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, singledispatch
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg.core.additive import AdditiveModel
from xseg.core.bins import Bins, FeatureBins
from xseg.core.boxes import BoxModel, PatternCounts
from xseg.core.conditions import Condition, make_condition
from xseg.core.schema import Kind
from xseg.core.segments import SegmentProfile
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table
from xseg.exceptions import UnsupportedTypeError
from xseg.explanations._change_costs import AllowedChanges, ChangeSearch, encode_values
from xseg.explanations._change_search import BoxChangeSearch, ScoreChangeSearch
from xseg.explanations._row_explainers import (
    BoxRowExplainer,
    PortableBoxes,
    PortableModel,
    PortableScores,
    RowExplainer,
    ScoreRowExplainer,
)
from xseg.explanations._shapley import (
    NO_RIVAL,
    AdditiveExplainer,
    BoxExplainer,
    Explainer,
    compute_population,
    population_explainer,
)
from xseg.segmenters import FittedSegmenter, Route, check_segmenter

__all__ = [
    "BoxDescriber",
    "BoxNearestChanges",
    "ChangeContributions",
    "GroupDescriber",
    "GroupDescription",
    "ModelFamily",
    "NearestChange",
    "NearestChanges",
    "Rivals",
    "ScoreDescriber",
    "ScoreNearestChanges",
    "describe_groups",
    "find_family",
    "make_family",
]


@dataclass(frozen=True, slots=True)
class NearestChange:
    """The cheapest change of one row that leads to another segment.

    Attributes
    ----------
    segment : int or None
        Where it leads; None where there is no way.
    conditions : tuple of Condition
        What the features that change must be. Of segments made of boxes every value that meets them leads there, of
        those made of scores the one value they allow.
    cost : float
        What it costs, in scales; infinity where there is no way.
    proven : bool
        Whether it is certain that there is no cheaper one.
    """

    segment: int | None
    conditions: tuple[Condition, ...]
    cost: float
    proven: bool


class NearestChanges(Protocol):
    """Finds the nearest way of each row; each family of models has one."""

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the way of each row."""
        ...


class BoxNearestChanges:
    """Finds the nearest box of another segment, and what it asks that a row does not meet."""

    def __init__(self, model: BoxModel, profile: SegmentProfile, moves: AllowedChanges) -> None:
        self.search = BoxChangeSearch(model, profile, moves)
        self._condition = cache(self._find_condition)

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the way of each row."""
        search = self.search
        values = encode_values(search.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        boxes, costs = search.find_nearest(values, search.predict_segments(table), anywhere, n_workers)
        return [self._way(*one) for one in zip(values, boxes.tolist(), costs.tolist(), strict=True)]

    def _way(self, values: NDArray[np.float64], box: int, cost: float) -> NearestChange:
        if box < 0:
            return NearestChange(None, (), np.inf, proven=True)
        search = self.search
        asked = tuple(self._condition(box, j) for j in search.find_failed_tests(values, box))
        return NearestChange(int(search.boxes.segment[box]), asked, cost, proven=True)

    def _find_condition(self, box: int, j: int) -> Condition:
        return make_condition(self.search.bins[j], self.search.boxes.inside[box, j])


class ScoreNearestChanges:
    """Finds the least change that lets another segment's score lead."""

    def __init__(self, model: AdditiveModel, moves: AllowedChanges) -> None:
        self.search = ScoreChangeSearch(model, moves)

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the way of each row."""
        search = self.search
        values = encode_values(search.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        found = search.solve(values, search.predict_segments(table), anywhere, n_workers)
        moved = (found.values != values) & ~np.isnan(values)
        return [
            NearestChange(
                target if target >= 0 else None,
                tuple(_exactly(search.bins[j], after[j]) for j in np.flatnonzero(changes).tolist()),
                cost,
                proven,
            )
            for target, after, changes, cost, proven in zip(
                found.target.tolist(), found.values, moved, found.cost.tolist(), found.proven.tolist(), strict=True
            )
        ]


def _exactly(bins: FeatureBins, value: float) -> Condition:
    """Return the condition that only one value meets."""
    feature = bins.feature
    if not feature.kind.is_numeric:
        return Condition(feature.name, feature.kind, categories=(bins.categories[int(value)],))
    if feature.kind is Kind.BOOLEAN:
        is_yes = value == 1
        return Condition(feature.name, feature.kind, 0.5 if is_yes else None, None if is_yes else 0.5)
    return Condition(feature.name, feature.kind, lower=float(value), upper=float(np.nextafter(value, np.inf)))


@dataclass(frozen=True, slots=True, eq=False)
class GroupDescription:
    """What can be said of a group to one person in it.

    Attributes
    ----------
    rule : mapping of int to Condition
        What the rule that the person meets asks of features; empty where there are no rules.
    typical : mapping of int to Condition
        Where the middle of the group is; empty where there are rules.
    asked : tuple of int
        The features that placed the person.
    """

    rule: Mapping[int, Condition]
    typical: Mapping[int, Condition]
    asked: tuple[int, ...]


class GroupDescriber(Protocol):
    """One family of models."""

    bins: Bins

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return what can be said to the person of each row, who is in the segment given."""
        ...


class BoxDescriber:
    """Segments made of boxes: the person is in one of them."""

    def __init__(self, model: BoxModel) -> None:
        self.boxes = model.boxes
        self.bins: Bins = self.boxes.bins
        self.tests = self.boxes.tests()
        self._cached_rule = cache(self._rule)

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return the rule of each person's box."""
        del segments
        codes = self.bins.encode(table, self.tests.features.tolist())
        return [self._cached_rule(box) for box in self.tests.find(codes).tolist()]

    def _rule(self, box: int) -> GroupDescription:
        inside = self.boxes.inside[box]
        asked = tuple(np.flatnonzero(~inside.all(axis=1)).tolist())
        return GroupDescription({j: make_condition(self.bins[j], inside[j]) for j in asked}, {}, asked)


class ScoreDescriber:
    """Segments made by additive scores: the person's values are near those of the group."""

    def __init__(self, model: AdditiveModel, profile: SegmentProfile) -> None:
        self.profile = profile
        self.bins: Bins = self.profile.bins
        self.asked = tuple(model.used_features.tolist())
        self._cached_typical = cache(self._typical)

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return the middle half of the group's people in each feature."""
        del table
        return [self._cached_typical(segment) for segment in segments.tolist()]

    def _typical(self, segment: int) -> GroupDescription:
        masks = {j: self.profile.middle_half(j, segment) for j in self.asked}
        typical = {j: make_condition(self.bins[j], inside) for j, inside in masks.items() if inside is not None}
        return GroupDescription({}, typical, self.asked)


Rivals: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64], tuple[tuple[Condition, ...], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class ChangeContributions:
    """The segments of rows before and after, the contributions to the change, and what is explained at both ends."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    values: NDArray[np.float64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


class ModelFamily(Protocol):
    """What explanations ask of one fitted model."""

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> Explainer:
        """Prepare exact Shapley values; None as background means all rows the model was fitted on."""
        ...

    def explain_changes(
        self, route: Route, n_columns: int, then: Table, now: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain the move of each row from its segment then to its segment now."""
        ...

    def find_rivals(self, rows: Table, named: int | None, n_workers: int) -> Rivals:
        """Find each row's own segment, the one it is compared with, and what keeps it out of that."""
        ...

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Prepare the search for the cheapest change into a segment."""
        ...

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Prepare the search for the nearest way into another segment, told as conditions."""
        ...

    def make_row_explainer(self) -> RowExplainer:
        """Prepare the explanation of one row from values alone."""
        ...

    def make_portable(self, segmenter: FittedSegmenter, least: float) -> PortableModel:
        """Prepare the model for a page that explains one row."""
        ...

    def make_describer(self) -> GroupDescriber:
        """Prepare the description of a group for a row in it."""
        ...


class BoxFamily:
    """Segments made of boxes: membership is explained, and changes lead into boxes."""

    def __init__(self, model: BoxModel, profile: SegmentProfile) -> None:
        self.model = model
        self.profile = profile

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> BoxExplainer:
        """Prepare the Shapley values of membership."""
        model = self.model
        if background is None:
            return population_explainer(model, route.sources, n_columns)
        tests = model.boxes.tests(route.sources)
        counts = PatternCounts(tests)
        codes = model.boxes.bins.encode(background, tests.features.tolist())
        counts.add(CodedBlock(codes, np.empty((len(codes), 0), np.float32), weights))
        return BoxExplainer(model, tests, tuple(counts.boxes), n_columns)

    def explain_changes(
        self, route: Route, n_columns: int, then: Table, now: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain membership in the segment after, less that before."""
        old, new = (self.model.assign(table).astype(np.int64) for table in (then, now))
        explainer = population_explainer(self.model, route.sources, n_columns)
        values = explainer.explain_changes(now, then, new, n_workers)
        return ChangeContributions(old, new, values, (old == new).astype(np.float64), np.ones(len(new)))

    def find_rivals(self, rows: Table, named: int | None, n_workers: int) -> Rivals:
        """Find the segment of the nearest box, and what that box asks that the row does not meet."""
        search = BoxChangeSearch(self.model, self.profile, AllowedChanges.from_options(self.profile))
        values, own = encode_values(search.bins, rows), search.predict_segments(rows)
        targets = np.full(len(rows), NO_RIVAL) if named is None else np.where(own == named, NO_RIVAL, named)
        boxes, _ = search.find_nearest(values, own, targets, n_workers)
        reached = np.where(boxes >= 0, search.boxes.segment[boxes].astype(np.int64), targets)
        kept_out = (
            _list_failed_conditions(search, line, box) for line, box in zip(values, boxes.tolist(), strict=True)
        )
        return own, reached, tuple(kept_out)

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Prepare projections on boxes."""
        return BoxChangeSearch(self.model, self.profile, moves)

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Prepare projections on the nearest box."""
        return BoxNearestChanges(self.model, self.profile, moves)

    def make_row_explainer(self) -> RowExplainer:
        """Prepare a look-up of the box and its tables."""
        return BoxRowExplainer(self.model)

    def make_portable(self, segmenter: FittedSegmenter, least: float) -> PortableModel:
        """Prepare tests and tables by pattern."""
        return PortableBoxes(self.model, segmenter, least)

    def make_describer(self) -> GroupDescriber:
        """Prepare the rules of boxes."""
        return BoxDescriber(self.model)


def _list_failed_conditions(search: BoxChangeSearch, values: NDArray[np.float64], box: int) -> tuple[Condition, ...]:
    if box < 0:
        return ()
    return tuple(
        make_condition(search.bins[j], search.boxes.inside[box, j]) for j in search.find_failed_tests(values, box)
    )


class ScoreFamily:
    """Segments made by additive scores: margins are explained, and changes let another score lead."""

    def __init__(self, model: AdditiveModel, profile: SegmentProfile) -> None:
        self.model = model
        self.profile = profile

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> AdditiveExplainer:
        """Prepare the Shapley values of scores."""
        model = self.model
        population = model.population if background is None else compute_population(model, background, weights)
        players = np.arange(len(model.coding.bins)) if route.sources is None else route.sources
        return AdditiveExplainer(model, population, players, n_columns)

    def explain_changes(
        self, route: Route, n_columns: int, then: Table, now: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain the margin of the new segment over the old one, or over the runner-up for who stayed."""
        model = self.model
        earlier, later = model.score(then), model.score(now)
        old = model.two_best(earlier)[0]
        new, runner_up = model.two_best(later)
        rival = np.where(old == new, runner_up, old)
        explainer = self.make_explainer(route, n_columns, None, np.empty(0, dtype=np.int64))
        values = (
            explainer.explain_pairs(now, new, rival, n_workers).values
            - explainer.explain_pairs(then, new, rival, n_workers).values
        )
        rows = np.arange(len(new))
        start, end = (scores[rows, new] - scores[rows, rival] for scores in (earlier, later))
        return ChangeContributions(old, new, values, start, end)

    def find_rivals(self, rows: Table, named: int | None, n_workers: int) -> Rivals:
        """Find the segment with the next best score."""
        del n_workers
        own, rivals = self.model.two_best(self.model.score(rows))
        if named is not None:
            rivals = np.where(own == named, rivals, named)
        return own, np.where(own == rivals, NO_RIVAL, rivals), ((),) * len(rows)

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Prepare the search over scores."""
        return ScoreChangeSearch(self.model, moves)

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Prepare the search over scores."""
        return ScoreNearestChanges(self.model, moves)

    def make_row_explainer(self) -> RowExplainer:
        """Prepare the parts of every score."""
        return ScoreRowExplainer(self.model)

    def make_portable(self, segmenter: FittedSegmenter, least: float) -> PortableModel:
        """Prepare curves and tables."""
        return PortableScores(self.model, segmenter, least)

    def make_describer(self) -> GroupDescriber:
        """Prepare the middle half of each group."""
        return ScoreDescriber(self.model, self.profile)


@singledispatch
def make_family(model: object, profile: SegmentProfile) -> ModelFamily:
    """Prepare what explanations ask of a fitted model, by its type.

    Raises
    ------
    UnsupportedTypeError
        No family is registered for it.
    """
    del profile
    message = (
        f"the model must be of a registered family (BoxModel, AdditiveModel), got {type(model).__name__}; register its "
        "family with xseg.explanations.make_family.register"
    )
    raise UnsupportedTypeError(message)


make_family.register(BoxModel, BoxFamily)
make_family.register(AdditiveModel, ScoreFamily)


def find_family(segmenter: FittedSegmenter) -> ModelFamily:
    """Return what explanations ask of the model of a fitted segmenter."""
    return make_family(segmenter.model_, segmenter.profile_)


def describe_groups(segmenter: FittedSegmenter) -> GroupDescriber:
    """Prepare the descriptions of the groups of a fitted segmenter."""
    return find_family(check_segmenter(segmenter)).make_describer()
