"""Entries as people write and read them, and the checks that stand before a ledger."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.exceptions import ConsentError
from xseg.governance.consent._states import ConsentSource, ConsentState
from xseg.governance.consent._times import distinct_of

__all__ = ["EVERY_PURPOSE", "Entry", "check_texts", "read_identifiers", "read_text"]

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
    codes, distinct = distinct_of(values, where)
    if (codes < 0).any() and not empty:
        read_text(None, f"row {int(np.argmax(codes < 0))}: {where}")
    checked = [
        read_text(value, f"row {int(np.argmax(codes == code))}: {where}", empty=empty) if not _sound(value) else value
        for code, value in enumerate(distinct)
    ]
    return np.array([*checked, ""], dtype=object)[codes]


def _sound(value: Any) -> bool:
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
    found = np.asarray(values) if isinstance(getattr(values, "dtype", None), np.dtype) else _objects(_listed(values))
    if found.dtype.kind in "iu":
        return np.array(list(map(str, found.tolist())), dtype=object)
    found = found.astype(object)
    kind = pd.api.types.infer_dtype(found, skipna=True)
    if kind in {"string", "empty", "integer"}:
        missing = pd.isna(found)
        if missing.any() or kind == "integer":
            found = _objects([None if absent else str(value) for value, absent in zip(found, missing, strict=True)])
        return found
    row = next((row for row, value in enumerate(found) if not _identifies(value)), None)
    what = "texts and integers" if row is None else f"{found[row]!r} in row {row}"
    message = f"{where} holds {what}; identifiers are all texts or all integers: convert them with astype(str)"
    raise ConsentError(message)


def _identifies(value: Any) -> bool:
    return isinstance(value, str | int | np.integer) and not isinstance(value, bool)


def _listed(values: Any) -> list[Any]:
    return list(values.to_pylist() if hasattr(values, "to_pylist") else values)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
