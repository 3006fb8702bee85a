"""The one verb: explain."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xseg.backends.workers import count_workers
from xseg.core.additive import AdditiveModel
from xseg.core.boxes import BoxModel, PatternCounts
from xseg.core.schema import Kind, suggestion
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table, read_table
from xseg.exceptions import ParameterError, UnsupportedModelError
from xseg.explanations._additive import AdditiveExplainer, population_of
from xseg.explanations._boxes import BoxExplainer, population_explainer
from xseg.explanations._explained import Explainer
from xseg.explanations._pipeline import Route, route_of

if TYPE_CHECKING:
    import shap

__all__ = ["box_explainer", "explain", "explainer_of", "raw_values", "rows_for"]


def explain(model: Any, X: Any, *, of: str | int = "own", background: Any = None) -> "shap.Explanation":
    """Explain why each row is in its segment.

    Exact interventional Shapley values in raw features: the mean, over all orders in which the features could become
    known, of how much each one moves what is explained. What that is depends on the family of the model. Where
    segments are made of boxes it is membership, and for the row's own segment ``base_values + values.sum(axis=1)`` is
    1. Where a segment's score is a sum over features it is the score; for the row's own segment it is the margin of
    that score over the runner-up's (0 where there is one segment only).

    Parameters
    ----------
    model : fitted segmenter, or Pipeline that ends in one
        The model. Explanations of a pipeline are folded back to the raw columns.
    X : table or array of shape (n_rows, n_features)
        The rows to explain, raw.
    of : {"own", "all"} or segment name or index, default="own"
        Which membership or score to explain; "all" adds a last axis of length n_segments.
    background : table or array, default=None
        What "not known" is averaged over; None means everyone the model was fitted on.

    Returns
    -------
    shap.Explanation
        With values of shape (n_rows, n_features) or (n_rows, n_features, n_segments), base_values (the background's
        mean of what is explained), data in raw units, feature and output names. Every shap plot takes it.

    Raises
    ------
    NotFittedError
        The model has not been fitted.
    SchemaError, ColumnTypeError
        The columns are not those it was fitted on.
    UnsupportedModelError
        The model has no exact explanation, or a step of the pipeline mixes columns.
    FeatureNamesError, ParameterError
        There is no such segment.

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
    import shap

    route = route_of(model)
    segmenter = route.segmenter
    table = read_table(X)
    transformed = rows_for(segmenter, route.transform(X))
    explainer = explainer_of(segmenter, route, len(table.columns), background)
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


def explainer_of(segmenter: Any, route: Route, n_columns: int, background: Any = None) -> Explainer:
    """Prepare the explainer of a fitted segmenter, by the family of its model."""
    return _FAMILIES[type(segmenter.model_)](segmenter, route, n_columns, background)


def box_explainer(segmenter: Any, route: Route, n_columns: int, background: Any = None) -> BoxExplainer:
    """Prepare the explainer of a model made of boxes."""
    model: BoxModel = segmenter.model_
    if background is None:
        return population_explainer(model, route.sources, n_columns)
    tests = model.boxes.tests(route.sources)
    counts = PatternCounts(tests)
    rows = rows_for(segmenter, route.transform(background))
    codes = model.boxes.bins.encode(rows, tests.features.tolist())
    counts.add(CodedBlock(codes, np.empty((len(codes), 0), np.float32), np.ones(len(codes), np.int64)))
    return BoxExplainer(model, tests, tuple(counts.boxes), n_columns)


def additive_explainer(segmenter: Any, route: Route, n_columns: int, background: Any = None) -> AdditiveExplainer:
    """Prepare the explainer of a model of additive scores."""
    model: AdditiveModel = segmenter.model_
    population = model.population
    if background is not None:
        population = population_of(model, rows_for(segmenter, route.transform(background)))
    players = np.arange(len(model.coding.bins)) if route.sources is None else route.sources
    return AdditiveExplainer(model, population, players, n_columns)


_FAMILIES: dict[type, Callable[[Any, Route, int, Any], Explainer]] = {
    BoxModel: box_explainer,
    AdditiveModel: additive_explainer,
}


def rows_for(segmenter: Any, X: Any) -> Table:
    """Read the rows that a fitted segmenter is asked about, or say why it cannot be."""
    model = getattr(segmenter, "model_", None)
    if model is None and hasattr(segmenter, "_check_fitted"):
        segmenter._check_fitted()
    if type(model) not in _FAMILIES:
        message = (
            f"{type(segmenter).__name__} has no exact explanation; explain takes a fitted xseg segmenter, "
            "or a Pipeline that ends in one"
        )
        raise UnsupportedModelError(message)
    table: Table = segmenter._read(X)
    return table


def _position(segmenter: Any, of: str | int) -> int:
    if isinstance(of, str) and of not in segmenter.segment_names_:
        message = f"of={of!r} is neither 'own', 'all' nor a segment{suggestion(of, segmenter.segment_names_)}"
        raise ParameterError(message)
    return int(segmenter.segments_.position(of))


def raw_values(table: Table) -> NDArray[Any]:
    """Give the rows as one array: numbers if all columns are numbers, objects otherwise."""
    if all(column.kind.is_numeric for column in table.columns):
        by_column = np.empty((len(table.columns), len(table)))
        for j, column in enumerate(table.columns):
            by_column[j] = column.values
        return by_column.T
    values = np.empty((len(table), len(table.columns)), dtype=object)
    for j, column in enumerate(table.columns):
        if column.kind.is_numeric:
            numbers = column.numbers()
            values[:, j] = numbers == 1 if column.kind is Kind.BOOLEAN else numbers
            values[np.isnan(numbers), j] = np.nan
        else:
            names = np.array([*column.categories, np.nan], dtype=object)
            values[:, j] = names[column.values]
    return values
