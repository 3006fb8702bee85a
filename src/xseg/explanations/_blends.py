"""Rows that are one person where a feature is known, and people of the background where it is not."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.tables import read_table
from xseg.exceptions import SchemaError

__all__ = ["Blends", "as_fitted"]


class Blends:
    """Makes such rows, in the container that the model knows.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The people to explain.
    background : table or array of shape (n_background, n_features)
        What "not known" is averaged over; of the same kind.
    """

    def __init__(self, X: Any, background: Any) -> None:
        self.n_rows, self.n_features = X.shape
        self._take = _taker(X, background)

    def of(self, row: int, known: NDArray[np.bool_], background: NDArray[np.intp]) -> Any:
        """Return the blends of a row, all background rows for each coalition.

        Parameters
        ----------
        row : int
            Whose values are known.
        known : ndarray of shape (n_coalitions, n_features)
            Which ones.
        background : ndarray of shape (n_background,)
            The background rows that fill in the others.

        Returns
        -------
        table or array of shape (n_coalitions * n_background, n_features)
            The blends.
        """
        source = np.where(known[:, None, :], row, self.n_rows + background[None, :, None])
        return self._take(source.reshape(-1, known.shape[1]))


def as_fitted(model: Any, X: Any, what: str) -> Any:
    """Return rows as the model knows them: with column names if it was fitted with names, without if not."""
    table = read_table(X)
    names = getattr(model, "feature_names_in_", None)
    n_features = getattr(model, "n_features_in_", len(table.columns))
    if len(table.columns) != n_features and not table.named:
        message = f"{what} has {len(table.columns)} columns, and {type(model).__name__} was fitted on {n_features}"
        raise SchemaError(message)
    if table.named == (names is not None) or not hasattr(model, "n_features_in_"):
        return X if hasattr(X, "shape") or table.named else np.asarray(X)
    if names is not None:
        return pd.DataFrame(np.asarray(X), columns=names)
    return np.asarray(X) if hasattr(X, "__array__") else nw.from_native(X, eager_only=True).to_numpy()


def _taker(X: Any, background: Any) -> Callable[[NDArray[np.intp]], Any]:
    """Return a function from the row each value comes from to a table; background rows come after the others."""
    if isinstance(X, np.ndarray) and isinstance(background, np.ndarray) and X.shape[1:] == background.shape[1:]:
        both = np.concatenate([X, background])
        columns = np.arange(both.shape[1])
        return lambda source: both[source, columns]
    if isinstance(X, pd.DataFrame) and isinstance(background, pd.DataFrame):
        return _pandas_taker(X, background)
    try:
        names = list(X.columns if hasattr(X, "columns") else X.column_names)
        frame = nw.from_native(X, eager_only=True).select(names)
        joined = nw.concat([frame, nw.from_native(background, eager_only=True).select(names)])
    except Exception as error:
        raise _unlike(X, background, str(error)) from error
    series = [joined[name] for name in joined.columns]
    return lambda source: nw.from_dict(
        {column.name: column[source[:, j]] for j, column in enumerate(series)}
    ).to_native()


def _pandas_taker(X: pd.DataFrame, background: pd.DataFrame) -> Callable[[NDArray[np.intp]], Any]:
    lacking = [name for name in X.columns if name not in background.columns]
    if lacking:
        raise _unlike(X, background, f"it lacks {', '.join(map(repr, lacking))}")
    both = pd.concat([X, background[list(X.columns)]], ignore_index=True)
    columns = {name: both[name].array for name in both.columns}
    return lambda source: pd.DataFrame(
        {name: values.take(source[:, j]) for j, (name, values) in enumerate(columns.items())}
    )


def _unlike(X: Any, background: Any, why: str) -> SchemaError:
    kinds = f"{type(X).__name__} and {type(background).__name__}"
    return SchemaError(f"the background does not have the columns of the rows ({kinds}): {why}")
