"""Reading what an entry of a ledger consists of: times, states, sources, texts and identifiers."""

import re
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.consent_states import TERMS, ConsentSource, ConsentState
from xseg.exceptions import ConsentError

__all__ = [
    "EVERY_PURPOSE",
    "NEVER",
    "ConsentSource",
    "ConsentState",
    "Entry",
    "check_texts",
    "factorize_column",
    "read_identifiers",
    "read_instant",
    "read_instants",
    "read_source",
    "read_state",
    "read_text",
    "to_datetime",
    "to_time",
    "to_times",
]

Instants = NDArray[np.int64]
NEVER = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)", re.ASCII)


def read_instant(value: Any, where: str = "at") -> int:
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


def read_instants(values: Any, where: str, *, missing: int | None = None) -> Instants:
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
    codes, distinct = factorize_column(series.to_numpy(object), where)
    known = np.array(
        [_read_instant_in_row(value, where, codes, code) for code, value in enumerate(distinct)], dtype=np.int64
    )
    read[~absent] = known[codes[~absent]]
    return read


def factorize_column(values: NDArray[np.object_], where: str) -> tuple[NDArray[np.intp], NDArray[np.object_]]:
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


def _read_instant_in_row(value: Any, where: str, codes: NDArray[np.intp], code: int) -> int:
    try:
        return read_instant(value, where)
    except ConsentError as error:
        message = f"row {int(np.argmax(codes == code))}: {error}"
        raise ConsentError(message) from error


def to_datetime(micros: int) -> datetime | None:
    """Return the time of an instant; None for never."""
    return None if micros == NEVER else _EPOCH + timedelta(microseconds=int(micros))


def to_time(micros: int) -> datetime:
    """Return the time of an instant that is not never."""
    time = to_datetime(micros)
    assert time is not None
    return time


def to_times(micros: Instants) -> "pd.Series[Any]":
    """Return instants as a column of times in UTC; none where it is never."""
    moments = micros.astype("datetime64[us]")
    moments[micros == NEVER] = np.datetime64("NaT")
    return pd.Series(moments).dt.tz_localize("UTC")


_READ = {str(state): state for state in ConsentState} | {
    prefix + term: state
    for state, term in TERMS.items()
    if state is not ConsentState.TERMINATED
    for prefix in ("dpv:", "https://w3id.org/dpv#")
}


def read_state(value: Any, where: str = "state") -> ConsentState:
    """Read a state by its name or its term in the vocabulary, to the letter."""
    state = _READ.get(value) if isinstance(value, str) else None
    if state is None:
        message = (
            f"{where} is {value!r}; allowed: {', '.join(ConsentState)}, or a consent status such as dpv:ConsentGiven"
        )
        raise ConsentError(message)
    return state


def read_source(value: Any, where: str = "source") -> ConsentSource:
    """Read where a statement came from, to the letter."""
    if not isinstance(value, str) or value not in set(ConsentSource):
        message = f"{where} is {value!r}; allowed: {', '.join(ConsentSource)}"
        raise ConsentError(message)
    return ConsentSource(value)


EVERY_PURPOSE = "*"


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody said about one purpose, and when.

    Attributes
    ----------
    number : int
        The place in the ledger, from 0.
    subject : str
        Whom it is about: the identifier of a person, account or device.
    purpose : str
        What for; ``"*"`` in a denial means every purpose.
    state : ConsentState
        What was said.
    source : ConsentSource
        Where it came from.
    at : datetime
        When it was said, in UTC.
    until : datetime or None
        From when on it no longer counts, in UTC; None means that it does not end by itself.
    recorded : datetime
        When the ledger took it, in UTC.
    feature : str or None
        The one feature it is about; None means the purpose as a whole.
    reference : str
        What it can be proved with, such as the version of a banner.
    hash : str
        The link of the chain, 64 hexadecimal digits.

    Examples
    --------
    >>> from xseg.governance.consent import Ledger
    >>> entry = Ledger().append("ann", "offers", "given", source="banner", at="2026-05-03T12:00:00Z")
    >>> entry.state.allows
    True
    """

    number: int
    subject: str
    purpose: str
    state: ConsentState
    source: ConsentSource
    at: datetime
    until: datetime | None
    recorded: datetime
    feature: str | None
    reference: str
    hash: str


def read_text(value: Any, where: str, *, empty: bool = False) -> str:
    """Check one text: not blank unless it may be, and made of characters that have bytes."""
    if isinstance(value, str) and (value.strip() == value != "" or (empty and value == "")):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = f"{where} is {value!r}, which holds half a character; repair the text"
            raise ConsentError(message) from error
        return str(value)
    message = f"{where} is {value!r}; give text that is not blank and has no spaces around it"
    raise ConsentError(message)


def check_texts(values: NDArray[np.object_], where: str, *, empty: bool = False) -> NDArray[np.object_]:
    """Check a column of texts; what is missing is empty."""
    codes, distinct = factorize_column(values, where)
    if (codes < 0).any() and not empty:
        read_text(None, f"row {int(np.argmax(codes < 0))}: {where}")
    checked = [
        read_text(value, f"row {int(np.argmax(codes == code))}: {where}", empty=empty)
        if not _is_plain_text(value)
        else value
        for code, value in enumerate(distinct)
    ]
    return np.array([*checked, ""], dtype=object)[codes]


def _is_plain_text(value: Any) -> bool:
    return type(value) is str and value.isascii() and value.strip() == value != ""


def read_identifiers(values: Any, where: str = "subjects") -> NDArray[np.object_]:
    """Read identifiers: texts, or integers as their digits; None where there is none.

    Raises
    ------
    ConsentError
        An identifier is neither text nor an integer. Numbers with decimals are refused, since the digits of large
        ones are lost.
    """
    unordered = isinstance(values, str | bytes | Mapping | Set) or len(getattr(values, "shape", (0,))) != 1
    if unordered or not hasattr(values, "__iter__"):
        message = f"{where} is a {type(values).__name__}; give a list, array or column with one identifier a row"
        raise ConsentError(message)
    found = (
        np.asarray(values) if isinstance(getattr(values, "dtype", None), np.dtype) else _to_objects(_to_list(values))
    )
    if found.dtype.kind in "iu":
        return np.array(list(map(str, found.tolist())), dtype=object)
    found = found.astype(object)
    kind = pd.api.types.infer_dtype(found, skipna=True)
    if kind in {"string", "empty", "integer"}:
        missing = pd.isna(found)
        if missing.any() or kind == "integer":
            found = _to_objects([None if absent else str(value) for value, absent in zip(found, missing, strict=True)])
        return found
    row = next((row for row, value in enumerate(found) if not _is_identifier(value)), None)
    what = "texts and integers" if row is None else f"{found[row]!r} in row {row}"
    message = f"{where} holds {what}; identifiers are all texts or all integers: convert them with astype(str)"
    raise ConsentError(message)


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def _to_list(values: Any) -> list[Any]:
    return list(values.to_pylist() if hasattr(values, "to_pylist") else values)


def _to_objects(values: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
