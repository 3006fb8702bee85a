"""Why a row moved from one segment to another between two dates."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.backends.base import count_workers
from xseg.core.pairing import find_positions
from xseg.core.schema import suggest_name
from xseg.core.tables import read_table
from xseg.exceptions import DataError
from xseg.explanations._families import find_family
from xseg.segmenters import SegmenterOrPipeline, find_route

__all__ = ["Change", "change"]

_INDEX = "index"
_REMEDY = "pass id_column, the column of ids, or give both tables the same index if their rows are in the same order"


@dataclass(frozen=True, eq=False)
class Change:
    """Explanation of why rows are in another segment than before.

    Attributes
    ----------
    ids : ndarray of shape (n_rows,)
        The id of each row: its value of `id_column`, its index label where rows were aligned by their indexes, or else
        its position.
    before_rows, after_rows : ndarray of shape (n_rows,)
        The position of each row in the two tables.
    before, after : ndarray of shape (n_rows,)
        The segment of each row in the two tables.
    before_names, after_names : tuple of str
        Names of those segments.
    values : ndarray of shape (n_rows, n_columns)
        The contribution of each raw column to the change.
    before_values, after_values : ndarray of shape (n_rows,)
        The membership or margin that is explained, before and after; ``values.sum(axis=1)`` is the difference.
    feature_names : tuple of str
        The raw columns.
    only_before, only_after : ndarray
        The ids that are in one table only.
    """

    ids: NDArray[Any]
    before_rows: NDArray[np.int64]
    after_rows: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    before_names: tuple[str, ...]
    after_names: tuple[str, ...]
    values: NDArray[np.float64]
    before_values: NDArray[np.float64]
    after_values: NDArray[np.float64]
    feature_names: tuple[str, ...]
    only_before: NDArray[Any]
    only_after: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def has_moved(self) -> NDArray[np.bool_]:
        """Whether each row is in another segment than before."""
        return np.asarray(self.before != self.after)


def change(segmenter: SegmenterOrPipeline, X: Any, *, before: Any, id_column: str | None = None) -> Change:
    """Explain why each row is in another segment than before.

    What is explained is the segment the row is in afterwards: where segments are made of boxes, membership in it, 0 or
    1; where they are made of scores, the margin of its score over the old segment's (over the runner-up's afterwards,
    for a row that stayed). The features of a coalition have their values of `X`, the others those of `before`; each
    feature gets its Shapley value, the mean over all orders in which the features could have changed.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model. Contributions of a pipeline are folded back to the raw columns.
    X : table or array of shape (n_rows, n_features)
        The rows as they are after the change, raw.
    before : table or array of shape (n_rows_before, n_features)
        The rows as they were before it.
    id_column : str, default=None
        The column of ids by which rows are matched, or the name of the pandas index ("index" if it has none). By
        default two pandas tables are matched by their indexes, which must hold the same labels; other tables must
        have the same rows in the same order.

    Returns
    -------
    Change
        Contributions and segments of the rows in both tables, in the order of `X`.

    Raises
    ------
    NotFittedError, DataError, UnsupportedTypeError
        As for `explain`.
    DataError
        `id_column` is None, and the tables are of different lengths or their indexes do not name the same rows, each
        once; an id is missing or repeated; or no row is in both.
    DataError
        There is no column or index called `id_column`.

    References
    ----------
    Shapley, "A value for n-person games", 1953. Sundararajan and Najmi, "The many Shapley values for model
    explanation", 2020, call this baseline Shapley.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> before = customers.head(50)
    >>> after = before.assign(spend_year=before["spend_year"] * 3).sample(frac=1, random_state=0)
    >>> moved = xseg.change(segmenter, after, before=before)
    >>> gained = moved.after_values - moved.before_values
    >>> bool(abs(moved.values.sum(axis=1) - gained).max() < 1e-12)
    True
    """
    route = find_route(segmenter)
    fitted = route.segmenter
    (old, old_ids), (new, new_ids) = (
        _split_ids(rows, id_column, side) for rows, side in ((before, "before"), (X, "X"))
    )
    old_table, new_table = (fitted.read_rows(route.transform(rows)) for rows in (old, new))
    names = read_table(new).names
    alike = id_column is None and len(old_table) == len(new_table)
    if alike and find_positions(before, X, ("before", "X"), _REMEDY) is not None:
        old_ids, new_ids = before.index.to_numpy(dtype=object), X.index.to_numpy(dtype=object)
    before_rows, after_rows = _align_rows(old_ids, new_ids, len(old_table), len(new_table))
    found = find_family(fitted).explain_changes(
        route, len(names), old_table.take(before_rows), new_table.take(after_rows), count_workers(fitted.n_jobs)
    )
    segment_names = fitted.segment_names_
    ids, only_before, only_after = after_rows, after_rows[:0], after_rows[:0]
    if old_ids is not None and new_ids is not None:
        ids = new_ids[after_rows]
        only_before = old_ids[~pd.Index(old_ids).isin(new_ids)]
        only_after = new_ids[~pd.Index(new_ids).isin(old_ids)]
    return Change(
        ids,
        before_rows,
        after_rows,
        found.before,
        found.after,
        tuple(segment_names[segment] for segment in found.before),
        tuple(segment_names[segment] for segment in found.after),
        found.values,
        found.start,
        found.end,
        names,
        only_before,
        only_after,
    )


def _split_ids(rows: Any, id_column: str | None, side: str) -> tuple[Any, NDArray[Any] | None]:
    """Split a table into the rows without the column of ids, and the ids."""
    if id_column is None:
        return rows, None
    frame = nw.from_native(rows, pass_through=True)
    if isinstance(frame, nw.DataFrame) and id_column in frame.columns:
        ids = np.asarray(frame[id_column].to_list(), dtype=object)
        return frame.drop(id_column).to_native(), _check_ids(ids, id_column, side)
    if isinstance(rows, pd.DataFrame) and id_column == (rows.index.name or _INDEX):
        return rows, _check_ids(rows.index.to_numpy(dtype=object), id_column, side)
    columns = [str(name) for name in getattr(frame, "columns", [])]
    message = (
        f"id_column must be a column of `{side}` or the name of its index, got "
        f"{id_column!r}{suggest_name(id_column, columns)}"
    )
    raise DataError(message)


def _check_ids(ids: NDArray[Any], id_column: str, side: str) -> NDArray[Any]:
    missing = np.flatnonzero(pd.isna(ids))
    if len(missing):
        message = (
            f"every row of `{side}` must have an id, and {id_column!r} is missing in row {missing[0]}; drop the row"
        )
        raise DataError(message)
    repeated = np.flatnonzero(pd.Index(ids).duplicated())
    if len(repeated):
        message = (
            f"ids must be unique, and `{side}` has {id_column}={ids[repeated[0]]!r} more than once (again in row "
            f"{repeated[0]}); keep one row per id"
        )
        raise DataError(message)
    return ids


def _align_rows(
    old_ids: NDArray[Any] | None, new_ids: NDArray[Any] | None, n_before: int, n_after: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions, in each of the two tables, of the rows that are in both."""
    if old_ids is None or new_ids is None:
        if n_before != n_after:
            message = (
                f"`before` and `X` must have the same rows, got {n_before} and {n_after} rows; give id_column, the "
                "column by which rows are matched"
            )
            raise DataError(message)
        every = np.arange(n_after)
        return every, every
    positions = pd.Index(old_ids).get_indexer(pd.Index(new_ids))
    after = np.flatnonzero(positions >= 0)
    if not len(after):
        message = (
            f"`before` and `X` must have ids in common, and have none; their first ids are {old_ids[0]!r} and "
            f"{new_ids[0]!r}. Check that both are of one type"
        )
        raise DataError(message)
    return np.asarray(positions[after], dtype=np.int64), np.asarray(after, dtype=np.int64)
