"""Exact explanations of why each row is in its segment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._optional import import_shap
from xseg.backends.base import count_workers
from xseg.core.schema import Kind, suggest_name
from xseg.core.statistics import check_weights
from xseg.core.tables import Column, Table, raw_values, read_table
from xseg.exceptions import ParameterError, UnsupportedTypeError
from xseg.explanations._changed_rows import apply_changes
from xseg.explanations._families import find_family
from xseg.explanations._row_explainers import PortableModel
from xseg.explanations._shapley import NO_RIVAL, Contributions, Explainer
from xseg.segmenters import FittedSegmenter, FittedSurrogate, Route, SegmenterOrPipeline, check_segmenter, find_route

if TYPE_CHECKING:
    import shap

__all__ = [
    "RowExplanation",
    "build_portable_model",
    "comprehensiveness",
    "compute_own_contributions",
    "explain",
    "explain_row",
    "make_explainer",
]


def explain(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    of: str | int = "own",
    background: Any = None,
    background_sample_weight: ArrayLike | None = None,
) -> "shap.Explanation":
    """Explain why each row is in its segment.

    The values are exact interventional Shapley values of the raw features: the mean, over all orders in which the
    features could be added to a coalition, of how much each one changes the output. The output depends on the model.
    Where segments are made of boxes it is membership, 0 or 1; for the row's own segment
    ``base_values + values.sum(axis=1)`` is 1. Where segments are made of scores it is the score; for the row's own
    segment it is the margin of that score over the runner-up's (0 where there is one segment only).

    Any fitted model that is not a segmenter of xseg is explained by `xseg.explain_agnostic`.

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
        mean of the output), data in raw units, feature and output names. Every shap plot takes it.

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
    transformed = segmenter.read_rows(route.transform(X))
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
    """Return the explainer of a fitted segmenter against a background, by default all rows of the fit."""
    rows, weights = None, np.empty(0, dtype=np.int64)
    if background is not None:
        rows = segmenter.read_rows(route.transform(background))
        weights = check_weights(background_sample_weight, len(rows))[0]
    elif background_sample_weight is not None:
        message = "background_sample_weight needs a background, got background=None; pass background too"
        raise ParameterError(message)
    return find_family(segmenter).make_explainer(route, n_columns, rows, weights)


def _position(segmenter: FittedSegmenter, of: str | int) -> int:
    if isinstance(of, str) and of not in segmenter.segment_names_:
        near = suggest_name(of, segmenter.segment_names_)
        message = f"of must be 'own', 'all' or a segment, got {of!r}{near}"
        raise ParameterError(message)
    return int(segmenter.segments_.position(of))


# Squares of distances of rows stay far below this.
_MAX_PART = 1e150


@dataclass(frozen=True, slots=True)
class RowExplanation:
    """Explanation of one row.

    Attributes
    ----------
    segment : int
        Index of the segment.
    base_value : float
        The base value: the share of all rows that are in the segment, or the mean margin of additive scores.
    reasons : tuple of (str, object, float)
        Name, value and contribution of each feature with a contribution, the strongest first; `base_value` and the
        contributions add up to 1, or to the margin.
    rival : int or None
        The segment with the second highest score, over which the margin is; None where membership is explained.
    original_agrees : {"yes", "no", "not known"} or None
        Whether the model that a surrogate approximates puts the row into this segment too; None for other segmenters.
    """

    segment: int
    base_value: float
    reasons: tuple[tuple[str, Any, float], ...]
    rival: int | None = None
    original_agrees: str | None = None


def compute_own_contributions(
    segmenter: SegmenterOrPipeline, X: Any, *, n_jobs: int | None = 1
) -> tuple[Table, Contributions]:
    """Return the raw rows, and the contributions to each row's own segment, as plain arrays.

    Raises
    ------
    UnsupportedTypeError
        The model's numbers are not finite, or too large to be added.
    """
    route = find_route(segmenter)
    table = read_table(X)
    rows = route.segmenter.read_rows(route.transform(X))
    explainer = make_explainer(route.segmenter, route, len(table.columns))
    explained = explainer.explain_targets(rows, None, count_workers(n_jobs))
    parts = np.column_stack([explained.values, explained.base])
    if not (np.abs(parts) < _MAX_PART).all():
        message = (
            f"contributions must be finite and below {_MAX_PART:g}, and those of this model are not, so that its "
            "numbers do not fit together (was its file altered?); fit it again"
        )
        raise UnsupportedTypeError(message)
    return table, explained


def explain_row(segmenter: SegmenterOrPipeline, X: Any) -> RowExplanation:
    """Explain the first row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.
    X : table or array of shape (n_rows, n_features)
        The table; its first row is explained.

    Returns
    -------
    RowExplanation
        The segment and the reasons.

    Raises
    ------
    NotFittedError, DataError, UnsupportedTypeError
        As for `explain`.

    Examples
    --------
    >>> import xseg
    >>> from xseg.explanations import explain_row
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> found = explain_row(segmenter, customers)
    >>> round(found.base_value + sum(contribution for *_, contribution in found.reasons), 9)
    1.0
    """
    table, explained = compute_own_contributions(segmenter, X)
    values, segment = explained.values[0], int(explained.segments[0])
    data = raw_values(table.rows(0, 1))[0]
    order = sorted((j for j, value in enumerate(values) if value), key=lambda j: -abs(values[j]))
    reasons = tuple((table.names[j], data[j], float(values[j])) for j in order)
    route = find_route(segmenter)
    fitted = route.segmenter
    agrees = str(fitted.agreement(route.transform(X))[0]) if isinstance(fitted, FittedSurrogate) else None
    rival = None if explained.rivals[0] == NO_RIVAL else int(explained.rivals[0])
    return RowExplanation(segment, float(explained.base[0]), reasons, rival, agrees)


_NEGLIGIBLE = 1e-12


def comprehensiveness(segmenter: SegmenterOrPipeline, X: Any, *, n_reasons: int = 4) -> float:
    """Compute the share of rows that leave their segment when their strongest features are replaced.

    The strongest features of each row are set to the median (or the most frequent category) of the rows that are *not*
    in its segment. Where these features are what decides, the row is then no longer in the segment.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    X : table or array of shape (n_rows, n_features)
        The rows.
    n_reasons : int, default=4
        Number of features that are replaced; a card names four.

    Returns
    -------
    float
        Between 0 and 1; higher is better. NaN where all rows are in one segment.

    Raises
    ------
    NotFittedError, DataError
        As for `explain`.
    ParameterError
        `n_reasons` is less than 1.

    References
    ----------
    DeYoung et al., "ERASER: a benchmark to evaluate rationalized NLP models", 2020 (comprehensiveness).

    Examples
    --------
    >>> import xseg
    >>> from xseg.explanations import comprehensiveness
    >>> customers = xseg.make_customers(1_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> comprehensiveness(segmenter, customers)
    1.0
    """
    if n_reasons < 1:
        message = f"n_reasons must be at least 1, got {n_reasons!r}"
        raise ParameterError(message)
    table, explained = compute_own_contributions(segmenter, X)
    own = np.asarray(segmenter.predict(X))
    segments = np.unique(own)
    if len(segments) < 2:
        return float("nan")
    typical = {segment: _typical(table, own != segment) for segment in segments.tolist()}
    strongest = np.argsort(-np.abs(explained.values), axis=1, kind="stable")[:, :n_reasons]
    changes = [
        {table.names[j]: typical[segment][j] for j in reasons if abs(values[j]) > _NEGLIGIBLE}
        for segment, reasons, values in zip(own.tolist(), strongest.tolist(), explained.values, strict=True)
    ]
    moved = apply_changes(read_table(X), range(len(table)), changes, lambda new, _: new)
    return float(np.mean(np.asarray(segmenter.predict(moved)) != own))


def _typical(table: Table, rows: NDArray[np.bool_]) -> list[Any]:
    """Return the median value or the most frequent category of each column in some rows."""
    return [_middle(column, rows) for column in table.columns]


def _middle(column: Column, rows: NDArray[np.bool_]) -> Any:
    values = column.values[rows]
    if not column.kind.is_numeric:
        known = values[values >= 0]
        return column.categories[int(np.bincount(known).argmax())] if len(known) else np.nan
    known = np.sort(values[~np.isnan(np.asarray(values, dtype=np.float64))])
    if not len(known):
        return np.nan
    middle = float(known[len(known) // 2])
    return bool(middle) if column.kind is Kind.BOOLEAN else middle


def build_portable_model(segmenter: FittedSegmenter, *, minimum_group_size: float) -> PortableModel:
    """Prepare a fitted segmenter as plain data, for a page that explains one row.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    minimum_group_size : float
        Number of rows behind every published value: contributions to smaller segments, and categories that fewer rows
        have, are left out.

    Returns
    -------
    PortableModel
        The model, to be narrowed to one row.

    Raises
    ------
    UnsupportedTypeError
        The segments are made of scores, which would describe a segment of fewer rows.
    """
    check_segmenter(segmenter)
    return find_family(segmenter).make_portable(segmenter, minimum_group_size)
