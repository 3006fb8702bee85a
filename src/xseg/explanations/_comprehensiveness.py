"""Whether the reasons that are given are the ones that matter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.schema import Kind
from xseg.core.tables import Column, Table, read_table
from xseg.exceptions import ParameterError
from xseg.explanations._changed import changed_rows
from xseg.explanations._row import own_contributions

__all__ = ["comprehensiveness"]

_NEGLIGIBLE = 1e-12


def comprehensiveness(segmenter: Any, X: Any, n_reasons: int = 4) -> float:
    """Return the share of rows that leave their segment once their reasons are made what is typical of the others.

    A reason counts if the segment hangs on it: where the strongest features of a row are set to the middle (the
    commonest category) of everybody who is *not* in its segment, the row should no longer be in it.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    X : table or array of shape (n_rows, n_features)
        The rows.
    n_reasons : int, default=4
        How many of the strongest features count as reasons; four is what a card names.

    Returns
    -------
    float
        Between 0 and 1; higher is better. NaN where all rows are in one segment.

    Raises
    ------
    NotFittedError, SchemaError
        As for `explain`.
    ParameterError
        No reasons are asked for.

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
        message = f"n_reasons={n_reasons!r} must be at least 1"
        raise ParameterError(message)
    table, explained = own_contributions(segmenter, X, 1)
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
    moved = changed_rows(read_table(X), range(len(table)), changes, lambda told, _: told)
    return float(np.mean(np.asarray(segmenter.predict(moved)) != own))


def _typical(table: Table, rows: NDArray[np.bool_]) -> list[Any]:
    """Return what is typical of some rows: the middle value, or the commonest category."""
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
