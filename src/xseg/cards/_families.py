"""What each family of models can say of one person's group: a rule that holds, or what is typical."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.additive import AdditiveModel
from xseg.core.bins import Bins
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Condition, condition_of
from xseg.core.tables import Table

__all__ = ["Family", "Told", "family_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
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


class Family(Protocol):
    """One family of models."""

    bins: Bins

    def told(self, table: Table, segments: NDArray[np.int64]) -> list[Told]:
        """Return what can be said to the person of each row, who is in the segment given."""
        ...


class _Boxes:
    """Segments made of boxes: the person is in one of them."""

    def __init__(self, segmenter: Any) -> None:
        self.boxes = segmenter.model_.boxes
        self.bins: Bins = self.boxes.bins
        self.tests = self.boxes.tests()
        self._of_box = cache(self._rule)

    def told(self, table: Table, segments: NDArray[np.int64]) -> list[Told]:
        """Return the rule of each person's box."""
        del segments
        codes = self.bins.encode(table, self.tests.features.tolist())
        return [self._of_box(box) for box in self.tests.find(codes).tolist()]

    def _rule(self, box: int) -> Told:
        inside = self.boxes.inside[box]
        asked = tuple(np.flatnonzero(~inside.all(axis=1)).tolist())
        return Told({j: condition_of(self.bins[j], inside[j]) for j in asked}, {}, asked)


class _Scores:
    """Segments made by additive scores: the person's values are near those of the group."""

    def __init__(self, segmenter: Any) -> None:
        self.profile = segmenter.profile_
        self.bins: Bins = self.profile.bins
        self.asked = tuple(segmenter.model_.used_features.tolist())
        self._of_segment = cache(self._typical)

    def told(self, table: Table, segments: NDArray[np.int64]) -> list[Told]:
        """Return the middle half of the group's people in each feature."""
        del table
        return [self._of_segment(segment) for segment in segments.tolist()]

    def _typical(self, segment: int) -> Told:
        masks = {j: self.profile.middle_half(j, segment) for j in self.asked}
        typical = {j: condition_of(self.bins[j], inside) for j, inside in masks.items() if inside is not None}
        return Told({}, typical, self.asked)


_FAMILIES: dict[type, Callable[[Any], Family]] = {BoxModel: _Boxes, AdditiveModel: _Scores}


def family_of(segmenter: Any) -> Family:
    """Return what can be said by the family of the model."""
    return _FAMILIES[type(segmenter.model_)](segmenter)
