"""Subtracting people from all that a fitted model has counted."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.core.additive import AdditiveModel, PartSums, Population
from xseg.core.boxes import BoxModel, PatternCounts, Patterns
from xseg.core.profiles import Profile
from xseg.core.segments import Segments
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table
from xseg.exceptions import DataError
from xseg.segmenters import check_segmenter, segmenter_of

__all__ = ["check_that_nobody_is_left", "model_of", "subtracted"]

_OF_ROWS = ("labels_",)


def model_of(segmenter: Any) -> Any:
    """Return the fitted segmenter: itself, or the one inside a gate.

    Raises
    ------
    UnsupportedModelError
        It is none of xseg.
    NotFittedError
        It has not been fitted.
    """
    return check_segmenter(segmenter_of(segmenter))


def check_that_nobody_is_left(segmenter: Any, table: Table, name: str) -> None:
    """Raise unless the rows are exactly the people whom a model has counted.

    Raises
    ------
    DataError
        Somebody is missing, is there once too often, or has other values.
    """
    try:
        left = subtracted(segmenter, table)
    except DataError as error:
        message = f"{name} and what the model has counted differ: {error}"
        raise DataError(message) from error
    population = left.model_.population
    if isinstance(population, Population):
        counted = population.weight != 0 or bool(population.sums.any())
    else:
        counted = any(len(patterns.weight) for patterns in population)
    if counted or left.profile_.counts.any():
        n_more = int(left.profile_.counts[:, 0].sum())
        message = (
            f"{name} must hold exactly the people whom the model has counted besides those who are taken out; "
            f"{n_more or 'some of the'} people or values differ. Give the table of the fit without them"
        )
        raise DataError(message)


def subtracted(segmenter: Any, table: Table) -> Any:
    """Return a copy of a segmenter, with the people's part taken out of all it keeps."""
    labels = np.asarray(segmenter.predict(table), dtype=np.int64)
    profile = _without(segmenter.profile_, table, labels)
    less = copy(segmenter)
    for name in _OF_ROWS:
        less.__dict__.pop(name, None)
    less.model_ = _MODELS[type(segmenter.model_)](segmenter.model_, table)
    less.profile_ = profile
    sizes = profile.sizes
    shares = sizes / max(float(sizes.sum()), 1.0)
    less.segments_ = Segments(
        [
            replace(segment, size=float(size), share=float(share), profile=profile)
            for segment, size, share in zip(segmenter.segments_, sizes, shares, strict=True)
        ]
    )
    return less


def _without(profile: Profile, table: Table, labels: NDArray[np.int64]) -> Profile:
    added = np.zeros_like(profile.counts)
    add_code_counts(profile.bins.encode(table), labels, np.ones(len(table), dtype=np.int64), added)
    counts = profile.counts - added
    if (counts < 0).any():
        segment, feature, _ = np.argwhere(counts < 0)[0].tolist()
        name = profile.bins[feature].feature.name
        message = (
            f"somebody in these rows was not in the table that was fitted: in segment {segment} nobody has such a "
            f"value of {name!r}; give the rows as they were"
        )
        raise DataError(message)
    return replace(profile, counts=counts)


def _boxes_without(model: BoxModel, table: Table) -> BoxModel:
    tests = model.boxes.tests()
    codes = model.boxes.bins.encode(table, tests.features.tolist())
    counted = PatternCounts(tests)
    counted.add(CodedBlock(codes, np.empty((len(codes), 0), np.float32), np.ones(len(codes), dtype=np.int64)))
    return replace(model, population=tuple(map(_fewer, model.population, counted.boxes)))


def _fewer(before: Patterns, less: Patterns) -> Patterns:
    """Subtract the weights of patterns; those that nobody has any more are gone."""
    place = np.searchsorted(before.pattern, less.pattern)
    known = (place < len(before.pattern)) & (before.pattern[np.minimum(place, len(before.pattern) - 1)] == less.pattern)
    weight = before.weight.copy()
    if known.all():
        np.subtract.at(weight, place, less.weight)
    if not known.all() or (weight < 0).any():
        message = "somebody in these rows was not in the table that was fitted; give the rows as they were"
        raise DataError(message)
    return Patterns(before.pattern[weight > 0], weight[weight > 0])


def _scores_without(model: AdditiveModel, table: Table) -> AdditiveModel:
    codes, points = model.code(table)
    weights = np.ones(len(codes), dtype=np.int64)
    part = PartSums(model.scores, len(codes))
    part.units = model.population.units
    part.add(CodedBlock(codes, points, weights))
    sums = model.population.sums - part.sums
    return replace(model, population=Population(sums, model.population.units, model.population.weight - len(codes)))


_MODELS: dict[type, Callable[[Any, Table], Any]] = {BoxModel: _boxes_without, AdditiveModel: _scores_without}
