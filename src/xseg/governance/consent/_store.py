"""Entries of a ledger in columns: texts as codes, times as integers, each with a link to its subject's last one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import DENIES, GRANTS, IGNORED, chain_by_subject
from xseg.governance.consent._states import ConsentSource, ConsentState

__all__ = ["ROW", "SOURCES", "STATES", "TEXTS", "Columns", "Store", "Vocabulary", "room_for"]

STATES, SOURCES = tuple(ConsentState), tuple(ConsentSource)
TEXTS = ("subject", "purpose", "feature", "reference")
_ALLOWS = np.array([state.allows for state in STATES])
_BUSINESS = SOURCES.index(ConsentSource.BUSINESS)
ROW = np.dtype(
    [
        *((name, np.int32) for name in TEXTS),
        *((name, np.int64) for name in ("at", "until", "recorded", "order", "previous")),
        *((name, np.uint8) for name in ("state", "source", "effect")),
        ("hash", "V32"),
    ]
)
Columns = NDArray[Any]


class Vocabulary:
    """Distinct texts, by the order of their arrival."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.words: list[str] = []

    def add(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Return the codes of some words; new ones get new codes."""
        for word in words:
            if word not in self.codes:
                self.codes[word] = len(self.words)
                self.words.append(word)
        return self.find(words)

    def find(self, words: Iterable[Any]) -> NDArray[np.int32]:
        """Return the codes of some words; -1 where a word is not known."""
        return np.fromiter(map(self.codes.get, words, repeat(-1)), dtype=np.int32, count=-1)


@dataclass(eq=False)
class Store:
    """Entries that can only become more."""

    vocabularies: dict[str, Vocabulary] = field(default_factory=lambda: {name: Vocabulary() for name in TEXTS})
    size: int = 0
    _rows: Columns = field(default_factory=lambda: np.empty(16, ROW))
    _last: NDArray[np.int64] = field(default_factory=lambda: np.full(16, -1))
    _awaited: set[int] = field(default_factory=set)
    _first_heard: dict[tuple[int, ...], int] = field(default_factory=dict)

    @property
    def rows(self) -> Columns:
        """The entries so far."""
        return self._rows[: self.size]

    def append(self, rows: Columns) -> None:
        """Append new entries, whose hashes are known, and compute what each of them does."""
        rows["effect"] = np.where(_ALLOWS[rows["state"]], GRANTS, DENIES)
        rows["effect"][(rows["effect"] == GRANTS) & (rows["source"] == _BUSINESS)] = IGNORED
        rows["order"] = np.minimum(rows["at"], rows["recorded"])
        self._hold_replays(rows)
        start, self.size = self.size, self.size + len(rows)
        self._rows = room_for(self._rows, self.size)
        self._rows[start : self.size] = rows
        known = len(self._last)
        self._last = room_for(self._last, len(self.vocabularies["subject"].words))
        self._last[known:] = -1
        chain_by_subject(self.rows["subject"], self._last, self.rows["previous"], start)

    def _hold_replays(self, rows: Columns) -> None:
        """Ensure that a grant from the future, replayed, comes no later than when it was first heard of."""
        early = (rows["at"] > rows["recorded"]) & (rows["effect"] == GRANTS)
        self._awaited.update(rows["at"][early].tolist())
        if not self._awaited:
            return
        awaited = np.isin(rows["at"], np.array(sorted(self._awaited)))
        for i in np.flatnonzero(awaited & (rows["effect"] == GRANTS)):
            said = tuple(int(rows[name][i]) for name in (*TEXTS, "at", "until", "state", "source"))
            rows["order"][i] = self._first_heard.setdefault(said, int(rows["order"][i]))

    @property
    def last(self) -> NDArray[np.int64]:
        """The last entry of each subject."""
        return self._last


def room_for(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array with at least so many places, twice as many as before if it has to grow."""
    if size <= len(array):
        return array
    grown = np.empty(max(size, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown
