"""What people asked for and what was done, in a log that cannot be changed unseen."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xseg._sealed import SealedLines
from xseg.exceptions import LedgerError

__all__ = ["ActionLog"]


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
    >>> from xseg.rights import ActionLog
    >>> log = ActionLog()
    >>> first = log.append({"action": "object", "subject": "ann"}, private={"reason": "too many offers"})
    >>> log.forget(lambda receipt: receipt["subject"] == "ann")
    1
    >>> log.verify(), len(log)
    (None, 1)
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._by_subject: dict[str, list[int]] = defaultdict(list)
        super().__init__(path)

    def about(self, subject: str) -> list[Mapping[str, Any]]:
        """Give the receipts of one person, the oldest first."""
        self._catch_up()
        return [self._lines[number] for number in self._by_subject.get(subject, ())]

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
            self._by_subject[str(line.get("subject"))].append(number)
        super()._take(lines)
