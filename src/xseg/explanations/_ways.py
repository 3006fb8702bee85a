"""The nearest way into another segment, as conditions that can be told to a person."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.additive import AdditiveModel
from xseg.core.bins import FeatureBins
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Condition, condition_of
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explanations._additive_moves import AdditiveMoves
from xseg.explanations._box_moves import BoxMoves
from xseg.explanations._moves import Moves, values_of
from xseg.segmenters import check_segmenter

__all__ = ["Way", "WayFinder"]


@dataclass(frozen=True, slots=True)
class Way:
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


class _Ways(Protocol):
    def of(self, table: Table, n_workers: int) -> list[Way]: ...


class WayFinder:
    """Finds the nearest way into another segment for row after row.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    frozen : iterable of str
        Features that must stay as they are.
    direction : mapping of str to {"up", "down"}
        Features that may only rise or only fall.

    Examples
    --------
    >>> import xseg
    >>> from xseg.core.tables import read_table
    >>> from xseg.explanations import WayFinder
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> [way.proven for way in WayFinder(segmenter).of(read_table(customers.head(2)))]
    [True, True]
    """

    def __init__(self, segmenter: Any, frozen: Iterable[str] = (), direction: Mapping[str, str] | None = None) -> None:
        schema = check_segmenter(segmenter).profile_.bins.schema
        ordered = {name: way for name, way in (direction or {}).items() if _has_order(schema[schema.index(name)].kind)}
        moves = Moves.of(segmenter.profile_, frozen, None, ordered)
        self._ways: _Ways = _FAMILIES[type(segmenter.model_)](segmenter, moves)

    def of(self, table: Table, n_workers: int = 1) -> list[Way]:
        """Return the way of each row of a table that has the columns the segmenter was fitted on."""
        return self._ways.of(table, n_workers)


def _has_order(kind: Kind) -> bool:
    return kind is not Kind.CATEGORY


class _BoxWays:
    def __init__(self, segmenter: Any, moves: Moves) -> None:
        self.mover = BoxMoves(segmenter.model_, segmenter.profile_, moves)
        self._condition = cache(self._find_condition)

    def of(self, table: Table, n_workers: int) -> list[Way]:
        mover = self.mover
        values = values_of(mover.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        boxes, costs = mover.nearest(values, mover.own(table), anywhere, n_workers)
        return [self._way(*one) for one in zip(values, boxes.tolist(), costs.tolist(), strict=True)]

    def _way(self, values: NDArray[np.float64], box: int, cost: float) -> Way:
        if box < 0:
            return Way(None, (), np.inf, proven=True)
        mover = self.mover
        asked = tuple(self._condition(box, j) for j in mover.failing(values, box))
        return Way(int(mover.boxes.segment[box]), asked, cost, proven=True)

    def _find_condition(self, box: int, j: int) -> Condition:
        return condition_of(self.mover.bins[j], self.mover.boxes.inside[box, j])


class _ScoreWays:
    def __init__(self, segmenter: Any, moves: Moves) -> None:
        self.mover = AdditiveMoves(segmenter.model_, moves)

    def of(self, table: Table, n_workers: int) -> list[Way]:
        mover = self.mover
        values = values_of(mover.bins, table)
        anywhere = np.full(len(table), -1, dtype=np.int64)
        found = mover.solve(values, mover.own(table), anywhere, n_workers)
        moved = (found.values != values) & ~np.isnan(values)
        return [
            Way(
                target if target >= 0 else None,
                tuple(_exactly(mover.bins[j], after[j]) for j in np.flatnonzero(changes).tolist()),
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


_FAMILIES: dict[type, Callable[[Any, Moves], _Ways]] = {BoxModel: _BoxWays, AdditiveModel: _ScoreWays}
