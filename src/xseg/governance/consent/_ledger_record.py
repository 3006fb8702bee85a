"""Entries that are only ever added, each with a hash over itself and the one before it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import (
    NEVER,
    Entry,
    read_identifiers,
    read_instant,
    read_source,
    read_state,
    read_text,
    to_datetime,
    to_time,
)
from xseg.governance.consent._ledger_store import (
    ROW,
    SOURCES,
    STATES,
    TEXTS,
    Columns,
    Store,
    Vocabulary,
    build_statement_row,
    build_statement_rows,
    check_rows,
)

__all__ = ["GENESIS", "EntryChain", "IntegrityViolation", "LedgerHead", "check_chain", "read_system_clock"]

GENESIS = bytes(32)
_MANY = 20


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The length of a ledger and the hash of its last entry; keep it elsewhere to detect truncation and rewriting.

    Attributes
    ----------
    size : int
        The number of entries.
    hash : str
        64 hexadecimal digits.

    Examples
    --------
    >>> from xseg.governance.consent import Ledger
    >>> Ledger().head.size
    0
    """

    size: int
    hash: str


@dataclass(frozen=True, slots=True)
class IntegrityViolation:
    """A place where a ledger differs from what was written.

    Attributes
    ----------
    number : int
        The entry, counted from 0.
    kind : {"edited", "missing", "moved", "repeated", "cut", "rewritten"}
        What happened to it.
    message : str
        A sentence.

    Examples
    --------
    >>> from xseg.governance.consent import IntegrityViolation
    >>> IntegrityViolation(4, "missing", "entry 4 is missing").kind
    'missing'
    """

    number: int
    kind: Literal["edited", "missing", "moved", "repeated", "cut", "rewritten"]
    message: str


def serialize_entries(
    numbers: NDArray[np.int64], rows: Columns, vocabularies: dict[str, Vocabulary]
) -> Iterable[tuple[bytes, ...]]:
    """Return the canonical bytes of each entry, in pieces, without the hash before it."""
    times = np.stack([numbers, rows["at"], rows["until"], rows["recorded"]], axis=1).astype(">i8").tobytes()
    subjects = _serialize_words(vocabularies["subject"].words, rows["subject"])
    slices = (times[start : start + 32] for start in range(0, len(times), 32))
    return zip(slices, subjects, _serialize_tails(rows, vocabularies), strict=True)


def _serialize_tails(rows: Columns, vocabularies: dict[str, Vocabulary]) -> Iterable[bytes]:
    """Return what follows the subject, which few entries differ in, put together once for each way it occurs."""
    words = {name: vocabularies[name].words for name in TEXTS if name != "subject"} | {
        "state": STATES,
        "source": SOURCES,
    }
    codes = np.zeros(len(rows), np.int64)
    for name in words:
        column, n_distinct = np.unique(rows[name], return_inverse=True)[1], len(np.unique(rows[name]))
        codes = np.unique(codes * max(n_distinct, 1) + column, return_inverse=True)[1]
    places = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    places[codes] = np.arange(len(rows))
    tails = [b"".join(_prefix_length(known[rows[name][i]].encode()) for name, known in words.items()) for i in places]
    return map(tails.__getitem__, codes.tolist())


def _serialize_words(words: Sequence[str], codes: NDArray[np.integer]) -> Iterable[bytes]:
    used = np.unique(codes).tolist()
    encoded = {code: _prefix_length(words[code].encode()) for code in used}
    return map(encoded.__getitem__, codes.tolist())


def _prefix_length(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def hash_entry(previous: bytes, pieces: tuple[bytes, ...]) -> bytes:
    """Return the hash of an entry that follows another."""
    return sha256(b"".join((previous, *pieces))).digest()


def find_violations(
    numbers: NDArray[np.int64], rows: Columns, vocabularies: dict[str, Vocabulary], head: LedgerHead | None
) -> list[IntegrityViolation]:
    """Find every entry that was edited, removed, repeated or moved."""
    hashes = [row.tobytes() for row in rows["hash"]]
    by_number = dict(zip(numbers.tolist(), hashes, strict=True)) | {-1: GENESIS}
    found = _find_misplaced(numbers, head)
    for number, hashed, pieces in zip(
        numbers.tolist(), hashes, serialize_entries(numbers, rows, vocabularies), strict=True
    ):
        previous = by_number.get(number - 1)
        if previous is not None and hash_entry(previous, pieces) != hashed:
            rests = f", or entry {number - 1}, on which its hash rests, was" if number else ""
            found.append(IntegrityViolation(number, "edited", f"entry {number} was edited{rests}"))
    if head is not None and not found and head.size and by_number[head.size - 1].hex() != head.hash:
        message = f"entry {head.size - 1} does not have the hash that was kept: the ledger was written anew"
        found.append(IntegrityViolation(head.size - 1, "rewritten", message))
    return sorted(found, key=lambda finding: finding.number)


def _find_misplaced(numbers: NDArray[np.int64], head: LedgerHead | None) -> list[IntegrityViolation]:
    found, seen, highest = [], set(), -1
    for number in numbers.tolist():
        if number in seen:
            found.append(IntegrityViolation(number, "repeated", f"entry {number} stands there more than once"))
        elif number < highest:
            found.append(IntegrityViolation(number, "moved", f"entry {number} stands after entry {highest}"))
        seen.add(number)
        highest = max(highest, number)
    size = max(highest + 1, 0 if head is None else head.size)
    present = np.array([-1, *sorted(seen), size])
    for gap in np.flatnonzero(np.diff(present) > 1):
        first, stop = int(present[gap]) + 1, int(present[gap + 1])
        cut = first > highest
        many = f"entry {first} is" if stop == first + 1 else f"entries {first} to {stop - 1} are"
        found.append(
            IntegrityViolation(first, "cut" if cut else "missing", f"{many} missing{' at the end' if cut else ''}")
        )
    return found


def summarize_violations(found: Sequence[IntegrityViolation]) -> str:
    """Return one message for all that was found."""
    listed = "".join(f"\n  {finding.message}" for finding in found[:_MANY])
    rest = f"\n  and {len(found) - _MANY} more" if len(found) > _MANY else ""
    return f"the ledger is not what was written; restore it from a copy whose head you kept:{listed}{rest}"


_HASH: Final = re.compile("[0-9a-f]{64}")


def read_system_clock() -> datetime:
    """Return the time of the computer's clock."""
    return datetime.now(UTC)


class EntryChain:
    """Statements in the order in which they were recorded, each chained to the one before by its hash.

    Parameters
    ----------
    clock : callable, optional
        Gives the time, with a zone. The default asks the computer's clock.
    """

    def __init__(self, *, clock: Callable[[], datetime] = read_system_clock) -> None:
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
            at=to_time(row["at"]),
            until=to_datetime(row["until"]),
            recorded=to_time(row["recorded"]),
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
    def head(self) -> LedgerHead:
        """The length of the ledger and the hash of its last entry, to keep elsewhere."""
        return LedgerHead(len(self), self._tip.hex())

    @property
    def latest(self) -> datetime | None:
        """When the last entry was written down; None if there is none."""
        return to_time(self._store.rows["recorded"][-1]) if len(self) else None

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
        rows = build_statement_row(
            self._store.vocabularies,
            texts={
                "subject": read_text(read_identifiers([subject], "subject")[0], "subject"),
                "purpose": read_text(purpose, "purpose"),
                "feature": "" if feature is None else read_text(feature, "feature"),
                "reference": read_text(reference, "reference", empty=True),
            },
            state=read_state(state),
            source=read_source(source),
            at=recorded if at is None else read_instant(at, "at"),
            until=NEVER if until is None else read_instant(until, "until"),
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
        rows = build_statement_rows(self._store.vocabularies, table, None if source is None else read_source(source))
        self._write(rows, self._time_of_recording())
        return len(rows)

    def verify(self, head: LedgerHead | None = None) -> None:
        """Check the chain anew.

        Parameters
        ----------
        head : LedgerHead, optional
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
        """Return the present, or the time of the last entry if the clock is behind it."""
        now = self._at(None)
        return max(now, int(self._store.rows["recorded"][-1])) if len(self) else now

    def _at(self, at: datetime | str | None) -> int:
        return read_instant(self._clock(), "the clock's time") if at is None else read_instant(at, "at")

    def _write(self, rows: Columns, recorded: int) -> None:
        check_rows(rows, self._store.vocabularies)
        rows["recorded"] = recorded
        numbers = np.arange(len(self), len(self) + len(rows))
        hashes = bytearray()
        tip = self._tip
        for pieces in serialize_entries(numbers, rows, self._store.vocabularies):
            tip = hash_entry(tip, pieces)
            hashes += tip
        rows["hash"] = np.frombuffer(bytes(hashes), dtype=ROW["hash"])
        self._store.append(rows)
        self._tip = tip


def check_chain(numbers: NDArray[np.int64], store: Store, head: LedgerHead | None) -> None:
    """Raise an error for entries whose chain does not hold."""
    if head is not None:
        _check_head(head)
    found = find_violations(numbers, store.rows, store.vocabularies, head)
    if found:
        raise ConsentError(summarize_violations(found), tuple(found))


def _check_head(head: Any) -> None:
    """Raise an error for what is no head, or one that no ledger can have had."""
    sound = isinstance(head, LedgerHead) and isinstance(head.size, int) and isinstance(head.hash, str)
    if not sound or head.size < 0 or not _HASH.fullmatch(head.hash):
        message = (
            f"head is {head!r}; give a LedgerHead with a size from 0 and a hash of 64 hexadecimal digits in lower case"
        )
        raise ConsentError(message)
    if head.size == 0 and head.hash != GENESIS.hex():
        message = f"head is {head!r}; a ledger without entries has the hash {GENESIS.hex()}"
        raise ConsentError(message)
