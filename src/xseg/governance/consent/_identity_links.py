"""Links between identifiers, when they hold, and how denials spread over them."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import LINK_BEGINS, SPELL_BEGINS, SPELL_ENDS, arcs_by_node, spread_denials
from xseg.exceptions import ConsentError
from xseg.governance.consent._consent_inputs import (
    NEVER,
    check_texts,
    read_identifiers,
    read_instant,
    read_instants,
    read_text,
    to_times,
)
from xseg.governance.consent._ledger_record import read_system_clock
from xseg.governance.consent._ledger_store import DenialSpells, Vocabulary, grow_array, read_columns

__all__ = ["Component", "LinkStore", "Reach"]

LINK = np.dtype(
    [
        ("left", np.int32),
        ("right", np.int32),
        ("kind", np.int32),
        ("confidence", np.float64),
        ("since", np.int64),
        ("until", np.int64),
    ]
)


@dataclass(frozen=True, eq=False)
class Reach:
    """Identifiers that denials have reached.

    Attributes
    ----------
    origins : ndarray of int32 of shape (n_identifiers, 2)
        Whose denials, -1 for none; an identifier's own that came back over a loop may be among them.
    times : ndarray of int64 of shape (n_identifiers, 2)
        When they came.
    """

    origins: NDArray[np.int32]
    times: NDArray[np.int64]

    @property
    def inherited(self) -> NDArray[np.bool_]:
        """Whether a denial of somebody else has come to each identifier."""
        own = np.arange(len(self.origins))[:, None]
        return np.asarray(((self.origins >= 0) & (self.origins != own)).any(axis=1))

    def compute_arrival_times(self) -> NDArray[np.int64]:
        """Return when the first denial of somebody else came; `NEVER` where none did."""
        own = np.arange(len(self.origins))[:, None]
        elsewhere = (self.origins >= 0) & (self.origins != own)
        return np.asarray(np.where(elsewhere, self.times, NEVER).min(axis=1, initial=NEVER))


@dataclass(eq=False)
class LinkRows:
    """Links that were ever drawn; one that ends keeps its past."""

    names: Vocabulary = field(default_factory=Vocabulary)
    kinds: Vocabulary = field(default_factory=Vocabulary)
    size: int = 0
    _rows: NDArray[Any] = field(default_factory=lambda: np.empty(16, LINK))

    @property
    def rows(self) -> NDArray[Any]:
        """The links so far."""
        return self._rows[: self.size]

    def add(self, rows: NDArray[Any]) -> None:
        """Draw some links."""
        start, self.size = self.size, self.size + len(rows)
        self._rows = grow_array(self._rows, self.size)
        self._rows[start : self.size] = rows

    def end(self, left: int, right: int, at: int) -> int:
        """End the links between two identifiers that are in force, and those still to come; return how many."""
        rows = self.rows
        between = ((rows["left"] == left) & (rows["right"] == right)) | (
            (rows["left"] == right) & (rows["right"] == left)
        )
        open_ = np.flatnonzero(between & (rows["until"] > at))
        # A link that is yet to begin is left with no time at all.
        rows["until"][open_] = np.maximum(at, rows["since"][open_])
        return len(open_)

    def select_used(self, confidence: float, kinds: Sequence[str] | None, now: int) -> NDArray[Any]:
        """Return the links that the business uses, of those that began up to `now`."""
        rows = self.rows
        chosen = (rows["confidence"] >= confidence) & (rows["since"] <= now) & (rows["until"] > rows["since"])
        if kinds is not None:
            chosen &= np.isin(rows["kind"], self.kinds.find(kinds))
        return np.asarray(rows[chosen])

    def spread(self, links: NDArray[Any], spells: DenialSpells, now: int) -> Reach:
        """Spread spells of denial, whose subjects are identifiers here, over links up to `now`."""
        ended = np.flatnonzero(spells.ends <= now)
        begun = np.flatnonzero(spells.begins <= now)
        kinds = np.repeat(
            np.array([SPELL_ENDS, SPELL_BEGINS, LINK_BEGINS], np.int8), [len(ended), len(begun), len(links)]
        )
        moments = np.concatenate([spells.ends[ended], spells.begins[begun], links["since"]])
        items = np.concatenate([spells.subjects[ended], spells.subjects[begun], np.arange(len(links))])
        order = np.lexsort((kinds, moments))
        ends = {name: np.ascontiguousarray(links[name]) for name in ("left", "right")}
        spans = {name: np.ascontiguousarray(links[name]) for name in ("since", "until")}
        first, arcs = arcs_by_node(ends["left"], ends["right"], len(self.names.words))
        origins, times = spread_denials(
            kinds[order], moments[order], items[order], **ends, **spans, first=first, arcs=arcs
        )
        return Reach(origins, times)


@dataclass(frozen=True, slots=True)
class Component:
    """A connected component of linked identifiers.

    Attributes
    ----------
    size : int
        How many.
    hub : str
        The one with most links.
    links : int
        How many links the hub has.
    """

    size: int
    hub: str
    links: int


class LinkStore:
    """Links between identifiers, of which some are used for targeting.

    Parameters
    ----------
    used_from, used_kinds, largest, clock
        As for `Identities`.
    """

    def __init__(
        self,
        *,
        used_from: float = 0.0,
        used_kinds: Sequence[str] | None = None,
        largest: int = 1000,
        clock: Callable[[], datetime] = read_system_clock,
    ) -> None:
        _check_parameters(used_from, used_kinds, largest)
        self.used_from, self.used_kinds, self.largest = used_from, used_kinds, largest
        self._clock = clock
        self._links = LinkRows()

    def __len__(self) -> int:
        return len(self._links.names.words)

    def __sklearn_clone__(self) -> Self:
        """Return itself: clones of an estimator go on asking the one record that is kept."""
        return self

    def link(
        self,
        left: str | int,
        right: str | int,
        *,
        kind: str,
        confidence: float = 1.0,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> None:
        """Add a link.

        Parameters
        ----------
        left, right : str or int
            Two identifiers; the order means nothing.
        kind : str
            Such as ``"login"`` or ``"household"``.
        confidence : float, default=1.0
            From 0 to 1.
        since : datetime or str, optional
            From when on, with a time zone. None means now.
        until : datetime or str, optional
            Until when, exclusive. None means that it does not end by itself.

        Raises
        ------
        ConsentError
            Something is malformed; nothing was drawn.

        Examples
        --------
        See `Identities`.
        """
        starts = self._at(None) if since is None else read_instant(since, "since")
        columns = {
            "left": read_identifiers([left], "left"),
            "right": read_identifiers([right], "right"),
            "kind": np.array([read_text(kind, "kind")], dtype=object),
            "confidence": np.array([confidence], dtype=object),
        }
        ends = NEVER if until is None else read_instant(until, "until")
        self._add_links(columns, np.array([starts]), np.array([ends]))

    def link_table(self, table: Any) -> int:
        """Add one link for each row.

        Parameters
        ----------
        table : pandas, polars or pyarrow table
            With the columns ``left``, ``right``, ``kind``, ``since``; perhaps ``confidence``, ``until``.

        Returns
        -------
        int
            How many links were drawn.

        Raises
        ------
        ConsentError
            A row is malformed; it is named, and nothing was drawn.

        Examples
        --------
        >>> import pandas as pd
        >>> from xseg.governance.consent import Identities
        >>> table = pd.DataFrame({"left": [1, 2], "right": [2, 3], "kind": "login", "since": "2026-01-01T00:00:00Z"})
        >>> Identities().link_table(table)
        2
        """
        read = read_columns(table, ("left", "right", "kind", "since"), ("confidence", "until"))
        size = len(read["since"])
        columns = {
            "left": read_identifiers(read["left"], "column 'left'"),
            "right": read_identifiers(read["right"], "column 'right'"),
            "kind": read["kind"].to_numpy(object),
            "confidence": read["confidence"].to_numpy(object) if "confidence" in read else np.ones(size, dtype=object),
        }
        until = read_instants(read["until"], "until", missing=NEVER) if "until" in read else np.full(size, NEVER)
        self._add_links(columns, read_instants(read["since"], "since"), until)
        return size

    def to_frame(self) -> pd.DataFrame:
        """Return the links as a table, which `link_table` reads back; those that never held are left out.

        Returns
        -------
        pandas.DataFrame
            With the columns left, right, kind, confidence, since, until; times in UTC, none where there is no end.

        Examples
        --------
        >>> from xseg.governance.consent import Identities
        >>> identities = Identities()
        >>> identities.link("phone", "ann", kind="login")
        >>> Identities().link_table(identities.to_frame())
        1
        """
        rows = self._links.rows[self._links.rows["until"] > self._links.rows["since"]]
        names = np.array([*self._links.names.words, ""], dtype=object)
        kinds = np.array([*self._links.kinds.words, ""], dtype=object)
        return pd.DataFrame(
            {
                "left": pd.Series(names[rows["left"]], dtype=object),
                "right": pd.Series(names[rows["right"]], dtype=object),
                "kind": pd.Series(kinds[rows["kind"]], dtype=object),
                "confidence": rows["confidence"],
                "since": to_times(rows["since"]),
                "until": to_times(rows["until"]),
            }
        )

    def unlink(self, left: str | int, right: str | int, *, at: datetime | str | None = None) -> int:
        """End every link between two identifiers. Denials that have already spread over it keep counting.

        Parameters
        ----------
        left, right : str or int
            Two identifiers.
        at : datetime or str, optional
            From when on, with a time zone. None means now. A time that has passed counts as now: a link that carried
            a denial cannot be undone in hindsight.

        Returns
        -------
        int
            How many links ended.

        Raises
        ------
        ConsentError
            An identifier or the time cannot be read.

        Examples
        --------
        >>> from xseg.governance.consent import Identities
        >>> identities = Identities()
        >>> identities.link("phone", "ann", kind="login")
        >>> identities.unlink("ann", "phone")
        1
        """
        codes = self._links.names.find([read_identifiers([one], "identifier")[0] for one in (left, right)])
        return self._links.end(int(codes[0]), int(codes[1]), max(self._at(at), self._at(None)))

    def find_large_components(self, *, at: datetime | str | None = None) -> list[Component]:
        """Return the groups of identifiers that are too large to be one person, the largest first.

        Parameters
        ----------
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        list of Component
            Those of more than `largest` identifiers, over links that are or were used.

        Examples
        --------
        >>> from xseg.governance.consent import Identities
        >>> Identities().find_large_components()
        []
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        links = self._links.select_used(self.used_from, self.used_kinds, self._at(at))
        n = len(self)
        if n <= self.largest:
            return []
        graph = coo_array((np.ones(len(links), np.int8), (links["left"], links["right"])), shape=(n, n))
        labels = connected_components(graph, directed=False)[1]
        sizes = np.bincount(labels)
        degrees = np.bincount(links["left"], minlength=n) + np.bincount(links["right"], minlength=n)
        found = []
        for label in np.flatnonzero(sizes > self.largest):
            members = np.flatnonzero(labels == label)
            hub = members[np.argmax(degrees[members])]
            found.append(Component(int(sizes[label]), self._links.names.words[hub], int(degrees[hub])))
        return sorted(found, key=lambda component: -component.size)

    def _at(self, at: datetime | str | None) -> int:
        return read_instant(self._clock(), "the clock's time") if at is None else read_instant(at, "at")

    def _add_links(self, columns: dict[str, NDArray[np.object_]], since: NDArray[Any], until: NDArray[Any]) -> None:
        left, right = (check_texts(columns[name], name) for name in ("left", "right"))
        kinds = check_texts(columns["kind"], "kind")
        confidence = _check_confidence(columns["confidence"])
        for wrong, what in [
            (left == right, "left and right are the same identifier"),
            (until <= since, "until is not later than since"),
        ]:
            if wrong.any():
                message = f"row {int(np.argmax(wrong))}: {what}; remove the row or correct it"
                raise ConsentError(message)
        rows = np.zeros(len(since), LINK)
        codes, distinct = pd.factorize(np.concatenate([left, right]))
        known = self._links.names.add(distinct.tolist())
        rows["left"], rows["right"] = np.split(known[codes], 2) if len(since) else (0, 0)
        codes, distinct = pd.factorize(kinds)
        rows["kind"] = self._links.kinds.add(distinct.tolist())[codes] if len(since) else 0
        rows["confidence"], rows["since"], rows["until"] = confidence, since, until
        self._links.add(rows)


def _check_parameters(used_from: Any, used_kinds: Any, largest: Any) -> None:
    """Raise an error for what would let denials go nowhere, or the alarm be silent, without a word."""
    if not _is_number(used_from) or not 0 <= used_from <= 1:
        message = f"used_from={used_from!r}: give a number from 0 to 1"
        raise ConsentError(message)
    if not _is_number(largest) or not isinstance(largest, Integral) or largest < 1:
        message = f"largest={largest!r}: give a whole number from 1"
        raise ConsentError(message)
    if used_kinds is None:
        return
    if isinstance(used_kinds, str | bytes) or not isinstance(used_kinds, Sequence | Set):
        message = f"used_kinds={used_kinds!r}: give a list of kinds of links, or None for all"
        raise ConsentError(message)
    for kind in used_kinds:
        read_text(kind, "a kind in used_kinds")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _check_confidence(values: NDArray[np.object_]) -> NDArray[np.float64]:
    readable = np.array([isinstance(value, str) or _is_number(value) for value in values], dtype=bool)
    known = pd.Series([value if fit else None for value, fit in zip(values, readable, strict=True)], dtype=object)
    confidence = pd.to_numeric(known, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = ~((confidence >= 0) & (confidence <= 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        message = f"row {row}: confidence is {values[row]!r}; it is a number from 0 to 1"
        raise ConsentError(message)
    return confidence
