"""The consent ledger: who agreed to what, when, from where, and until when."""

import csv
import os
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._files import write_whole
from xseg._optional import require
from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import NEVER, check_texts, read_identifiers, read_instants, to_times
from xseg.governance.consent._ledger_answers import ConsentQueries
from xseg.governance.consent._ledger_record import GENESIS, LedgerHead, check_chain, read_system_clock
from xseg.governance.consent._ledger_store import (
    ROW,
    SOURCES,
    STATES,
    TEXTS,
    Columns,
    Store,
    Vocabulary,
    check_rows,
    read_columns,
    read_sources,
    read_states,
)

__all__ = ["Ledger", "build_frame", "read_file", "read_frame", "read_sql", "write_file", "write_sql"]

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


class Ledger(ConsentQueries):
    """Who agreed to what purpose, when, from where, and until when.

    Entries are only ever added, and each carries a hash over itself and the one before it. The latest statement about
    a purpose decides; of statements of the same instant a denial does. Whoever said nothing, or nothing that is still
    valid, has not agreed.

    *Time.* A statement counts from when it was said, however late it arrives. One that says it comes from the future
    ranks as said when it was recorded: a denial counts at once, a grant from its date on and unless a denial came in
    between. A replayed statement changes nothing.

    Parameters
    ----------
    clock : callable, optional
        Gives the time, with a zone. The default asks the computer's clock.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), articles 4(11) and 7.
    W3C Data Privacy Vocabularies and Controls Community Group, "Data Privacy Vocabulary (DPV)", version 2.

    Examples
    --------
    >>> from xseg.governance.consent import Ledger
    >>> ledger = Ledger()
    >>> _ = ledger.append("ann", "offers", "given", source="banner", at="2026-05-03T12:00:00Z")
    >>> _ = ledger.append("bob", "offers", "given", source="business", at="2026-05-03T12:00:00Z")
    >>> ledger.mask(["ann", "bob", "cleo"], "offers", at="2026-06-01T00:00:00Z")
    array([ True, False, False])
    """

    def __repr__(self) -> str:
        return f"Ledger({len(self)} entries, {len(self._store.vocabularies['subject'].words)} subjects)"

    @classmethod
    def from_frame(
        cls, frame: Any, *, head: LedgerHead | None = None, clock: Callable[[], datetime] = read_system_clock
    ) -> Self:
        """Read a ledger that `to_frame` wrote, and check its chain.

        Parameters
        ----------
        frame : pandas, polars or pyarrow table
            As `to_frame` gives it.
        head : LedgerHead, optional
            The head that was kept, to find a ledger cut short or written anew.
        clock : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        ConsentError
            Entries were edited, removed, added or moved; `findings` names them.
        ConsentError
            It is no ledger: columns are missing, or values cannot be read.

        Examples
        --------
        >>> from xseg.governance.consent import Ledger
        >>> len(Ledger.from_frame(Ledger().to_frame()))
        0
        """
        ledger = cls(clock=clock)
        numbers, rows = read_frame(ledger._store.vocabularies, frame)
        ledger._store.append(rows)
        check_chain(numbers, ledger._store, head)
        check_rows(rows, ledger._store.vocabularies)
        ledger._tip = rows["hash"][-1].tobytes() if len(rows) else GENESIS
        return ledger

    def digest_state(self) -> str:
        """Return the hash of the newest entry, which depends on every entry before it."""
        return self.head.hash

    def to_frame(self) -> pd.DataFrame:
        """Return all entries as a table, one a row.

        Returns
        -------
        pandas.DataFrame
            With the columns number, subject, purpose, feature, state, source, reference, at, until, recorded (times in
            UTC) and hash.

        Examples
        --------
        >>> from xseg.governance.consent import Ledger
        >>> list(Ledger().to_frame())[:3]
        ['number', 'subject', 'purpose']
        """
        return build_frame(self._store)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ledger to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.parquet`` (needs the extra ``parquet``) or ``.csv``.

        Raises
        ------
        ConsentError
            The ending is another one, or the file cannot be written.

        Examples
        --------
        See `load`.
        """
        write_file(self.to_frame(), path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        head: LedgerHead | None = None,
        clock: Callable[[], datetime] = read_system_clock,
    ) -> Self:
        """Read a ledger from a file that `save` wrote, and check its chain.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.parquet`` or ``.csv``.
        head : LedgerHead, optional
            The head that was kept.
        clock : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        ConsentError
            Entries were edited, removed, added or moved.
        ConsentError
            The file cannot be read, or is no ledger.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> with TemporaryDirectory() as folder:
        ...     ledger.save(Path(folder) / "ledger.csv")
        ...     Ledger.load(Path(folder) / "ledger.csv", head=ledger.head)
        Ledger(1 entries, 1 subjects)
        """
        return cls.from_frame(read_file(path), head=head, clock=clock)

    def to_sql(self, table: str, connection: Any) -> int:
        """Add the entries that a table of a database does not hold yet.

        Parameters
        ----------
        table : str
            The name of the table; it is made if it is not there.
        connection : sqlite3.Connection, or SQLAlchemy Engine or Connection
            The database. SQLAlchemy comes with the extra ``sql``.

        Returns
        -------
        int
            How many entries were added.

        Raises
        ------
        ConsentError
            What the table holds is not the beginning of this ledger; nothing was written.

        Examples
        --------
        >>> import sqlite3
        >>> from contextlib import closing
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> with closing(sqlite3.connect(":memory:")) as database:
        ...     print(ledger.to_sql("ledger", database), ledger.to_sql("ledger", database))
        ...     Ledger.read_sql("ledger", database)
        1 0
        Ledger(1 entries, 1 subjects)
        """
        return write_sql(self.to_frame(), table, connection)

    @classmethod
    def read_sql(
        cls,
        table: str,
        connection: Any,
        *,
        head: LedgerHead | None = None,
        clock: Callable[[], datetime] = read_system_clock,
    ) -> Self:
        """Read a ledger from a table that `to_sql` wrote, in the order in which the database gives the rows.

        Parameters
        ----------
        table : str
            The name of the table.
        connection : sqlite3.Connection, or SQLAlchemy Engine or Connection
            The database.
        head : LedgerHead, optional
            The head that was kept.
        clock : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        ConsentError
            Entries were edited, removed or added.
        ConsentError
            There is no such table, or it is no ledger.

        Examples
        --------
        See `to_sql`.
        """
        return cls.from_frame(read_sql(table, connection), head=head, clock=clock)
