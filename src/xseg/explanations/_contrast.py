"""Why one segment and not another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xseg._optional import import_shap
from xseg.backends.base import count_workers
from xseg.core.conditions import Condition
from xseg.core.schema import suggest_name
from xseg.core.tables import raw_values, read_table
from xseg.exceptions import ParameterError
from xseg.explanations._explain import make_explainer
from xseg.explanations._families import find_family
from xseg.explanations._shapley import NO_RIVAL
from xseg.segmenters import FittedSegmenter, SegmenterOrPipeline, find_route

if TYPE_CHECKING:
    import shap

__all__ = ["Contrast", "contrast"]

RUNNER_UP = "runner-up"


@dataclass(frozen=True, eq=False)
class Contrast:
    """Why each row is in its own segment and not in another.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The contribution of each raw column to the score (or membership) of `own` minus that of `versus`.
    base_values : ndarray of shape (n_rows,)
        The population's mean of that difference; ``base_values + values.sum(axis=1)`` is the difference of each row.
    data : ndarray of shape (n_rows, n_columns)
        The rows, in raw units.
    feature_names : tuple of str
        The raw columns.
    own, versus : ndarray of shape (n_rows,)
        The two segments of each row; -1 where there is no other.
    own_names, versus_names : tuple of str
        Their names; "" where there is no other.
    unmet_conditions : tuple of tuple of Condition
        For each row, the conditions of the other segment's nearest box that the row does not meet, on the features the
        segmenter was fitted on; empty where segments are made of scores.
    """

    values: NDArray[np.float64]
    base_values: NDArray[np.float64]
    data: NDArray[Any]
    feature_names: tuple[str, ...]
    own: NDArray[np.int64]
    versus: NDArray[np.int64]
    own_names: tuple[str, ...]
    versus_names: tuple[str, ...]
    unmet_conditions: tuple[tuple[Condition, ...], ...]

    def __len__(self) -> int:
        return len(self.values)

    def explanation(self) -> "shap.Explanation":
        """Return the same as a `shap.Explanation`, which every shap plot takes."""
        import_shap()
        import shap

        return shap.Explanation(
            values=self.values,
            base_values=self.base_values,
            data=self.data,
            feature_names=list(self.feature_names),
        )


def contrast(segmenter: SegmenterOrPipeline, X: Any, *, versus: str | int = RUNNER_UP) -> Contrast:
    """Explain why each row is in its own segment and not in another.

    Where segments are made of scores, the difference of the two scores is shared out among the raw columns; where they
    are made of boxes, membership in the one less membership in the other, which is 1. Both are exact interventional
    Shapley values against all rows the segmenter was fitted on.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model. Contributions of a pipeline are folded back to the raw columns.
    X : table or array of shape (n_rows, n_features)
        The rows, raw.
    versus : {"runner-up"} or segment name or index, default="runner-up"
        Segment to compare with. The runner-up has the next best score; of boxes it is the segment the cheapest change
        leads to, as `counterfactual` measures it on the features the segmenter was fitted on. Rows that are in the
        named segment themselves are compared with their runner-up.

    Returns
    -------
    Contrast
        Contributions, the two segments of each row, and for boxes what keeps the row out of the other's nearest box.

    Raises
    ------
    NotFittedError, DataError, UnsupportedTypeError
        As for `explain`.
    DataError, ParameterError
        There is no such segment.

    References
    ----------
    Miller, "Explanation in artificial intelligence: insights from the social sciences", 2019.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> found = xseg.contrast(segmenter, customers.head(3))
    >>> (found.base_values + found.values.sum(axis=1)).round(6)
    array([1., 1., 1.])
    """
    route = find_route(segmenter)
    fitted = route.segmenter
    table = read_table(X)
    rows = fitted.read_rows(route.transform(X))
    n_workers = count_workers(fitted.n_jobs)
    named = _find_rival(fitted, versus)
    found = find_family(fitted).find_rivals(rows, named, n_workers)
    own, rivals = found.own, found.rivals
    explainer = make_explainer(fitted, route, len(table.columns))
    compared = np.where(rivals == NO_RIVAL, own, rivals)
    explained = explainer.explain_pairs(rows, own, compared, n_workers)
    names = (*fitted.segment_names_, "")
    return Contrast(
        explained.values,
        explained.base,
        raw_values(table),
        table.names,
        own,
        rivals,
        tuple(names[segment] for segment in own),
        tuple(names[segment] for segment in rivals),
        found.unmet_conditions,
    )


def _find_rival(segmenter: FittedSegmenter, versus: str | int) -> int | None:
    if versus == RUNNER_UP:
        return None
    if isinstance(versus, str) and versus not in segmenter.segment_names_:
        near = suggest_name(versus, segmenter.segment_names_)
        message = f"versus must be 'runner-up' or a segment, got {versus!r}{near}"
        raise ParameterError(message)
    return int(segmenter.segments_.position(versus))
