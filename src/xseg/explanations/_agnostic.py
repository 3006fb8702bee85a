"""Explanations of models that have no exact one, by the values of coalitions of features.

The value of a coalition is a weighted mean over background rows. The coalitions of all repeats go to the model at once,
as rows of its own container, so that columns of any type, missing values and weights stay as they are. What is sampled
(permutations, and the background where it is large) is sampled anew in each of several independent repeats; their mean
is the explanation, and their standard deviation gives its standard error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin, is_clusterer

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
    game = _Game(outputs, coalition_rows, repeats, background_outputs)
    own = explained.argmax(axis=1) if of == "own" else None
    chosen = None if of in ("own", "all") else outputs.position(of)
    shape = (len(table), n_features, *([len(outputs.labels)] if of == "all" else []))
    values, errors = np.empty(shape), np.zeros(shape)
    hidden = None if progress is None else not progress
    bar = tqdm(range(len(table)), "explaining", disable=hidden, delay=_SECONDS_UNSEEN if progress is None else 0)
    for row in bar:
        found = game.compute_values(row, explained[row])
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


@dataclass(frozen=True, eq=False)
class _Plan:
    """Coalitions to evaluate, and how their values become Shapley values; the same for every row.

    Attributes
    ----------
    coalitions : ndarray of shape (n_coalitions, n_features)
        The features in each coalition; no coalition is evaluated twice with the same background.
    background : ndarray of shape (n_coalitions,)
        The repeat whose background rows it is evaluated with.
    joined, left : ndarray of shape (n_repeats, n_features, n_gains)
        For each repeat and feature, coalitions with the feature and the same without it.
    weights : ndarray of shape (n_features, n_gains)
        Weights of the differences between the two; those of a feature add up to 1.
    """

    coalitions: NDArray[np.bool_]
    background: NDArray[np.int64]
    joined: NDArray[np.int64]
    left: NDArray[np.int64]
    weights: Values

    @classmethod
    def from_repeats(cls, repeats: Sequence[_Repeat], n_features: int) -> "_Plan":
        """Return the coalitions of all repeats; those with the same background share them."""
        listed, joined, left, weights = zip(
            *(_list_coalitions(n_features, repeat.seed) for repeat in repeats), strict=True
        )
        coalitions = np.stack(listed)
        is_shared = all(repeat.rows is repeats[0].rows for repeat in repeats)
        background = np.zeros(len(repeats), np.int64) if is_shared else np.arange(len(repeats))
        numbered = np.broadcast_to(background[:, None, None], (*coalitions.shape[:2], 1))
        lines = np.concatenate([numbered, coalitions], axis=2).reshape(-1, n_features + 1)
        distinct, places = np.unique(lines, axis=0, return_inverse=True)
        places = places.reshape(coalitions.shape[:2])
        with_it, without_it = (
            np.stack([place[pair] for place, pair in zip(places, side, strict=True)]) for side in (joined, left)
        )
        return cls(distinct[:, 1:] > 0, distinct[:, 0], with_it, without_it, weights[0])


def _list_coalitions(
    n_features: int, seed: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], Values]:
    """Return coalitions, those with and without each feature, and their weights.

    They are all coalitions, or those along a permutation, forwards and backwards.
    """
    steps = np.arange(n_features)
    if seed is None:
        numbers = np.arange(2**n_features)
        left = np.stack([np.flatnonzero((numbers >> feature & 1) == 0) for feature in steps])
        coalitions = (numbers[:, None] >> steps & 1) > 0
        # A feature joins a coalition of s others in s! (n - s - 1)! of the n! permutations.
        shares = np.array([1 / (n_features * comb(n_features - 1, size)) for size in steps])
        return coalitions, left | (1 << steps)[:, None], left, shares[coalitions.sum(axis=1)[left]]
    order = np.random.default_rng(seed).permutation(n_features)
    # Step s of a walk leads from its first s features to its first s + 1.
    entry = np.stack([np.argsort(order), n_features - 1 - np.argsort(order)])
    walks = np.arange(n_features + 1)[:, None] > entry[:, None, :]
    left = entry.T + np.array([0, n_features + 1])
    return walks.reshape(-1, n_features), left + 1, left, np.full((n_features, 2), 0.5)


class _Game:
    """The value function ``v(S) = E_z f(x_S, z_rest)`` of each row, and its Shapley values."""

    def __init__(
        self, outputs: GroupOutputs, coalition_rows: CoalitionRows, repeats: Sequence[_Repeat], background: Values
    ) -> None:
        self.outputs, self.coalition_rows = outputs, coalition_rows
        self.plan = _Plan.from_repeats(repeats, coalition_rows.n_features)
        self.rows, self.shares = np.stack([repeat.rows for repeat in repeats]), repeats[0].shares
        self.base = np.stack([repeat.shares @ background[repeat.rows] for repeat in repeats])
        sizes = self.plan.coalitions.sum(axis=1)
        self.is_empty, self.is_full = sizes == 0, sizes == coalition_rows.n_features
        self.asked = np.flatnonzero(~self.is_empty & ~self.is_full)

    def compute_values(self, row: int, explained: Values) -> Values:
        """Return the Shapley values of a row in each repeat, shape (n_repeats, n_features, n_groups)."""
        plan = self.plan
        values = np.empty((len(plan.coalitions), len(explained)))
        values[self.is_full] = explained
        values[self.is_empty] = self.base[plan.background[self.is_empty]]
        step = max(1, _ROWS_AT_ONCE // len(self.shares))
        for start in range(0, len(self.asked), step):
            some = self.asked[start : start + step]
            rows = self.coalition_rows.build(row, plan.coalitions[some], self.rows[plan.background[some]])
            predicted = self.outputs.predict(rows).reshape(len(some), len(self.shares), -1)
            values[some] = np.matmul(self.shares, predicted)
        gains = values[plan.joined] - values[plan.left]
        found: Values = np.einsum("jp,rjpk->rjk", plan.weights, gains)
        return found
