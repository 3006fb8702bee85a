"""What each family of models can say of one person's group: a rule that holds, or what is typical."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

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

    def told(self, one: Table, segment: int) -> Told:
        """Say what can be said to one person."""
        ...


class _Boxes:
    """Segments made of boxes: the person is in one of them."""

    def __init__(self, segmenter: Any) -> None:
        self.boxes = segmenter.model_.boxes
        self.bins: Bins = self.boxes.bins
        self.tests = self.boxes.tests()

    def told(self, one: Table, segment: int) -> Told:
        """Give the rule of the person's box."""
        del segment
        codes = self.bins.encode(one, self.boxes.used_features.tolist())
        inside = self.boxes.inside[int((self.tests.patterns(codes)[0] == 0).argmax())]
        asked = tuple(np.flatnonzero(~inside.all(axis=1)).tolist())
        return Told({j: condition_of(self.bins[j], inside[j]) for j in asked}, {}, asked)


class _Scores:
    """Segments made by additive scores: the person's values are near those of the group."""

    def __init__(self, segmenter: Any) -> None:
        self.profile = segmenter.profile_
        self.bins: Bins = self.profile.bins
        self.asked = tuple(segmenter.model_.used_features.tolist())
        self._of_segment = cache(self._typical)

    def told(self, one: Table, segment: int) -> Told:
        """Give the middle half of the group's people in each feature."""
        del one
        return Told({}, self._of_segment(segment), self.asked)

    def _typical(self, segment: int) -> dict[int, Condition]:
        masks = {j: self.profile.middle_half(j, segment) for j in self.asked}
        return {j: condition_of(self.bins[j], inside) for j, inside in masks.items() if inside is not None}


_FAMILIES: dict[type, Callable[[Any], Family]] = {BoxModel: _Boxes, AdditiveModel: _Scores}


def family_of(segmenter: Any) -> Family:
    """Give what can be said by the family of the model."""
    return _FAMILIES[type(segmenter.model_)](segmenter)
