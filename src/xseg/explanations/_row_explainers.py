"""The explanation of one row from values alone, by the boxes or by the scores of a model."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from numbers import Real
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import shapley_table
from xseg.core.additive import AdditiveModel
from xseg.core.bins import MISSING, FeatureBins
from xseg.core.boxes import Boxes, BoxModel
from xseg.core.conditions import make_condition
from xseg.core.embedding import MAX_COORDINATE, make_distance_error
from xseg.core.schema import Kind
from xseg.exceptions import DataError
from xseg.explanations._shapley import NO_RIVAL, AdditiveExplainer, BoxExplainer, population_explainer, shapley_weights

__all__ = ["BoxRowExplainer", "RowContributions", "RowExplainer", "ScoreRowExplainer", "make_encoder"]


def make_encoder(bins: FeatureBins) -> Callable[[Any], int]:
    """Return a function from one value (None: not known) to its code."""
    name, missing = bins.feature.name, int(MISSING)
    if bins.feature.kind is Kind.EMPTY:
        return lambda _: missing
    if bins.feature.kind.is_numeric:
        thresholds = bins.thresholds.tolist()

        def number(value: Any) -> int:
            if value is None:
                return missing
            if not isinstance(value, Real | np.bool_):
                message = (
                    f"column {name!r} held numbers when the segmenter was fitted, and holds {value!r} now; "
                    "convert it to a number, or give None if it is not known"
                )
                raise DataError(message)
            known = float(value)
            if isinf(known):
                message = f"column {name!r} holds an infinite value; give None if it is not known"
                raise DataError(message)
            return bisect_right(thresholds, known)

        return number
    place = {category: code for code, category in enumerate(bins.categories)}

    def category(value: Any) -> int:
        if value is None:
            return missing
        if not isinstance(value, str):
            message = (
                f"column {name!r} held text when the segmenter was fitted, and holds {value!r} now; convert it to text"
            )
            raise DataError(message)
        return place.get(value, missing)

    return category


Rules: TypeAlias = "list[str | None]"


@dataclass(frozen=True, slots=True)
class RowContributions:
    """What is known of one row.

    Attributes
    ----------
    segment : int
        The segment.
    rival : int or None
        The segment that fits next best; None where membership is explained.
    base : float
        The base value.
    contributions : list of float
        One for each feature.
    rules : list of (str or None)
        What the row's rule asks of each feature.
    """

    segment: int
    rival: int | None
    base: float
    contributions: list[float]
    rules: Rules


class RowExplainer(Protocol):
    """Explains one row; each family of models has one."""

    def __call__(self, values: Sequence[Any]) -> RowContributions:
        """Explain the row with these values, None where they are not known."""
        ...


class BoxRowExplainer:
    """Finds the row's box, looks up one line of a table for each box of the segment, and adds."""

    def __init__(self, model: BoxModel) -> None:
        bins, order = model.boxes.bins, np.argsort(model.boxes.segment, kind="stable")
        explainer = population_explainer(model, None, len(bins))
        self._base = explainer.base_values().tolist()
        self._coders = [(j, make_encoder(bins[j])) for j in model.boxes.used_features.tolist()]
        self._places = [(j, _boxes_by_code(model.boxes.inside[order, j])) for j, _ in self._coders]
        self._everywhere = (1 << len(order)) - 1
        self._segment_of = model.boxes.segment[order].tolist()
        self._boxes = [
            [_Box(explainer, box) for box in range(explainer.first[s], explainer.first[s + 1])]
            for s in range(model.n_segments)
        ]
        self._rules = [_rules(model.boxes, box) for box in order.tolist()]

    def __call__(self, values: Sequence[Any]) -> RowContributions:
        codes = {j: read(values[j]) for j, read in self._coders}
        boxes = self._everywhere
        for j, holding in self._places:
            boxes &= holding[codes[j]]
        own = boxes.bit_length() - 1
        segment = self._segment_of[own]
        contributions = [0.0] * len(values)
        for box in self._boxes[segment]:
            for player, part in zip(box.players, box.line(codes), strict=True):
                contributions[player] += part
        return RowContributions(segment, None, self._base[segment], contributions, self._rules[own])


class _Box:
    """One box of a segment: what its tests add for each pattern of failed tests."""

    def __init__(self, explainer: BoxExplainer, box: int) -> None:
        tests = explainer.tests
        self.players: list[int] = tests.players[box].tolist()
        self._bits = [
            (int(j), tests.failing[u, :, box].tolist())
            for u, j in enumerate(tests.features)
            if tests.failing[u, :, box].any()
        ]
        self._background = explainer.background[box]
        self._weights = shapley_weights(len(self.players))
        self._lines: dict[int, list[float]] = {}

    def line(self, codes: Mapping[int, int]) -> list[float]:
        """Return what each test adds."""
        pattern = 0
        for j, failing in self._bits:
            pattern |= failing[codes[j]]
        line = self._lines.get(pattern)
        if line is None:
            table = np.zeros((1, len(self.players)))
            share = self._background.weight / self._background.weight.sum()
            shapley_table(np.array([pattern], dtype=np.uint32), self._background.pattern, share, *self._weights, table)
            line = self._lines[pattern] = table[0].tolist()
        return line


def _boxes_by_code(inside: NDArray[np.bool_]) -> list[int]:
    """Return for each code the boxes that hold it, one bit each; `inside` has shape (n_boxes, 256)."""
    return [sum(1 << box for box in np.flatnonzero(holds).tolist()) for holds in inside.T]


def _rules(boxes: Boxes, box: int) -> list[str | None]:
    """Return what a box asks of each feature."""
    return [
        None if inside.all() else str(make_condition(bins, inside))
        for bins, inside in zip(boxes.bins.features, boxes.inside[box], strict=True)
    ]


class ScoreRowExplainer:
    """Adds the parts of every score, and compares the best two: the kernels of a table, on one row."""

    def __init__(self, model: AdditiveModel) -> None:
        bins, embedding = model.coding.bins, model.coding.embedding
        self._bins = bins
        n_features = len(bins)
        self._explainer = AdditiveExplainer(model, model.population, np.arange(n_features), n_features)
        self._base = self._explainer.base_values().tolist()
        self._checks = [
            (j, make_encoder(bins[j]))
            for j in range(n_features)
            if j not in embedding.looked_up and bins[j].feature.kind.is_numeric
        ]
        self._coders = [(j, make_encoder(bins[j])) for j in embedding.looked_up.tolist()]
        self._coordinates = list(
            zip(embedding.coordinates.tolist(), embedding.shift.tolist(), embedding.factor.tolist(), strict=True)
        )
        self._no_rules: Rules = [None] * n_features

    def __call__(self, values: Sequence[Any]) -> RowContributions:
        for j, check in self._checks:
            check(values[j])
        codes = np.zeros((1, len(values)), dtype=np.uint8)
        for j, read in self._coders:
            codes[0, j] = read(values[j])
        points = np.zeros((1, len(self._coordinates)), dtype=np.float32)
        for p, (j, shift, factor) in enumerate(self._coordinates):
            if values[j] is None:
                codes[0, j] = MISSING
            else:
                point = (float(values[j]) - shift) * factor
                if abs(point) > MAX_COORDINATE:
                    raise make_distance_error(self._bins[j].feature.name, float(values[j]))
                points[0, p] = point
        contributions, own, rival = self._explainer.explain_own(codes, points)
        rival_base = 0.0 if rival == NO_RIVAL else self._base[rival]
        return RowContributions(own, rival, self._base[own] - rival_base, contributions, self._no_rules)
