"""One row a customer, from one row a transaction."""

import datetime as dt
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from xseg.exceptions import (
    DataError,
    ParameterError,
    UnsupportedTypeError,
    XsegWarning,
)

_Numbers = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]
_OF_VALUE = ("monetary", "mean_basket", "returns_share")
_OFFSET = re.compile(r"(?<=\d)\s*(?:Z|UTC|[-+]\d{2}(?::?\d{2})?)$")
_EARLIEST_DAY, _LATEST_DAY = 1900_01_01, 2100_12_31


def rfm_table(
    transactions: Any,
    *,
    customer: str,
    date: str,
    amount: str | Callable[[Any], Any] | Any | None = None,
    order: str | None = None,
    at: str | dt.date | dt.datetime | pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Turn transactions into one row a customer: recency, frequency, monetary value and four columns more.

    Only what was known at `at` counts: later transactions are ignored. Days are calendar days. Amounts below
    zero are returns or cancellations. The order of the rows never changes a bit of the result.

    Parameters
    ----------
    transactions : pandas, polars or pyarrow table of shape (n_transactions, n_columns)
        One row for each line of an order, or for each payment. Rows without a customer are dropped with a warning.
    customer : str
        Column that says whose transaction it is.
    date : str
        Column of dates or datetimes, or of ISO 8601 text. Where a time states its offset from UTC, the calendar day is
        that of the row's own clock, also where offsets change with daylight saving time.
    amount : str, callable or one-dimensional sequence, default=None
        Value of each row: a column, a function of the table such as
        ``lambda t: t["quantity"] * t["price"]``, or the values themselves in the order of the rows. Without amounts
        every row is a purchase, and there are no columns of value.
    order : str, optional
        Column that says which rows are one order. Without it, all that a customer bought on one day is one order.
    at : str, date or datetime, optional
        The moment from which we look back. Default: the start of the day after the last transaction.

    Returns
    -------
    pandas.DataFrame of shape (n_customers, 7), or (n_customers, 4) without `amount`
        Indexed by customer, in ascending order:

        - ``recency_days``: days since the last purchase; missing for who only returned.
        - ``frequency``: number of orders in which something was bought, that is, with an amount above zero.
        - ``monetary``: sum of all amounts, returns included.
        - ``mean_basket``: value bought per order, before returns; missing when nothing was bought.
        - ``tenure_days``: days since the first transaction.
        - ``interpurchase_days``: mean number of days from one day with a purchase to the next; missing for who
          bought on one day only.
        - ``returns_share``: value returned over value bought, 0 to 1; also 1 where more was returned than bought.

        Without `amount` there is no ``monetary``, ``mean_basket`` and ``returns_share``.

    Raises
    ------
    DataError
        If a column is not in the table.
    DataError
        If the dates are not dates or the amounts are not numbers.
    DataError
        If a date, an amount or an order is missing, an amount is infinite, or no row is left.
    ParameterError
        If `at` is not a date, or the values of `amount` are not as many as the rows.
    UnsupportedTypeError
        If `transactions` is not a table.

    Warns
    -----
    XsegWarning
        If rows without a customer were dropped; the message counts them.

    References
    ----------
    Fader, Hardie and Lee, "RFM and CLV: Using iso-value curves for customer base analysis", Journal of Marketing
    Research 42, 2005.

    Examples
    --------
    >>> import pandas as pd
    >>> from xseg.datasets import rfm_table
    >>> transactions = pd.DataFrame({
    ...     "who": ["ann", "ann", "bob"],
    ...     "day": ["2026-01-01", "2026-01-11", "2026-01-06"],
    ...     "paid": [20.0, 40.0, 15.0],
    ... })
    >>> table = rfm_table(transactions, customer="who", date="day", amount="paid")
    >>> table.loc["ann", ["recency_days", "frequency", "monetary"]].tolist()
    [1.0, 2.0, 60.0]
    """
    table = _table(transactions)
    _check_columns(table, {"customer": customer, "date": date, "order": order} | _named_amount(amount))
    has_customer = ~_is_missing(table.get_column(customer))
    _warn_dropped(has_customer, customer)
    if not has_customer.any():
        message = f"no row has a customer in column {customer!r}; rfm_table needs at least one"
        raise DataError(message)
    rows = np.flatnonzero(has_customer)
    moments = _moments(table.get_column(date), rows)
    amounts = np.ones(len(rows)) if amount is None else _amounts(table, transactions, amount, rows)
    limit = _limit(at, moments)
    is_known = (moments <= limit.to_datetime64()).to_numpy()
    if not is_known.any():
        message = f"no transaction is left: the first is of {moments.min()}, after at={limit}; choose a later at"
        raise DataError(message)
    lines = _Lines.from_columns(
        _keys(table.get_column(customer), rows[is_known]),
        moments.to_numpy()[is_known].astype("datetime64[D]").astype(np.int64),
        amounts[is_known],
        None if order is None else _keys(table.get_column(order), rows[is_known]),
    )
    today = int(limit.to_datetime64().astype("datetime64[D]").astype(np.int64))
    summary = _summary(lines, today).rename_axis(index=customer)
    return summary if amount is not None else summary.drop(columns=list(_OF_VALUE))


@dataclass(frozen=True)
class _Lines:
    """Transactions in an order of their own, so that sums do not depend on the order they came in."""

    customers: "pd.Index[Any]"
    customer: _Codes
    day: _Codes
    amount: _Numbers
    order: _Codes

    @classmethod
    def from_columns(
        cls, customer: "pd.Series[Any]", day: _Codes, amount: _Numbers, order: "pd.Series[Any] | None"
    ) -> "_Lines":
        codes, customers = pd.factorize(customer, sort=True)
        orders = day if order is None else pd.factorize(order)[0]
        by = np.lexsort((amount, codes))
        return cls(pd.Index(customers), codes[by], day[by], amount[by], np.asarray(orders, dtype=np.int64)[by])


def _summary(lines: _Lines, today: int) -> pd.DataFrame:
    n = len(lines.customers)
    bought = lines.amount > 0
    buyer, day = lines.customer[bought], lines.day[bought]
    value_bought = np.bincount(buyer, weights=lines.amount[bought], minlength=n)
    value_returned = np.bincount(lines.customer, weights=np.maximum(-lines.amount, 0), minlength=n)
    frequency = _count_distinct(buyer, lines.order[bought], n)
    last = _extreme(np.maximum, buyer, day, n, -np.inf)
    between = last - _extreme(np.minimum, buyer, day, n, np.inf)
    gaps = _count_distinct(buyer, day, n) - 1
    nothing = np.full(n, np.nan)
    returned_all = np.where(value_returned > 0, 1.0, 0.0)
    columns = {
        "recency_days": np.where(frequency > 0, today - last, np.nan),
        "frequency": frequency,
        "monetary": np.bincount(lines.customer, weights=lines.amount, minlength=n),
        "mean_basket": np.divide(value_bought, frequency, out=nothing.copy(), where=frequency > 0),
        "tenure_days": today - _extreme(np.minimum, lines.customer, lines.day, n, np.inf).astype(np.int64),
        "interpurchase_days": np.divide(between, gaps, out=nothing.copy(), where=gaps > 0),
        "returns_share": np.divide(value_returned, value_bought, out=returned_all, where=value_bought > value_returned),
    }
    return pd.DataFrame(columns, index=lines.customers)


def _count_distinct(customer: _Codes, key: _Codes, n: int) -> _Codes:
    pairs = pd.DataFrame({"customer": customer, "key": key}).drop_duplicates()
    return np.bincount(pairs["customer"].to_numpy(), minlength=n)


def _extreme(ufunc: np.ufunc, customer: _Codes, day: _Codes, n: int, start: float) -> _Numbers:
    out = np.full(n, start)
    ufunc.at(out, customer, day)
    return out


def _table(transactions: Any) -> "nw.DataFrame[Any]":
    try:
        return nw.from_native(transactions, eager_only=True)
    except TypeError as error:
        message = (
            f"transactions is a {type(transactions).__name__}; rfm_table reads pandas, polars and pyarrow tables "
            "(collect a lazy one first)"
        )
        raise UnsupportedTypeError(message) from error
    except nw.exceptions.DuplicateError as error:
        message = f"transactions names several columns alike: {error}; give each column a name of its own"
        raise DataError(message) from error


def _named_amount(amount: Any) -> dict[str, str | None]:
    return {"amount": amount} if isinstance(amount, str) else {}


def _check_columns(table: "nw.DataFrame[Any]", columns: dict[str, str | None]) -> None:
    for role, name in columns.items():
        if name is not None and name not in table.columns:
            nearest = get_close_matches(str(name), [str(column) for column in table.columns], n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"columns: {', '.join(map(str, table.columns))}"
            message = f"{role}={name!r} is not a column of transactions; {hint}"
            raise DataError(message)


def _is_missing(column: "nw.Series[Any]") -> npt.NDArray[np.bool_]:
    missing = column.is_null().to_numpy()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(value=True).to_numpy()
    return np.asarray(missing, dtype=bool)


def _warn_dropped(has_customer: npt.NDArray[np.bool_], customer: str) -> None:
    n_dropped = int((~has_customer).sum())
    if n_dropped:
        message = f"dropped {n_dropped:,} of {len(has_customer):,} transactions: no customer in column {customer!r}"
        warnings.warn(message, XsegWarning, stacklevel=3)


def _keys(column: "nw.Series[Any]", rows: npt.NDArray[np.intp]) -> "pd.Series[Any]":
    """Return keys that are the same whichever library held them."""
    keys = column[rows].to_pandas().reset_index(drop=True)
    if keys.isna().any():
        row = rows[int(keys.isna().argmax())]
        message = f"column {column.name!r} is empty in row {row}; fill it in or drop the row"
        raise DataError(message)
    if column.dtype.is_integer() and column.dtype != nw.UInt64:
        return keys.astype(np.int64)
    # Whole numbers beside a missing one arrive as decimals; 17850.0 is customer 17850.
    if column.dtype.is_float() and np.all(keys == np.floor(keys)) and np.all(np.abs(keys) < 2**53):
        return keys.astype(np.int64)
    return keys


def _moments(column: "nw.Series[Any]", rows: npt.NDArray[np.intp]) -> "pd.Series[pd.Timestamp]":
    """Return wall-clock times without a time zone."""
    name = column.name
    if column.dtype.is_numeric() or column.dtype == nw.Boolean:
        message = f"column {name!r} must hold dates; it holds {column.dtype}, first {column[int(rows[0])]}."
        raise DataError(message, in_python=_advice_for_numbers(column))
    given = column[rows].to_pandas().reset_index(drop=True)
    try:
        moments = _parse_days(given)
    except (ValueError, TypeError) as error:
        message = (
            f"column {name!r} holds {column.dtype}, first {given.iloc[0]!r}, and is not a date in ISO 8601 "
            f"throughout ({error}); convert it with pandas.to_datetime(format=...)"
        )
        raise DataError(message) from error
    if moments.isna().any():
        message = f"column {name!r} has no date in row {rows[int(moments.isna().argmax())]}; fill it in or drop the row"
        raise DataError(message)
    return moments if moments.dt.tz is None else moments.dt.tz_localize(None)


def _parse_days(given: "pd.Series[Any]") -> "pd.Series[pd.Timestamp]":
    # Only ISO 8601: 03/04/2026 is in March for some and in April for others.
    if isinstance(given.dtype, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_dtype(given):
        return given
    return pd.Series(pd.DatetimeIndex(pd.to_datetime(_own_clocks(given), format="ISO8601")))


def _own_clocks(given: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return times on the clock of their own row: without their offsets from UTC, which may change over the year."""
    if pd.api.types.infer_dtype(given, skipna=True) == "datetime":
        return given.map(lambda moment: moment.replace(tzinfo=None), na_action="ignore")
    if pd.api.types.infer_dtype(given, skipna=True) != "string":
        return given
    has_time = given.str.contains(":", regex=False).fillna(value=False).astype(bool)
    has_offset = has_time & given.str.contains(_OFFSET).fillna(value=False).astype(bool)
    if has_offset.any() and not has_offset[has_time].all():
        message = "some times state their offset from UTC and others do not"
        raise ValueError(message)
    return given.where(~has_offset, given.str.replace(_OFFSET, "", regex=True))


def _advice_for_numbers(column: "nw.Series[Any]") -> str:
    """Return how to turn numbers into dates: days written as 20240131, or counts of a unit of time."""
    is_day = column.dtype.is_integer() and bool(
        column.is_between(_EARLIEST_DAY, _LATEST_DAY).fill_null(value=True).all()
    )
    if is_day:
        return f"Convert it with pandas.to_datetime(table[{column.name!r}].astype(str), format='%Y%m%d')."
    return f"Convert it with pandas.to_datetime(table[{column.name!r}], unit='s'), with the unit that it counts."


def _limit(at: Any, moments: "pd.Series[pd.Timestamp]") -> pd.Timestamp:
    if at is None:
        return moments.max().normalize() + pd.Timedelta(days=1)
    try:
        limit = pd.Timestamp(dt.datetime.fromisoformat(at) if isinstance(at, str) else at)
    except (ValueError, TypeError) as error:
        message = f"at is {at!r}, which is not a date; write it as '2026-12-31'"
        raise ParameterError(message) from error
    if pd.isna(limit) or limit.tzinfo is not None or isinstance(at, int | float):
        message = f"at is {at!r}; give a date without a time zone, on the clock of the date column"
        raise ParameterError(message)
    return limit


def _amounts(table: "nw.DataFrame[Any]", transactions: Any, amount: Any, rows: npt.NDArray[np.intp]) -> _Numbers:
    values = _amount_values(table, transactions, amount)
    if values.shape != (len(table),):
        message = f"amount has the shape {values.shape} for {len(table)} transactions; give one value for each row"
        raise ParameterError(message)
    values = values[rows]
    is_bad = ~np.isfinite(values)
    if is_bad.any():
        first = int(is_bad.argmax())
        found = "missing" if np.isnan(values[first]) else "infinite"
        message = f"the amount in row {rows[first]} is {found}; {is_bad.sum():,} rows are like it: correct or drop them"
        raise DataError(message)
    return values


def _amount_values(table: "nw.DataFrame[Any]", transactions: Any, amount: Any) -> _Numbers:
    if isinstance(amount, str):
        name, given = f"column {amount!r}", table.get_column(amount).to_native()
    else:
        name, given = "amount", amount(transactions) if callable(amount) else amount
    series = nw.from_native(given, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        array = np.asarray(given)
        if array.dtype.kind not in "iuf":
            message = f"{name} holds {array.dtype}, not numbers; convert it with pandas.to_numeric"
            raise DataError(message)
        return array.astype(np.float64)
    if not series.dtype.is_numeric():
        message = f"{name} holds {series.dtype}, not numbers; convert it with pandas.to_numeric"
        raise DataError(message)
    return series.cast(nw.Float64).to_pandas().to_numpy(dtype=np.float64, na_value=np.nan)
