"""What people asked for and what was done, in a log that cannot be changed unseen."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.exceptions import LedgerError
from xseg.governance.append_only import SealedLines
from xseg.governance.rights._standing import Standing, replayed

__all__ = ["INTENT", "ActionLog"]

# The action of the line that is written before anything is done.
INTENT: Final = "intent"


class ActionLog(SealedLines):
    """Receipts in the order they were given, each with a hash over itself and the one before it.

    It is where a profile remembers what people said: give it a file, and nothing is forgotten when a process ends.
    What is personal in a receipt (a corrected value, a person's own words) stands beside it under a salted digest, and
    is removed by `forget`; the chain goes on holding.

    Parameters
    ----------
    path : path-like, optional
        The file, JSON Lines; each receipt is on the disk before `append` returns, and what other processes write to it
        is seen. Without a file the log lives in memory.

    Raises
    ------
    LedgerError
        The file cannot be read, or is not what was written.

    Examples
    --------
    >>> from xseg.governance.rights import ActionLog
    >>> log = ActionLog()
    >>> first = log.append({"action": "object", "subject": "ann"}, private={"reason": "too many offers"})
    >>> log.forget(lambda receipt: receipt["subject"] == "ann")
    1
    >>> log.verify(), [line.get("action", "forgotten") for line in log]
    (None, ['object', 'forgotten'])
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._by_subject: dict[str, list[int]] = defaultdict(list)
        super().__init__(path)

    def __sklearn_clone__(self) -> "ActionLog":
        """Return itself: clones of an estimator go on asking the one log that is kept."""
        return self

    def about(self, subject: str) -> list[Mapping[str, Any]]:
        """Return the receipts of one person, the oldest first.

        What was decided, and could not be carried out to the end, is there too, with ``"unfinished": True``: it
        counts from the moment at which it was written down.
        """
        with self._lock:
            lines = self._caught_up()
            return _receipts(deepcopy([lines[number] for number in self._by_subject.get(subject, ())]))

    def unfinished(self, subject: str) -> list[Mapping[str, Any]]:
        """Return the receipts of what one person decided and what could not be carried out to the end."""
        return [told for told in self.about(subject) if told.get("unfinished")]

    def standing(self, subject: str, purpose: str) -> Standing:
        """Return where one person stands with a purpose, besides the ledger."""
        return replayed(self.about(subject), purpose)

    def barred(self, subjects: Iterable[str], purpose: str) -> NDArray[np.bool_]:
        """Return who asked to be in no segment for a purpose.

        Parameters
        ----------
        subjects : iterable of str of length n
            Whom to ask about.
        purpose : str
            What for.

        Returns
        -------
        ndarray of bool of shape (n,)
            True for those who objected, had their data set aside or erased, or stay out, and for those of whom a no
            was written down here that perhaps did not reach the ledger (see `Profile.settle`).
        """
        self._caught_up()
        return np.array(
            [name in self._by_subject and self._is_barred(name, purpose) for name in map(str, subjects)], dtype=bool
        )

    def _is_barred(self, subject: str, purpose: str) -> bool:
        receipts = self.about(subject)
        unheard = any(
            what_for == purpose
            for told in receipts
            if told.get("unfinished")
            for what_for, *_ in told["details"].get("said", ())
        )
        return unheard or replayed(receipts, purpose).blocked() is not None

    def ground(self, subject: str, purpose: str) -> str | None:
        """Return what keeps somebody out of every segment for a purpose, if they asked for it."""
        blocked = self.standing(subject, purpose).blocked()
        return None if blocked is None else blocked.value

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, head: str | None = None) -> "ActionLog":
        """Open a log that is there, and check it.

        Parameters
        ----------
        path : path-like
            The file.
        head : str, optional
            What `head` was when the log was last seen; without it a log that was cut short is not found.

        Raises
        ------
        LedgerError
            It is not there, cannot be read, or was changed.
        """
        if not Path(path).is_file():
            message = f"there is no log {path}"
            raise LedgerError(message)
        log = cls(path)
        log.verify(head)
        return log

    def _take(self, lines: list[dict[str, Any]]) -> None:
        if not self._lines:
            self._by_subject.clear()
        for number, line in enumerate(lines, len(self._lines)):
            if "subject" in line:
                self._by_subject[str(line["subject"])].append(number)
        super()._take(lines)


def _receipts(lines: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Return receipts: of each action the line that says how it ended, or if there is none, the line that began it."""
    ended = {line.get("details", {}).get("intent") for line in lines}
    return [
        line if line.get("action") != INTENT else line | line["details"]["action"] | {"unfinished": True}
        for line in lines
        if line.get("action") != INTENT or line["number"] not in ended
    ]
