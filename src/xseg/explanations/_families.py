"""Families of models: everything model-specific that explanations need, behind one protocol.

There are two families, boxes and additive scores. `find_family` selects one by the type of the fitted model. A third
family implements `ModelFamily` and is registered with ``make_family.register(YourModel, YourFamily)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, singledispatch
from typing import Protocol

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
    """The cheapest change of one row that moves it into another segment.

    Attributes
    ----------
    segment : int or None
        Index of that segment; None where there is no such change.
    conditions : tuple of Condition
        One condition for each feature that changes. Where segments are made of boxes, all values that meet the
        conditions lead into the segment; where they are made of scores, a condition allows one value.
    cost : float
        Cost of the change, in units of the features' scales; infinity where there is none.
    proven : bool
        Whether it is proven that no change is cheaper.
    """

    segment: int | None
    conditions: tuple[Condition, ...]
    cost: float
    proven: bool


class NearestChanges(Protocol):
    """Search for the nearest change of each row; each family of models implements it."""

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the nearest change of each row."""
        ...


class BoxNearestChanges:
    """Nearest changes of a box model: the conditions of the nearest box that a row does not meet."""

    def __init__(self, model: BoxModel, profile: SegmentProfile, moves: AllowedChanges) -> None:
        self.search = BoxChangeSearch(model, profile, moves)

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the nearest change of each row."""
        search = self.search
        values = encode_values(search.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        boxes, costs = search.find_nearest(values, search.predict_segments(table), anywhere, n_workers)
        failed = search.find_failed_conditions(values, boxes)
        segment = search.boxes.segment.tolist()
        return [
            NearestChange(None, (), np.inf, proven=True)
            if box < 0
            else NearestChange(segment[box], conditions, cost, proven=True)
            for box, conditions, cost in zip(boxes.tolist(), failed, costs.tolist(), strict=True)
        ]


class ScoreNearestChanges:
    """Nearest changes of a score model: the values after which another score is the highest."""

    def __init__(self, model: AdditiveModel, moves: AllowedChanges) -> None:
        self.search = ScoreChangeSearch(model, moves)

    def find(self, table: Table, n_workers: int) -> list[NearestChange]:
        """Return the nearest change of each row."""
        search = self.search
        values = encode_values(search.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        found = search.solve(values, search.predict_segments(table), anywhere, n_workers)
        moved = (found.values != values) & ~np.isnan(values)
        return [
            NearestChange(
                target if target >= 0 else None,
                tuple(_make_equality(search.bins[j], after[j]) for j in np.flatnonzero(changes).tolist()),
                cost,
                proven,
            )
            for target, after, changes, cost, proven in zip(
                found.target.tolist(), found.values, moved, found.cost.tolist(), found.proven.tolist(), strict=True
            )
        ]


def _make_equality(bins: FeatureBins, value: float) -> Condition:
    """Return the condition that a feature has one value."""
    feature = bins.feature
    if not feature.kind.is_numeric:
        return Condition(feature.name, feature.kind, categories=(bins.categories[int(value)],))
    if feature.kind is Kind.BOOLEAN:
        is_yes = value == 1
        return Condition(feature.name, feature.kind, 0.5 if is_yes else None, None if is_yes else 0.5)
    return Condition(feature.name, feature.kind, lower=float(value), upper=float(np.nextafter(value, np.inf)))


@dataclass(frozen=True, slots=True, eq=False)
class GroupDescription:
    """Description of a segment for one row in it.

    Attributes
    ----------
    rule : mapping of int to Condition
        The conditions, by feature, of the rule that the row meets; empty where there are no rules.
    typical : mapping of int to Condition
        The middle half of the segment's rows, by feature; empty where there are rules.
    features : tuple of int
        The features that decide the segment of the row.
    """

    rule: Mapping[int, Condition]
    typical: Mapping[int, Condition]
    features: tuple[int, ...]


class GroupDescriber(Protocol):
    """Descriptions of segments under one fitted model; each family of models implements it."""

    bins: Bins

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return the description of each row's segment, given the segments."""
        ...


class BoxDescriber:
    """Descriptions by the rule of the box that a row lies in."""

    def __init__(self, model: BoxModel) -> None:
        self.boxes = model.boxes
        self.bins: Bins = self.boxes.bins
        self.tests = self.boxes.tests()
        self._cached_rule = cache(self._rule)

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return the rule of each row's box."""
        del segments
        codes = self.bins.encode(table, self.tests.features.tolist())
        return [self._cached_rule(box) for box in self.tests.find(codes).tolist()]

    def _rule(self, box: int) -> GroupDescription:
        inside = self.boxes.inside[box]
        features = tuple(np.flatnonzero(~inside.all(axis=1)).tolist())
        return GroupDescription({j: make_condition(self.bins[j], inside[j]) for j in features}, {}, features)


class ScoreDescriber:
    """Descriptions by the middle half of a segment, for segments made of scores."""

    def __init__(self, model: AdditiveModel, profile: SegmentProfile) -> None:
        self.profile = profile
        self.bins: Bins = self.profile.bins
        self.features = tuple(model.used_features.tolist())
        self._cached_typical = cache(self._typical)

    def describe_rows(self, table: Table, segments: NDArray[np.int64]) -> list[GroupDescription]:
        """Return the middle half of each row's segment in each feature."""
        del table
        return [self._cached_typical(segment) for segment in segments.tolist()]

    def _typical(self, segment: int) -> GroupDescription:
        masks = {j: self.profile.middle_half(j, segment) for j in self.features}
        typical = {j: make_condition(self.bins[j], inside) for j, inside in masks.items() if inside is not None}
        return GroupDescription({}, typical, self.features)


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """The segment each row is compared with.

    Attributes
    ----------
    own : ndarray of shape (n_rows,)
        The segment each row is in.
    rivals : ndarray of shape (n_rows,)
        The segment it is compared with; `NO_RIVAL` where there is none.
    unmet_conditions : tuple of tuple of Condition
        For each row, the conditions of the rival's nearest box that the row does not meet; empty for models without
        boxes.
    """

    own: NDArray[np.int64]
    rivals: NDArray[np.int64]
    unmet_conditions: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChangeContributions:
    """Contributions of the columns to the change of each row between two tables.

    Attributes
    ----------
    before, after : ndarray of shape (n_rows,)
        The segment of each row in the first and in the second table.
    values : ndarray of shape (n_rows, n_columns)
        The Shapley values; each row adds up to ``end - start``.
    start, end : ndarray of shape (n_rows,)
        The membership or margin that is explained, before and after.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    values: NDArray[np.float64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


class ModelFamily(Protocol):
    """The model-specific part of all explanations; one object per fitted model.

    Rows come as tables that have been read, segments are indices. ``route.sources`` is the raw column of each feature
    where the segmenter is the last step of a pipeline, else None; contributions are always to the `n_columns` raw
    columns.
    """

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> Explainer:
        """Return an explainer for exact Shapley values; a background of None means all rows of the fit."""
        ...

    def explain_changes(
        self, route: Route, n_columns: int, before: Table, after: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain why each row is in another segment in `after` than in `before`."""
        ...

    def find_rivals(self, rows: Table, named: int | None, n_workers: int) -> Rivals:
        """Find the segment each row is compared with: the one named, or by default the runner-up."""
        ...

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Return the search for the cheapest change of each row into a given segment."""
        ...

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Return the search for the cheapest change into any other segment, as conditions."""
        ...

    def make_row_explainer(self) -> RowExplainer:
        """Return a function that explains one row from its plain values."""
        ...

    def make_portable(self, segmenter: FittedSegmenter, minimum_group_size: float) -> PortableModel:
        """Return the model as plain data for an interactive page."""
        ...

    def make_describer(self) -> GroupDescriber:
        """Return a describer of segments for the rows in them."""
        ...


class BoxFamily:
    """Family of the models whose segments are unions of boxes; membership, 0 or 1, is explained."""

    def __init__(self, model: BoxModel, profile: SegmentProfile) -> None:
        self.model = model
        self.profile = profile

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> BoxExplainer:
        """Return an explainer of membership."""
        model = self.model
        if background is None:
            return population_explainer(model, route.sources, n_columns)
        tests = model.boxes.tests(route.sources)
        counts = PatternCounts(tests)
        codes = model.boxes.bins.encode(background, tests.features.tolist())
        counts.add(CodedBlock(codes, np.empty((len(codes), 0), np.float32), weights))
        return BoxExplainer(model, tests, tuple(counts.boxes), n_columns)

    def explain_changes(
        self, route: Route, n_columns: int, before: Table, after: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain the change of membership in the segment each row is in afterwards."""
        old, new = (self.model.assign(table).astype(np.int64) for table in (before, after))
        explainer = population_explainer(self.model, route.sources, n_columns)
        values = explainer.explain_changes(after, before, new, n_workers)
        return ChangeContributions(old, new, values, (old == new).astype(np.float64), np.ones(len(new)))

    def find_rivals(self, rows: Table, named: int | None, n_workers: int) -> Rivals:
        """Find the segment of the nearest box, and the conditions of that box that the row does not meet."""
        search = BoxChangeSearch(self.model, self.profile, AllowedChanges.from_options(self.profile))
        values, own = encode_values(search.bins, rows), search.predict_segments(rows)
        targets = np.full(len(rows), NO_RIVAL) if named is None else np.where(own == named, NO_RIVAL, named)
        boxes, _ = search.find_nearest(values, own, targets, n_workers)
        reached = np.where(boxes >= 0, search.boxes.segment[boxes].astype(np.int64), targets)
        return Rivals(own, reached, tuple(search.find_failed_conditions(values, boxes)))

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Return the projection of rows on boxes."""
        return BoxChangeSearch(self.model, self.profile, moves)

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Return the projection of rows on the nearest box of another segment."""
        return BoxNearestChanges(self.model, self.profile, moves)

    def make_row_explainer(self) -> RowExplainer:
        """Return a look-up of a row's box and of its Shapley values."""
        return BoxRowExplainer(self.model)

    def make_portable(self, segmenter: FittedSegmenter, minimum_group_size: float) -> PortableModel:
        """Return the tests of the boxes and the Shapley values by pattern of failed tests."""
        return PortableBoxes(self.model, segmenter, minimum_group_size)

    def make_describer(self) -> GroupDescriber:
        """Return a describer by the rules of boxes."""
        return BoxDescriber(self.model)


class ScoreFamily:
    """Family of the models whose segments are the highest of several additive scores; margins are explained."""

    def __init__(self, model: AdditiveModel, profile: SegmentProfile) -> None:
        self.model = model
        self.profile = profile

    def make_explainer(
        self, route: Route, n_columns: int, background: Table | None, weights: NDArray[np.int64]
    ) -> AdditiveExplainer:
        """Return an explainer of scores."""
        model = self.model
        population = model.population if background is None else compute_population(model, background, weights)
        players = np.arange(len(model.coding.bins)) if route.sources is None else route.sources
        return AdditiveExplainer(model, population, players, n_columns)

    def explain_changes(
        self, route: Route, n_columns: int, before: Table, after: Table, n_workers: int
    ) -> ChangeContributions:
        """Explain the margin of the new segment over the old one, or over the runner-up for rows that stayed."""
        model = self.model
        earlier, later = model.score(before), model.score(after)
        old = model.two_best(earlier)[0]
        new, runner_up = model.two_best(later)
        rival = np.where(old == new, runner_up, old)
        explainer = self.make_explainer(route, n_columns, None, np.empty(0, dtype=np.int64))
        values = (
            explainer.explain_pairs(after, new, rival, n_workers).values
            - explainer.explain_pairs(before, new, rival, n_workers).values
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
        return Rivals(own, np.where(own == rivals, NO_RIVAL, rivals), ((),) * len(rows))

    def make_change_search(self, moves: AllowedChanges) -> ChangeSearch:
        """Return the search for a change after which another score is the highest."""
        return ScoreChangeSearch(self.model, moves)

    def make_nearest_changes(self, moves: AllowedChanges) -> NearestChanges:
        """Return the search for a change after which another score is the highest."""
        return ScoreNearestChanges(self.model, moves)

    def make_row_explainer(self) -> RowExplainer:
        """Return an evaluation of every score on one row."""
        return ScoreRowExplainer(self.model)

    def make_portable(self, segmenter: FittedSegmenter, minimum_group_size: float) -> PortableModel:
        """Return the curves and tables of the scores."""
        return PortableScores(self.model, segmenter, minimum_group_size)

    def make_describer(self) -> GroupDescriber:
        """Return a describer by the middle half of each segment."""
        return ScoreDescriber(self.model, self.profile)


@singledispatch
def make_family(model: object, profile: SegmentProfile) -> ModelFamily:
    """Return the family of a fitted model, selected by its type.

    A function made by `functools.singledispatch`: ``make_family.register(YourModel, YourFamily)`` adds a family, where
    ``YourFamily(model, profile)`` returns a `ModelFamily`.

    Parameters
    ----------
    model : BoxModel, AdditiveModel or a registered type
        The fitted model, ``segmenter.model_``.
    profile : SegmentProfile
        The counts of its population, ``segmenter.profile_``.

    Returns
    -------
    ModelFamily
        The family, prepared for this model.

    Raises
    ------
    UnsupportedTypeError
        No family is registered for it.
    """
    del profile
    message = (
        f"model must be a BoxModel, an AdditiveModel or of a type registered with xseg.explanations.make_family, got "
        f"{type(model).__name__}; register its family with make_family.register"
    )
    raise UnsupportedTypeError(message)


make_family.register(BoxModel, BoxFamily)
make_family.register(AdditiveModel, ScoreFamily)


def find_family(segmenter: FittedSegmenter) -> ModelFamily:
    """Return the family of the model of a fitted segmenter."""
    return make_family(segmenter.model_, segmenter.profile_)


def describe_groups(segmenter: FittedSegmenter) -> GroupDescriber:
    """Return a describer of the segments of a fitted segmenter, for the rows in them."""
    return find_family(check_segmenter(segmenter)).make_describer()
