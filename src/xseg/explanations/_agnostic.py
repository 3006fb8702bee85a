"""Explanations of models that have no exact one, by shap's model-agnostic explainers.

shap is given the game itself: it asks what a coalition of features is worth, and the answer, a weighted mean over
background rows, is worked out here. So columns of any type, missing values, weights and containers never pass through
it. What is sampled (permutations, and the background where it is large) is sampled anew in each of several independent
repeats, whose mean is the explanation and whose spread its standard error.
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
from xseg.explanations._shapley import CoalitionRows, match_fit_container
from xseg.segmenters import LabelPartition, get_last_step, is_fitted

if TYPE_CHECKING:
    from xseg.explanations._sampled import SampledExplanation

__all__ = ["Outputs", "explain_agnostic", "find_method", "find_outputs"]

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
            raise ParameterError(message + suggest_name(str(of), self.names))
        return int(of)


def find_method(model: Any) -> str:
    """Find what to ask a model: probabilities, else memberships, else scores.

    Raises
    ------
    UnsupportedTypeError
        The model says nothing of rows it has not seen.
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
            f"{type(last).__name__} is no model: explain_agnostic takes anything fitted that has predict_proba, "
            "predict or transform"
        )
        raise UnsupportedTypeError(message)
    message = (
        f"{type(last).__name__} cannot say where anybody else belongs (it has no predict_proba, predict or transform), "
        "so nothing can be explained of it; fit xseg.SurrogateSegmenter to it, whose rules stand in for it and are "
        "explained exactly"
    )
    raise UnsupportedTypeError(message)


def find_outputs(model: Any, background: Any, X: Any) -> Outputs:
    """Find what a model says of rows.

    Parameters
    ----------
    model : fitted estimator
        The model.
    background, X : table or array
        Rows whose groups are all there are.

    Raises
    ------
    UnsupportedTypeError
        The model says nothing of rows it has not seen, or nothing of groups.
    NotFittedError
        It has not been fitted.
    """
    return _METHODS[find_method(model)](model, [background, X])


def _probabilities(model: Any, seen: Sequence[Any]) -> Outputs:
    def ask(rows: Any) -> NDArray[np.float64]:
        return _table_of_numbers(model, "predict_proba", rows)

    n_groups = ask(seen[0]).shape[1]
    labels = tuple(np.asarray(getattr(model, "classes_", np.arange(n_groups))).tolist())
    if len(labels) != n_groups:
        message = (
            f"{type(get_last_step(model)).__name__}.predict_proba gives {n_groups} columns for {len(labels)} classes"
        )
        raise UnsupportedTypeError(message)
    return Outputs(labels, ask)


def _memberships(model: Any, seen: Sequence[Any]) -> Outputs:
    """Turn labels into memberships of the groups seen among the rows given; others are in none of them."""
    given = np.concatenate([_answer(model, "predict", rows) for rows in seen])
    if given.dtype.kind == "f" and not (pd.isna(given) | (given == np.rint(given))).all():
        message = (
            f"{type(get_last_step(model)).__name__}.predict gives numbers ({given[0]:g}), not groups; "
            "explain_agnostic says why a row is in a group: pass a clusterer or classifier"
        )
        raise UnsupportedTypeError(message)
    try:
        groups = LabelPartition.from_labels(given, len(given), None).groups
    except DataError as error:
        message = f"{type(get_last_step(model)).__name__}.predict: {error}"
        raise UnsupportedTypeError(message) from None

    def ask(rows: Any) -> NDArray[np.float64]:
        places = groups.find_places(_answer(model, "predict", rows), None)
        # The last line is of labels not seen before.
        return np.eye(len(groups) + 1, len(groups))[places]

    return Outputs(groups.labels, ask)


def _scores(model: Any, seen: Sequence[Any]) -> Outputs:
    """Return what a model transforms rows into as scores of groups; a clusterer gives distances, so minus those."""
    last = get_last_step(model)
    if isinstance(last, OneToOneFeatureMixin):
        message = (
            f"{type(last).__name__} transforms columns one by one and makes no groups, so there is no segment to "
            "explain; give a clusterer or classifier"
        )
        raise UnsupportedTypeError(message)
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
        return np.asarray(getattr(model, method)(rows))
    except (KeyError, TypeError, ValueError) as error:
        message = f"{type(get_last_step(model)).__name__}.{method} refuses the rows: {error}"
        raise DataError(message) from error


def _table_of_numbers(model: Any, method: str, rows: Any) -> NDArray[np.float64]:
    answer = _answer(model, method, rows)
    if answer.ndim != 2 or answer.dtype.kind not in "fiu" or not np.isfinite(answer).all():
        message = (
            f"{type(get_last_step(model)).__name__}.{method} must give finite numbers, one column for each group "
            f"(found shape {answer.shape}, {answer.dtype})"
        )
        raise UnsupportedTypeError(message)
    return answer.astype(np.float64)


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
    """Explain any fitted model that puts rows into groups, whatever it is made of.

    For models that have no exact explanation; those of xseg have one, which `explain` computes. What is explained is
    the probability of each group (`predict_proba`), else membership, 0 or 1 (`predict`), else its score (`transform`;
    of a clusterer minus the distance to its centre). The ids of groups are names; nothing is ever averaged over them.

    With at most 10 features every coalition is enumerated, else permutations are sampled, forwards and backwards, one
    in each repeat. A background of more than 100 rows is sampled: a hundred rows, dealt out to the repeats, where
    coalitions are enumerated, else a hundred in each repeat. Base values and values add up to what is explained either
    way.

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
        Which group to explain, by its label (or by its number, where labels are text); a row's own is the one it has
        most of; "all" adds a last axis of length n_groups.
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
        As `explain` gives it, with `sampling_error`: the standard error of each value, which has ``n_repeats - 1``
        degrees of freedom and counts permutations and the sampling of the background; 0 where nothing was sampled.

    Raises
    ------
    UnsupportedTypeError
        The model says nothing of rows it has not seen, or nothing of groups.
    NotFittedError
        It has not been fitted.
    DataError
        Rows or weights cannot be used, or the model refuses them.
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
        message = f"n_repeats={n_repeats}, but a standard error needs at least 2 repeats"
        raise ParameterError(message)
    table, weights = read_table(X), check_weights(background_sample_weight, len(read_table(background)))[0]
    rows, known = match_fit_container(model, X, "X"), match_fit_container(model, background, "the background")
    blends, outputs = CoalitionRows(rows, known), find_outputs(model, known, rows)
    explained, of_background = outputs.ask(rows), outputs.ask(known)
    n_features = len(table.columns)
    repeats = _repeats(weights, n_repeats, random_state, enumerated=n_features <= MAX_EXACT_FEATURES)
    base = np.mean([repeat.shares @ of_background[repeat.rows] for repeat in repeats], axis=0)
    own = explained.argmax(axis=1) if of == "own" else None
    chosen = None if of in ("own", "all") else outputs.position(of)
    shape = (len(table), n_features, *([len(outputs.labels)] if of == "all" else []))
    values, errors = np.empty(shape), np.zeros(shape)
    hidden = None if progress is None else not progress
    bar = tqdm(range(len(table)), "explaining", disable=hidden, delay=_SECONDS_UNSEEN if progress is None else 0)
    for row in bar:
        found = np.stack(
            [_Game(outputs, blends, row, repeat, explained[row], of_background).values() for repeat in repeats]
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
        The background rows it looks at.
    shares : ndarray of shape (n,)
        How much each counts; together 1.
    seed : int or None
        Draws its permutation; None enumerates coalitions.
    """

    rows: NDArray[np.intp]
    shares: Values
    seed: int | None


def _repeats(
    weights: NDArray[np.int64], n_repeats: int, random_state: int | None, *, enumerated: bool
) -> Sequence[_Repeat]:
    """Plan the repeats: as few rows as will do, each repeat independent of the others."""
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
    """What knowing some features of one row is worth; each coalition is worked out once."""

    def __init__(
        self,
        outputs: Outputs,
        blends: CoalitionRows,
        row: int,
        repeat: _Repeat,
        explained: Values,
        of_background: Values,
    ) -> None:
        self.outputs, self.blends, self.row, self.repeat = outputs, blends, row, repeat
        self.n_features = blends.n_features
        nobody, everything = np.zeros(self.n_features, bool), np.ones(self.n_features, bool)
        self._worth = {
            nobody.tobytes(): repeat.shares @ of_background[repeat.rows],
            everything.tobytes(): explained,
        }

    def __call__(self, coalitions: Values) -> Values:
        """Return the worth of each coalition, shape (n_coalitions, n_groups)."""
        known = coalitions > 0
        new = [mask for mask in np.unique(known, axis=0) if mask.tobytes() not in self._worth]
        n_background = len(self.repeat.rows)
        step = max(1, _ROWS_AT_ONCE // n_background)
        for start in range(0, len(new), step):
            masks = np.array(new[start : start + step])
            said = self.outputs.ask(self.blends.build(self.row, masks, self.repeat.rows))
            worth = np.einsum("b,mbk->mk", self.repeat.shares, said.reshape(len(masks), n_background, -1))
            self._worth.update(zip((mask.tobytes() for mask in masks), worth, strict=True))
        return np.array([self._worth[mask.tobytes()] for mask in known])

    def values(self) -> Values:
        """Return the Shapley values, shape (n_features, n_groups): exact ones, or those along one permutation."""
        import_shap()
        import shap

        masker = shap.maskers.Independent(np.zeros((1, self.n_features)))
        everything = np.ones((1, self.n_features))
        if self.repeat.seed is None:
            explained = shap.explainers.Exact(self, masker)(everything, silent=True)
        else:
            with _numpy_seed_restored():
                explainer = shap.explainers.Permutation(self, masker, seed=self.repeat.seed)
                explained = explainer(everything, max_evals=2 * self.n_features + 1, silent=True)
        found: Values = np.asarray(explained.values, dtype=np.float64)[0]
        return found


@contextmanager
def _numpy_seed_restored() -> Iterator[None]:
    """Restore numpy's global generator afterwards: shap seeds it."""
    state = np.random.get_state()  # noqa: NPY002 - this is the one that shap draws from
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
