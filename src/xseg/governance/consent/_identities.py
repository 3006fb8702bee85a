"""Identities: which identifiers a denial reaches, and a ledger that is asked through their links."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._files import digest_parts
from xseg.exceptions import ConsentError, LargeComponentWarning
from xseg.governance.consent._consent_inputs import NEVER, read_identifiers, read_text, to_datetime
from xseg.governance.consent._identity_links import LinkStore, Reach
from xseg.governance.consent._ledger import Ledger
from xseg.governance.consent._ledger_record import read_system_clock
from xseg.governance.consent._ledger_store import DenialSpells
from xseg.governance.consent._receipts import Recall, RecallReceipt, Suppression

__all__ = ["ConsentResolver", "Identities", "IdentityState"]


class IdentityState(StrEnum):
    """What holds for an identifier, its own statements and those of others taken together.

    Only `ALLOWED` allows anything. `CONFLICT` is an agreement of its own where somebody linked to it denies.

    Examples
    --------
    >>> from xseg.governance.consent import IdentityState
    >>> IdentityState("conflict")
    <IdentityState.CONFLICT: 'conflict'>
    """

    ALLOWED = "allowed"
    DENIED = "denied"
    DENIED_BY_LINK = "denied by link"
    CONFLICT = "conflict"


_BY_LINK = frozenset({IdentityState.DENIED_BY_LINK, IdentityState.CONFLICT})


class Identities(LinkStore):
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
    clock : callable, optional
        Gives the time, with a zone.

    Raises
    ------
    ConsentError
        A parameter is not allowed.

    Examples
    --------
    >>> from xseg.governance.consent import Identities, Ledger
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
        clock: Callable[[], datetime] = read_system_clock,
    ) -> None:
        super().__init__(used_from=used_from, used_kinds=used_kinds, largest=largest, clock=clock)
        self._recall = Recall()

    def __repr__(self) -> str:
        return f"Identities({len(self)} identifiers, {self._links.size} links)"

    def mask(
        self, ledger: Ledger, identifiers: Any, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return which identifiers may be used for a purpose.

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
            True where the identifier itself has agreed and no denial of a linked identifier has reached it.

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
        return self._resolve_consent(ledger, identifiers, purpose, at)[0]

    def is_withheld(
        self, ledger: Ledger, identifiers: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return from whom a feature must be kept: who withholds it, and whom such a denial of another has reached.

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
        >>> from xseg.governance.consent import Identities, Ledger
        >>> ledger, identities = Ledger(), Identities()
        >>> identities.link("phone", "ann", kind="login", since="2026-01-01T00:00:00Z")
        >>> _ = ledger.append("phone", "offers", "refused", source="device", feature="age", at="2026-03-01T00:00:00Z")
        >>> identities.is_withheld(ledger, ["ann", "bob"], "age", "offers")
        array([ True, False])
        """
        now = self._at(at)
        names = read_identifiers(identifiers, "identifiers")
        own = ledger.is_withheld(names, feature, purpose, at=to_datetime(now))
        return np.asarray(own | self._is_reached(names, self._reach(ledger, purpose, now, feature)))

    def states(
        self, ledger: Ledger, identifiers: Any, purpose: str, *, at: datetime | str | None = None
    ) -> list[IdentityState]:
        """Return what holds for each identifier; the parameters are those of `mask`.

        Returns
        -------
        list of IdentityState
            Of which `ALLOWED` alone allows anything.

        Examples
        --------
        See `Identities`.
        """
        allowed, agreed, inherited = self._resolve_consent(ledger, identifiers, purpose, at)
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

    def is_denied_by_link(
        self, ledger: Ledger, identifiers: Any, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return which identifiers a denial that was made with another one has reached."""
        return np.array([state in _BY_LINK for state in self.states(ledger, identifiers, purpose, at=at)], dtype=bool)

    def digest_state(self) -> str:
        """Return a digest of the links, and of which of them count."""
        return digest_parts(f"{self.used_from} {self.used_kinds}", self.to_frame().to_csv(index=False))

    def find_reached(self, ledger: Ledger, purpose: str, *, at: datetime | str | None = None) -> dict[str, datetime]:
        """Return the identifiers that a denial of another has reached, and when the first one did.

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
        >>> from xseg.governance.consent import Identities, Ledger
        >>> ledger, identities = Ledger(), Identities()
        >>> identities.link("phone", "ann", kind="login", since="2026-01-01T00:00:00Z")
        >>> _ = ledger.append("phone", "offers", "refused", source="device", at="2026-03-01T00:00:00Z")
        >>> list(identities.find_reached(ledger, "offers"))
        ['ann']
        """
        since = self._reach(ledger, purpose, self._at(at)).compute_arrival_times()
        words = self._links.names.words
        times = {words[code]: to_datetime(int(since[code])) for code in np.flatnonzero(since != NEVER)}
        return {name: time for name, time in times.items() if time is not None}

    def record_disclosure(self, identifier: str | int, recipient: str, *, at: datetime | str | None = None) -> None:
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
        """Notify everybody who was ever given an identifier, or one that its denial reaches, to stop using it.

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
        >>> from xseg.governance.consent import Identities, Ledger
        >>> identities = Identities()
        >>> identities.link("phone", "ann", kind="login")
        >>> identities.record_disclosure("ann", "Parcel Post")
        >>> [receipt.identifier for receipt in identities.recall(Ledger(), "phone", "offers", lambda order: "done")]
        ['ann']
        """
        if not callable(send):
            message = f"send is {send!r}; give a function that delivers one suppression and gives the answer"
            raise ConsentError(message)
        now = self._at(at)
        name = read_text(read_identifiers([identifier], "identifier")[0], "identifier")
        ledger_code = int(ledger.encode_subjects([name])[0])
        code = int(self._links.names.find([name])[0])
        reached = {name}
        if code >= 0:
            spells = ledger.find_denial_spells(purpose, now)
            own = spells.subjects == ledger_code
            # The recall itself is a denial, made now.
            begins, ends = np.append(spells.begins[own], now), np.append(spells.ends[own], NEVER)
            alone = DenialSpells(np.full(len(begins), code, np.int64), begins, ends)
            links = self._links.select_used(self.used_from, self.used_kinds, now)
            origins = self._links.spread(links, alone, now).origins
            reached |= {self._links.names.words[one] for one in np.flatnonzero((origins >= 0).any(axis=1))}
        return self._recall.send(sorted(reached), name, purpose, now, send)

    def _reach(self, ledger: Ledger, purpose: str, now: int, feature: str = "") -> Reach:
        spells = ledger.find_denial_spells(purpose, now, feature)
        names = self._links.names
        codes, subjects = pd.factorize(spells.subjects)
        nodes = names.find(ledger.decode_subjects(subjects))[codes] if len(subjects) else np.empty(0, np.int32)
        linked = nodes >= 0
        known = DenialSpells(nodes[linked].astype(np.int64), spells.begins[linked], spells.ends[linked])
        return self._links.spread(self._links.select_used(self.used_from, self.used_kinds, now), known, now)

    def _is_reached(self, names: NDArray[np.object_], reach: Reach) -> NDArray[np.bool_]:
        """Return which identifiers a denial of another has reached; unknown ones none has."""
        return np.append(reach.inherited, False)[self._links.names.find(names)]

    def _resolve_consent(
        self, ledger: Ledger, identifiers: Any, purpose: str, at: datetime | str | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return who is allowed, who agreed, and whom a denial of another has reached."""
        now = self._at(at)
        for component in self.find_large_components(at=at)[:1]:
            message = (
                f"{component.size} identifiers hang together, more than {self.largest}; {component.hub!r} alone has "
                f"{component.links} links: check it, since each denial among them denies all"
            )
            warnings.warn(message, LargeComponentWarning, stacklevel=3)
        names = read_identifiers(identifiers, "identifiers")
        agreed = ledger.has_consent(names, purpose, at=to_datetime(now))
        inherited = self._is_reached(names, self._reach(ledger, purpose, now))
        return agreed & ~inherited, agreed, inherited


@dataclass(frozen=True, eq=False)
class ConsentResolver:
    """A ledger together with the links, if there are any, over which its denials spread.

    Attributes
    ----------
    ledger : Ledger
        What was said.
    identities : Identities or None
        The links.
    """

    ledger: Ledger
    identities: Identities | None = None

    def mask(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return who may be used for a purpose; see `Ledger.mask`."""
        if self.identities is None:
            return self.ledger.has_consent(subjects, purpose, at=at)
        return self.identities.mask(self.ledger, subjects, purpose, at=at)

    def is_withheld(
        self, subjects: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return from whom a feature must be kept; see `Ledger.is_withheld`."""
        if self.identities is None:
            return self.ledger.is_withheld(subjects, feature, purpose, at=at)
        return self.identities.is_withheld(self.ledger, subjects, feature, purpose, at=at)

    def is_denied_by_link(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return whom a denial that was made with another identifier has reached."""
        if self.identities is None:
            return np.zeros(len(subjects), dtype=bool)
        return self.identities.is_denied_by_link(self.ledger, subjects, purpose, at=at)
