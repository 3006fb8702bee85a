"""What can be said of a group to somebody in it: the rule that is met, or where the middle of the group is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.additive import AdditiveModel
from xseg.core.bins import Bins
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Condition, make_condition
from xseg.core.profiles import SegmentProfile
from xseg.core.tables import Table

__all__ = ["BoxDescriber", "GroupDescriber", "GroupDescription", "ScoreDescriber"]


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
