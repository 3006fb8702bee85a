"""Reading any table into columns of two forms: numbers, and integers that point into a list of categories."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

from xseg.core.schema import Kind
from xseg.exceptions import DataError, UnsupportedTypeError

__all__ = [
    "Column",
    "Table",
    "check_alike_names",
    "is_missing",
    "raw_values",
    "read_table",
    "select_columns",
    "text_column",
]

_ARRAY_NAMES = "x{}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        The column's name.
    kind : Kind
        The kind of its values.
    values : ndarray of shape (n_rows,)
        Numbers, NaN where missing; or codes into `categories`, -1 where missing.
    categories : tuple of str
        The categories; empty for numbers.
    declared : bool
        Whether the categories are declared by the column's type, rather than found as texts.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    categories: tuple[str, ...] = ()
    declared: bool = False

    def doubles(self) -> NDArray[np.float64]:
        """Return the values in the type and layout that kernels are compiled for."""
        return np.require(self.values, np.float64, ["C", "W"])

    def numbers(self) -> NDArray[np.float64]:
        """Return the values as float64; raise for infinities."""
        values = self.doubles()
        infinite = np.isinf(values)
        if infinite.any():
            raise self.infinite(int(np.flatnonzero(infinite)[0]))
        return values

    def infinite(self, row: int) -> DataError:
        """Return the error for an infinite value."""
        message = (
            f"column {self.name!r} must hold finite numbers, got an infinite value (inf) in row {row}; replace it by a "
            "number, or by NaN if it is not known"
        )
        return DataError(message)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : tuple of Column
        The columns.
    n_rows : int
        Number of rows.
    named : bool
        Whether the column names came with the data; those of an array are x0, x1, ...
    """

    columns: tuple[Column, ...]
    n_rows: int
    named: bool

    def __len__(self) -> int:
        return self.n_rows

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    def rows(self, start: int, stop: int) -> "Table":
        """Return a block of consecutive rows, without copying."""
        stop = min(stop, self.n_rows)
        columns = tuple(replace(column, values=column.values[start:stop]) for column in self.columns)
        return Table(columns, stop - start, self.named)

    def take(self, rows: NDArray[np.signedinteger[Any]]) -> "Table":
        """Return some rows, in the order given."""
        columns = tuple(replace(column, values=column.values[rows]) for column in self.columns)
        return Table(columns, len(rows), self.named)


def read_table(X: Any, *, needs_rows: bool = True, unread: Collection[str] = ()) -> Table:
    """Read a pandas, polars or pyarrow table, or a two-dimensional array.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_features)
        The rows.
    needs_rows : bool, default=True
        Whether a table without rows is an error.
    unread : collection of str, default=()
        Columns that are not read; all their values are missing.

    Returns
    -------
    Table
        The columns.

    Raises
    ------
    UnsupportedTypeError
        `X` is not a table: a sparse matrix, a lazy frame, a string, ...
    DataError
        Column names are repeated, differ only by spaces, or are not strings.
    DataError
        A column holds nested values or values of several types.
    DataError
        There are no rows or no columns, or the array is not two-dimensional.
    """
    if isinstance(X, Table):
        table = X
    else:
        frame = None if isinstance(X, np.ndarray) else _as_frame(X)
        table = _read_array(X) if frame is None else _read_frame(frame, unread)
    if not table.columns:
        message = f"found a table with 0 feature(s) (shape=({table.n_rows}, 0)) while a minimum of 1 is required."
        raise DataError(message)
    if needs_rows and table.n_rows == 0:
        message = f"found a table with 0 sample(s) (shape=(0, {len(table.columns)})) while a minimum of 1 is required."
        raise DataError(message)
    return table


def _as_frame(X: Any) -> nw.DataFrame[Any] | None:
    if isinstance(X, pd.DataFrame):
        _check_pandas_names(X)
    if isinstance(X, pd.Series | nw.Series):
        message = (
            "expected a table with rows and columns, got a Series. Reshape your data: of one row pass table.iloc[[0]] "
            "instead of table.iloc[0], of one column pass column.to_frame()"
        )
        raise DataError(message)
    try:
        frame = nw.from_native(X, pass_through=True)
    except Exception as error:
        message = f"X must be a table that can be read: {error}"
        raise DataError(message) from error
    if isinstance(frame, nw.LazyFrame):
        message = "expected a table in memory, got a lazy one; call .collect() first"
        raise UnsupportedTypeError(message)
    return frame if isinstance(frame, nw.DataFrame) else None


def _check_pandas_names(X: pd.DataFrame) -> None:
    if X.columns.has_duplicates:
        repeated = X.columns[X.columns.duplicated()][0]
        message = f"column names must be unique, and {repeated!r} is used more than once; rename or drop one of them"
        raise DataError(message)
    if X.columns.nlevels > 1:
        message = f"column names must be strings, got {X.columns.nlevels} levels; join the levels into one string each"
        raise DataError(message)
    are_text = [isinstance(name, str) for name in X.columns]
    if any(are_text) and not all(are_text):
        # The words of scikit-learn's own error, which its tests and users look for.
        types = sorted({type(name).__name__ for name in X.columns})
        message = (
            "Feature names are only supported if all input features have string names, but your input has "
            f"{types} as feature name / column name types. If you want feature names to be stored and validated, "
            "you must convert them all to strings, by using X.columns = X.columns.astype(str) for example."
        )
        raise DataError(message)


def _read_frame(frame: nw.DataFrame[Any], unread: Collection[str]) -> Table:
    named = all(isinstance(name, str) for name in frame.columns)
    names = frame.columns if named else [_ARRAY_NAMES.format(j) for j in range(len(frame.columns))]
    if named:
        check_alike_names(names)
    columns = tuple(
        _missing(name, Kind.EMPTY, len(frame)) if name in unread else _read_column(name, frame[:, j])
        for j, name in enumerate(names)
    )
    return Table(columns, len(frame), named and bool(columns))


def check_alike_names(names: Sequence[str]) -> None:
    """Raise an error if two column names differ only by spaces."""
    counts = Counter(" ".join(name.split()) for name in names)
    alike = [name for name in names if counts[" ".join(name.split())] > 1]
    if alike:
        message = (
            f"column names must differ by more than spaces, got {', '.join(map(repr, alike))}; rename or drop all but "
            "one"
        )
        raise DataError(message)


def _missing(name: str, kind: Kind, n_rows: int) -> Column:
    return Column(name, kind, np.full(n_rows, np.nan))


def _dates(name: str, is_missing: NDArray[np.bool_]) -> Column:
    """Return a column of dates; models do not use their values, so only whether one is missing is kept."""
    return Column(name, Kind.DATE, np.where(is_missing, np.nan, 0.0))


def _read_column(name: str, series: nw.Series[Any]) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        values = series.to_numpy()
        return Column(name, Kind.NUMBER, _usual(values) if values.dtype != object else _as_floats(name, values))
    if dtype == nw.Boolean:
        return Column(name, Kind.BOOLEAN, _as_floats(name, series.to_numpy()))
    if isinstance(dtype, nw.Categorical | nw.Enum):
        return _read_categorical(name, series)
    if dtype == nw.String:
        return _from_text(name, _to_objects(series))
    if dtype.is_temporal():
        return _dates(name, series.is_null().to_numpy())
    return _from_objects(name, _to_objects(series))


def _usual(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of an unusual type (half or extended precision) as float64."""
    return values if values.dtype.kind in "iub" or values.dtype in (np.float32, np.float64) else values.astype(float)


def _to_objects(series: nw.Series[Any]) -> NDArray[np.object_]:
    native = nw.to_native(series)
    if isinstance(native, pd.Series):
        return native.to_numpy(dtype=object)
    objects = np.empty(len(series), dtype=object)
    objects[:] = series.to_list()
    return objects


def _read_categorical(name: str, series: nw.Series[Any]) -> Column:
    categories = _as_categorical(series)
    names = tuple(str(category) for category in categories.categories)
    kind = Kind.ORDERED if categories.ordered else Kind.CATEGORY
    return Column(name, kind, np.asarray(categories.codes), names, declared=True)


def _as_categorical(series: nw.Series[Any]) -> pd.Categorical:
    """Convert a categorical column of any library to pandas; an order of its categories is kept."""
    native = nw.to_native(series)
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        return native.array  # type: ignore[return-value]
    if _has_arrow_order(native):
        import pyarrow as pa

        arrow = pa.Array.from_pandas(native) if isinstance(native, pd.Series) else native
        if isinstance(arrow, pa.ChunkedArray):
            arrow = arrow.unify_dictionaries()
        return arrow.to_pandas().array  # type: ignore[no-any-return]
    declared = series.dtype.categories if isinstance(series.dtype, nw.Enum) else None
    return pd.Categorical(series.to_list(), declared, ordered=declared is not None)


def _has_arrow_order(native: Any) -> bool:
    """Return whether a column is an ordered dictionary of Arrow, or of pandas on Arrow."""
    dtype = getattr(native, "type", None) or getattr(getattr(native, "dtype", None), "pyarrow_dtype", None)
    return bool(getattr(dtype, "ordered", False))


def _from_text(name: str, objects: NDArray[np.object_]) -> Column:
    codes, categories = pd.factorize(objects, sort=True)
    return text_column(name, codes, [str(category) for category in categories])


def text_column(name: str, codes: NDArray[np.signedinteger[Any]], texts: Sequence[str]) -> Column:
    """Return a column of texts, given as codes into sorted ones; blank texts and code -1 are missing."""
    is_known = np.array([bool(text.strip()) for text in texts], dtype=bool)
    if not is_known.any():
        return _missing(name, Kind.EMPTY, len(codes))
    if not is_known.all():
        place = np.append(np.where(is_known, np.cumsum(is_known) - 1, -1), -1)
        codes, texts = place[codes], [text for text, known in zip(texts, is_known, strict=True) if known]
    return Column(name, Kind.CATEGORY, codes, tuple(texts))


def _from_objects(name: str, objects: NDArray[np.object_]) -> Column:
    inferred = pd.api.types.infer_dtype(objects, skipna=True)
    if inferred in {"floating", "integer", "mixed-integer-float", "decimal"}:
        return Column(name, Kind.NUMBER, _as_floats(name, objects))
    if inferred == "boolean":
        return Column(name, Kind.BOOLEAN, _as_floats(name, objects))
    if inferred == "string":
        return _from_text(name, objects)
    if inferred == "empty":
        return _missing(name, Kind.EMPTY, len(objects))
    if inferred.startswith(("date", "time", "period")):
        return _dates(name, pd.isna(objects))
    if inferred == "complex":
        message = f"Complex data not supported: column {name!r} holds complex numbers"
        raise DataError(message)
    raise _several_types(name, objects)


def _as_floats(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return np.asarray(pd.Series(values, dtype=object).astype("Float64").to_numpy(float, na_value=np.nan))
    except (TypeError, ValueError):
        try:
            return np.array([np.nan if pd.isna(value) else float(value) for value in values])
        except (TypeError, ValueError):
            raise _several_types(name, values) from None


def _several_types(name: str, values: NDArray[Any]) -> DataError:
    seen: dict[str, int] = {}
    for row, value in enumerate(values):
        if not is_missing(value):
            seen.setdefault(type(value).__name__, row)
    found = ", ".join(f"{kind} (first in row {row})" for kind, row in seen.items())
    return DataError(
        f"column {name!r} must hold values of one type, all numbers or all text (argument must be a string or a "
        f"number); it holds {found}.",
        in_python="Convert it with pandas.to_numeric or astype(str).",
    )


def is_missing(value: Any) -> bool:
    """Return whether a single value is not known: None, NaN, NaT or pandas.NA."""
    return (
        value is None
        or value is pd.NA
        or value is pd.NaT
        or (isinstance(value, float | np.floating) and value != value)
    )


def _read_array(X: Any) -> Table:
    if issparse(X):
        message = (
            f"Sparse data was passed ({type(X).__name__}), but dense data is required. Use '.toarray()' to convert it"
        )
        raise UnsupportedTypeError(message)
    if isinstance(X, Mapping):
        message = (
            "expected a table or a two-dimensional array, got a dict; if it is one row, pass pandas.DataFrame([row]), "
            "or let xseg.Scorer(segmenter) take it as it is"
        )
        raise UnsupportedTypeError(message)
    if isinstance(X, str | bytes) or callable(X):
        message = f"expected a table or a two-dimensional array, got {type(X).__name__}"
        raise UnsupportedTypeError(message)
    array = X if isinstance(X, np.ndarray) else _to_array(X)
    if array.dtype.kind in "fiub" and array.dtype.itemsize <= 8:
        checked = _usual(_check_array(array))
        kind = Kind.BOOLEAN if array.dtype.kind == "b" else Kind.NUMBER
        columns = [Column(_ARRAY_NAMES.format(j), kind, checked[:, j]) for j in range(checked.shape[1])]
    elif array.dtype.kind in "OUS" and array.ndim == 2:
        objects = array.astype(object)
        columns = [_from_objects(_ARRAY_NAMES.format(j), objects[:, j]) for j in range(array.shape[1])]
        checked = objects
    elif array.dtype.kind in "mM":
        checked = _check_array(array.astype(np.int64))
        is_missing = np.isnat(array)
        columns = [_dates(_ARRAY_NAMES.format(j), is_missing[:, j]) for j in range(checked.shape[1])]
    else:
        checked = _usual(_check_array(array))
        columns = [Column(_ARRAY_NAMES.format(j), Kind.NUMBER, checked[:, j]) for j in range(checked.shape[1])]
    return Table(tuple(columns), checked.shape[0], named=False)


def _to_array(X: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(X)
    except (TypeError, ValueError) as error:
        message = f"expected a table or a two-dimensional array, got {type(X).__name__}: {error}"
        raise DataError(message) from error


def _check_array(array: NDArray[Any]) -> NDArray[Any]:
    try:
        checked: NDArray[Any] = check_array(
            array, dtype=None, ensure_all_finite=False, ensure_min_samples=0, ensure_min_features=0
        )
    except TypeError as error:
        raise UnsupportedTypeError(str(error)) from error
    except ValueError as error:
        raise DataError(str(error)) from error
    return checked


def select_columns(table: Table, names: Sequence[str]) -> Table:
    """Keep the columns called `names`, in that order; the others are dropped."""
    by_name = {column.name: column for column in table.columns}
    missing = [name for name in names if name not in by_name]
    if missing:
        message = (
            f"the table must have all columns the segmenter was fitted on, and lacks {', '.join(map(repr, missing))}; "
            "add them"
        )
        raise DataError(message)
    return replace(table, columns=tuple(by_name[name] for name in names))


def raw_values(table: Table) -> NDArray[Any]:
    """Return the rows as one array: numbers if all columns are numbers, objects otherwise."""
    if all(column.kind.is_numeric for column in table.columns):
        by_column = np.empty((len(table.columns), len(table)))
        for j, column in enumerate(table.columns):
            by_column[j] = column.values if column.kind is not Kind.DATE else np.nan
        return by_column.T
    values = np.empty((len(table), len(table.columns)), dtype=object)
    for j, column in enumerate(table.columns):
        if column.kind.is_numeric:
            numbers = column.numbers() if column.kind is not Kind.DATE else np.full(len(table), np.nan)
            values[:, j] = numbers == 1 if column.kind is Kind.BOOLEAN else numbers
            values[np.isnan(numbers), j] = np.nan
        else:
            names = np.array([*column.categories, np.nan], dtype=object)
            values[:, j] = names[column.values]
    return values
