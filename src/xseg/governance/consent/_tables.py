"""Some rows of a table, and values taken from it, in the kind of table that it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["columns_made_missing", "rows_of"]


def rows_of(X: Any, rows: NDArray[np.int64]) -> Any:
    """Return some rows."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[rows]
    frame = nw.from_native(X, pass_through=True, eager_only=True)
    if isinstance(frame, nw.DataFrame):
        return nw.to_native(frame[rows.tolist()])
    return np.asarray(X)[rows]


def columns_made_missing(X: Any, names: Sequence[str], absent: Mapping[str, NDArray[np.bool_]]) -> Any:
    """Make values missing where `absent` says so; the table itself is left as it was."""
    absent = {name: where for name, where in absent.items() if where.any()}
    if not absent:
        return X
    if isinstance(X, np.ndarray):
        return _array(X, {names.index(name): where for name, where in absent.items()})
    if isinstance(X, pd.DataFrame):
        return X.assign(**{name: X[name].mask(where) for name, where in absent.items()})
    frame = nw.from_native(X, eager_only=True)
    kept = {
        name: nw.new_series(name, (~where).tolist(), nw.Boolean, backend=frame.implementation)
        for name, where in absent.items()
    }
    return nw.to_native(
        frame.with_columns(*(nw.when(where).then(frame.get_column(name)).alias(name) for name, where in kept.items()))
    )


def _array(X: NDArray[Any], absent: Mapping[int, NDArray[np.bool_]]) -> NDArray[Any]:
    numeric = X.dtype.kind in "fiub"
    kept = X.astype(np.result_type(X.dtype, np.float64) if X.dtype.kind in "iub" else X.dtype if numeric else object)
    for column, where in absent.items():
        kept[where, column] = np.nan if numeric else None
    return kept
