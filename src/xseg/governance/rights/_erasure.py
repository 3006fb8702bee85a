"""Erasing people from a fitted model: its statistics are additive, so that their part can be subtracted."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from xseg.core.tables import read_table
from xseg.exceptions import ParameterError, UnsupportedTypeError
from xseg.governance.consent import ConsentGate
from xseg.governance.rights._fit_record import FitRecord, check_nobody_left, compute_digests, get_model, subtract_people
from xseg.segmenters import FittedSegmenter, propose_names

__all__ = ["Erasure", "erase"]


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
    record : FitRecord or None
        The record of the model without the people, where one was given; keep it in the place of the old one.
    """

    segmenter: Any
    n_erased: int
    equals_refit: bool | None
    changes: tuple[str, ...]
    refit_due: bool
    record: FitRecord | None = None

    def __str__(self) -> str:
        if self.equals_refit is None:
            return f"{self.n_erased} taken out of every count; the boundaries were found with them: a refit is due"
        if self.equals_refit:
            return f"{self.n_erased} taken out; a fit without them gives the same model, bit for bit"
        return f"{self.n_erased} taken out by a refit, which has other {' and '.join(self.changes)}"


def erase(
    segmenter: Any,
    X: Any,
    *,
    remaining: Any = None,
    y: Any = None,
    ids: ArrayLike | None = None,
    record: FitRecord | None = None,
    key: str | bytes | None = None,
) -> Erasure:
    """Remove people from a fitted model.

    It must be shown that the people are in the model: by a `FitRecord`, with their identifiers, or by the remaining
    people, who together with `X` make up exactly what the model has counted. What cannot be shown is refused:
    people who were never in the fit, who were taken out before, or whose values are others.

    Every count and sum that the model keeps of its population is integer arithmetic, so that the people's part is
    subtracted exactly. Thresholds, boundaries and centres were found with the people in the table; whether they would
    be the same without them is known only by fitting again.

    Parameters
    ----------
    segmenter : fitted segmenter, or ConsentGate
        The model; it is left as it is. Of a gate, the model inside is changed, and the result is a gate.
    X : table or array of shape (n_erased, n_features)
        The people to take out, as they were in the table that was fitted.
    remaining : table or array of shape (n_rows, n_features), default=None
        Everybody else. With them the model is fitted again, and what subtracting gives is compared with it.
    y : array-like of shape (n_rows,), default=None
        What the remaining people are fitted to, for segmenters that need it.
    ids : array-like of str or int of shape (n_erased,), default=None
        Whom each row is about, for the record.
    record : FitRecord, default=None
        Who was in the fit, as it was recorded then.
    key : str or bytes, default=None
        The secret of the record.

    Returns
    -------
    Erasure
        The model without the people, and what is proven of it.

    Raises
    ------
    NotFittedError, DataError
        As for `predict`.
    DataError
        Somebody was not in the table that was fitted, was taken out before, or had other values.
    ParameterError
        Neither the remaining people nor a record with ids and key were given, or the model was fitted with weights, so
        that a person's part is not known.
    UnsupportedTypeError
        The model keeps estimates besides counts (`OutcomeSegmenter`), and the remaining people were not given.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 17. Cao and Yang, "Towards making systems forget with machine unlearning",
    2015, on models that are sums.

    Examples
    --------
    >>> import xseg
    >>> from xseg.governance.rights import erase
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> erased = erase(segmenter, customers.head(1), remaining=customers.iloc[1:])
    >>> erased.refit_due, int(sum(segment.size for segment in erased.segmenter.segments_))
    (False, 499)
    """
    if isinstance(segmenter, ConsentGate):
        inside = erase(get_model(segmenter), X, remaining=remaining, y=y, ids=ids, record=record, key=key)
        gate = copy(segmenter)
        gate.__dict__.pop("labels_", None)
        gate.segmenter_ = inside.segmenter
        return replace(inside, segmenter=gate)
    segmenter = get_model(segmenter)
    table = read_table(X)
    if segmenter.keeps_estimates and remaining is None:
        message = (
            f"{type(segmenter).__name__} keeps estimates of an outcome besides counts; give the remaining people and "
            "their y"
        )
        raise UnsupportedTypeError(message)
    if segmenter.profile_.unit != 1.0:
        message = "the model was fitted with weights, so that a person's part in it is not known; fit it again"
        raise ParameterError(message)
    if remaining is None and record is None:
        message = (
            "nothing shows that these people were in the fit: give the remaining people (remaining=), or a FitRecord "
            "that was made after the fit (record=, with ids= and key=)"
        )
        raise ParameterError(message)
    people: list[tuple[str, str]] = []
    if record is not None:
        if not isinstance(record, FitRecord) or ids is None or key is None:
            message = "record must be a FitRecord, given with ids= and key=; read one with FitRecord.load"
            raise ParameterError(message)
        segmenter.predict(X)
        people = compute_digests(segmenter, table, ids, key)
        record.check(segmenter, people)
    less = subtract_people(segmenter, table)
    if remaining is None:
        certain = ("names",) if _proposes_other_names(segmenter, less) else ()
        changed = None if record is None else record.without(people, less)
        return Erasure(less, len(table), None, certain, refit_due=True, record=changed)
    check_nobody_left(less, read_table(remaining), "remaining")
    refit = clone(segmenter).fit(remaining) if y is None else clone(segmenter).fit(remaining, y)
    changes = tuple(what for what, same in _COMPARED.items() if not same(less, refit))
    changed = None if record is None else record.without(people, refit)
    return Erasure(refit, len(table), not changes, changes, refit_due=False, record=changed)


def _proposes_other_names(segmenter: FittedSegmenter, less: Any) -> bool:
    before = propose_names(segmenter.profile_, segmenter.model_.used_features)
    return before == segmenter.segment_names_ and propose_names(less.profile_, less.model_.used_features) != before


def _same_cuts(less: Any, refit: Any) -> bool:
    """Return whether two models place everybody alike, by the very same numbers."""
    if less.n_segments_ != refit.n_segments_ or not _same_bins(less, refit):
        return False
    return bool(less.model_.assigns_like(refit.model_))


def _same_bins(less: Any, refit: Any) -> bool:
    pairs = zip(less.profile_.bins.features, refit.profile_.bins.features, strict=True)
    return all(
        np.array_equal(one.thresholds, other.thresholds) and one.categories == other.categories for one, other in pairs
    )


def _same_counts(less: Any, refit: Any) -> bool:
    """Return whether the same people are counted alike, and "not known" is averaged over the same sums."""
    if less.profile_.counts.shape != refit.profile_.counts.shape:
        return False
    if not np.array_equal(less.profile_.counts, refit.profile_.counts):
        return False
    return bool(less.model_.counts_like(refit.model_))


def _same_names(less: Any, refit: Any) -> bool:
    return tuple(less.segment_names_) == tuple(refit.segment_names_)


_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "cuts": _same_cuts,
    "counts": _same_counts,
    "names": _same_names,
}
