"""Entries of a ledger as columns of codes, how statements are read into them, and when denials held."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import repeat
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import DENIES, GRANTS, IGNORED, chain_by_subject, spell_ends
from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import (
    EVERY_PURPOSE,
    NEVER,
    ConsentSource,
    ConsentState,
    check_texts,
    factorize_column,
    read_identifiers,
    read_instants,
    read_source,
    read_state,
)

__all__ = [
    "ROW",
    "SOURCES",
    "STATES",
    "TEXTS",
    "Columns",
    "DenialSpells",
    "Store",
    "Vocabulary",
    "build_statement_row",
    "build_statement_rows",
    "check_rows",
    "find_spells",
    "grow_array",
    "read_columns",
]

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
        self._rows = grow_array(self._rows, self.size)
        self._rows[start : self.size] = rows
        known = len(self._last)
        self._last = grow_array(self._last, len(self.vocabularies["subject"].words))
        self._last[known:] = -1
        chain_by_subject(self.rows["subject"], self._last, self.rows["previous"], start)

    def _hold_replays(self, rows: Columns) -> None:
        """Ensure that a replayed grant with a future date ranks no later than when it was first recorded."""
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


def grow_array(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array with at least so many places, twice as many as before if it has to grow."""
    if size <= len(array):
        return array
    grown = np.empty(max(size, 2 * len(array)), array.dtype)
    grown[: len(array)] = array
    return grown


_NEEDED, _OPTIONAL = ("subject", "purpose", "at"), ("state", "granted", "source", "until", "feature", "reference")


def build_statement_row(
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


def build_statement_rows(vocabularies: Mapping[str, Vocabulary], table: Any, source: ConsentSource | None) -> Columns:
    """Return statements as rows."""
    columns = read_columns(table, _NEEDED, _OPTIONAL)
    if ("state" in columns) == ("granted" in columns):
        message = "the table needs a column 'state' or a column 'granted', not both"
        raise ConsentError(message)
    if ("source" in columns) == (source is not None):
        message = "say where the statements came from: a column 'source', or source=..., not both"
        raise ConsentError(message)
    rows = np.zeros(len(columns["at"]), ROW)
    rows["at"] = read_instants(columns["at"], "at")
    if "until" in columns:
        rows["until"] = read_instants(columns["until"], "until", missing=NEVER)
    else:
        rows["until"] = NEVER
    rows["state"] = read_states(columns["state"]) if "state" in columns else _read_grants(columns["granted"])
    rows["source"] = SOURCES.index(source) if source is not None else read_sources(columns["source"])
    texts = {
        "subject": check_texts(read_identifiers(columns["subject"], "column 'subject'"), "subject"),
        "purpose": check_texts(_to_objects(columns["purpose"]), "purpose"),
        **{name: _read_optional_texts(columns, name, len(rows)) for name in ("feature", "reference")},
    }
    for name, words in texts.items():
        codes, distinct = pd.factorize(words)
        rows[name] = vocabularies[name].add(distinct.tolist())[codes] if len(words) else 0
    return rows


def _read_optional_texts(columns: Mapping[str, Any], name: str, size: int) -> NDArray[np.object_]:
    if name not in columns:
        return np.full(size, "", dtype=object)
    return check_texts(_to_objects(columns[name]), name, empty=True)


def read_columns(table: Any, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
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
    return {name: _to_series(frame.get_column(name)) for name in frame.columns}


def _to_series(column: nw.Series[Any]) -> Any:
    native = nw.to_native(column)
    if isinstance(native, pd.Series):
        return native.reset_index(drop=True)
    return pd.Series(column.to_list(), dtype=object)


def _to_objects(values: Any) -> NDArray[np.object_]:
    found: NDArray[np.object_] = values.to_numpy(object, copy=True)
    found[pd.isna(found)] = None
    return found


def read_states(values: Any) -> NDArray[np.uint8]:
    """Read a column of states."""
    return _read_codes(values, lambda value, where: STATES.index(read_state(value, where)), "state")


def read_sources(values: Any) -> NDArray[np.uint8]:
    """Read a column of sources."""
    return _read_codes(values, lambda value, where: SOURCES.index(read_source(value, where)), "source")


def _read_codes(values: Any, read: Any, name: str) -> NDArray[np.uint8]:
    codes, distinct = factorize_column(_to_objects(values), name)
    if (codes < 0).any():
        read(None, f"row {int(np.argmax(codes < 0))}: {name}")
    known = [read(value, f"row {int(np.argmax(codes == code))}: {name}") for code, value in enumerate(distinct)]
    return np.array([*known, 0], dtype=np.uint8)[codes]


def _read_grants(values: Any) -> NDArray[np.uint8]:
    found = _to_objects(values)
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


_SPREADS = np.array([state.denies for state in STATES])


@dataclass(frozen=True, eq=False)
class DenialSpells:
    """Spells of denial, one a row; `ends` is exclusive, and `NEVER` where no later grant was given."""

    subjects: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


def find_spells(store: Store, purposes: NDArray[np.int32], feature: str, now: int) -> DenialSpells:
    """Return the spells about a purpose, or about a feature of it, that began up to `now`.

    A spell begins with a denial, not with silence, a request or expiry, and ends with the next grant of one's own.
    """
    rows = store.rows
    about = int(store.vocabularies["feature"].find([feature])[0])
    asked = np.isin(rows["purpose"], purposes) & (rows["feature"] == about) & (rows["effect"] != IGNORED)
    grants = rows["effect"] == GRANTS
    entries = np.flatnonzero(asked & (np.where(grants, rows["at"], rows["order"]) <= now))
    rank = np.lexsort((rows["effect"][entries] == DENIES, rows["order"][entries], rows["subject"][entries]))
    entries = entries[rank]
    subjects, order = rows["subject"][entries], rows["order"][entries]
    ends = spell_ends(subjects, grants[entries], order, rows["at"][entries], NEVER)
    spreads = _SPREADS[rows["state"][entries]] & (ends > order)
    return DenialSpells(subjects[spreads].astype(np.int64), order[spreads], ends[spreads])
