"""Taking people out of a fitted model: learning is adding, so what was added is subtracted."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from xseg._kernels.distances import add_code_counts
from xseg.core.additive import AdditiveModel, PartSums, Population
from xseg.core.boxes import BoxModel, PatternCounts, Patterns
from xseg.core.profiles import Profile
from xseg.core.segments import Segments
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, ParameterError, UnsupportedModelError
from xseg.segmenters import OutcomeSegmenter, propose_names

__all__ = ["Erasure", "erase"]

_OF_ROWS = ("labels_",)


@dataclass(frozen=True, eq=False)
class Erasure:
    """A model without some of the people it was fitted on.

    Attributes
    ----------
    segmenter : segmenter
        The model: a refit on the remaining people where they were given, otherwise the old one with every kept count
        and sum as if the people had never been counted.
    n_erased : int
        How many people were taken out.
    equals_refit : bool or None
        Whether subtracting gives what a fit without the people gives, bit for bit in all that places, counts and
        explains people; None where the remaining people were not given, so that nobody can know.
    changes : tuple of {"cuts", "counts", "names"}
        What a refit has that subtracting does not give; without the remaining people, what is certain to change.
    refit_due : bool
        Whether the model still has to be fitted again, because thresholds and boundaries were found with the people
        in the table.
    """

    segmenter: Any
    n_erased: int
    equals_refit: bool | None
    changes: tuple[str, ...]
    refit_due: bool

    def __str__(self) -> str:
        if self.equals_refit is None:
            return f"{self.n_erased} taken out of every count; the boundaries were found with them: a refit is due"
        if self.equals_refit:
            return f"{self.n_erased} taken out; a fit without them gives the same model, bit for bit"
        return f"{self.n_erased} taken out by a refit, which has other {' and '.join(self.changes)}"


def erase(segmenter: Any, rows: Any, *, remaining: Any = None, y: Any = None) -> Erasure:
    """Take people out of a fitted model.

    Every count and sum that the model keeps of its population is integer arithmetic, so that the people's part is
    subtracted exactly. Thresholds, boundaries and centres were found with the people in the table; whether they would
    be the same without them is known only by fitting again.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model; it is left as it is.
    rows : table or array of shape (n_erased, n_features)
        The people to take out, as they were in the table that was fitted.
    remaining : table or array of shape (n_rows, n_features), default=None
        Everybody else. With them the model is fitted again, and what subtracting gives is compared with it.
    y : array-like of shape (n_rows,), default=None
        What the remaining people are fitted to, for segmenters that need it.

    Returns
    -------
    Erasure
        The model without the people, and what is proven of it.

    Raises
    ------
    NotFittedError, SchemaError
        As for `predict`.
    DataError
        Somebody was not in the table that was fitted.
    ParameterError
        The model was fitted with weights, so that a person's part is not known.
    UnsupportedModelError
        The model keeps estimates besides counts (`OutcomeSegmenter`), and the remaining people were not given.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 17. Cao and Yang, "Towards making systems forget with machine unlearning",
    2015, on models that are sums.

    Examples
    --------
    >>> import xseg
    >>> from xseg.rights import erase
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> erased = erase(segmenter, customers.head(1), remaining=customers.iloc[1:])
    >>> erased.refit_due, int(sum(segment.size for segment in erased.segmenter.segments_))
    (False, 499)
    """
    segmenter._check_fitted()
    table = read_table(rows)
    if isinstance(segmenter, OutcomeSegmenter) and remaining is None:
        message = "OutcomeSegmenter keeps estimates of an outcome besides counts; give the remaining people and their y"
        raise UnsupportedModelError(message)
    if segmenter.profile_.unit != 1.0:
        message = "the model was fitted with weights, so that a person's part in it is not known; fit it again"
        raise ParameterError(message)
    less = _subtracted(segmenter, rows, table)
    if remaining is None:
        certain = ("names",) if _proposes_other_names(segmenter, less) else ()
        return Erasure(less, len(table), None, certain, refit_due=True)
    refit = clone(segmenter).fit(remaining) if y is None else clone(segmenter).fit(remaining, y)
    changes = tuple(what for what, same in _COMPARED.items() if not same(less, refit))
    return Erasure(refit, len(table), not changes, changes, refit_due=False)


def _subtracted(segmenter: Any, rows: Any, table: Table) -> Any:
    """Copy a segmenter, with the people's part taken out of all it keeps."""
    labels = np.asarray(segmenter.predict(rows), dtype=np.int64)
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


def _proposes_other_names(segmenter: Any, less: Any) -> bool:
    before = propose_names(segmenter.profile_, segmenter.model_.used_features)
    return before == segmenter.segment_names_ and propose_names(less.profile_, less.model_.used_features) != before


def _same_cuts(less: Any, refit: Any) -> bool:
    """Say whether two models place everybody alike, by the very same numbers."""
    if less.n_segments_ != refit.n_segments_ or not _same_bins(less, refit):
        return False
    one, other = less.model_, refit.model_
    if isinstance(one, BoxModel):
        return np.array_equal(one.boxes.inside, other.boxes.inside) and np.array_equal(
            one.boxes.segment, other.boxes.segment
        )
    return all(
        np.array_equal(getattr(one.scores, name), getattr(other.scores, name), equal_nan=True)
        for name in ("bias", "curves", "tables")
    )


def _same_bins(less: Any, refit: Any) -> bool:
    pairs = zip(less.profile_.bins.features, refit.profile_.bins.features, strict=True)
    return all(
        np.array_equal(one.thresholds, other.thresholds) and one.categories == other.categories for one, other in pairs
    )


def _same_counts(less: Any, refit: Any) -> bool:
    """Say whether the same people are counted alike, and "not known" is averaged over the same sums."""
    if less.profile_.counts.shape != refit.profile_.counts.shape:
        return False
    if not np.array_equal(less.profile_.counts, refit.profile_.counts):
        return False
    one, other = less.model_.population, refit.model_.population
    if isinstance(one, Population):
        return one.weight == other.weight and np.array_equal(one.sums, other.sums)
    return len(one) == len(other) and all(
        np.array_equal(before.pattern, after.pattern) and np.array_equal(before.weight, after.weight)
        for before, after in zip(one, other, strict=True)
    )


def _same_names(less: Any, refit: Any) -> bool:
    return tuple(less.segment_names_) == tuple(refit.segment_names_)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "cuts": _same_cuts,
    "counts": _same_counts,
    "names": _same_names,
}
