"""The chain of hashes, and what is found where it does not hold.

An entry's hash is SHA-256 over the hash before it (32 zero bytes before the first), its number and times as 64-bit
big-endian integers (number, at, until, recorded), and its texts (subject, purpose, feature, reference, state, source),
each preceded by its length in bytes as a 32-bit big-endian integer, in UTF-8.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xseg.governance.consent._store import SOURCES, STATES, TEXTS, Columns, Vocabulary

__all__ = ["GENESIS", "Finding", "Head", "contents", "findings_in", "link", "summary"]

GENESIS = bytes(32)
_MANY = 20


@dataclass(frozen=True, slots=True)
class Head:
    """How long a ledger is and the hash of its last entry; keep it elsewhere, to find a ledger cut or written anew.

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
class Finding:
    """One place where a ledger is not what was written.

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
    >>> from xseg.governance.consent import Finding
    >>> Finding(4, "missing", "entry 4 is missing").kind
    'missing'
    """

    number: int
    kind: Literal["edited", "missing", "moved", "repeated", "cut", "rewritten"]
    message: str


def contents(
    numbers: NDArray[np.int64], rows: Columns, vocabularies: dict[str, Vocabulary]
) -> Iterable[tuple[bytes, ...]]:
    """Return the canonical bytes of each entry, in pieces, without the hash before it."""
    times = np.stack([numbers, rows["at"], rows["until"], rows["recorded"]], axis=1).astype(">i8").tobytes()
    subjects = _pieces(vocabularies["subject"].words, rows["subject"])
    slices = (times[start : start + 32] for start in range(0, len(times), 32))
    return zip(slices, subjects, _tails(rows, vocabularies), strict=True)


def _tails(rows: Columns, vocabularies: dict[str, Vocabulary]) -> Iterable[bytes]:
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
    tails = [b"".join(_with_length(known[rows[name][i]].encode()) for name, known in words.items()) for i in places]
    return map(tails.__getitem__, codes.tolist())


def _pieces(words: Sequence[str], codes: NDArray[np.integer]) -> Iterable[bytes]:
    used = np.unique(codes).tolist()
    encoded = {code: _with_length(words[code].encode()) for code in used}
    return map(encoded.__getitem__, codes.tolist())


def _with_length(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def link(previous: bytes, pieces: tuple[bytes, ...]) -> bytes:
    """Return the hash of an entry that follows another."""
    return sha256(b"".join((previous, *pieces))).digest()


def findings_in(
    numbers: NDArray[np.int64], rows: Columns, vocabularies: dict[str, Vocabulary], head: Head | None
) -> list[Finding]:
    """Find every entry that was edited, removed, repeated or moved."""
    hashes = [row.tobytes() for row in rows["hash"]]
    by_number = dict(zip(numbers.tolist(), hashes, strict=True)) | {-1: GENESIS}
    found = _out_of_place(numbers, head)
    for number, hashed, pieces in zip(numbers.tolist(), hashes, contents(numbers, rows, vocabularies), strict=True):
        previous = by_number.get(number - 1)
        if previous is not None and link(previous, pieces) != hashed:
            rests = f", or entry {number - 1}, on which its hash rests, was" if number else ""
            found.append(Finding(number, "edited", f"entry {number} was edited{rests}"))
    if head is not None and not found and head.size and by_number[head.size - 1].hex() != head.hash:
        message = f"entry {head.size - 1} does not have the hash that was kept: the ledger was written anew"
        found.append(Finding(head.size - 1, "rewritten", message))
    return sorted(found, key=lambda finding: finding.number)


def _out_of_place(numbers: NDArray[np.int64], head: Head | None) -> list[Finding]:
    found, seen, highest = [], set(), -1
    for number in numbers.tolist():
        if number in seen:
            found.append(Finding(number, "repeated", f"entry {number} stands there more than once"))
        elif number < highest:
            found.append(Finding(number, "moved", f"entry {number} stands after entry {highest}"))
        seen.add(number)
        highest = max(highest, number)
    size = max(highest + 1, 0 if head is None else head.size)
    present = np.array([-1, *sorted(seen), size])
    for gap in np.flatnonzero(np.diff(present) > 1):
        first, stop = int(present[gap]) + 1, int(present[gap + 1])
        cut = first > highest
        many = f"entry {first} is" if stop == first + 1 else f"entries {first} to {stop - 1} are"
        found.append(Finding(first, "cut" if cut else "missing", f"{many} missing{' at the end' if cut else ''}"))
    return found


def summary(found: Sequence[Finding]) -> str:
    """Return one message for all that was found."""
    listed = "".join(f"\n  {finding.message}" for finding in found[:_MANY])
    rest = f"\n  and {len(found) - _MANY} more" if len(found) > _MANY else ""
    return f"the ledger is not what was written; restore it from a copy whose head you kept:{listed}{rest}"
