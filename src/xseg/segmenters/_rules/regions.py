"""The geometry of boxes over a few axes, exact and without any rows.

An axis is a feature cut into finitely many cells: the codes of its values, and one for missing. A box holds some cells
of each axis, one bit a cell, so that meeting and parting boxes are operations on integers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from xseg.exceptions import RuleError

__all__ = ["MAX_BOXES", "Box", "Regions", "meet"]

MAX_BOXES = 1_000
_MAX_PIECES = 2 * MAX_BOXES

Box: TypeAlias = tuple[int, ...]


def meet(one: Box, other: Box) -> Box | None:
    """Return what two boxes share; None if that is nothing."""
    shared = tuple(a & b for a, b in zip(one, other, strict=True))
    return shared if all(shared) else None


def part(box: Box, taken: Box, order: Sequence[int]) -> list[Box]:
    """Return what is left of a box without another one, as disjoint boxes, cut axis by axis in this order."""
    if meet(box, taken) is None:
        return [box]
    left, rest = [], list(box)
    for axis in order:
        outside = box[axis] & ~taken[axis]
        if outside:
            left.append((*rest[:axis], outside, *rest[axis + 1 :]))
            rest[axis] &= taken[axis]
    return left


@dataclass(frozen=True)
class Regions:
    """Unions of boxes within everything there is.

    Attributes
    ----------
    everything : tuple of int
        The box of all cells.
    ordered : tuple of bool
        Whether the known cells of an axis have an order, so that people speak of ranges of them.
    order : tuple of int
        In which order axes are cut where a box is taken out of another; it decides which boxes are left, not where.
    """

    everything: Box
    ordered: tuple[bool, ...]
    order: tuple[int, ...]

    def union(self, regions: Iterable[Sequence[Box]]) -> list[Box]:
        """Return the boxes of several regions, without those that lie inside another."""
        found: list[Box] = []
        for box in (box for region in regions for box in region):
            if any(meet(box, other) == box for other in found):
                continue
            found = [other for other in found if meet(box, other) != other]
            found.append(box)
            self._check(len(found))
        return found

    def intersection(self, regions: Iterable[Sequence[Box]]) -> list[Box]:
        """Return what several regions share."""
        found = [self.everything]
        for region in regions:
            shared = [meet(one, other) for one in found for other in region]
            self._check(len(shared))
            found = self.union([[box for box in shared if box is not None]])
        return found

    def difference(self, region: Sequence[Box], taken: Iterable[Box]) -> list[Box]:
        """Return what is left of a region of boxes that do not overlap, as such boxes."""
        left = list(region)
        for box in taken:
            left = [piece for one in left for piece in part(one, box, self.order)]
            self._check(len(left))
        return left

    def disjoint(self, region: Sequence[Box]) -> list[Box]:
        """Return a region as boxes that do not overlap."""
        found: list[Box] = []
        for place, box in enumerate(region):
            found += self.difference([box], region[:place])
            self._check(len(found))
        return found

    def covers(self, region: Sequence[Box], other: Sequence[Box]) -> bool:
        """Return whether a region holds all of another."""
        return not any(self.difference([box], region) for box in other)

    def readable(self, region: Sequence[Box]) -> list[Box]:
        """Return boxes that do not overlap as few boxes that can be said: a range, or a list of categories, an axis."""
        pieces = [piece for box in region for piece in self._runs(box)]
        self._check(len(pieces))
        before: list[Box] = []
        while pieces != before:
            before = pieces
            for axis in range(len(self.everything)):
                pieces = self._joined(pieces, axis)
            pieces.sort()
        return pieces

    def told(self, region: Sequence[Box], taken: Sequence[Box] = ()) -> list[Box]:
        """Return a region without another as readable boxes: the fewest that two ways of cutting give."""
        attempts = []
        for order in (self.order, self.order[::-1]):
            cutting = replace(self, order=order)
            attempts.append(cutting.readable(cutting.difference(cutting.disjoint(region), taken)))
        return min(attempts, key=len)

    def _runs(self, box: Box) -> list[Box]:
        """Cut a box where the known cells of an ordered axis have a gap; missing stays with the first run."""
        pieces = [box]
        for axis, is_ordered in enumerate(self.ordered):
            if is_ordered:
                runs = runs_of(box[axis], self._missing(axis))
                pieces = [(*piece[:axis], run, *piece[axis + 1 :]) for piece in pieces for run in runs]
        return pieces

    def _joined(self, boxes: Sequence[Box], axis: int) -> list[Box]:
        """Join boxes that differ on one axis only."""
        alike: dict[Box, list[int]] = {}
        for box in boxes:
            alike.setdefault((*box[:axis], *box[axis + 1 :]), []).append(box[axis])
        join = self._join_of(axis)
        return [(*rest[:axis], cells, *rest[axis:]) for rest, group in alike.items() for cells in join(group)]

    def _join_of(self, axis: int) -> Callable[[list[int]], list[int]]:
        missing = self._missing(axis)

        def join(group: list[int]) -> list[int]:
            whole = 0
            for cells in group:
                whole |= cells
            return runs_of(whole, missing) if self.ordered[axis] else [whole]

        return join

    def _missing(self, axis: int) -> int:
        return 1 << (self.everything[axis].bit_length() - 1)

    def _check(self, n_boxes: int) -> None:
        if n_boxes > _MAX_PIECES:
            message = (
                f"the rules fall apart into more than {_MAX_PIECES:,} boxes; use fewer 'or' and fewer thresholds, or "
                "put rules that exclude each other in an order in which they need not be cut up"
            )
            raise RuleError(message)


def runs_of(cells: int, missing: int) -> list[int]:
    """Return the runs of consecutive cells; missing stays with the first of them."""
    known, runs = cells & ~missing, []
    while known:
        lowest = known & -known
        run = known & ~(known + lowest)
        runs.append(run)
        known &= ~run
    if cells & missing:
        runs[:1] = [runs[0] | missing] if runs else [missing]
    return runs
