"""The explanation of one row from values alone, here and, by a model as plain data, anywhere.

The plain data is so small that it can travel. What a row cannot change is worked in: of a feature that stays as it is
only its present effect is left, and of one that can only be left out two effects. Numbers travel whole, and are to be
added in the order they stand in, so that what is worked out elsewhere has the bits of `explain`.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isinf
from numbers import Real
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import shapley_table
from xseg._kernels.score_kernels import CURVATURE, KNOT, LEVEL, SLOPE, UNKNOWN
from xseg.core.additive import AdditiveModel
from xseg.core.bins import MISSING, FeatureBins
from xseg.core.boxes import Boxes, BoxModel
from xseg.core.conditions import make_condition
from xseg.core.embedding import MAX_COORDINATE, make_distance_error
from xseg.core.schema import Kind
from xseg.exceptions import DataError, UnsupportedTypeError
from xseg.explanations._shapley import NO_RIVAL, AdditiveExplainer, BoxExplainer, population_explainer, shapley_weights
from xseg.segmenters import FittedSegmenter

__all__ = [
    "BoxRowExplainer",
    "EditOption",
    "PortableBoxes",
    "PortableModel",
    "PortableScores",
    "RowContributions",
    "RowExplainer",
    "ScoreRowExplainer",
    "Value",
    "make_encoder",
]


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


Value = bool | float | str | None
_MAX_NUMBERS = 60_000


class EditOption(StrEnum):
    """What can be done with a feature."""

    CHANGE = "change"
    LEAVE_OUT = "leave out"
    STAY = "stay"


class PortableModel(Protocol):
    """A model that can be narrowed down to one row."""

    used: tuple[int, ...]

    def narrow(self, values: Mapping[int, Value], freedom: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data, with a feature for each of `used`.

        Parameters
        ----------
        values : mapping of int to bool, float, str or None
            The row's values; None where not known.
        freedom : mapping of int to EditOption
            What can be done with each feature.

        Raises
        ------
        UnsupportedTypeError
            The model is too large.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Cells:
    """The codes of a feature that a model tells apart: one code for each cell, the last one that of missing values."""

    bins: FeatureBins
    cuts: list[float]
    cells: list[tuple[str, int]]
    codes: list[int]

    def find(self, value: Value) -> int:
        """Return the cell of a value."""
        missing = len(self.codes) - 1
        if value is None:
            return missing
        if isinstance(value, str):
            return dict(self.cells).get(value, missing)
        return bisect_right(self.cuts, float(value))

    def facts(
        self, freedom: EditOption, value: Value, offered: Callable[[str], bool]
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the feature as plain data, and the code of each of its cells."""
        own = self.codes[self.find(value)]
        if freedom is EditOption.STAY:
            return {"missing": 0}, [own]
        if freedom is EditOption.LEAVE_OUT:
            return {"missing": 1}, [own, int(MISSING)]
        facts: dict[str, Any] = {"missing": len(self.codes) - 1}
        if self.bins.feature.kind.is_numeric:
            return {**facts, "cuts": self.cuts}, self.codes
        return {**facts, "cells": [cell for cell in self.cells if cell[0] == value or offered(cell[0])]}, self.codes


def _make_cells(bins: FeatureBins, effects: NDArray[Any]) -> _Cells:
    """Return the cells of a feature whose codes have these effects, shape (256, n_effects)."""
    codes: list[int] = [0]
    cuts: list[float] = []
    cells: list[tuple[str, int]] = []
    places: dict[bytes, int] = {}
    if bins.feature.kind.is_numeric:
        for code in range(1, bins.n_codes):
            if (effects[code] != effects[code - 1]).any():
                cuts.append(float(bins.thresholds[code - 1]))
                codes.append(code)
    else:
        codes = []
        for code, name in enumerate(bins.categories):
            place = places.setdefault(effects[code].tobytes(), len(codes))
            codes += [code] if place == len(codes) else []
            cells.append((name, place))
    return _Cells(bins, cuts, cells, [*codes, int(MISSING)])


class _Offered:
    """The categories that enough rows have."""

    def __init__(self, segmenter: FittedSegmenter, least: float) -> None:
        self.profile = segmenter.profile_
        self.least = least

    def make_filter(self, j: int) -> Callable[[str], bool]:
        """Return the question for one feature."""
        counts = self.profile.population[j] / self.profile.unit
        names = self.profile.bins[j].categories
        common = {name for name, count in zip(names, counts[: len(names)].tolist(), strict=True) if count >= self.least}
        return common.__contains__


class PortableBoxes:
    """Segments made of boxes: which tests each value fails, and what every pattern of failed tests adds."""

    def __init__(self, model: BoxModel, segmenter: FittedSegmenter, least: float) -> None:
        boxes = model.boxes
        order = np.argsort(boxes.segment, kind="stable")
        self.inside = boxes.inside[order]
        self.explainer: BoxExplainer = population_explainer(model, None, len(boxes.bins))
        self.used = tuple(boxes.used_features.tolist())
        self.offered = _Offered(segmenter, least)
        self.cells = {j: _make_cells(boxes.bins[j], self.inside[:, j].T) for j in self.used}
        self.told = [segment.size >= least for segment in segmenter.segments_]

    def narrow(self, values: Mapping[int, Value], freedom: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data."""
        pairs = {j: self.cells[j].facts(freedom[j], values[j], self.offered.make_filter(j)) for j in self.used}
        codes = {j: codes for j, (_, codes) in pairs.items()}
        boxes = [self._box(box, codes) for box in range(len(self.inside))]
        size = sum(len(box["lines"]) for box in boxes)
        if size > _MAX_NUMBERS:
            raise _too_large(size)
        base = self.explainer.base_values().tolist()
        return {
            "family": "boxes",
            "features": [facts for facts, _ in pairs.values()],
            "base": [share if told else None for share, told in zip(base, self.told, strict=True)],
            "boxes": boxes,
        }

    def _box(self, box: int, codes: Mapping[int, list[int]]) -> dict[str, Any]:
        tests = self.explainer.tests.players[box].tolist()
        failing = {j: (~self.inside[box, j, codes[j]]).astype(int).tolist() for j in tests}
        bits = {j: 1 << bit for bit, j in enumerate(tests)}
        moving = [j for j in tests if len(set(failing[j])) > 1]
        failed = sum(bits[j] for j in tests if j not in moving and failing[j][0])
        segment = int(self.explainer.segment[box])
        place = self.used.index
        return {
            "segment": segment,
            "players": [place(j) for j in tests],
            "tests": [[place(j), failing[j]] for j in moving],
            "open": not failed,
            "lines": self._lines(box, [bits[j] for j in moving], failed) if self.told[segment] else [],
        }

    def _lines(self, box: int, bits: Sequence[int], failed: int) -> list[float]:
        """Return what each test adds, for every pattern of failed tests that can be, one after another."""
        width = len(self.explainer.tests.players[box])
        if width * 2 ** len(bits) > _MAX_NUMBERS:
            raise _too_large(width * 2 ** len(bits))
        subsets = [sum(bit for place, bit in enumerate(bits) if p >> place & 1) for p in range(2 ** len(bits))]
        background = self.explainer.background[box]
        table = np.zeros((len(subsets), width))
        share = background.weight / background.weight.sum()
        patterns = np.array(subsets, dtype=np.uint32) | np.uint32(failed)
        shapley_table(patterns, background.pattern, share, *shapley_weights(width), table)
        return (table + 0.0).ravel().tolist()


class PortableScores:
    """Segments made by additive scores: each feature's part of each score."""

    def __init__(self, model: AdditiveModel, segmenter: FittedSegmenter, least: float) -> None:
        small = [segment.name for segment in segmenter.segments_ if segment.size < least]
        if small:
            message = (
                f"scores describe each group, and {small[0]!r} has fewer people than the policy's "
                f"minimum_group_size={least:g}; the model stays behind. Fit with fewer segments, or show plain cards"
            )
            raise UnsupportedTypeError(message)
        self.model = model
        scores, bins = self.model.scores, self.model.coding.bins
        embedding = scores.embedding
        self.used = tuple(self.model.used_features.tolist())
        self.order = [self.used.index(j) for j in scores.used.tolist()]
        self.curves = {j: (p, scores.curves[p]) for p, j in enumerate(embedding.coordinates.tolist())}
        self.tables = dict(zip(embedding.looked_up.tolist(), scores.tables, strict=True))
        self.cells = {j: _make_cells(bins[j], table) for j, table in self.tables.items()}
        self.means = dict(zip(scores.used.tolist(), self.model.population.means, strict=True))
        self.offered = _Offered(segmenter, least)
        everyone = AdditiveExplainer(self.model, self.model.population, np.arange(len(bins)), len(bins))
        self.base = everyone.base_values().tolist()

    def narrow(self, values: Mapping[int, Value], freedom: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data."""
        features = [self._feature(j, values[j], freedom[j]) for j in self.used]
        bias = self.model.scores.bias.tolist()
        return {"family": "scores", "features": features, "base": self.base, "bias": bias, "order": self.order}

    def _feature(self, j: int, value: Value, freedom: EditOption) -> dict[str, Any]:
        means = {"means": self.means[j].tolist()}
        if j in self.tables:
            facts, codes = self.cells[j].facts(freedom, value, self.offered.make_filter(j))
            return {**facts, **means, "parts": self.tables[j][codes].tolist()}
        place, curve = self.curves[j]
        embedding = self.model.scores.embedding
        shift, factor = float(embedding.shift[place]), float(embedding.factor[place])
        if freedom is EditOption.CHANGE:
            return {"missing": 1, **means, "shift": shift, "factor": factor, "curve": curve.tolist()}
        own = curve[UNKNOWN] if value is None else _evaluate_curve(curve, (float(value) - shift) * factor)
        parts = [own, curve[UNKNOWN]] if freedom is EditOption.LEAVE_OUT else [own]
        return {"missing": len(parts) - 1, **means, "parts": np.array(parts).tolist()}


def _evaluate_curve(curve: NDArray[np.float64], point: float) -> NDArray[np.float64]:
    """Return a coordinate's part of each score, as the kernels add it up."""
    offset = np.float64(np.float32(point)) - curve[KNOT]
    return np.asarray(curve[LEVEL] + curve[SLOPE] * np.abs(offset) + curve[CURVATURE] * offset * offset)


def _too_large(size: int) -> UnsupportedTypeError:
    message = (
        f"the model is too large to travel inside a page: {size:,} numbers, of at most {_MAX_NUMBERS:,}; fit with "
        "fewer leaves or shorter rules, or show plain cards"
    )
    return UnsupportedTypeError(message)
