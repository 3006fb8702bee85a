"""Explanations of one row from its plain values, and fitted models as plain data that explain one row in a web page.

A portable model is narrowed to one row: of a feature that cannot be edited only its present effect is kept, and of one
that can only be left out two effects. Numbers are not rounded and must be added in the given order, so that a page
computes the same bits as `explain`.
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
    """Return a function from one value of a feature (None where it is missing) to its code."""
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
                    f"column {name!r} must hold a number, as it did when the segmenter was fitted, got {value!r}; "
                    "convert it to a number, or give None if it is not known"
                )
                raise DataError(message)
            known = float(value)
            if isinf(known):
                message = f"column {name!r} must be finite, got {known}; give None if it is not known"
                raise DataError(message)
            return bisect_right(thresholds, known)

        return number
    place = {category: code for code, category in enumerate(bins.categories)}

    def category(value: Any) -> int:
        if value is None:
            return missing
        if not isinstance(value, str):
            message = (
                f"column {name!r} must hold text, as it did when the segmenter was fitted, got {value!r}; convert it "
                "to text"
            )
            raise DataError(message)
        return place.get(value, missing)

    return category


Rules: TypeAlias = "list[str | None]"


@dataclass(frozen=True, slots=True)
class RowContributions:
    """Segment and contributions of one row.

    Attributes
    ----------
    segment : int
        Index of the segment.
    rival : int or None
        The segment with the second highest score; None where membership is explained.
    base : float
        The base value.
    contributions : list of float
        The Shapley value of each feature.
    rules : list of (str or None)
        The condition of the row's rule on each feature; None where there is none.
    """

    segment: int
    rival: int | None
    base: float
    contributions: list[float]
    rules: Rules


class RowExplainer(Protocol):
    """Function that explains one row under one fitted model; each family of models implements it."""

    def __call__(self, values: Sequence[Any]) -> RowContributions:
        """Explain the row with these values, in the order of the features; None where a value is missing."""
        ...


class BoxRowExplainer:
    """Explainer of one row by boxes.

    It finds the row's box, looks up a line of Shapley values for each box of its segment, and adds them. Sets of boxes
    are integers with one bit per box: the box of a row is the only bit left after ANDing the sets of its codes.
    """

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
    """One box of a segment: the Shapley values of its tests for each pattern of failed tests, computed on demand."""

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
        """Return the Shapley value of each test for a row with these codes."""
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
    """Return for each code the set of boxes that allow it, one bit each; `inside` has shape (n_boxes, 256)."""
    return [sum(1 << box for box in np.flatnonzero(holds).tolist()) for holds in inside.T]


def _rules(boxes: Boxes, box: int) -> list[str | None]:
    """Return the condition of a box on each feature; None where there is none."""
    return [
        None if inside.all() else str(make_condition(bins, inside))
        for bins, inside in zip(boxes.bins.features, boxes.inside[box], strict=True)
    ]


class ScoreRowExplainer:
    """Explainer of one row by scores: the kernels that explain a table, applied to one row."""

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
    """How a feature of one row may be edited: changed freely, only left out (made missing), or not at all."""

    CHANGE = "change"
    LEAVE_OUT = "leave out"
    STAY = "stay"


class PortableModel(Protocol):
    """A fitted model that can be narrowed to one row; each family of models implements it.

    `used` holds the features that the model uses.
    """

    used: tuple[int, ...]

    def narrow(self, values: Mapping[int, Value], options: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data, with a feature for each of `used`.

        Parameters
        ----------
        values : mapping of int to bool, float, str or None
            The row's values; None where not known.
        options : mapping of int to EditOption
            How each feature may be edited.

        Returns
        -------
        dict
            Values that JSON can hold; ``"family"`` is ``"boxes"`` or ``"scores"``.

        Raises
        ------
        UnsupportedTypeError
            The model is too large.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Cells:
    """Ranges or sets of codes of a feature that have the same effect: one code for each, last that of missing."""

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
        self, option: EditOption, value: Value, is_common: Callable[[str], bool]
    ) -> tuple[dict[str, Any], list[int]]:
        """Return the feature as plain data, and the code of each of its cells."""
        own = self.codes[self.find(value)]
        if option is EditOption.STAY:
            return {"missing": 0}, [own]
        if option is EditOption.LEAVE_OUT:
            return {"missing": 1}, [own, int(MISSING)]
        facts: dict[str, Any] = {"missing": len(self.codes) - 1}
        if self.bins.feature.kind.is_numeric:
            return {**facts, "cuts": self.cuts}, self.codes
        return {**facts, "cells": [cell for cell in self.cells if cell[0] == value or is_common(cell[0])]}, self.codes


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


class _CommonCategories:
    """The categories that at least `minimum_group_size` rows have."""

    def __init__(self, segmenter: FittedSegmenter, minimum_group_size: float) -> None:
        self.profile = segmenter.profile_
        self.minimum_group_size = minimum_group_size

    def make_filter(self, j: int) -> Callable[[str], bool]:
        """Return a function that tells whether a category of a feature is one of them."""
        counts = self.profile.population[j] / self.profile.unit
        names = self.profile.bins[j].categories
        pairs = zip(names, counts[: len(names)].tolist(), strict=True)
        return {name for name, count in pairs if count >= self.minimum_group_size}.__contains__


class PortableBoxes:
    """Portable box model: the tests that each value fails, and the Shapley values of every pattern of failed tests."""

    def __init__(self, model: BoxModel, segmenter: FittedSegmenter, minimum_group_size: float) -> None:
        boxes = model.boxes
        order = np.argsort(boxes.segment, kind="stable")
        self.inside = boxes.inside[order]
        self.explainer: BoxExplainer = population_explainer(model, None, len(boxes.bins))
        self.used = tuple(boxes.used_features.tolist())
        self.common = _CommonCategories(segmenter, minimum_group_size)
        self.cells = {j: _make_cells(boxes.bins[j], self.inside[:, j].T) for j in self.used}
        self.is_shown = [segment.size >= minimum_group_size for segment in segmenter.segments_]

    def narrow(self, values: Mapping[int, Value], options: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data."""
        pairs = {j: self.cells[j].facts(options[j], values[j], self.common.make_filter(j)) for j in self.used}
        codes = {j: codes for j, (_, codes) in pairs.items()}
        boxes = [self._box(box, codes) for box in range(len(self.inside))]
        size = sum(len(box["lines"]) for box in boxes)
        if size > _MAX_NUMBERS:
            raise _too_large(size)
        base = self.explainer.base_values().tolist()
        return {
            "family": "boxes",
            "features": [facts for facts, _ in pairs.values()],
            "base": [share if is_shown else None for share, is_shown in zip(base, self.is_shown, strict=True)],
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
            "lines": self._lines(box, [bits[j] for j in moving], failed) if self.is_shown[segment] else [],
        }

    def _lines(self, box: int, bits: Sequence[int], failed: int) -> list[float]:
        """Return the Shapley values of the tests for every pattern that edits can lead to, one after another."""
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
    """Portable score model: each feature's part of each score."""

    def __init__(self, model: AdditiveModel, segmenter: FittedSegmenter, minimum_group_size: float) -> None:
        small = [segment.name for segment in segmenter.segments_ if segment.size < minimum_group_size]
        if small:
            message = (
                f"an interactive page of scores describes every segment, so each must have at least "
                f"minimum_group_size={minimum_group_size:g} rows, and {small[0]!r} has fewer; fit with fewer segments, "
                "or show plain cards"
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
        self.common = _CommonCategories(segmenter, minimum_group_size)
        everyone = AdditiveExplainer(self.model, self.model.population, np.arange(len(bins)), len(bins))
        self.base = everyone.base_values().tolist()

    def narrow(self, values: Mapping[int, Value], options: Mapping[int, EditOption]) -> dict[str, Any]:
        """Return the model as plain data."""
        features = [self._feature(j, values[j], options[j]) for j in self.used]
        bias = self.model.scores.bias.tolist()
        return {"family": "scores", "features": features, "base": self.base, "bias": bias, "order": self.order}

    def _feature(self, j: int, value: Value, option: EditOption) -> dict[str, Any]:
        means = {"means": self.means[j].tolist()}
        if j in self.tables:
            facts, codes = self.cells[j].facts(option, value, self.common.make_filter(j))
            return {**facts, **means, "parts": self.tables[j][codes].tolist()}
        place, curve = self.curves[j]
        embedding = self.model.scores.embedding
        shift, factor = float(embedding.shift[place]), float(embedding.factor[place])
        if option is EditOption.CHANGE:
            return {"missing": 1, **means, "shift": shift, "factor": factor, "curve": curve.tolist()}
        own = curve[UNKNOWN] if value is None else _evaluate_curve(curve, (float(value) - shift) * factor)
        parts = [own, curve[UNKNOWN]] if option is EditOption.LEAVE_OUT else [own]
        return {"missing": len(parts) - 1, **means, "parts": np.array(parts).tolist()}


def _evaluate_curve(curve: NDArray[np.float64], point: float) -> NDArray[np.float64]:
    """Return a coordinate's part of each score, ``level + slope |z - knot| + curvature (z - knot)^2``."""
    offset = np.float64(np.float32(point)) - curve[KNOT]
    return np.asarray(curve[LEVEL] + curve[SLOPE] * np.abs(offset) + curve[CURVATURE] * offset * offset)


def _too_large(size: int) -> UnsupportedTypeError:
    message = (
        f"an interactive page can hold a model of at most {_MAX_NUMBERS:,} numbers, and this one has {size:,}; fit "
        "with fewer leaves or shorter rules, or show plain cards"
    )
    return UnsupportedTypeError(message)
