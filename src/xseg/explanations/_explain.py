"""Exact explanations of membership, by the family of the model."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from xseg._optional import import_shap
from xseg.backends.base import count_workers
from xseg.core.schema import suggest_name
from xseg.core.statistics import check_weights
from xseg.core.tables import Table, raw_values, read_table
from xseg.exceptions import ParameterError
from xseg.explanations._explainer import Explainer
from xseg.explanations._families import find_family
from xseg.segmenters import FittedSegmenter, Route, find_route

if TYPE_CHECKING:
    import shap

__all__ = ["explain", "make_explainer", "rows_for"]


def explain(
    segmenter: Any,
    X: Any,
    *,
    of: str | int = "own",
    background: Any = None,
    background_sample_weight: ArrayLike | None = None,
) -> "shap.Explanation":
    """Explain why each row is in its segment.

    Exact interventional Shapley values in raw features: the mean, over all orders in which the features could become
    known, of how much each one moves what is explained. What that is depends on the family of the model. Where
    segments are made of boxes it is membership, and for the row's own segment ``base_values + values.sum(axis=1)`` is
    1. Where a segment's score is a sum over features it is the score; for the row's own segment it is the margin of
    that score over the runner-up's (0 where there is one segment only).

    Only segmenters of xseg have such an explanation. Any other fitted model is explained by `xseg.explain_agnostic`.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model. Explanations of a pipeline are folded back to the raw columns.
    X : table or array of shape (n_rows, n_features)
        The rows to explain, raw.
    of : {"own", "all"} or segment name or index, default="own"
        Which membership or score to explain; "all" adds a last axis of length n_segments.
    background : table or array, default=None
        Background rows of the interventional Shapley values; None means all rows of the fit.
    background_sample_weight : array-like of shape (n_background,), default=None
        Weights of the background rows.

    Returns
    -------
    shap.Explanation
        With values of shape (n_rows, n_features) or (n_rows, n_features, n_segments), base_values (the background's
        mean of what is explained), data in raw units, feature and output names. Every shap plot takes it.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    DataError
        The columns are not those it was fitted on.
    UnsupportedTypeError
        The model is no segmenter of xseg, or a step of the pipeline mixes columns.
    DataError, ParameterError
        There is no such segment, or weights were given and no background.

    References
    ----------
    Lundberg et al., "From local explanations to global understanding with explainable AI for trees", 2020.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> explanation = xseg.explain(segmenter, customers.head(3))
    >>> (explanation.base_values + explanation.values.sum(axis=1)).round(6)
    array([1., 1., 1.])
    """
    route = find_route(segmenter)
    import_shap()
    import shap

    segmenter = route.segmenter
    table = read_table(X)
    transformed = rows_for(segmenter, route.transform(X))
    explainer = make_explainer(segmenter, route, len(table.columns), background, background_sample_weight)
    n_workers = count_workers(segmenter.n_jobs)
    names = list(segmenter.segment_names_)
    output_names: str | list[str] | None = None
    if of == "all":
        values, base = explainer.explain_all(transformed, n_workers), explainer.base_values()
        base_values, output_names = np.broadcast_to(base, (len(table), len(base))), names
    else:
        targets = None if of == "own" else np.full(len(table), _position(segmenter, of), dtype=np.int64)
        explained = explainer.explain_targets(transformed, targets, n_workers)
        values, base_values = explained.values, explained.base
        output_names = None if of == "own" else names[_position(segmenter, of)]
    return shap.Explanation(
        values=values,
        base_values=base_values,
        data=X if isinstance(X, np.ndarray) and X.dtype == np.float64 else raw_values(table),
        feature_names=list(table.names),
        output_names=output_names,
    )


def make_explainer(
    segmenter: FittedSegmenter,
    route: Route,
    n_columns: int,
    background: Any = None,
    background_sample_weight: ArrayLike | None = None,
) -> Explainer:
    """Prepare the explainer of a fitted segmenter, by the family of its model."""
    rows, weights = None, np.empty(0, dtype=np.int64)
    if background is not None:
        rows = rows_for(segmenter, route.transform(background))
        weights = check_weights(background_sample_weight, len(rows))[0]
    elif background_sample_weight is not None:
        message = "background_sample_weight weighs the rows of a background; give background=... too"
        raise ParameterError(message)
    return find_family(segmenter).make_explainer(route, n_columns, rows, weights)


def rows_for(segmenter: Any, X: Any) -> Table:
    """Read the rows that a fitted segmenter is asked about."""
    table: Table = segmenter._read(X)
    return table


def _position(segmenter: FittedSegmenter, of: str | int) -> int:
    if isinstance(of, str) and of not in segmenter.segment_names_:
        message = f"of={of!r} is neither 'own', 'all' nor a segment{suggest_name(of, segmenter.segment_names_)}"
        raise ParameterError(message)
    return int(segmenter.segments_.position(of))
