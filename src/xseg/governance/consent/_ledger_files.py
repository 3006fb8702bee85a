"""A ledger as a table, a file or a table of a database."""

import csv
import os
import sqlite3
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._files import write_whole
from xseg._optional import require
from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import NEVER, check_texts, read_identifiers, read_instants, to_times
from xseg.governance.consent._ledger_store import (
    ROW,
    SOURCES,
    STATES,
    TEXTS,
    Columns,
    Store,
    Vocabulary,
    read_columns,
    read_sources,
    read_states,
)

__all__ = ["build_frame", "read_file", "read_frame", "read_sql", "write_file", "write_sql"]

# What spreadsheets take for the beginning of a formula, also in the wide forms of East Asian scripts.
_FORMULA_SIGNS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_TIMES = ("at", "until", "recorded")
_COLUMNS = ("number", *TEXTS, "state", "source", *_TIMES, "hash")
_READ_AS_TEXT = dict.fromkeys((*TEXTS, "state", "source", *_TIMES, "hash"), "object")


def build_frame(store: Store) -> pd.DataFrame:
    """Return the entries as a table."""
    rows = store.rows
    columns: dict[str, Any] = {"number": np.arange(len(rows))}
    for name in TEXTS:
        words = np.array([*store.vocabularies[name].words, ""], dtype=object)
        columns[name] = pd.Series(words[rows[name]], dtype=object)
    columns["state"] = pd.Series(np.array([str(state) for state in STATES], dtype=object)[rows["state"]], dtype=object)
    columns["source"] = pd.Series(np.array([str(one) for one in SOURCES], dtype=object)[rows["source"]], dtype=object)
    for name in _TIMES:
        columns[name] = to_times(rows[name])
    columns["hash"] = pd.Series([row.tobytes().hex() for row in rows["hash"]], dtype=object)
    return pd.DataFrame(columns)[
        ["number", "subject", "purpose", "feature", "state", "source", "reference", *_TIMES, "hash"]
    ]


def read_frame(vocabularies: Mapping[str, Vocabulary], frame: Any) -> tuple[NDArray[np.int64], Columns]:
    """Read entries with their numbers and hashes; whether they are true is another question."""
    columns = read_columns(frame, _COLUMNS)
    rows = np.zeros(len(columns["number"]), ROW)
    subjects = read_identifiers(columns["subject"], "column 'subject'")
    for name in TEXTS:
        found = subjects if name == "subject" else columns[name].to_numpy(object)
        words = check_texts(found, name, empty=name in {"feature", "reference"})
        codes, distinct = pd.factorize(words)
        rows[name] = vocabularies[name].add(distinct.tolist())[codes] if len(words) else 0
    rows["state"], rows["source"] = read_states(columns["state"]), read_sources(columns["source"])
    for name in _TIMES:
        blank = columns[name].isna() | (columns[name].astype(object) == "")
        rows[name] = read_instants(columns[name].where(~blank), name, missing=NEVER if name == "until" else None)
    rows["hash"] = _read_hashes(columns["hash"].tolist())
    return _read_numbers(columns["number"].tolist()), rows


def _read_numbers(values: list[Any]) -> NDArray[np.int64]:
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
            message = f"row {row}: number is {value!r}; entries are numbered 0, 1, 2, ..."
            raise ConsentError(message)
    return np.array(values, dtype=np.int64)


def _read_hashes(values: list[Any]) -> NDArray[np.void]:
    found = bytearray()
    for row, value in enumerate(values):
        try:
            digest = bytes.fromhex(value)
        except (TypeError, ValueError):
            digest = b""
        if len(digest) != 32 or digest.hex() != value:
            message = f"row {row}: hash is {value!r}; it is 64 hexadecimal digits in lower case"
            raise ConsentError(message)
        found += digest
    return np.frombuffer(bytes(found), dtype=ROW["hash"])


def write_file(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write entries to Parquet or CSV."""
    kind = _read_file_kind(path)
    buffer = BytesIO()
    if kind == ".parquet":
        require("pyarrow", extra="parquet", purpose="writing Parquet files")
        frame.to_parquet(buffer, index=False)
    else:
        _escape_formulas(_format_frame(frame)).to_csv(
            # Without quotes a carriage return inside a text would end the row.
            buffer,
            index=False,
            lineterminator="\n",
            quoting=csv.QUOTE_NONNUMERIC,
        )
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        message = f"cannot write the ledger {Path(path)}: {error.strerror}; check the folder and its permissions"
        raise ConsentError(message) from error


def read_file(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read entries from Parquet or CSV."""
    kind = _read_file_kind(path)
    if kind == ".parquet":
        require("pyarrow", extra="parquet", purpose="reading Parquet files")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        frame = pd.read_csv(path, dtype=_READ_AS_TEXT, keep_default_na=False, encoding="utf-8")
        return frame.assign(**{name: frame[name].map(_unquote_formula) for name in TEXTS if name in frame})
    except (OSError, ValueError) as error:
        message = f"cannot read the ledger {Path(path)}: {error}"
        raise ConsentError(message) from error


def _escape_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an apostrophe before texts that a spreadsheet would take for a formula.

    A text that begins with an apostrophe and such a sign gets another one, so that reading gives every text back.
    """
    return frame.assign(**{name: frame[name].map(_quote_formula) for name in TEXTS})


def _quote_formula(text: str) -> str:
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA_SIGNS and text.lstrip("'") else text


def _unquote_formula(text: Any) -> Any:
    if not isinstance(text, str) or not text.startswith("'"):
        return text
    bare = text.lstrip("'")
    return text[1:] if bare and bare[0] in _FORMULA_SIGNS else text


def _read_file_kind(path: str | os.PathLike[str]) -> str:
    kind = Path(path).suffix
    if kind not in {".parquet", ".csv"}:
        message = f"a ledger is kept as .parquet or .csv, not as {kind or 'a file without an ending'!r}"
        raise ConsentError(message)
    return kind


def write_sql(frame: pd.DataFrame, table: str, connection: Any) -> int:
    """Add to a table of a database the entries that it does not hold yet; return how many."""
    held = _read_chain(table, connection)
    size = 0 if held is None else len(held)
    same = size <= len(frame) and (
        held is None
        or (held["number"].tolist() == list(range(size)) and held["hash"].tolist() == frame["hash"].tolist()[:size])
    )
    if not same:
        message = f"the table {table!r} does not hold the beginning of this ledger; write to another table, or read it"
        raise ConsentError(message)
    _format_frame(frame.iloc[size:]).to_sql(table, connection, index=False, if_exists="append")
    return len(frame) - size


def _read_chain(table: str, connection: Any) -> pd.DataFrame | None:
    """Return the numbers and hashes that a table holds, in order; None if there is no such table."""
    if isinstance(connection, sqlite3.Connection):
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    else:
        known = require("sqlalchemy", extra="sql", purpose="ledgers in databases").inspect(connection).has_table(table)
    if not known:
        return None
    held = read_sql(table, connection)
    if not {"number", "hash"} <= set(held):
        return pd.DataFrame({"number": [-1], "hash": [""]})
    return held[["number", "hash"]].sort_values("number")


def read_sql(table: str, connection: Any) -> pd.DataFrame:
    """Read entries from a table of a database."""
    try:
        if isinstance(connection, sqlite3.Connection):
            quoted = table.replace('"', '""')
            return pd.read_sql_query(f'SELECT * FROM "{quoted}"', connection)
        return pd.read_sql_table(table, connection)
    except (OSError, ValueError) as error:
        message = f"cannot read the ledger from the table {table!r}: {error}"
        raise ConsentError(message) from error


def _format_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with times as ISO 8601, which no reader has to guess."""
    return frame.assign(**{name: _format_times(frame[name]) for name in _TIMES})


def _format_times(times: "pd.Series[Any]") -> NDArray[np.object_]:
    moments = times.dt.tz_localize(None).to_numpy("datetime64[us]")
    words = np.char.add(np.datetime_as_string(moments), "Z").astype(object)
    words[np.isnat(moments)] = ""
    return words
