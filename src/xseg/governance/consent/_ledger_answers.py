"""Queries to a ledger: who has agreed, and who withholds what."""

from datetime import datetime
from difflib import get_close_matches
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg._kernels.consent_kernels import GRANTS, deciding_entries
from xseg.exceptions import ConsentError, UnknownPurposeWarning
from xseg.governance.consent._consent_inputs import EVERY_PURPOSE, ConsentState, Entry, read_identifiers, read_text
from xseg.governance.consent._ledger_record import EntryChain
from xseg.governance.consent._ledger_store import STATES, Columns, DenialSpells, find_spells

__all__ = ["ConsentQueries"]


class ConsentQueries(EntryChain):
    """A record that answers who has agreed."""

    def mask(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return who has agreed.

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

        Warns
        -----
        UnknownPurposeWarning
            The ledger holds entries, and none about this purpose.

        Examples
        --------
        See `Ledger`.
        """
        found = self.has_consent(subjects, purpose, at=at)
        self.warn_about_unknown_purpose(purpose)
        return found

    def has_consent(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> NDArray[np.bool_]:
        """Return the same as `mask`, without a warning if the ledger has no entry about the purpose."""
        now = self._at(at)
        return self._is_valid(self._find_deciding(subjects, purpose, "", now), now)

    def warn_about_unknown_purpose(self, purpose: str) -> None:
        """Warn if a ledger that holds entries has none about a purpose: a typing error would deny it for everybody."""
        known = [word for word in self._store.vocabularies["purpose"].words if word != EVERY_PURPOSE]
        if not known or purpose in known or not isinstance(purpose, str):
            return
        nearest = get_close_matches(purpose, known, n=3, cutoff=0.0)
        message = (
            f"the ledger has no entry about the purpose {purpose!r}, so nobody has agreed to it; the nearest that it "
            f"has: {', '.join(map(repr, nearest))}. Check the spelling"
        )
        warn(message, UnknownPurposeWarning, stacklevel=3)

    def states(self, subjects: Any, purpose: str, *, at: datetime | str | None = None) -> list[ConsentState]:
        """Return in which state each person's consent is.

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
        >>> from xseg.governance.consent import Ledger
        >>> [str(state) for state in Ledger().states(["ann"], "offers")]
        ['unknown']
        """
        now = self._at(at)
        entries = self._find_deciding(subjects, purpose, "", now)
        rows, valid = self._store.rows, self._is_valid(entries, now)
        return [
            self._read_entry_state(rows, entry, allowed) for entry, allowed in zip(entries.tolist(), valid, strict=True)
        ]

    def find_deciding_entries(
        self, subjects: Any, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.int64]:
        """Return the number of the entry that decides about each person; the parameters are those of `mask`.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Numbers of entries; -1 where nothing was said.

        Examples
        --------
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="account")
        >>> ledger.find_deciding_entries(["bob", "ann"], "offers")
        array([-1,  0])
        """
        return self._find_deciding(subjects, purpose, "", self._at(at))

    def find_entries(self, subject: str | int) -> list[Entry]:
        """Return everything that one person said, in the order it was written down.

        Examples
        --------
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "given", source="account")
        >>> [str(entry.state) for entry in ledger.find_entries("ann")], ledger.find_entries("bob")
        (['given'], [])
        """
        code = int(self.encode_subjects([subject])[0])
        numbers = np.flatnonzero(self._store.rows["subject"] == code) if code >= 0 else np.empty(0, np.int64)
        return [self[number] for number in numbers.tolist()]

    @staticmethod
    def _read_entry_state(rows: Columns, entry: int, allowed: bool) -> ConsentState:
        if entry < 0:
            return ConsentState.UNKNOWN
        state = STATES[rows["state"][entry]]
        return ConsentState.EXPIRED if state.allows and not allowed else state

    def is_withheld(
        self, subjects: Any, feature: str, purpose: str, *, at: datetime | str | None = None
    ) -> NDArray[np.bool_]:
        """Return who withholds one feature from a purpose.

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
        >>> from xseg.governance.consent import Ledger
        >>> ledger = Ledger()
        >>> _ = ledger.append("ann", "offers", "withdrawn", source="account", feature="age")
        >>> ledger.is_withheld(["ann", "bob"], "age", "offers")
        array([ True, False])
        """
        now = self._at(at)
        entries = self._find_deciding(subjects, purpose, read_text(feature, "feature"), now)
        return (entries >= 0) & ~self._is_valid(entries, now)

    def list_stated_features(self, purpose: str) -> tuple[str, ...]:
        """Return the features that somebody, at some time, said something about for a purpose."""
        rows, words = self._store.rows, self._store.vocabularies["feature"].words
        asked = np.isin(rows["purpose"], self._encode_purposes(purpose))
        return tuple(sorted(word for word in (words[code] for code in np.unique(rows["feature"][asked])) if word))

    def encode_subjects(self, names: Any) -> NDArray[np.int32]:
        """Return the codes of subjects in `find_denial_spells`; -1 for those of whom nothing was said."""
        known = self._store.vocabularies["subject"]
        dtype = getattr(names, "dtype", None)
        if isinstance(dtype, np.dtype) and dtype.kind in "iu" and np.ndim(names) == 1:
            places, distinct = pd.factorize(np.asarray(names))
            return known.find(read_identifiers(distinct))[places]
        return known.find(read_identifiers(names))

    def decode_subjects(self, codes: NDArray[np.int64]) -> list[str]:
        """Return the names of subjects by their codes."""
        words = self._store.vocabularies["subject"].words
        return [words[code] for code in codes.tolist()]

    def find_denial_spells(self, purpose: str, now: int, feature: str = "") -> DenialSpells:
        """Return from when until when people themselves denied a purpose, or a feature for it, up to an instant."""
        return find_spells(self._store, self._encode_purposes(purpose), feature, now)

    def _encode_purposes(self, purpose: str) -> NDArray[np.int32]:
        return self._store.vocabularies["purpose"].find([_check_purpose(purpose), EVERY_PURPOSE])

    def _find_deciding(self, subjects: Any, purpose: str, feature: str, now: int) -> NDArray[np.int64]:
        """Return the entry that decides about each subject; -1 where there is none."""
        store, vocabularies = self._store, self._store.vocabularies
        purposes = self._encode_purposes(purpose)
        codes = self.encode_subjects(subjects)
        about = int(vocabularies["feature"].find([feature])[0])
        names = ("purpose", "feature", "effect", "order", "at", "until", "state")
        columns = {name: store.rows[name] for name in names}
        asked, places = (
            (codes, None) if 4 * len(codes) < len(store.last) else _deduplicate_subjects(codes, len(store.last))
        )
        decided: NDArray[np.int64] = deciding_entries(
            asked, store.last, store.rows["previous"], **columns, purposes=purposes, about=about, now=now
        )
        return decided if places is None else decided[places]

    def _is_valid(self, entries: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
        if not len(self):
            return np.zeros(len(entries), dtype=bool)
        rows = self._store.rows
        return np.asarray((entries >= 0) & (rows["effect"][entries] == GRANTS) & (now < rows["until"][entries]))


def _deduplicate_subjects(codes: NDArray[np.int32], n_subjects: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each subject that is asked about once, and where to find the answers of all that are asked about."""
    asked = np.zeros(n_subjects + 1, dtype=bool)
    asked[codes] = True  # an unknown subject, -1, is the last place
    asked[-1] = True
    distinct = np.flatnonzero(asked)
    place = np.cumsum(asked) - 1
    return np.append(distinct[:-1], -1), place[codes]


def _check_purpose(purpose: str) -> str:
    if read_text(purpose, "purpose") == EVERY_PURPOSE:
        message = "purpose is '*', which only a denial can be about; ask about one purpose"
        raise ConsentError(message)
    return purpose
