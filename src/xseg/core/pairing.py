"""Matching the rows of two tables by their pandas indexes."""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = ["find_positions", "order_like", "take_rows"]


def find_positions(first: Any, second: Any, names: tuple[str, str], remedy: str) -> NDArray[np.intp] | None:
    """Find, for each row of the second table, its place in the first by their pandas indexes.

    Parameters
    ----------
    first, second : table, array or sequence
        The two; only pandas objects have an index.
    names : tuple of (str, str)
        Their names, for an error.
    remedy : str
        The advice of an error.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        Positions in the first. None where rows are matched by position: one of the two has no index, or both have the
        same.

    Raises
    ------
    DataError
        The indexes differ, and do not hold the same labels, each once.
    """
    # Positions are returned only if both indexes hold the same labels, each once, so that they are a permutation.
    if not all(isinstance(rows, pd.DataFrame | pd.Series) for rows in (first, second)):
        return None
    one, other = first.index, second.index
    if one.equals(other):
        return None
    for index, name in ((one, names[0]), (other, names[1])):
        if not index.is_unique:
            message = (
                f"{names[0]} and {names[1]} have different indexes, which must then hold each label once, and that of "
                f"{name} has {int(index.duplicated().sum())} label(s) more than once; {remedy}"
            )
            raise DataError(message)
    only_one, only_other = int((~one.isin(other)).sum()), int((~other.isin(one)).sum())
    if only_one or only_other:
        message = (
            f"{names[0]} and {names[1]} must have the same index: {only_one} of {len(one)} labels are only in "
            f"{names[0]}, and {only_other} of {len(other)} only in {names[1]}; {remedy}"
        )
        raise DataError(message)
    return np.asarray(one.get_indexer(other), dtype=np.intp)


def order_like(X: Any, values: Any, name: str) -> Any:
    """Return one value per row, in the order of the rows.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The rows.
    values : sequence of shape (n_rows,)
        A value for each row. A pandas Series is put into the order of `X` by its index; one whose index only counts
        rows, other than those of `X`, is taken as it stands.
    name : str
        The name of the argument, for an error.

    Raises
    ------
    DataError
        The index of a Series has other labels than that of `X`.
    """
    if not isinstance(values, pd.Series) or not isinstance(X, pd.DataFrame) or len(values) != len(X):
        return values
    if values.index.equals(pd.RangeIndex(len(values))) and not X.index.isin(values.index).all():
        return values
    places = find_positions(
        values, X, (name, "X"), f"give {name} in the order of the rows as a list, or with the index of X"
    )
    return values if places is None else values.iloc[places]


def take_rows(X: Any, places: NDArray[np.intp]) -> Any:
    """Return some rows of a table or array, in the order given, in the same container."""
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        return frame[places.tolist()].to_native()
    return X.take(places) if isinstance(X, Table) else np.asarray(X)[places]
