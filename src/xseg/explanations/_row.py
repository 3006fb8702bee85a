"""One person's explanation as plain data, without loading shap."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xseg.core.tables import Table, raw_values, read_table
from xseg.exceptions import UnsupportedModelError
from xseg.explanations._explain import explainer_of, rows_for
from xseg.explanations._explained import NO_RIVAL, Explained
from xseg.segmenters._pipelines import route_of

__all__ = ["RowExplanation", "explain_row", "own_contributions"]

# Squares of distances of rows stay far below this.
_MAX_PART = 1e150


@dataclass(frozen=True, slots=True)
class RowExplanation:
    """Why one person is in their segment.

    Attributes
    ----------
    segment : int
        The segment.
    base_value : float
        What is known of nobody: the share of everyone who is in it, or the mean margin of additive scores.
    reasons : tuple of (str, object, float)
        Name, value and contribution of each feature with any influence, the strongest first; `base_value` and the
        contributions add up to 1, or to the margin.
    rival : int or None
        The segment that fits next best, over which the margin is; None where membership is explained.
    original_agrees : {"yes", "no", "not known"} or None
        Where the model stands in for another: whether that one puts the person into this segment too.
    """

    segment: int
    base_value: float
    reasons: tuple[tuple[str, Any, float], ...]
    rival: int | None = None
    original_agrees: str | None = None


def own_contributions(model: Any, X: Any, n_workers: int) -> tuple[Table, Explained]:
    """Return the raw rows, and the explanation of each one's own segment, as plain arrays."""
    route = route_of(model)
    table = read_table(X)
    rows = rows_for(route.segmenter, route.transform(X))
    explainer = explainer_of(route.segmenter, route, len(table.columns))
    explained = explainer.explain_targets(rows, None, n_workers)
    parts = np.column_stack([explained.values, explained.base])
    if not (np.abs(parts) < _MAX_PART).all():
        message = (
            "the model explains a row by numbers that are not finite, or too large to be added, so its own numbers do "
            "not fit together (was its file altered?); fit it again"
        )
        raise UnsupportedModelError(message)
    return table, explained


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
    table, explained = own_contributions(model, X, 1)
    values, segment = explained.values[0], int(explained.segments[0])
    data = raw_values(table.rows(0, 1))[0]
    order = sorted((j for j, value in enumerate(values) if value), key=lambda j: -abs(values[j]))
    reasons = tuple((table.names[j], data[j], float(values[j])) for j in order)
    segmenter = route_of(model).segmenter
    agrees = str(segmenter.agreement(route_of(model).transform(X))[0]) if hasattr(segmenter, "agreement") else None
    rival = None if explained.rivals[0] == NO_RIVAL else int(explained.rivals[0])
    return RowExplanation(segment, float(explained.base[0]), reasons, rival, agrees)
