"""One person's explanation as plain data, without loading shap."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Table, read_table
from xseg.explanations._explain import box_explainer, raw_values, rows_for
from xseg.explanations._pipeline import route_of

__all__ = ["RowExplanation", "explain_row", "own_contributions"]


@dataclass(frozen=True, slots=True)
class RowExplanation:
    """Why one person is in their segment.

    Attributes
    ----------
    segment : int
        The segment.
    base_value : float
        The share of everyone who is in it.
    reasons : tuple of (str, object, float)
        Name, value and contribution of each feature with any influence, the strongest first; `base_value` and the
        contributions add up to 1.
    original_agrees : {"yes", "no", "not known"} or None
        Where the model stands in for another: whether that one puts the person into this segment too.
    """

    segment: int
    base_value: float
    reasons: tuple[tuple[str, Any, float], ...]
    original_agrees: str | None = None


def own_contributions(
    model: Any, X: Any, n_workers: int
) -> tuple[Table, NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Explain every row's own membership, as plain arrays.

    Returns
    -------
    table : Table
        The raw rows.
    values : ndarray of shape (n_rows, n_features)
        Contributions.
    segments : ndarray of shape (n_rows,)
        The segments.
    base : ndarray of shape (n_segments,)
        The share of everyone in each segment.
    """
    route = route_of(model)
    table = read_table(X)
    rows = rows_for(route.segmenter, route.transform(X))
    explainer = box_explainer(route.segmenter, route, len(table.columns))
    values, segments = explainer.explain_targets(rows, None, n_workers)
    return table, values, segments, explainer.base_values()


def explain_row(model: Any, X: Any) -> RowExplanation:
    """Explain the first row of a table.

    Parameters
    ----------
    model : fitted segmenter, or Pipeline that ends in one
        The model.
    X : table or array of shape (n_rows, n_features)
        A table whose first row is explained.

    Returns
    -------
    RowExplanation
        The segment and the reasons.

    Raises
    ------
    NotFittedError, SchemaError, UnsupportedModelError
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
    table, every, segments, base = own_contributions(model, X, 1)
    values, segment = every[0], int(segments[0])
    data = raw_values(table.rows(0, 1))[0]
    order = sorted((j for j, value in enumerate(values) if value), key=lambda j: -abs(values[j]))
    reasons = tuple((table.names[j], data[j], float(values[j])) for j in order)
    segmenter = route_of(model).segmenter
    agrees = str(segmenter.agreement(route_of(model).transform(X))[0]) if hasattr(segmenter, "agreement") else None
    return RowExplanation(segment, float(base[segment]), reasons, agrees)
