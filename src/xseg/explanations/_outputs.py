"""What a model of any kind says of rows, as one number for each group; ids of groups are names, never numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin, is_clusterer
from sklearn.pipeline import Pipeline

from xseg.core.schema import suggestion
from xseg.exceptions import DataError, NotFittedError, ParameterError, SchemaError, UnsupportedModelError
from xseg.segmenters._surrogate_labels import Partition, is_fitted, predicted

__all__ = ["Outputs", "method_of", "outputs_of"]

Ask: TypeAlias = Callable[[Any], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Outputs:
    """The groups of a model, and how much of each a row has.

    Attributes
    ----------
    labels : tuple
        What the model calls its groups.
    ask : callable
        Gives probabilities, memberships or scores of rows, shape (n_rows, n_groups).
    """

    labels: tuple[Any, ...]
    ask: Ask

    @property
    def names(self) -> list[str]:
        """The labels as text."""
        return [str(label) for label in self.labels]

    def position(self, of: str | int) -> int:
        """Return the place of a group: by its label, or by its number where labels are text."""
        if of in self.labels:
            return self.labels.index(of)
        if of in self.names:
            return self.names.index(str(of))
        are_numbers = all(isinstance(label, int | float) for label in self.labels)
        if isinstance(of, str) or are_numbers or not 0 <= of < len(self.labels):
            message = f"of={of!r} is neither 'own', 'all' nor one of the groups {', '.join(self.names)}"
            raise ParameterError(message + suggestion(str(of), self.names))
        return int(of)


def method_of(model: Any) -> str:
    """Find what to ask a model: probabilities, else memberships, else scores.

    Raises
    ------
    UnsupportedModelError
        The model says nothing of rows it has not seen.
    NotFittedError
        It has not been fitted.
    """
    last = _last(model)
    for method in _METHODS:
        if hasattr(model, method):
            if not is_fitted(model):
                message = f"This {type(last).__name__} instance is not fitted yet. Call 'fit' first."
                raise NotFittedError(message)
            return method
    if not hasattr(model, "fit"):
        message = (
            f"{type(last).__name__} is no model: explain takes a fitted segmenter, or anything fitted that has "
            "predict_proba, predict or transform"
        )
        raise UnsupportedModelError(message)
    message = (
        f"{type(last).__name__} cannot say where anybody else belongs (it has no predict_proba, predict or transform), "
        "so nothing can be explained of it; fit xseg.SurrogateSegmenter to it, whose rules stand in for it and are "
        "explained exactly"
    )
    raise UnsupportedModelError(message)


def outputs_of(model: Any, background: Any, X: Any) -> Outputs:
    """Find what a model says of rows.

    Parameters
    ----------
    model : fitted estimator
        The model.
    background, X : table or array
        Rows whose groups are all there are.

    Raises
    ------
    UnsupportedModelError
        The model says nothing of rows it has not seen, or nothing of groups.
    NotFittedError
        It has not been fitted.
    """
    return _METHODS[method_of(model)](model, [background, X])


def _last(model: Any) -> Any:
    return _last(model.steps[-1][1]) if isinstance(model, Pipeline) else model


def _probabilities(model: Any, seen: Sequence[Any]) -> Outputs:
    def ask(rows: Any) -> NDArray[np.float64]:
        return _table_of_numbers(model, "predict_proba", rows)

    n_groups = ask(seen[0]).shape[1]
    labels = tuple(np.asarray(getattr(model, "classes_", np.arange(n_groups))).tolist())
    if len(labels) != n_groups:
        message = f"{type(_last(model)).__name__}.predict_proba gives {n_groups} columns for {len(labels)} classes"
        raise UnsupportedModelError(message)
    return Outputs(labels, ask)


def _memberships(model: Any, seen: Sequence[Any]) -> Outputs:
    """Turn labels into memberships of the groups seen among the rows given; others are in none of them."""
    given = np.concatenate([_answer(model, "predict", rows) for rows in seen])
    if given.dtype.kind == "f" and not (pd.isna(given) | (given == np.rint(given))).all():
        message = (
            f"{type(_last(model)).__name__}.predict gives numbers ({given[0]:g}), not groups; explain tells why "
            "somebody is in a group, so give a clusterer or classifier"
        )
        raise UnsupportedModelError(message)
    try:
        groups = Partition.of(given, len(given), None).groups
    except DataError as error:
        message = f"{type(_last(model)).__name__}.predict: {error}"
        raise UnsupportedModelError(message) from None

    def ask(rows: Any) -> NDArray[np.float64]:
        places = groups.place_of(_answer(model, "predict", rows), None)
        # The last line is of labels not seen before.
        return np.eye(len(groups) + 1, len(groups))[places]

    return Outputs(groups.labels, ask)


def _scores(model: Any, seen: Sequence[Any]) -> Outputs:
    """Return what a model transforms rows into as scores of groups; a clusterer gives distances, so minus those."""
    last = _last(model)
    if isinstance(last, OneToOneFeatureMixin):
        message = (
            f"{type(last).__name__} transforms columns one by one and makes no groups, so there is no segment to "
            "explain; give a clusterer or classifier"
        )
        raise UnsupportedModelError(message)
    sign = -1.0 if is_clusterer(last) else 1.0

    def ask(rows: Any) -> NDArray[np.float64]:
        return sign * _table_of_numbers(model, "transform", rows)

    return Outputs(tuple(range(ask(seen[0]).shape[1])), ask)


_METHODS: dict[str, Callable[[Any, Sequence[Any]], Outputs]] = {
    "predict_proba": _probabilities,
    "predict": _memberships,
    "transform": _scores,
}


def _answer(model: Any, method: str, rows: Any) -> NDArray[Any]:
    try:
        return predicted(model, rows) if method == "predict" else np.asarray(getattr(model, method)(rows))
    except (KeyError, TypeError, ValueError) as error:
        message = f"{type(_last(model)).__name__}.{method} refuses the rows: {error}"
        raise SchemaError(message) from error


def _table_of_numbers(model: Any, method: str, rows: Any) -> NDArray[np.float64]:
    answer = _answer(model, method, rows)
    if answer.ndim != 2 or answer.dtype.kind not in "fiu" or not np.isfinite(answer).all():
        message = (
            f"{type(_last(model)).__name__}.{method} gives no table of finite numbers, one column for each group "
            f"(found shape {answer.shape}, {answer.dtype})"
        )
        raise UnsupportedModelError(message)
    return answer.astype(np.float64)
