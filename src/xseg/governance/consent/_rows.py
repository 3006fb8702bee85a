"""From statements to rows of a store; everything is read before anything is written."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.exceptions import ConsentError
from xseg.governance.consent._entries import EVERY_PURPOSE, check_texts, read_identifiers
from xseg.governance.consent._states import ConsentSource, ConsentState, read_source, read_state
from xseg.governance.consent._store import ROW, SOURCES, STATES, TEXTS, Columns, Vocabulary
from xseg.governance.consent._times import NEVER, distinct_of, instants

__all__ = ["check_rows", "columns_of", "rows_of_statement", "rows_of_table"]

_ALLOWS = np.array([state.allows for state in STATES])
_NEEDED, _OPTIONAL = ("subject", "purpose", "at"), ("state", "granted", "source", "until", "feature", "reference")


def rows_of_statement(
    vocabularies: Mapping[str, Vocabulary],
    *,
    texts: Mapping[str, str],
    state: ConsentState,
    source: ConsentSource,
    at: int,
    until: int,
) -> Columns:
    """Return one statement as a row."""
    rows = np.zeros(1, ROW)
    for name in TEXTS:
        rows[name] = vocabularies[name].add([texts[name]])
    rows["at"], rows["until"] = at, until
    rows["state"], rows["source"] = STATES.index(state), SOURCES.index(source)
    return rows


def rows_of_table(vocabularies: Mapping[str, Vocabulary], table: Any, source: ConsentSource | None) -> Columns:
    """Return statements as rows."""
    columns = columns_of(table, _NEEDED, _OPTIONAL)
    if ("state" in columns) == ("granted" in columns):
        message = "the table needs a column 'state' or a column 'granted', not both"
        raise ConsentError(message)
    if ("source" in columns) == (source is not None):
        message = "say where the statements came from: a column 'source', or source=..., not both"
        raise ConsentError(message)
    rows = np.zeros(len(columns["at"]), ROW)
    rows["at"] = instants(columns["at"], "at")
    if "until" in columns:
        rows["until"] = instants(columns["until"], "until", missing=NEVER)
    else:
        rows["until"] = NEVER
    rows["state"] = read_states(columns["state"]) if "state" in columns else _granted(columns["granted"])
    rows["source"] = SOURCES.index(source) if source is not None else read_sources(columns["source"])
    texts = {
        "subject": check_texts(read_identifiers(columns["subject"], "column 'subject'"), "subject"),
        "purpose": check_texts(_objects(columns["purpose"]), "purpose"),
        **{name: _optional_texts(columns, name, len(rows)) for name in ("feature", "reference")},
    }
    for name, words in texts.items():
        codes, distinct = pd.factorize(words)
        rows[name] = vocabularies[name].add(distinct.tolist())[codes] if len(words) else 0
    return rows


def _optional_texts(columns: Mapping[str, Any], name: str, size: int) -> NDArray[np.object_]:
    if name not in columns:
        return np.full(size, "", dtype=object)
    return check_texts(_objects(columns[name]), name, empty=True)


def columns_of(table: Any, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the columns of a table by name, of exactly these names."""
    try:
        frame = nw.from_native(table, eager_only=True)
    except (TypeError, nw.exceptions.NarwhalsError) as error:
        message = f"expected a pandas, polars or pyarrow table, got {type(table).__name__}: {error}"
        raise ConsentError(message) from error
    known = (*needed, *optional)
    for name in frame.columns:
        if name not in known:
            nearest = get_close_matches(name, known, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else f" Keep only: {', '.join(known)}."
            message = f"the table has a column {name!r} that a ledger does not know.{hint}"
            raise ConsentError(message)
    absent = [name for name in needed if name not in frame.columns]
    if absent:
        message = f"the table lacks the column(s) {', '.join(map(repr, absent))}"
        raise ConsentError(message)
    return {name: _series(frame.get_column(name)) for name in frame.columns}


def _series(column: nw.Series[Any]) -> Any:
    native = nw.to_native(column)
    if isinstance(native, pd.Series):
        return native.reset_index(drop=True)
    return pd.Series(column.to_list(), dtype=object)


def _objects(values: Any) -> NDArray[np.object_]:
    found: NDArray[np.object_] = values.to_numpy(object, copy=True)
    found[pd.isna(found)] = None
    return found


def read_states(values: Any) -> NDArray[np.uint8]:
    """Read a column of states."""
    return _codes(values, lambda value, where: STATES.index(read_state(value, where)), "state")


def read_sources(values: Any) -> NDArray[np.uint8]:
    """Read a column of sources."""
    return _codes(values, lambda value, where: SOURCES.index(read_source(value, where)), "source")


def _codes(values: Any, read: Any, name: str) -> NDArray[np.uint8]:
    codes, distinct = distinct_of(_objects(values), name)
    if (codes < 0).any():
        read(None, f"row {int(np.argmax(codes < 0))}: {name}")
    known = [read(value, f"row {int(np.argmax(codes == code))}: {name}") for code, value in enumerate(distinct)]
    return np.array([*known, 0], dtype=np.uint8)[codes]


def _granted(values: Any) -> NDArray[np.uint8]:
    found = _objects(values)
    wrong = np.array([value is not None and not isinstance(value, bool | np.bool_) for value in found], dtype=bool)
    if wrong.any():
        row = int(np.argmax(wrong))
        message = (
            f"row {row}: granted is {found[row]!r}; it is True, False or missing: write the states in words instead"
        )
        raise ConsentError(message)
    states = {True: ConsentState.GIVEN, False: ConsentState.REFUSED, None: ConsentState.UNKNOWN}
    return np.array([STATES.index(states[value if value is None else bool(value)]) for value in found], dtype=np.uint8)


def check_rows(rows: Columns, vocabularies: Mapping[str, Vocabulary]) -> None:
    """Raise an error for rows that contradict themselves."""
    backwards = rows["until"] <= rows["at"]
    if backwards.any():
        message = f"row {int(np.argmax(backwards))}: until is not later than at; such a statement never held"
        raise ConsentError(message)
    every = vocabularies["purpose"].codes.get(EVERY_PURPOSE, -1)
    blanket = (rows["purpose"] == every) & _ALLOWS[rows["state"]]
    if blanket.any():
        row = int(np.argmax(blanket))
        message = f"row {row}: consent is given for a purpose, never for every purpose ('*'); name it"
        raise ConsentError(message)
