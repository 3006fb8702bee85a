"""Devices, accounts and people: which of them a denial reaches."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.consent._entries import check_texts, read_identifiers, read_text
from xseg.consent._ledger import Ledger, clock
from xseg.consent._links import LINK, Links, Reach
from xseg.consent._recall import Recall, RecallReceipt, Suppression
from xseg.consent._rows import columns_of
from xseg.consent._spells import DenialSpells
from xseg.consent._times import NEVER, instant, instants, moment, times_of
from xseg.exceptions import ConsentError, LargeComponentWarning

__all__ = ["Component", "Identities", "IdentityState"]


class IdentityState(StrEnum):
    """What holds for an identifier, its own statements and those of others taken together.

    Only `ALLOWED` allows anything. `CONFLICT` is an agreement of its own where somebody linked to it denies.

    Examples
    --------
    >>> from xseg.consent import IdentityState
    >>> IdentityState("conflict")
    <IdentityState.CONFLICT: 'conflict'>
    """

    ALLOWED = "allowed"
    DENIED = "denied"
    DENIED_BY_LINK = "denied by link"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Component:
    """Identifiers that hang together.

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


class Identities:
    """Links between devices, accounts and people, over which denials spread and agreement does not.

    A denial reaches every identifier that the business itself reaches from the one it was made with: over each link
    it uses for targeting, from the moment on at which link and denial are both in force. What a denial has reached
    stays reached: neither the end of a link nor a later agreement elsewhere undoes it. A link drawn later inherits.

    Parameters
    ----------
    used_from : float, default=0.0
        Links of at least this confidence are used for targeting, and so carry denials.
    used_kinds : sequence of str, optional
        Links of these kinds are used for targeting. None means all.
    largest : int, default=1000
        More identifiers than this that hang together raise an alarm: a link is likely to be wrong.
    now : callable, optional
        Gives the time, with a zone.

    Raises
    ------
    ConsentError
        A parameter is not allowed.

    Examples
    --------
    >>> from xseg.consent import Identities, Ledger
    >>> ledger, identities = Ledger(), Identities()
    >>> identities.link("phone", "ann", kind="login", since="2026-01-01T00:00:00Z")
    >>> for subject in ("phone", "ann"):
    ...     _ = ledger.append(subject, "offers", "given", source="account", at="2026-02-01T00:00:00Z")
    >>> _ = ledger.append("phone", "offers", "withdrawn", source="device", at="2026-03-01T00:00:00Z")
    >>> [str(state) for state in identities.states(ledger, ["phone", "ann"], "offers")]
    ['denied', 'conflict']
    """

    def __init__(
        self,
        *,
        used_from: float = 0.0,
        used_kinds: Sequence[str] | None = None,
        largest: int = 1000,
        now: Callable[[], datetime] = clock,
    ) -> None:
        if isinstance(used_kinds, str) or not 0 <= used_from <= 1 or largest < 1:
            message = f"used_from={used_from!r} is from 0 to 1, largest={largest!r} from 1, used_kinds a list of texts"
            raise ConsentError(message)
        self.used_from, self.used_kinds, self.largest = used_from, used_kinds, largest
        self._now = now
        self._links = Links()
        self._recall = Recall()

    def __len__(self) -> int:
        return len(self._links.names.words)

    def __sklearn_clone__(self) -> Self:
        """Give itself: clones of an estimator go on asking the one record that is kept."""
        return self

    def __repr__(self) -> str:
        return f"Identities({len(self)} identifiers, {self._links.size} links)"

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
        """Draw a link.

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
        starts = self._at(None) if since is None else instant(since, "since")
        columns = {
            "left": read_identifiers([left], "left"),
            "right": read_identifiers([right], "right"),
            "kind": np.array([read_text(kind, "kind")], dtype=object),
            "confidence": np.array([confidence], dtype=object),
        }
        ends = NEVER if until is None else instant(until, "until")
        self._draw(columns, np.array([starts]), np.array([ends]))

    def link_table(self, table: Any) -> int:
        """Draw one link a row.

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
        >>> from xseg.consent import Identities
        >>> table = pd.DataFrame({"left": [1, 2], "right": [2, 3], "kind": "login", "since": "2026-01-01T00:00:00Z"})
        >>> Identities().link_table(table)
        2
        """
        read = columns_of(table, ("left", "right", "kind", "since"), ("confidence", "until"))
        size = len(read["since"])
        columns = {
            "left": read_identifiers(read["left"], "column 'left'"),
            "right": read_identifiers(read["right"], "column 'right'"),
            "kind": read["kind"].to_numpy(object),
            "confidence": read["confidence"].to_numpy(object) if "confidence" in read else np.ones(size, dtype=object),
        }
        until = instants(read["until"], "until", missing=NEVER) if "until" in read else np.full(size, NEVER)
        self._draw(columns, instants(read["since"], "since"), until)
        return size

    def to_frame(self) -> pd.DataFrame:
        """Give the links as a table, which `link_table` reads back; those that never held are left out.

        Returns
        -------
        pandas.DataFrame
            With the columns left, right, kind, confidence, since, until; times in UTC, none where there is no end.

        Examples
        --------
        >>> from xseg.consent import Identities
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
                "since": times_of(rows["since"]),
                "until": times_of(rows["until"]),
            }
        )

    def unlink(self, left: str | int, right: str | int, *, at: datetime | str | None = None) -> int:
        """End every link between two identifiers. What has spread over it stays where it is.

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
        >>> from xseg.consent import Identities
        >>> identities = Identities()
        >>> identities.link("phone", "ann", kind="login")
        >>> identities.unlink("ann", "phone")
        1
        """
        codes = self._links.names.find([read_identifiers([one], "identifier")[0] for one in (left, right)])
        return self._links.end(int(codes[0]), int(codes[1]), max(self._at(at), self._at(None)))

    def mask(
        self, ledger: Ledger, identifiers: Any, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Say which identifiers may be used for a purpose.

        Parameters
        ----------
        ledger : Ledger
            What the identifiers' owners said.
        identifiers : array-like of str or int of shape (n,)
            Which to ask about.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        ndarray of bool of shape (n,)
            True where the ledger says yes of the identifier itself and no denial of another has reached it.

        Raises
        ------
        ConsentError
            Something cannot be read.

        Warns
        -----
        LargeComponentWarning
            More than `largest` identifiers hang together.

        Examples
        --------
        See `Identities`.
        """
        return self._weigh(ledger, identifiers, purpose, at)[0]

    def withheld(
        self, ledger: Ledger, identifiers: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Say from whom a feature must be kept: who withholds it, and whom such a denial of another has reached.

        Parameters
        ----------
        ledger : Ledger
            What the identifiers' owners said.
        identifiers : array-like of str or int of shape (n,)
            Which to ask about.
        feature : str
            The feature.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        ndarray of bool of shape (n,)
            True where the feature counts as missing.

        Raises
        ------
        ConsentError
            Something cannot be read.

        Examples
        --------
        >>> from xseg.consent import Identities, Ledger
        >>> ledger, identities = Ledger(), Identities()
        >>> identities.link("phone", "ann", kind="login", since="2026-01-01T00:00:00Z")
        >>> _ = ledger.append("phone", "offers", "refused", source="device", feature="age", at="2026-03-01T00:00:00Z")
        >>> identities.withheld(ledger, ["ann", "bob"], "age", "offers")
        array([ True, False])
        """
        now = self._at(at)
        names = read_identifiers(identifiers, "identifiers")
        own = ledger.withheld(names, feature, purpose, at=moment(now))
        return np.asarray(own | self._inherited(names, self._reach(ledger, purpose, now, feature)))

    def states(
        self, ledger: Ledger, identifiers: Any, purpose: str, *, at: datetime | str | None = None
    ) -> list[IdentityState]:
        """Say what holds for each identifier; the parameters are those of `mask`.

        Returns
        -------
        list of IdentityState
            Of which `ALLOWED` alone allows anything.

        Examples
        --------
        See `Identities`.
        """
        allowed, agreed, inherited = self._weigh(ledger, identifiers, purpose, at)
        return [
            IdentityState.ALLOWED
            if may
            else IdentityState.CONFLICT
            if own
            else IdentityState.DENIED_BY_LINK
            if reached
            else IdentityState.DENIED
            for may, own, reached in zip(allowed.tolist(), agreed.tolist(), inherited.tolist(), strict=True)
        ]

    def reached(self, ledger: Ledger, purpose: str, *, at: datetime | str | None = None) -> dict[str, datetime]:
        """Give the identifiers that a denial of another has reached, and when the first one did.

        Parameters
        ----------
        ledger : Ledger
            What the identifiers' owners said.
        purpose : str
            What for.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        dict of str to datetime
            In the order in which the identifiers were first linked.

        Examples
        --------
        >>> from xseg.consent import Identities, Ledger
        >>> ledger, identities = Ledger(), Identities()
        >>> identities.link("phone", "ann", kind="login", since="2026-01-01T00:00:00Z")
        >>> _ = ledger.append("phone", "offers", "refused", source="device", at="2026-03-01T00:00:00Z")
        >>> list(identities.reached(ledger, "offers"))
        ['ann']
        """
        since = self._reach(ledger, purpose, self._at(at)).since()
        words = self._links.names.words
        times = {words[code]: moment(int(since[code])) for code in np.flatnonzero(since != NEVER)}
        return {name: time for name, time in times.items() if time is not None}

    def components(self, *, at: datetime | str | None = None) -> list[Component]:
        """Give the groups of identifiers that are too large to be one person, the largest first.

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
        >>> from xseg.consent import Identities
        >>> Identities().components()
        []
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        links = self._links.used(self.used_from, self.used_kinds, self._at(at))
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

    def handed_over(self, identifier: str | int, recipient: str, *, at: datetime | str | None = None) -> None:
        """Write down that somebody was given an identifier.

        Parameters
        ----------
        identifier : str or int
            What was given.
        recipient : str
            To whom.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Raises
        ------
        ConsentError
            Something cannot be read.

        Examples
        --------
        See `recall`.
        """
        name = read_text(read_identifiers([identifier], "identifier")[0], "identifier")
        self._recall.note(name, read_text(recipient, "recipient"), self._at(at))

    def recall(
        self,
        ledger: Ledger,
        identifier: str | int,
        purpose: str,
        send: Callable[[Suppression], str],
        *,
        at: datetime | str | None = None,
    ) -> list[RecallReceipt]:
        """Tell everybody who was ever given an identifier, or one that its denial reaches, to stop using it.

        Parameters
        ----------
        ledger : Ledger
            What the identifiers' owners said.
        identifier : str or int
            Whose denial it is.
        purpose : str
            What is denied.
        send : callable
            Delivers one `Suppression` and gives the recipient's answer. If it fails, the others are told nevertheless.
        at : datetime or str, optional
            When, with a time zone. None means now.

        Returns
        -------
        list of RecallReceipt
            One for each recipient and identifier, also where delivery failed.

        Raises
        ------
        ConsentError
            Something cannot be read.

        Examples
        --------
        >>> from xseg.consent import Identities, Ledger
        >>> identities = Identities()
        >>> identities.link("phone", "ann", kind="login")
        >>> identities.handed_over("ann", "Parcel Post")
        >>> [receipt.identifier for receipt in identities.recall(Ledger(), "phone", "offers", lambda order: "done")]
        ['ann']
        """
        now = self._at(at)
        name = read_text(read_identifiers([identifier], "identifier")[0], "identifier")
        ledger_code = int(ledger.subjects([name])[0])
        code = int(self._links.names.find([name])[0])
        reached = {name}
        if code >= 0:
            spells = ledger.denial_spells(purpose, now)
            own = spells.subjects == ledger_code
            # The recall itself is a denial, made now.
            begins, ends = np.append(spells.begins[own], now), np.append(spells.ends[own], NEVER)
            alone = DenialSpells(np.full(len(begins), code, np.int64), begins, ends)
            links = self._links.used(self.used_from, self.used_kinds, now)
            origins = self._links.reach(links, alone, now).origins
            reached |= {self._links.names.words[one] for one in np.flatnonzero((origins >= 0).any(axis=1))}
        return self._recall.send(sorted(reached), name, purpose, now, send)

    def _at(self, at: datetime | str | None) -> int:
        return instant(self._now(), "the clock's time") if at is None else instant(at, "at")

    def _draw(self, columns: dict[str, NDArray[np.object_]], since: NDArray[Any], until: NDArray[Any]) -> None:
        left, right = (check_texts(columns[name], name) for name in ("left", "right"))
        kinds = check_texts(columns["kind"], "kind")
        confidence = _confidence(columns["confidence"])
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

    def _reach(self, ledger: Ledger, purpose: str, now: int, feature: str = "") -> Reach:
        spells = ledger.denial_spells(purpose, now, feature)
        names = self._links.names
        codes, subjects = pd.factorize(spells.subjects)
        nodes = names.find(ledger.subject_names(subjects))[codes] if len(subjects) else np.empty(0, np.int32)
        linked = nodes >= 0
        known = DenialSpells(nodes[linked].astype(np.int64), spells.begins[linked], spells.ends[linked])
        return self._links.reach(self._links.used(self.used_from, self.used_kinds, now), known, now)

    def _inherited(self, names: NDArray[np.object_], reach: Reach) -> NDArray[np.bool_]:
        """Say which identifiers a denial of another has reached; unknown ones none has."""
        return np.append(reach.inherited, False)[self._links.names.find(names)]

    def _weigh(
        self, ledger: Ledger, identifiers: Any, purpose: str, at: datetime | str | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Give who is allowed, who agreed, and whom a denial of another has reached."""
        now = self._at(at)
        for component in self.components(at=at)[:1]:
            message = (
                f"{component.size} identifiers hang together, more than {self.largest}; {component.hub!r} alone has "
                f"{component.links} links: check it, since each denial among them denies all"
            )
            warnings.warn(message, LargeComponentWarning, stacklevel=3)
        names = read_identifiers(identifiers, "identifiers")
        agreed = ledger.mask(names, purpose, at=moment(now))
        inherited = self._inherited(names, self._reach(ledger, purpose, now))
        return agreed & ~inherited, agreed, inherited


def _confidence(values: NDArray[np.object_]) -> NDArray[np.float64]:
    confidence = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = ~((confidence >= 0) & (confidence <= 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        message = f"row {row}: confidence is {values[row]!r}; it is a number from 0 to 1"
        raise ConsentError(message)
    return confidence
