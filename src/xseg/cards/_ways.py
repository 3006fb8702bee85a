"""Where the neighbour group begins: why not there, what would lead there, and how near it is."""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from xseg.cards._fact_types import Alternative, Asked, Certainty, WayOut
from xseg.cards._limits import limits_of
from xseg.cards._naming import Naming
from xseg.cards._points import Points
from xseg.core.conditions import Condition
from xseg.core.tables import Table
from xseg.explanations import NO_RIVAL, Way, WayFinder

__all__ = ["Path", "Paths", "Ways"]

# A change of less than a tenth of the middle half of everyone is a close call, and so is a lead of less than a tenth.
CLOSE = 0.1
_CLOSE_POINTS = 10


Ways: TypeAlias = tuple[Way | None, Way | None]


@dataclass(frozen=True, slots=True)
class Path:
    """What lies around one person."""

    alternative: Alternative | None
    way_out: WayOut | None
    certainty: Certainty


class Paths:
    """Gives what lies around any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    naming : Naming
        What may be named, and what a person can change.
    """

    def __init__(self, segmenter: Any, naming: Naming) -> None:
        self.naming = naming
        self.bins = segmenter.profile_.bins
        self.by_scores = not hasattr(segmenter.model_, "boxes")
        used = segmenter.model_.used_features.tolist()
        stated = [naming.features[j].mutable for j in used]
        self.says_mutable = any(mutable is not None for mutable in stated)
        self.says_all = all(mutable is not None for mutable in stated)
        # Where groups are compared by scores, the lead says how near the next one is.
        self._nearest = None if self.by_scores else WayFinder(segmenter)
        self._open = WayFinder(segmenter, *self._asked_of_people()) if self.says_mutable else None
        self._told = cache(self._find)

    def ways(self, rows: Table) -> list[Ways]:
        """Return the nearest way of each row, and the nearest that the person can take."""
        nothing: list[Way | None] = [None] * len(rows)
        found = [nothing if finder is None else finder.of(rows) for finder in (self._nearest, self._open)]
        return list(zip(*found, strict=True))

    def around(self, ways: Ways, segment: int, rival: int, points: Points) -> Path:
        """Collect the facts about the surroundings of one row."""
        nearest, possible = ways
        return Path(
            self._by_score(rival, segment, points) if nearest is None else self._by_rule(nearest),
            None if possible is None else self._way_out(possible),
            self._lead(rival, segment, points) if nearest is None else self._distance(nearest),
        )

    def _asked_of_people(self) -> tuple[list[str], dict[str, str]]:
        """Return what must stay as it is, and what can only rise or fall."""
        naming = self.naming
        pairs = list(zip(naming.names, naming.features, naming.hidden, strict=True))
        frozen = [name for name, feature, hidden in pairs if feature.mutable is not True or hidden]
        return frozen, {name: feature.direction for name, feature, _ in pairs if feature.direction is not None}

    def _by_rule(self, way: Way) -> Alternative | None:
        if way.segment is None:
            return None
        asked = [self._told(condition) for condition in way.conditions]
        # What is asked of a group that is too small to be sized says too much about the few in it.
        told = () if self._is_small(way.segment) else tuple(one for one in asked if one is not None)
        return Alternative(
            segment=self.naming.segments[way.segment].name,
            asked=told,
            strongest=None,
            hidden=len(told) < len(way.conditions),
        )

    def _is_small(self, segment: int) -> bool:
        return self.naming.segments[segment].size is None

    def _by_score(self, rival: int, segment: int, points: Points) -> Alternative | None:
        if rival in (NO_RIVAL, segment):
            return None
        strongest = next((j for j, n in zip(points.shown, points.reasons, strict=True) if n > 0), None)
        return Alternative(
            segment=self.naming.segments[rival].name,
            asked=(),
            strongest=None if strongest is None else self.naming.labels[strongest],
            hidden=points.hidden is not None and points.hidden.outweighs,
        )

    def _way_out(self, way: Way) -> WayOut | None:
        if way.segment is None:
            return WayOut(segment=None, asked=(), proven=way.proven) if self.says_all else None
        if self._is_small(way.segment):
            return None
        told = tuple(asked for condition in way.conditions if (asked := self._told(condition)) is not None)
        if len(told) < len(way.conditions):
            return None
        return WayOut(segment=self.naming.segments[way.segment].name, asked=told, proven=way.proven)

    def _distance(self, way: Way) -> Certainty:
        if way.segment is None:
            return Certainty(close=False, distance=None, label=None)
        told = [self._told(condition) for condition in way.conditions]
        only = told[0].label if len(told) == 1 and told[0] is not None else None
        return Certainty(close=way.cost < CLOSE, distance=way.cost, label=only)

    def _lead(self, rival: int, segment: int, points: Points) -> Certainty:
        if rival in (NO_RIVAL, segment):
            return Certainty(close=False, distance=None, label=None)
        return Certainty(close=points.total < _CLOSE_POINTS, distance=points.total / 100, label=None)

    def _find(self, condition: Condition) -> Asked | None:
        """Write a condition as facts; None if the feature, or all that is asked of it, is not to be named."""
        naming = self.naming
        j = self.bins.schema.index(condition.feature)
        limits = limits_of(condition, self.bins[j], naming.rare[j])
        if naming.hidden[j] or limits is None:
            return None
        return Asked(
            feature=condition.feature,
            label=naming.labels[j],
            unit=naming.units[j],
            number_format=naming.features[j].number_format,
            integral=self.bins[j].feature.integral,
            limits=limits,
        )
