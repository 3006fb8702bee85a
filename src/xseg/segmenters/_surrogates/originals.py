"""What the original says of each row, whatever kind of clusterer it is."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from xseg.exceptions import DataError, ParameterError

__all__ = ["Groups", "Label", "Original", "Partition", "can_be_asked", "is_fitted", "original_of", "predicted"]

Label: TypeAlias = "int | float | str | bool | None"
_MAX_GROUPS = 255


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups that an original makes, in the order of their labels, those who belong to no group last.

    Attributes
    ----------
    labels : tuple
        The labels of the groups.
    noise : int or None
        The place of those without a group; None if everybody has one.
    """

    labels: tuple[Label, ...]
    noise: int | None

    def __len__(self) -> int:
        return len(self.labels)

    def place_of(self, given: Any, noise_label: Label) -> NDArray[np.int64]:
        """Return the place of each row's label; -1 for labels that are not there."""
        said = Partition.of(given, len(given), noise_label)
        known = {label: place for place, label in enumerate(self.labels) if place != self.noise}
        places = [known.get(label, -1) for label in said.groups.labels]
        if said.groups.noise is not None:
            places[said.groups.noise] = -1 if self.noise is None else self.noise
        return np.array(places, dtype=np.int64)[said.places]


@dataclass(frozen=True, eq=False)
class Partition:
    """The groups of an original, and the place of each row's group, shape (n_rows,)."""

    groups: Groups
    places: NDArray[np.int64]

    @classmethod
    def of(cls, given: Any, n_rows: int, noise_label: Label) -> "Partition":
        """Order labels; missing ones and the noise label are no group.

        Raises
        ------
        DataError
            There is not one label for each row, or there are too many groups.
        """
        labels = np.asarray(given)
        if labels.shape != (n_rows,):
            message = f"there are labels of shape {labels.shape} for {n_rows} rows; give one label for each row"
            raise DataError(message)
        is_noise = np.asarray(pd.isna(labels))
        if noise_label is not None:
            is_noise = is_noise | np.array([label == noise_label for label in labels.tolist()], dtype=bool)
        groups, places = _in_order(labels[~is_noise])
        n_groups = len(groups) + bool(is_noise.any())
        if n_groups > _MAX_GROUPS:
            message = (
                f"the original makes {n_groups} groups, more than the {_MAX_GROUPS} that can be told apart; are these "
                "labels, or numbers?"
            )
            raise DataError(message)
        every = np.full(n_rows, len(groups), dtype=np.int64)
        every[~is_noise] = places
        if not is_noise.any():
            return cls(Groups(groups, None), every)
        return cls(Groups((*groups, noise_label), len(groups)), every)


def _in_order(labels: NDArray[Any]) -> tuple[tuple[Label, ...], NDArray[np.int64]]:
    if labels.dtype.kind == "f" and len(labels) and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    try:
        groups, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        message = f"the labels are of several types and have no order ({error}); convert them with astype(str)"
        raise DataError(message) from None
    return tuple(groups.tolist()), places.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Original:
    """Where labels came from.

    Attributes
    ----------
    labels : array of shape (n_rows,)
        What was said of each row.
    estimator : estimator or None
        Says the same of other rows; None if nothing can.
    name : str
        What to call it.
    """

    labels: Any
    estimator: Any
    name: str

    @classmethod
    def of(cls, labels: Any, estimator: Any) -> "Original":
        """Record that an estimator gave these labels."""
        return cls(labels, estimator if hasattr(estimator, "predict") else None, type(_last(estimator)).__name__)


def original_of(estimator: Any, X: Any, y: Any, n_rows: int, sample_weight: Any) -> Original:
    """Predict the rows with the original; one that is not fitted is fitted first, as a copy.

    Raises
    ------
    ParameterError
        There is neither a clusterer nor labels, or a fitted clusterer knows nothing of these rows.
    """
    if estimator is None:
        if y is None:
            message = "give an estimator, or the labels of the rows as y: there is nothing to stand in for"
            raise ParameterError(message)
        return Original(y, None, "labels")
    if is_fitted(estimator):
        return Original.of(_labels_of(estimator, X, n_rows), estimator)
    copy = clone(estimator) if hasattr(estimator, "get_params") else deepcopy(estimator)
    weights = {}
    if sample_weight is not None and not isinstance(copy, Pipeline) and has_fit_parameter(copy, "sample_weight"):
        weights = {"sample_weight": sample_weight}
    if not hasattr(copy, "fit") or (hasattr(copy, "fit_predict") and not weights):
        return Original.of(copy.fit_predict(X), copy)
    copy.fit(X, **weights)
    return Original.of(_labels_of(copy, X, n_rows), copy)


def can_be_asked(estimator: Any) -> bool:
    """Return whether an original is fitted and can predict."""
    return estimator is not None and hasattr(estimator, "predict") and is_fitted(estimator)


def predicted(estimator: Any, X: Any) -> NDArray[Any]:
    """Predict rows with a fitted original."""
    return np.asarray(estimator.predict(X))


def _last(estimator: Any) -> Any:
    return _last(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator


def is_fitted(estimator: Any) -> bool:
    """Return whether an estimator of any kind, or the last step of a pipeline, has been fitted."""
    last = _last(estimator)
    if hasattr(last, "labels_"):
        return True
    try:
        check_is_fitted(last)
    except SklearnNotFittedError:
        return False
    except TypeError:
        # No estimator in scikit-learn's sense: whoever cannot be fitted is ready.
        return not hasattr(last, "fit") and not hasattr(last, "fit_predict")
    return True


def _labels_of(estimator: Any, X: Any, n_rows: int) -> Any:
    if hasattr(estimator, "predict"):
        return predicted(estimator, X)
    labels: Sequence[Any] | None = getattr(_last(estimator), "labels_", None)
    if labels is None or len(labels) != n_rows:
        held = "no labels_" if labels is None else f"labels_ of {len(labels)} rows"
        message = (
            f"{type(_last(estimator)).__name__} cannot predict, and has {held} while X has {n_rows} rows; give the "
            "table it was fitted on, or a clusterer that is not fitted yet"
        )
        raise ParameterError(message)
    return labels
