"""Rows for model-agnostic explanations: mixtures of a row and the background, in the container that the model takes."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.tables import read_table
from xseg.exceptions import DataError

__all__ = ["CoalitionRows", "match_fit_container"]


class CoalitionRows:
    """Builder of the rows of a coalition: known features have the row's values, all others those of the background.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The rows to explain.
    background : table or array of shape (n_background, n_features)
        Background rows of the Shapley values, in the same container.
    """

    def __init__(self, X: Any, background: Any) -> None:
        self.n_rows, self.n_features = X.shape
        self._take = _make_taker(X, background)

    def build(self, row: int, known: NDArray[np.bool_], background: NDArray[np.intp]) -> Any:
        """Return the rows of some coalitions, each with its background rows.

        Parameters
        ----------
        row : int
            The row of `X` that is explained.
        known : ndarray of shape (n_coalitions, n_features)
            The features in each coalition.
        background : ndarray of shape (n_coalitions, n_background)
            Indices of background rows for each coalition.

        Returns
        -------
        table or array of shape (n_coalitions * n_background, n_features)
            The rows, in the container of `X`.
        """
        source = np.where(known[:, None, :], row, self.n_rows + background[:, :, None])
        return self._take(source.reshape(-1, known.shape[1]))


def match_fit_container(model: Any, X: Any, what: str) -> Any:
    """Convert rows to what the model was fitted on: a table with column names, or an array without."""
    table = read_table(X)
    names = getattr(model, "feature_names_in_", None)
    n_features = getattr(model, "n_features_in_", len(table.columns))
    if len(table.columns) != n_features and not table.named:
        message = (
            f"{what} must have the {n_features} columns that {type(model).__name__} was fitted on, got "
            f"{len(table.columns)}"
        )
        raise DataError(message)
    if table.named == (names is not None) or not hasattr(model, "n_features_in_"):
        return X if hasattr(X, "shape") or table.named else np.asarray(X)
    if names is not None:
        return pd.DataFrame(np.asarray(X), columns=names)
    return np.asarray(X) if hasattr(X, "__array__") else nw.from_native(X, eager_only=True).to_numpy()


def _make_taker(X: Any, background: Any) -> Callable[[NDArray[np.intp]], Any]:
    """Return a function that gathers a table from the row index of each value; background rows follow those of X."""
    if isinstance(X, np.ndarray) and isinstance(background, np.ndarray) and X.shape[1:] == background.shape[1:]:
        both = np.concatenate([X, background])
        columns = np.arange(both.shape[1])
        return lambda source: both[source, columns]
    if isinstance(X, pd.DataFrame) and isinstance(background, pd.DataFrame):
        return _make_pandas_taker(X, background)
    try:
        names = list(X.columns if hasattr(X, "columns") else X.column_names)
        frame = nw.from_native(X, eager_only=True).select(names)
        joined = nw.concat([frame, nw.from_native(background, eager_only=True).select(names)])
    except Exception as error:
        raise _make_column_error(X, background, str(error)) from error
    series = [joined[name] for name in joined.columns]
    return lambda source: nw.from_dict(
        {column.name: column[source[:, j]] for j, column in enumerate(series)}
    ).to_native()


def _make_pandas_taker(X: pd.DataFrame, background: pd.DataFrame) -> Callable[[NDArray[np.intp]], Any]:
    lacking = [name for name in X.columns if name not in background.columns]
    if lacking:
        raise _make_column_error(X, background, f"it lacks {', '.join(map(repr, lacking))}")
    both = pd.concat([X, background[list(X.columns)]], ignore_index=True)
    columns = {name: both[name].array for name in both.columns}
    return lambda source: pd.DataFrame(
        {name: values.take(source[:, j]) for j, (name, values) in enumerate(columns.items())}
    )


def _make_column_error(X: Any, background: Any, reason: str) -> DataError:
    kinds = f"{type(X).__name__} and {type(background).__name__}"
    return DataError(f"background must have the columns of X (got {kinds}): {reason}")
