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
_REMEDY = (
    "name the column of ids (id_column=...), or give both the same index if they have the same people in the same order"
)


@dataclass(frozen=True, eq=False)
class Change:
    """Why each row is in another segment than before.

    Attributes
    ----------
    ids : ndarray of shape (n_rows,)
        Who each row is: its id, or its label where rows were aligned by their indexes, or else its place.
    before_rows, after_rows : ndarray of shape (n_rows,)
        Where each row stands in the two tables.
    before, after : ndarray of shape (n_rows,)
        The segment it was in, and the one it is in.
    before_names, after_names : tuple of str
        Their names.
    values : ndarray of shape (n_rows, n_columns)
        What each raw column contributed to the change.
    before_values, after_values : ndarray of shape (n_rows,)
        What is explained, before and after; the values add up to the difference.
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

    What is explained is belonging to the segment the row is in afterwards. A coalition of features takes their values
    from `X` and the others from `before`; each feature gets its Shapley value, the mean over all orders in which
    the features could have changed. Of boxes it is membership, 0 or 1. Of scores it is the margin of the new segment's
    score over the old one's (over the runner-up's afterwards, for a row that stayed).

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model. Contributions of a pipeline are folded back to the raw columns.
    X : table or array of shape (n_rows, n_features)
        The rows as they are after the change, raw.
    before : table or array of shape (n_rows_before, n_features)
        The rows as they were before it.
    id_column : str, default=None
        The column that tells who a row is, or the name of the pandas index ("index" if it has none). By default two
        pandas tables have the same rows, and are aligned by their indexes; other tables have the same rows in the
        same order.

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
    (then, were), (now, are) = (_without_ids(rows, id_column, side) for rows, side in ((before, "before"), (X, "X")))
    then_table, now_table = (fitted.read_rows(route.transform(rows)) for rows in (then, now))
    names = read_table(now).names
    alike = id_column is None and len(then_table) == len(now_table)
    if alike and find_positions(before, X, ("before", "X"), _REMEDY) is not None:
        were, are = before.index.to_numpy(dtype=object), X.index.to_numpy(dtype=object)
    then_rows, now_rows = _align_rows(were, are, len(then_table), len(now_table))
    found = find_family(fitted).explain_changes(
        route, len(names), then_table.take(then_rows), now_table.take(now_rows), count_workers(fitted.n_jobs)
    )
    segment_names = fitted.segment_names_
    who, gone, new = now_rows, now_rows[:0], now_rows[:0]
    if were is not None and are is not None:
        who, gone, new = are[now_rows], were[~pd.Index(were).isin(are)], are[~pd.Index(are).isin(were)]
    return Change(
        who,
        then_rows,
        now_rows,
        found.before,
        found.after,
        tuple(segment_names[segment] for segment in found.before),
        tuple(segment_names[segment] for segment in found.after),
        found.values,
        found.start,
        found.end,
        names,
        gone,
        new,
    )


def _without_ids(rows: Any, ids: str | None, side: str) -> tuple[Any, NDArray[Any] | None]:
    """Remove the column of ids from a table."""
    if ids is None:
        return rows, None
    frame = nw.from_native(rows, pass_through=True)
    if isinstance(frame, nw.DataFrame) and ids in frame.columns:
        return frame.drop(ids).to_native(), _check_ids(np.asarray(frame[ids].to_list(), dtype=object), ids, side)
    if isinstance(rows, pd.DataFrame) and ids == (rows.index.name or _INDEX):
        return rows, _check_ids(rows.index.to_numpy(dtype=object), ids, side)
    columns = [str(name) for name in getattr(frame, "columns", [])]
    message = f"`{side}` has no column or index called {ids!r}{suggest_name(ids, columns)}"
    raise DataError(message)


def _check_ids(who: NDArray[Any], ids: str, side: str) -> NDArray[Any]:
    missing = np.flatnonzero(pd.isna(who))
    if len(missing):
        message = f"`{side}` has no {ids!r} in row {missing[0]}; drop rows whose owner is not known"
        raise DataError(message)
    repeated = np.flatnonzero(pd.Index(who).duplicated())
    if len(repeated):
        message = f"`{side}` has {ids}={who[repeated[0]]!r} more than once (row {repeated[0]}); keep one row a person"
        raise DataError(message)
    return who


def _align_rows(
    were: NDArray[Any] | None, are: NDArray[Any] | None, n_before: int, n_after: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each row of both tables stands in each."""
    if were is None or are is None:
        if n_before != n_after:
            message = (
                f"`before` has {n_before} rows and `X` has {n_after}; give id_column, the column that tells who is who"
            )
            raise DataError(message)
        every = np.arange(n_after)
        return every, every
    place = pd.Index(were).get_indexer(pd.Index(are))
    now = np.flatnonzero(place >= 0)
    if not len(now):
        message = f"nobody is in both tables: {were[0]!r} and {are[0]!r} are the first ids; are they of one type?"
        raise DataError(message)
    return np.asarray(place[now], dtype=np.int64), np.asarray(now, dtype=np.int64)
