"""Who agreed to what, when, from where, until when."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._kernels.consent import GRANTS, deciding_entries
from xseg.consent._chain import GENESIS, Head, contents, findings_in, link, summary
from xseg.consent._entries import EVERY_PURPOSE, Entry, read_identifiers, read_text
from xseg.consent._rows import check_rows, rows_of_statement, rows_of_table
from xseg.consent._spells import DenialSpells, spells_of
from xseg.consent._states import ConsentState, read_source, read_state
from xseg.consent._store import ROW, SOURCES, STATES, Columns, Store
from xseg.consent._times import NEVER, instant, moment
from xseg.exceptions import ConsentError, LedgerError

__all__ = ["Ledger", "clock"]


def clock() -> datetime:
    """Ask the computer's clock."""
    return datetime.now(UTC)


class Ledger:
    """Who agreed to what purpose, when, from where, and until when.

    Entries are only ever added, and each carries a hash over itself and the one before it. The latest statement about
    a purpose decides; of statements of the same instant a denial does. Whoever said nothing, or nothing that is still
    valid, has not agreed.

    *Time.* A statement counts from when it was said, however late it arrives. One that says it comes from the future
    ranks as said when it was recorded: a denial counts at once, a grant from its date on and unless a denial came in
    between. A replayed statement changes nothing.

    Parameters
    ----------
    now : callable, optional
        Gives the time, with a zone. The default asks the computer's clock.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), articles 4(11) and 7.
    W3C Data Privacy Vocabularies and Controls Community Group, "Data Privacy Vocabulary (DPV)", version 2.

    Examples
    --------
    >>> from xseg.consent import Ledger
    >>> ledger = Ledger()
    >>> _ = ledger.append("ann", "offers", "given", source="banner", at="2026-05-03T12:00:00Z")
    >>> _ = ledger.append("bob", "offers", "given", source="business", at="2026-05-03T12:00:00Z")
    >>> ledger.mask(["ann", "bob", "cleo"], "offers", at="2026-06-01T00:00:00Z")
    array([ True, False, False])
    """

    def __init__(self, *, now: Callable[[], datetime] = clock) -> None:
        self._now = now
        self._store = Store()
        self._tip = GENESIS

    def __len__(self) -> int:
        return self._store.size

    def __getitem__(self, number: int) -> Entry:
        """Give the entry with a number, counted from 0; from the end if it is negative."""
        place = range(len(self))[number]
        row = self._store.rows[place]
        words = {name: self._store.vocabularies[name].words[row[name]] for name in self._store.vocabularies}
        return Entry(
            number=place,
            subject=words["subject"],
            purpose=words["purpose"],
            state=STATES[row["state"]],
            source=SOURCES[row["source"]],
            at=_time(row["at"]),
            until=moment(row["until"]),
            recorded=_time(row["recorded"]),
            feature=words["feature"] or None,
            reference=words["reference"],
            hash=row["hash"].tobytes().hex(),
        )

    def __iter__(self) -> Iterator[Entry]:
        return (self[number] for number in range(len(self)))

    def __sklearn_clone__(self) -> Self:
        """Give itself: clones of an estimator go on asking the one record that is kept."""
        return self

    def __repr__(self) -> str:
        return f"Ledger({len(self)} entries, {len(self._store.vocabularies['subject'].words)} subjects)"

    @property
    def head(self) -> Head:
        """The length of the ledger and the hash of its last entry, to keep elsewhere."""
        return Head(len(self), self._tip.hex())

    def append(
        self,
        subject: str | int,
        purpose: str,
        state: str,
        *,
        source: str,
        at: datetime | str | None = None,
        until: datetime | str | None = None,
        feature: str | None = None,
        reference: str = "",
    ) -> Entry:
        """Write down one statement.

        Parameters
        ----------
        subject : str or int
            Whom it is about; an integer stands as its digits.
        purpose : str
            What for. ``"*"`` denies every purpose; nobody can agree to every purpose.
        state : ConsentState or str
            What was said.
        source : ConsentSource or str
            Where it came from.
        at : datetime or str, optional
            When it was said, with a time zone. None means now.
        until : datetime or str, optional
            From when on it no longer counts; later than `at`.
        feature : str, optional
            The one feature it is about. None means the purpose as a whole.
        reference : str, optional
            What it can be proved with, such as the version of a banner.

        Returns
        -------
        Entry
            What was written.

        Raises
        ------
        ConsentError
            Something is malformed or unknown; nothing was written.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> ledger.append("ann", "offers", "withdrawn", source="account").number
        0
        """
        recorded = self._time_of_recording()
        rows = rows_of_statement(
            self._store.vocabularies,
            texts={
                "subject": read_text(read_identifiers([subject], "subject")[0], "subject"),
                "purpose": read_text(purpose, "purpose"),
                "feature": "" if feature is None else read_text(feature, "feature"),
                "reference": read_text(reference, "reference", empty=True),
            },
            state=read_state(state),
            source=read_source(source),
            at=recorded if at is None else instant(at, "at"),
            until=NEVER if until is None else instant(until, "until"),
        )
        self._write(rows, recorded)
        return self[-1]

    def append_table(self, table: Any, *, source: str | None = None) -> int:
        """Write down one statement a row.

        Parameters
        ----------
        table : pandas, polars or pyarrow table
            With the columns ``subject``, ``purpose``, ``at``, and ``state`` or ``granted`` (booleans: given or refused;
            missing is unknown); perhaps ``source``, ``until``, ``feature``, ``reference``. Other columns are refused,
            since a misspelt ``until`` would make consent endless.
        source : ConsentSource or str, optional
            Where all of it came from, if no column says so.

        Returns
        -------
        int
            How many entries were written.

        Raises
        ------
        ConsentError
            A row is malformed or unknown; it is named, and nothing was written.

        Examples
        --------
        >>> import pandas as pd
        >>> from xseg.consent import Ledger
        >>> table = pd.DataFrame({"subject": [7], "purpose": "offers", "granted": True, "at": "2026-05-03T12:00:00Z"})
        >>> ledger = Ledger()
        >>> ledger.append_table(table, source="account")
        1
        >>> ledger.mask([7, 8], "offers")
        array([ True, False])
        """
        rows = rows_of_table(self._store.vocabularies, table, None if source is None else read_source(source))
        self._write(rows, self._time_of_recording())
        return len(rows)

    def mask(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Say who has agreed.

        Parameters
        ----------
        subjects : array-like of str or int of shape (n,)
            Whom to ask about. A missing identifier has not agreed.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        ndarray of bool of shape (n,)
            True where the statement that decides allows it and has not expired.

        Raises
        ------
        ConsentError
            An identifier, the purpose or the time cannot be read.

        Examples
        --------
        See `Ledger`.
        """
        now = self._at(at)
        return self._valid(self._deciding(subjects, purpose, "", now), now)

    def states(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> list[ConsentState]:
        """Say in which state each person's consent is.

        Parameters
        ----------
        subjects : array-like of str or int of shape (n,)
            Whom to ask about.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        list of ConsentState
            `UNKNOWN` where nothing was said, `EXPIRED` where what was given has run out.

        Raises
        ------
        ConsentError
            An identifier, the purpose or the time cannot be read.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> [str(state) for state in Ledger().states(["ann"], "offers")]
        ['unknown']
        """
        now = self._at(at)
        entries = self._deciding(subjects, purpose, "", now)
        rows, valid = self._store.rows, self._valid(entries, now)
        return [self._state(rows, entry, allowed) for entry, allowed in zip(entries.tolist(), valid, strict=True)]

    def deciding(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.int64]:
        """Give the number of the entry that decides about each person; the parameters are those of `mask`.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Numbers of entries; -1 where nothing was said.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="account")
        >>> ledger.deciding(["bob", "ann"], "offers")
        array([-1,  0])
        """
        return self._deciding(subjects, purpose, "", self._at(at))

    def about(self, subject: str | int) -> list[Entry]:
        """Give everything that one person said, in the order it was written down.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="account")
        >>> [str(entry.state) for entry in ledger.about("ann")], ledger.about("bob")
        (['given'], [])
        """
        code = int(self.subjects([subject])[0])
        numbers = np.flatnonzero(self._store.rows["subject"] == code) if code >= 0 else np.empty(0, np.int64)
        return [self[number] for number in numbers.tolist()]

    @staticmethod
    def _state(rows: Columns, entry: int, allowed: bool) -> ConsentState:
        if entry < 0:
            return ConsentState.UNKNOWN
        state = STATES[rows["state"][entry]]
        return ConsentState.EXPIRED if state.allows and not allowed else state

    def withheld(
        self, subjects: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Say who withholds one feature from a purpose.

        Parameters
        ----------
        subjects : array-like of str or int of shape (n,)
            Whom to ask about.
        feature : str
            The feature.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        ndarray of bool of shape (n,)
            True where the statement that decides about this feature does not allow its use. Where nothing was said
            of the feature, nothing is withheld; whether the purpose is allowed at all is another question (`mask`).

        Raises
        ------
        ConsentError
            An identifier, the feature, the purpose or the time cannot be read.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "withdrawn", source="account", feature="age")
        >>> ledger.withheld(["ann", "bob"], "age", "offers")
        array([ True, False])
        """
        now = self._at(at)
        entries = self._deciding(subjects, purpose, read_text(feature, "feature"), now)
        return (entries >= 0) & ~self._valid(entries, now)

    def withheld_features(self, purpose: str) -> tuple[str, ...]:
        """Give the features that somebody, at some time, said something about for a purpose."""
        rows, words = self._store.rows, self._store.vocabularies["feature"].words
        asked = np.isin(rows["purpose"], self._purposes(purpose))
        return tuple(sorted(word for word in (words[code] for code in np.unique(rows["feature"][asked])) if word))

    def subjects(self, names: Any) -> NDArray[np.int32]:
        """Give the codes of subjects in `denial_spells`; -1 for those of whom nothing was said."""
        known = self._store.vocabularies["subject"]
        dtype = getattr(names, "dtype", None)
        if isinstance(dtype, np.dtype) and dtype.kind in "iu" and np.ndim(names) == 1:
            places, distinct = pd.factorize(np.asarray(names))
            return known.find(read_identifiers(distinct))[places]
        return known.find(read_identifiers(names))

    def subject_names(self, codes: NDArray[np.int64]) -> list[str]:
        """Give the names of subjects by their codes."""
        words = self._store.vocabularies["subject"].words
        return [words[code] for code in codes.tolist()]

    def denial_spells(self, purpose: str, now: int, feature: str = "") -> DenialSpells:
        """Give from when until when people themselves denied a purpose, or a feature for it, up to an instant."""
        return spells_of(self._store, self._purposes(purpose), feature, now)

    def verify(self, head: Head | None = None) -> None:
        """Check the chain anew.

        Parameters
        ----------
        head : Head, optional
            The head that was kept when the ledger was at least as long as it says. Without one, a ledger whose last
            entries were cut off, or that was written anew from some entry on, cannot be told from a true one.

        Raises
        ------
        LedgerError
            Entries were edited, removed, added or moved; `findings` names them.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> ledger.verify(ledger.head)
        """
        _check(np.arange(len(self)), self._store, head)

    @classmethod
    def from_frame(cls, frame: Any, *, head: Head | None = None, now: Callable[[], datetime] = clock) -> Self:
        """Read a ledger that `to_frame` wrote, and check its chain.

        Parameters
        ----------
        frame : pandas, polars or pyarrow table
            As `to_frame` gives it.
        head : Head, optional
            The head that was kept, to find a ledger cut short or written anew.
        now : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        LedgerError
            Entries were edited, removed, added or moved; `findings` names them.
        ConsentError
            It is no ledger: columns are missing, or values cannot be read.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> len(Ledger.from_frame(Ledger().to_frame()))
        0
        """
        from xseg.consent._files import read_frame

        ledger = cls(now=now)
        numbers, rows = read_frame(ledger._store.vocabularies, frame)
        ledger._store.append(rows)
        _check(numbers, ledger._store, head)
        check_rows(rows, ledger._store.vocabularies)
        ledger._tip = rows["hash"][-1].tobytes() if len(rows) else GENESIS
        return ledger

    def to_frame(self) -> pd.DataFrame:
        """Give all entries as a table, one a row.

        Returns
        -------
        pandas.DataFrame
            With the columns number, subject, purpose, feature, state, source, reference, at, until, recorded (times in
            UTC) and hash.

        Examples
        --------
        >>> from xseg.consent import Ledger
        >>> list(Ledger().to_frame())[:3]
        ['number', 'subject', 'purpose']
        """
        from xseg.consent._files import frame_of

        return frame_of(self._store)

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
        from xseg.consent._files import write_file

        write_file(self.to_frame(), path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, head: Head | None = None, now: Callable[[], datetime] = clock
    ) -> Self:
        """Read a ledger from a file that `save` wrote, and check its chain.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.parquet`` or ``.csv``.
        head : Head, optional
            The head that was kept.
        now : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        LedgerError
            Entries were edited, removed, added or moved.
        ConsentError
            The file cannot be read, or is no ledger.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> with TemporaryDirectory() as folder:
        ...     ledger.save(Path(folder) / "ledger.csv")
        ...     Ledger.load(Path(folder) / "ledger.csv", head=ledger.head)
        Ledger(1 entries, 1 subjects)
        """
        from xseg.consent._files import read_file

        return cls.from_frame(read_file(path), head=head, now=now)

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
        LedgerError
            What the table holds is not the beginning of this ledger; nothing was written.

        Examples
        --------
        >>> import sqlite3
        >>> from contextlib import closing
        >>> from xseg.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> with closing(sqlite3.connect(":memory:")) as database:
        ...     print(ledger.to_sql("ledger", database), ledger.to_sql("ledger", database))
        ...     Ledger.read_sql("ledger", database)
        1 0
        Ledger(1 entries, 1 subjects)
        """
        from xseg.consent._files import write_sql

        return write_sql(self.to_frame(), table, connection)

    @classmethod
    def read_sql(
        cls, table: str, connection: Any, *, head: Head | None = None, now: Callable[[], datetime] = clock
    ) -> Self:
        """Read a ledger from a table that `to_sql` wrote, in the order in which the database gives the rows.

        Parameters
        ----------
        table : str
            The name of the table.
        connection : sqlite3.Connection, or SQLAlchemy Engine or Connection
            The database.
        head : Head, optional
            The head that was kept.
        now : callable, optional
            Gives the time, with a zone.

        Returns
        -------
        Ledger
            The same entries.

        Raises
        ------
        LedgerError
            Entries were edited, removed or added.
        ConsentError
            There is no such table, or it is no ledger.

        Examples
        --------
        See `to_sql`.
        """
        from xseg.consent._files import read_sql

        return cls.from_frame(read_sql(table, connection), head=head, now=now)

    def _time_of_recording(self) -> int:
        """Give the time, but never one before the last entry: a ledger's own clock does not go back."""
        now = self._at(None)
        return max(now, int(self._store.rows["recorded"][-1])) if len(self) else now

    def _at(self, at: datetime | str | None) -> int:
        return instant(self._now(), "the clock's time") if at is None else instant(at, "at")

    def _write(self, rows: Columns, recorded: int) -> None:
        check_rows(rows, self._store.vocabularies)
        rows["recorded"] = recorded
        numbers = np.arange(len(self), len(self) + len(rows))
        hashes = bytearray()
        tip = self._tip
        for pieces in contents(numbers, rows, self._store.vocabularies):
            tip = link(tip, pieces)
            hashes += tip
        rows["hash"] = np.frombuffer(bytes(hashes), dtype=ROW["hash"])
        self._store.append(rows)
        self._tip = tip

    def _purposes(self, purpose: str) -> NDArray[np.int32]:
        return self._store.vocabularies["purpose"].find([_one_purpose(purpose), EVERY_PURPOSE])

    def _deciding(self, subjects: Any, purpose: str, feature: str, now: int) -> NDArray[np.int64]:
        """Give the entry that decides about each subject; -1 where there is none."""
        store, vocabularies = self._store, self._store.vocabularies
        purposes = self._purposes(purpose)
        codes = self.subjects(subjects)
        about = int(vocabularies["feature"].find([feature])[0])
        names = ("purpose", "feature", "effect", "order", "at", "until", "state")
        columns = {name: store.rows[name] for name in names}
        asked, places = (codes, None) if 4 * len(codes) < len(store.last) else _once(codes, len(store.last))
        decided: NDArray[np.int64] = deciding_entries(
            asked, store.last, store.rows["previous"], **columns, purposes=purposes, about=about, now=now
        )
        return decided if places is None else decided[places]

    def _valid(self, entries: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        if not len(self):
            return np.zeros(len(entries), dtype=bool)
        rows = self._store.rows
        return np.asarray((entries >= 0) & (rows["effect"][entries] == GRANTS) & (now < rows["until"][entries]))


def _check(numbers: NDArray[np.int64], store: Store, head: Head | None) -> None:
    found = findings_in(numbers, store.rows, store.vocabularies, head)
    if found:
        raise LedgerError(summary(found), tuple(found))


def _once(codes: NDArray[np.int32], n_subjects: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each subject that is asked about once, and where to find the answers of all that are asked about."""
    asked = np.zeros(n_subjects + 1, dtype=bool)
    asked[codes] = True  # an unknown subject, -1, is the last place
    asked[-1] = True
    distinct = np.flatnonzero(asked)
    place = np.cumsum(asked) - 1
    return np.append(distinct[:-1], -1), place[codes]


def _one_purpose(purpose: str) -> str:
    if read_text(purpose, "purpose") == EVERY_PURPOSE:
        message = "purpose is '*', which only a denial can be about; ask about one purpose"
        raise ConsentError(message)
    return purpose


def _time(micros: Any) -> datetime:
    time = moment(int(micros))
    assert time is not None
    return time
