"""Rows after a change, as a table in raw units and as a list of changed features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import Bins, FeatureBins
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table
from xseg.core.texts import parse_numbers, parse_truths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureChange", "apply_changes", "changed_table", "list_changes"]

Requirement = TypeVar("Requirement")

_LARGEST_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """Change of one feature.

    Attributes
    ----------
    feature : str
        The column.
    before, after : object
        The value before and after the change, in raw units.
    relation : {">=", ">", "<=", "<", "="}
        How the value after must compare with `threshold` to be in the segment. "=" for categories and booleans, and
        where segments are made of scores, since the value needed then depends on the other changes.
    threshold : object
        The threshold of the segment's rule; the value after where the relation is "=".
    """

    feature: str
    before: Any
    after: Any
    relation: str
    threshold: Any


def changed_table(X: Any, table: Table, bins: Bins, before: NDArray[np.float64], after: NDArray[np.float64]) -> Any:
    """Write the changed values into a copy of the rows.

    Parameters
    ----------
    X : table or array
        The rows; a pandas table keeps its index, its column names, and its types where they can hold the new values.
    table : Table
        The same rows, read.
    bins : Bins
        How columns become codes.
    before, after : ndarray of shape (n_rows, n_features)
        Numbers, and codes of categories.
    """
    import pandas as pd

    frame = X.copy() if isinstance(X, pd.DataFrame) else _frame(table)
    moved = (before != after) & ~np.isnan(before)
    for j in np.flatnonzero(moved.any(axis=0)).tolist():
        rows = np.flatnonzero(moved[:, j])
        old = frame.iloc[:, j]
        frame.isetitem(j, _column(old, rows, after[rows, j], bins[j]))
    return frame


def apply_changes(
    table: Table,
    rows: Sequence[int],
    changes: Sequence[Mapping[str, Requirement]],
    compute_value: Callable[[Requirement, Any], Any],
) -> "pd.DataFrame":
    """Return a copy of some rows in which each has its own features changed.

    Parameters
    ----------
    table : Table
        The rows.
    rows : sequence of int
        Positions of the rows to copy.
    changes : sequence of mapping of str to object
        For each of them, a requirement on each feature to change, by name.
    compute_value : callable
        Called with the requirement and the old value; returns the new value.

    Returns
    -------
    DataFrame of shape (len(rows), n_features)
        The changed rows.
    """
    import pandas as pd

    frame = _frame(table).iloc[list(rows)].reset_index(drop=True)
    frame.columns = list(table.names)
    for name in dict.fromkeys(name for change in changes for name in change):
        values = frame[name].astype(object).tolist()
        new = [
            compute_value(change[name], old) if name in change else old
            for change, old in zip(changes, values, strict=True)
        ]
        frame[name] = _like(frame[name], new)
    if not table.named:
        frame.columns = pd.RangeIndex(frame.shape[1])
    return frame


def _like(old: Any, values: list[Any]) -> Any:
    """Return values as a column of the old one's type: ordered categories stay ordered."""
    import pandas as pd

    if isinstance(old.dtype, pd.CategoricalDtype):
        lacking = [value for value in dict.fromkeys(values) if value not in old.cat.categories and not pd.isna(value)]
        return pd.Categorical(values, categories=[*old.cat.categories, *lacking], ordered=bool(old.cat.ordered))
    return pd.Series(values, dtype=object).infer_objects()


def list_changes(
    table: Table,
    bins: Bins,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    find_threshold: Callable[[int, int, bool], tuple[str, float] | None],
) -> tuple[tuple[FeatureChange, ...], ...]:
    """List the changes of each row; `find_threshold` returns the relation and threshold that a changed number meets."""
    changes: list[list[FeatureChange]] = [[] for _ in range(len(table))]
    moved = (before != after) & ~np.isnan(before)
    for j in np.flatnonzero(moved.any(axis=0)).tolist():
        rows = np.flatnonzero(moved[:, j])
        name = bins[j].feature.name
        old, new = _before(table.columns[j], rows, bins[j]), _write_values(bins[j], after[rows, j])
        for i, was, becomes in zip(rows.tolist(), old, new, strict=True):
            limit = find_threshold(i, j, bool(after[i, j] > before[i, j]))
            relation, threshold = ("=", becomes) if limit is None else (limit[0], _threshold(bins[j], *limit))
            changes[i].append(FeatureChange(name, was, becomes, relation, threshold))
    return tuple(map(tuple, changes))


def _write_values(bins: FeatureBins, values: NDArray[np.float64]) -> list[Any]:
    """Return values in raw units: categories by name, booleans as bool, whole numbers as int."""
    if not bins.feature.kind.is_numeric:
        return [bins.categories[int(code)] for code in values]
    if bins.feature.kind is Kind.BOOLEAN:
        return [value == 1 for value in values.tolist()]
    if bins.feature.integral and (np.abs(values) < _LARGEST_WHOLE).all() and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    numbers: list[Any] = values.tolist()
    return numbers


def _threshold(bins: FeatureBins, relation: str, value: float) -> Any:
    """Return a threshold in raw units; for whole numbers it is rounded up, as those below 2.5 are those below 3."""
    whole = bins.feature.integral and relation in {">=", "<"}
    return _write_values(bins, np.array([np.ceil(value) if whole else value]))[0]


def _before(column: Column, rows: NDArray[np.int64], bins: FeatureBins) -> list[Any]:
    if column.kind.is_numeric:
        return _write_values(bins, np.asarray(column.values[rows], dtype=np.float64))
    return [column.categories[code] for code in column.values[rows]]


def _frame(table: Table) -> "pd.DataFrame":
    import pandas as pd

    columns = {j: _series(column) for j, column in enumerate(table.columns)}
    frame = pd.DataFrame(columns)
    if table.named:
        frame.columns = pd.Index(table.names)
    return frame


def _series(column: Column) -> Any:
    import pandas as pd

    if column.kind is Kind.EMPTY:
        # The type of the missing values is not known, so none is claimed.
        return np.full(len(column.values), None, dtype=object)
    if not column.kind.is_numeric:
        ordered = column.kind is Kind.ORDERED
        return pd.Categorical.from_codes(column.values.tolist(), pd.Index(column.categories), ordered=ordered)
    if column.kind is Kind.BOOLEAN:
        values = column.numbers()
        known = ~np.isnan(values)
        truths = np.full(len(values), None, dtype=object)
        truths[known] = values[known] == 1
        return truths.astype(bool) if known.all() else truths
    return np.array(column.values)


def _is_text(column: Any) -> bool:
    import pandas as pd

    return isinstance(column.dtype, pd.StringDtype) or (
        column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"
    )


def _mark(bins: FeatureBins) -> str:
    return bins.feature.decimal or "."


def _column(old: Any, rows: NDArray[np.int64], values: NDArray[np.float64], bins: FeatureBins) -> Any:
    import pandas as pd

    new = _write_values(bins, values)
    if bins.feature.kind.is_numeric and _is_text(old):
        read = parse_truths if bins.feature.kind is Kind.BOOLEAN else partial(parse_numbers, decimal=_mark(bins))
        old = pd.Series(read(old.astype(object).where(old.notna(), "").tolist()), index=old.index)
    if bins.feature.kind is Kind.BOOLEAN and not pd.api.types.is_bool_dtype(old.dtype) and old.dtype != object:
        # A flag of 0 and 1 stays one.
        new = [int(value) for value in new]
    if isinstance(old.dtype, pd.CategoricalDtype):
        lacking = [name for name in dict.fromkeys(new) if name not in old.cat.categories]
        column = old.cat.add_categories(lacking) if lacking else old.copy()
        column.iloc[rows] = new
        return column
    if pd.api.types.is_integer_dtype(old.dtype):
        fits = bins.feature.integral and isinstance(new[0], int | bool)
        column = old.copy() if fits else old.astype("Float64" if old.hasnans else np.float64)
    elif pd.api.types.is_float_dtype(old.dtype) and old.dtype.itemsize < np.dtype(np.float64).itemsize:
        column = old.astype(np.float64)
    else:
        column = old.copy()
    column.iloc[rows] = new
    return column
