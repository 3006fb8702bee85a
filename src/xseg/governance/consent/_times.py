"""Instants as microseconds since 1970 in UTC."""

import re
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.exceptions import ConsentError

__all__ = ["NEVER", "Instants", "distinct_of", "instant", "instants", "moment", "times_of"]

Instants = NDArray[np.int64]
NEVER = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)", re.ASCII)


def instant(value: Any, where: str = "at") -> int:
    """Read a time that says its zone: an aware datetime, or ISO 8601 text with an offset."""
    found = value
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError as error:
            message = f"{where} is {value!r}, which is no time: {error}"
            raise ConsentError(message) from error
    if found is pd.NaT or not isinstance(found, datetime) or found.utcoffset() is None:
        message = (
            f"{where} is {value!r}; give a datetime with a time zone, or ISO 8601 text with an offset such as "
            "2026-05-03T12:00:00Z: a time without one means another moment elsewhere"
        )
        raise ConsentError(message)
    try:
        plain = found.to_pydatetime(warn=False) if isinstance(found, pd.Timestamp) else found
        return (plain.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (OverflowError, ValueError) as error:
        message = f"{where} is {value!r}, which lies outside the years 1 to 9999"
        raise ConsentError(message) from error


def instants(values: Any, where: str, *, missing: int | None = None) -> Instants:
    """Read a column of times; `missing` stands for those that are not given, which are refused without it."""
    series = pd.Series(values)
    absent = series.isna().to_numpy(bool)
    if absent.any() and missing is None:
        message = f"column {where!r} has no time in row {int(np.flatnonzero(absent)[0])}; give one in every row"
        raise ConsentError(message)
    read = np.full(len(series), 0 if missing is None else missing, dtype=np.int64)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        read[~absent] = series[~absent].dt.tz_convert("UTC").dt.as_unit("us").astype(np.int64).to_numpy()
        return read
    codes, distinct = distinct_of(series.to_numpy(object), where)
    known = np.array([_in_row(value, where, codes, code) for code, value in enumerate(distinct)], dtype=np.int64)
    read[~absent] = known[codes[~absent]]
    return read


def distinct_of(values: NDArray[np.object_], where: str) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
    """Return the distinct values of a column, and which of them stands in each row (-1 for none).

    Raises
    ------
    ConsentError
        A cell holds a list, a mapping or the like; its row is named.
    """
    try:
        return pd.factorize(values)
    except TypeError as error:
        row = next(row for row, value in enumerate(values) if not isinstance(value, Hashable))
        message = f"row {row}: {where} is a {type(values[row]).__name__}; a cell holds one value"
        raise ConsentError(message) from error


def _in_row(value: Any, where: str, codes: NDArray[np.intp], code: int) -> int:
    try:
        return instant(value, where)
    except ConsentError as error:
        message = f"row {int(np.argmax(codes == code))}: {error}"
        raise ConsentError(message) from error


def moment(micros: int) -> datetime | None:
    """Return the time of an instant; None for never."""
    return None if micros == NEVER else _EPOCH + timedelta(microseconds=int(micros))


def times_of(micros: Instants) -> "pd.Series[Any]":
    """Return instants as a column of times in UTC; none where it is never."""
    moments = micros.astype("datetime64[us]")
    moments[micros == NEVER] = np.datetime64("NaT")
    return pd.Series(moments).dt.tz_localize("UTC")
