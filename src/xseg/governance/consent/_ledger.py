"""The consent ledger: who agreed to what, when, from where, and until when."""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

import pandas as pd

from xseg.governance.consent._ledger_answers import ConsentQueries
from xseg.governance.consent._ledger_files import (
    build_frame,
    read_file,
    read_frame,
    read_sql,
    write_file,
    write_sql,
)
from xseg.governance.consent._ledger_record import GENESIS, LedgerHead, check_chain, read_system_clock
from xseg.governance.consent._ledger_store import check_rows

__all__ = ["Ledger"]


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
