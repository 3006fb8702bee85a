"""From an ordered list of rules, of which the first that holds wins, to boxes that do not overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xseg.core.boxes import MAX_TESTS, Boxes
from xseg.exceptions import RuleError
from xseg.segmenters._rules.axes import Axes
from xseg.segmenters._rules.expressions import questions
from xseg.segmenters._rules.given import NamedRule
from xseg.segmenters._rules.regions import MAX_BOXES, Box, Regions

__all__ = ["Layout", "lay_out"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Who belongs where.

    Attributes
    ----------
    names : tuple of str
        The segments, in the order of the rules, those that no rule describes last.
    boxes : Boxes
        Their boxes.
    """

    names: tuple[str, ...]
    boxes: Boxes


def lay_out(axes: Axes, rules: Sequence[NamedRule], default: str | None) -> Layout:
    """Return each segment the boxes that its rules win.

    Raises
    ------
    RuleError
        A segment can never have anyone, nobody is to be left out but somebody would be, or there are too many boxes.
    """
    names = tuple(dict.fromkeys([*(rule.name for rule in rules), *([] if default is None else [default])]))
    described = [(rule.name, axes.region(rule.expression)) for rule in rules]
    _check_all_described(axes, described, default)
    attempts = [_won(replace(axes.regions, order=order), names, described, default) for order in _orders(axes, rules)]
    won = min(attempts, key=lambda attempt: sum(map(len, attempt.values())))
    _check_reachable(axes, rules, won)
    # A default that can have nobody is no segment.
    kept = tuple(name for name in names if won[name])
    pieces = [(segment, box) for segment, name in enumerate(kept) for box in won[name]]
    _check_size(axes, pieces)
    inside = np.ones((len(pieces), len(axes.bins), 256), dtype=bool)
    for place, (_, box) in enumerate(pieces):
        for j, cells in zip(axes.tested, box, strict=True):
            inside[place, j] = axes.inside(cells, j)
    return Layout(kept, Boxes(axes.bins, inside, np.array([segment for segment, _ in pieces], dtype=np.int32)))


def _orders(axes: Axes, rules: Sequence[NamedRule]) -> list[tuple[int, ...]]:
    """Return some orders in which to cut axes: as the columns stand, and by how often rules ask about them."""
    asked = [question.column for rule in rules for question in questions(rule.expression)]
    natural = tuple(range(len(axes.tested)))
    often = tuple(sorted(natural, key=lambda axis: -asked.count(axes.bins[axes.tested[axis]].feature.name)))
    return list(dict.fromkeys([natural, natural[::-1], often, often[::-1]]))


def _won(
    regions: Regions, names: Sequence[str], described: Sequence[tuple[str, list[Box]]], default: str | None
) -> dict[str, list[Box]]:
    """Return each segment what its rules win, as readable boxes."""
    won: dict[str, list[Box]] = {name: [] for name in names}
    taken: list[Box] = []
    for name, region in described:
        for box in region:
            won[name] += regions.difference([box], taken)
            taken.append(box)
    if default is not None:
        won[default] += regions.difference([regions.everything], taken)
    return {name: regions.readable(boxes) for name, boxes in won.items()}


def _check_all_described(axes: Axes, described: Sequence[tuple[str, list[Box]]], default: str | None) -> None:
    if default is not None:
        return
    taken = [box for _, region in described for box in region]
    rest = axes.regions.told([axes.regions.everything], taken)
    if rest:
        left_out = "; or ".join(str(axes.rule(box)) for box in rest[:3])
        message = f"no rule describes those with {left_out}; add a rule, or name a default for them"
        raise RuleError(message)


def _check_reachable(axes: Axes, rules: Sequence[NamedRule], won: dict[str, list[Box]]) -> None:
    for rule in rules:
        if won[rule.name]:
            continue
        if axes.region(rule.expression):
            problem = "everyone it describes is taken by rules before it; move it up, or leave it out"
        else:
            problem = "its conditions contradict each other, so nobody can meet it"
        message = f"rule {rule.label}: {problem}: {rule.source.text}"
        raise RuleError(message)


def _check_size(axes: Axes, pieces: Sequence[tuple[int, Box]]) -> None:
    if len(pieces) > MAX_BOXES:
        message = f"the rules come to {len(pieces):,} boxes that do not overlap; the limit is {MAX_BOXES:,}"
        raise RuleError(message)
    everything = axes.regions.everything
    for _, box in pieces:
        n_tests = sum(cells != every for cells, every in zip(box, everything, strict=True))
        if n_tests > MAX_TESTS:
            message = f"a person would be asked about {n_tests} columns at once; the limit is {MAX_TESTS}"
            raise RuleError(message)
