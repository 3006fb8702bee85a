"""The nearest way of rows into another segment, as conditions on what changes."""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.additive import AdditiveModel
from xseg.core.bins import FeatureBins
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Condition, make_condition
from xseg.core.profiles import SegmentProfile
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explanations._change_costs import AllowedChanges, encode_values
from xseg.explanations._change_search import BoxChangeSearch, ScoreChangeSearch

__all__ = ["BoxNearestChanges", "NearestChange", "NearestChanges", "ScoreNearestChanges"]


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
