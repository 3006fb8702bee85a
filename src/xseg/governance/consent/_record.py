"""Entries that are only ever added, each with a hash over itself and the one before it."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import ConsentError
from xseg.governance.consent._chain import GENESIS, Head, contents, findings_in, link, summary
from xseg.governance.consent._entries import Entry, read_identifiers, read_text
from xseg.governance.consent._rows import check_rows, rows_of_statement, rows_of_table
from xseg.governance.consent._states import read_source, read_state
from xseg.governance.consent._store import ROW, SOURCES, STATES, Columns, Store
from xseg.governance.consent._times import NEVER, instant, moment

__all__ = ["Record", "check_chain", "clock"]

_HASH: Final = re.compile("[0-9a-f]{64}")


def clock() -> datetime:
    """Return the time of the computer's clock."""
    return datetime.now(UTC)


class Record:
    """What people said, in the order in which it was heard.

    Parameters
    ----------
    clock : callable, optional
        Gives the time, with a zone. The default asks the computer's clock.
    """

    def __init__(self, *, clock: Callable[[], datetime] = clock) -> None:
        self._clock = clock
        self._store = Store()
        self._tip = GENESIS

    def __len__(self) -> int:
        return self._store.size

    def __getitem__(self, number: int) -> Entry:
        """Return the entry with a number, counted from 0; from the end if it is negative."""
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
        """Return itself: clones of an estimator go on asking the one record that is kept."""
        return self

    @property
    def head(self) -> Head:
        """The length of the ledger and the hash of its last entry, to keep elsewhere."""
        return Head(len(self), self._tip.hex())

    @property
    def latest(self) -> datetime | None:
        """When the last entry was written down; None if there is none."""
        return _time(self._store.rows["recorded"][-1]) if len(self) else None

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
        >>> from xseg.governance.consent import Ledger
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
        >>> from xseg.governance.consent import Ledger
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

    def verify(self, head: Head | None = None) -> None:
        """Check the chain anew.

        Parameters
        ----------
        head : Head, optional
            The head that was kept when the ledger was at least as long as it says. Without one, a ledger whose last
            entries were cut off, or that was written anew from some entry on, cannot be told from a true one.

        Raises
        ------
        ConsentError
            Entries were edited, removed, added or moved; `findings` names them.

        Examples
        --------
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="banner")
        >>> ledger.verify(ledger.head)
        """
        check_chain(np.arange(len(self)), self._store, head)

    def _time_of_recording(self) -> int:
        """Return the time, but never one before the last entry: a ledger's own clock does not go back."""
        now = self._at(None)
        return max(now, int(self._store.rows["recorded"][-1])) if len(self) else now

    def _at(self, at: datetime | str | None) -> int:
        return instant(self._clock(), "the clock's time") if at is None else instant(at, "at")

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


def check_chain(numbers: NDArray[np.int64], store: Store, head: Head | None) -> None:
    """Raise an error for entries whose chain does not hold."""
    if head is not None:
        _check_head(head)
    found = findings_in(numbers, store.rows, store.vocabularies, head)
    if found:
        raise ConsentError(summary(found), tuple(found))


def _check_head(head: Any) -> None:
    """Raise an error for what is no head, or one that no ledger can have had."""
    sound = isinstance(head, Head) and isinstance(head.size, int) and isinstance(head.hash, str)
    if not sound or head.size < 0 or not _HASH.fullmatch(head.hash):
        message = f"head is {head!r}; give a Head with a size from 0 and a hash of 64 hexadecimal digits in lower case"
        raise ConsentError(message)
    if head.size == 0 and head.hash != GENESIS.hex():
        message = f"head is {head!r}; a ledger without entries has the hash {GENESIS.hex()}"
        raise ConsentError(message)


def _time(micros: Any) -> datetime:
    time = moment(int(micros))
    assert time is not None
    return time
