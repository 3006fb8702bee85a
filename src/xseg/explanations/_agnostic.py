"""Explanations of models that have no exact one, by shap's model-agnostic explainers.

shap is given the value function and not the rows: it passes coalitions of features, and their values, weighted means
over background rows, are computed here. So columns of any type, missing values, weights and containers never pass
through shap. What is sampled (permutations, and the background where it is large) is sampled anew in each of several
independent repeats; their mean is the explanation, and their standard deviation gives its standard error.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin, is_clusterer

from xseg._optional import import_shap
from xseg.core.schema import suggest_name
from xseg.core.statistics import check_weights
from xseg.core.tables import raw_values, read_table
from xseg.exceptions import DataError, NotFittedError, ParameterError, UnsupportedTypeError
from xseg.explanations._coalition_rows import CoalitionRows, match_fit_container
from xseg.segmenters import LabelPartition, get_last_step, is_fitted

if TYPE_CHECKING:
    from xseg.explanations._sampled import SampledExplanation

__all__ = ["GroupOutputs", "explain_agnostic", "find_method", "find_outputs"]

Predictor: TypeAlias = Callable[[Any], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class GroupOutputs:
    """The groups of a model, and a function that predicts them.

    Attributes
    ----------
    labels : tuple
        The labels of the groups.
    predict : callable
        Returns the probabilities, memberships or scores of rows, shape (n_rows, n_groups).
    """

    labels: tuple[Any, ...]
    predict: Predictor

    @property
    def names(self) -> list[str]:
        """The labels as text."""
        return [str(label) for label in self.labels]

    def position(self, of: str | int) -> int:
        """Return the index of a group, given its label, or its index where labels are text."""
        if of in self.labels:
            return self.labels.index(of)
        if of in self.names:
            return self.names.index(str(of))
        are_numbers = all(isinstance(label, int | float) for label in self.labels)
        if isinstance(of, str) or are_numbers or not 0 <= of < len(self.labels):
            message = f"of must be 'own', 'all' or one of the groups {', '.join(self.names)}, got {of!r}"
            raise ParameterError(message + suggest_name(str(of), self.names))
        return int(of)


def find_method(model: Any) -> str:
    """Select the method of a model that is explained: `predict_proba`, else `predict`, else `transform`.

    Raises
    ------
    UnsupportedTypeError
        The model has none of them, and so cannot be applied to new rows.
    NotFittedError
        It has not been fitted.
    """
    last = get_last_step(model)
    for method in _METHODS:
        if hasattr(model, method):
            if not is_fitted(model):
                message = f"This {type(last).__name__} instance is not fitted yet. Call 'fit' first."
                raise NotFittedError(message)
            return method
    if not hasattr(model, "fit"):
        message = (
            f"model must be a fitted estimator with predict_proba, predict or transform, got {type(last).__name__}; "
            "pass a fitted clusterer or classifier"
        )
        raise UnsupportedTypeError(message)
    message = (
        f"model must have predict_proba, predict or transform, so that it can be applied to new rows; "
        f"{type(last).__name__} has none of them. Fit xseg.SurrogateSegmenter to it, and explain that exactly"
    )
    raise UnsupportedTypeError(message)


def find_outputs(model: Any, background: Any, X: Any) -> GroupOutputs:
    """Find the groups of a model, and what is explained of them.

    Parameters
    ----------
    model : fitted estimator
        The model.
    background, X : table or array
        The rows. Where the model only predicts labels, its groups are the labels of these rows.

    Raises
    ------
    UnsupportedTypeError
        The model cannot be applied to new rows, or does not predict groups.
    NotFittedError
        It has not been fitted.
    """
    return _METHODS[find_method(model)](model, [background, X])


def _probabilities(model: Any, seen: Sequence[Any]) -> GroupOutputs:
    def predict(rows: Any) -> NDArray[np.float64]:
        return _predict_numbers(model, "predict_proba", rows)

    n_groups = predict(seen[0]).shape[1]
    labels = tuple(np.asarray(getattr(model, "classes_", np.arange(n_groups))).tolist())
    if len(labels) != n_groups:
        message = (
            f"{type(get_last_step(model)).__name__}.predict_proba must return one column for each of its "
            f"{len(labels)} classes, got {n_groups} columns; fit the model again"
        )
        raise UnsupportedTypeError(message)
    return GroupOutputs(labels, predict)


def _memberships(model: Any, seen: Sequence[Any]) -> GroupOutputs:
    """Convert labels to memberships, 0 or 1; a row with a label that the given rows do not have is in no group."""
    given = np.concatenate([_call_method(model, "predict", rows) for rows in seen])
    if given.dtype.kind == "f" and not (pd.isna(given) | (given == np.rint(given))).all():
        message = (
            f"{type(get_last_step(model)).__name__}.predict must return labels of groups, got numbers such as "
            f"{given[0]:g}; pass a clusterer or classifier"
        )
        raise UnsupportedTypeError(message)
    try:
        groups = LabelPartition.from_labels(given, len(given), None).groups
    except DataError as error:
        message = f"{type(get_last_step(model)).__name__}.predict: {error}"
        raise UnsupportedTypeError(message) from None

    def predict(rows: Any) -> NDArray[np.float64]:
        places = groups.find_places(_call_method(model, "predict", rows), None)
        # The last line is that of labels not seen in the given rows.
        return np.eye(len(groups) + 1, len(groups))[places]

    return GroupOutputs(groups.labels, predict)


def _scores(model: Any, seen: Sequence[Any]) -> GroupOutputs:
    """Use the columns of `transform` as scores of groups; those of a clusterer are distances, so their negatives."""
    last = get_last_step(model)
    if isinstance(last, OneToOneFeatureMixin):
        message = (
            f"model must put rows into groups, and {type(last).__name__} transforms columns one by one; pass a "
            "clusterer or classifier"
        )
        raise UnsupportedTypeError(message)
    sign = -1.0 if is_clusterer(last) else 1.0

    def predict(rows: Any) -> NDArray[np.float64]:
        return sign * _predict_numbers(model, "transform", rows)

    return GroupOutputs(tuple(range(predict(seen[0]).shape[1])), predict)


_METHODS: dict[str, Callable[[Any, Sequence[Any]], GroupOutputs]] = {
    "predict_proba": _probabilities,
    "predict": _memberships,
    "transform": _scores,
}


def _call_method(model: Any, method: str, rows: Any) -> NDArray[Any]:
    try:
        return np.asarray(getattr(model, method)(rows))
    except (KeyError, TypeError, ValueError) as error:
        message = f"{type(get_last_step(model)).__name__}.{method} cannot read the rows: {error}"
        raise DataError(message) from error


def _predict_numbers(model: Any, method: str, rows: Any) -> NDArray[np.float64]:
    result = _call_method(model, method, rows)
    if result.ndim != 2 or result.dtype.kind not in "fiu" or not np.isfinite(result).all():
        message = (
            f"{type(get_last_step(model)).__name__}.{method} must return finite numbers, one column for each group, "
            f"got an array of shape {result.shape} and type {result.dtype}"
        )
        raise UnsupportedTypeError(message)
    return result.astype(np.float64)


MAX_EXACT_FEATURES = 10
MAX_BACKGROUND = 100
_ROWS_AT_ONCE = 2**16
_SECONDS_UNSEEN = 2.0

Values: TypeAlias = NDArray[np.float64]


def explain_agnostic(
    model: Any,
    X: Any,
    *,
    background: Any,
    background_sample_weight: ArrayLike | None = None,
    of: str | int = "own",
    n_repeats: int = 10,
    random_state: int | None = None,
    progress: bool | None = None,
) -> "SampledExplanation":
    """Explain any fitted model that puts rows into groups, by Shapley values with a sampling error.

    For models without an exact explanation; segmenters of xseg have one, which `explain` computes. What is explained
    is the probability of each group (`predict_proba`), else membership, 0 or 1 (`predict`), else its score
    (`transform`; for a clusterer minus the distance to its centre). Labels of groups are names; they are never
    averaged.

    With at most 10 features every coalition is enumerated, else permutations are sampled, forwards and backwards, one
    in each repeat. A background of more than 100 rows is sampled: 100 rows divided among the repeats where coalitions
    are enumerated, else 100 in each repeat. Either way base values and values add up to what is explained.

    Parameters
    ----------
    model : fitted estimator or Pipeline
        With predict_proba, predict or transform.
    X : table or array of shape (n_rows, n_features)
        The rows to explain, raw.
    background : table or array of shape (n_background, n_features)
        Background rows of the Shapley values.
    background_sample_weight : array-like of shape (n_background,), default=None
        Weights of the background rows.
    of : {"own", "all"} or group, default="own"
        Which group to explain, by its label (or by its index, where labels are text); a row's own is the one with the
        highest output; "all" adds a last axis of length n_groups.
    n_repeats : int, default=10
        Number of independent repeats from which standard errors are estimated, at least 2.
    random_state : int or None, default=None
        Controls what is sampled. Pass an int for reproducible results; a row then has the same explanation whatever
        rows come with it.
    progress : bool, default=None
        Whether to show a bar; None shows one on a terminal where explaining takes more than two seconds.

    Returns
    -------
    shap.Explanation
        As `explain` returns it, with `sampling_error`: the standard error of each value, which has ``n_repeats - 1``
        degrees of freedom and covers permutations and the sampling of the background; 0 where nothing was sampled.

    Raises
    ------
    UnsupportedTypeError
        The model cannot be applied to new rows, or does not predict groups.
    NotFittedError
        It has not been fitted.
    DataError
        Rows or weights cannot be used, or the model cannot read them.
    ParameterError
        There is no such group, or too few repeats.

    References
    ----------
    Lundberg and Lee, "A unified approach to interpreting model predictions", 2017. Mitchell et al., "Sampling
    permutations for Shapley value estimation", 2022, for antithetic permutations.

    Examples
    --------
    >>> import xseg
    >>> from sklearn.cluster import KMeans
    >>> customers = xseg.make_customers(300, random_state=0)[["orders_90d", "spend_year"]]
    >>> kmeans = KMeans(3, n_init=1, random_state=0).fit(customers)
    >>> explanation = xseg.explain_agnostic(kmeans, customers.head(3), background=customers.tail(80))
    >>> (explanation.base_values + explanation.values.sum(axis=1)).round(6)
    array([1., 1., 1.])
    >>> float(explanation.sampling_error.max())
    0.0
    """
    from tqdm.auto import tqdm

    from xseg.explanations._sampled import SampledExplanation

    if n_repeats < 2:
        message = f"n_repeats must be at least 2, since a standard error is estimated from them; got {n_repeats}"
        raise ParameterError(message)
    table, weights = read_table(X), check_weights(background_sample_weight, len(read_table(background)))[0]
    rows, known = match_fit_container(model, X, "X"), match_fit_container(model, background, "the background")
    coalition_rows, outputs = CoalitionRows(rows, known), find_outputs(model, known, rows)
    explained, background_outputs = outputs.predict(rows), outputs.predict(known)
    n_features = len(table.columns)
    repeats = _repeats(weights, n_repeats, random_state, enumerated=n_features <= MAX_EXACT_FEATURES)
    base = np.mean([repeat.shares @ background_outputs[repeat.rows] for repeat in repeats], axis=0)
    own = explained.argmax(axis=1) if of == "own" else None
    chosen = None if of in ("own", "all") else outputs.position(of)
    shape = (len(table), n_features, *([len(outputs.labels)] if of == "all" else []))
    values, errors = np.empty(shape), np.zeros(shape)
    hidden = None if progress is None else not progress
    bar = tqdm(range(len(table)), "explaining", disable=hidden, delay=_SECONDS_UNSEEN if progress is None else 0)
    for row in bar:
        found = np.stack(
            [
                _Game(outputs, coalition_rows, row, repeat, explained[row], background_outputs).values()
                for repeat in repeats
            ]
        )
        if of != "all":
            found = found[..., chosen if own is None else own[row]]
        values[row] = found.mean(axis=0)
        if len(repeats) > 1:
            errors[row] = found.std(axis=0, ddof=1) / np.sqrt(len(repeats))
    return SampledExplanation(
        values=values,
        base_values=_select_base_values(base, len(table), own if own is not None else chosen),
        data=raw_values(table),
        feature_names=list(table.names),
        output_names=outputs.names if of == "all" else None if chosen is None else outputs.names[chosen],
        error_std=errors,
    )


def _select_base_values(base: Values, n_rows: int, chosen: NDArray[np.intp] | int | None) -> Values:
    every = np.broadcast_to(base, (n_rows, len(base)))
    return every if chosen is None else every[np.arange(n_rows), chosen]


@dataclass(frozen=True, eq=False)
class _Repeat:
    """One of several independent estimates.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        The background rows that it uses.
    shares : ndarray of shape (n,)
        The weight of each; they add up to 1.
    seed : int or None
        Seed of its permutation; None enumerates coalitions.
    """

    rows: NDArray[np.intp]
    shares: Values
    seed: int | None


def _repeats(
    weights: NDArray[np.int64], n_repeats: int, random_state: int | None, *, enumerated: bool
) -> Sequence[_Repeat]:
    """Draw the background rows and seeds of each repeat, independently; one repeat where nothing is sampled."""
    counted = np.flatnonzero(weights)
    shares = weights[counted] / weights.sum()
    generators = [np.random.default_rng(seed) for seed in np.random.SeedSequence(random_state).spawn(n_repeats)]
    seeds = [None if enumerated else int(generator.integers(2**32)) for generator in generators]
    if len(counted) <= MAX_BACKGROUND:
        return [_Repeat(counted, shares, seed) for seed in (seeds[:1] if enumerated else seeds)]
    n_rows = max(1, MAX_BACKGROUND // n_repeats) if enumerated else MAX_BACKGROUND
    even = np.full(n_rows, 1 / n_rows)
    return [
        _Repeat(generator.choice(counted, n_rows, p=shares), even, seed)
        for generator, seed in zip(generators, seeds, strict=True)
    ]


class _Game:
    """The value function of one row, ``v(S) = E_z f(x_S, z_rest)``; each coalition is computed once."""

    def __init__(
        self,
        outputs: GroupOutputs,
        coalition_rows: CoalitionRows,
        row: int,
        repeat: _Repeat,
        explained: Values,
        background_outputs: Values,
    ) -> None:
        self.outputs, self.coalition_rows, self.row, self.repeat = outputs, coalition_rows, row, repeat
        self.n_features = coalition_rows.n_features
        nothing, everything = np.zeros(self.n_features, bool), np.ones(self.n_features, bool)
        self._known_values = {
            nothing.tobytes(): repeat.shares @ background_outputs[repeat.rows],
            everything.tobytes(): explained,
        }

    def __call__(self, coalitions: Values) -> Values:
        """Return the value of each coalition, shape (n_coalitions, n_groups)."""
        known = coalitions > 0
        new = [mask for mask in np.unique(known, axis=0) if mask.tobytes() not in self._known_values]
        n_background = len(self.repeat.rows)
        step = max(1, _ROWS_AT_ONCE // n_background)
        for start in range(0, len(new), step):
            masks = np.array(new[start : start + step])
            predicted = self.outputs.predict(self.coalition_rows.build(self.row, masks, self.repeat.rows))
            values = np.einsum("b,mbk->mk", self.repeat.shares, predicted.reshape(len(masks), n_background, -1))
            self._known_values.update(zip((mask.tobytes() for mask in masks), values, strict=True))
        return np.array([self._known_values[mask.tobytes()] for mask in known])

    def values(self) -> Values:
        """Return the Shapley values, shape (n_features, n_groups): exact, or estimated along one permutation."""
        import_shap()
        import shap

        masker = shap.maskers.Independent(np.zeros((1, self.n_features)))
        everything = np.ones((1, self.n_features))
        if self.repeat.seed is None:
            explained = shap.explainers.Exact(self, masker)(everything, silent=True)
        else:
            with _restore_numpy_seed():
                explainer = shap.explainers.Permutation(self, masker, seed=self.repeat.seed)
                explained = explainer(everything, max_evals=2 * self.n_features + 1, silent=True)
        found: Values = np.asarray(explained.values, dtype=np.float64)[0]
        return found


@contextmanager
def _restore_numpy_seed() -> Iterator[None]:
    """Restore numpy's global generator afterwards: shap seeds it."""
    state = np.random.get_state()  # noqa: NPY002 - this is the one that shap draws from
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
