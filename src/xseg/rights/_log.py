"""What people asked for and what was done, in a log that cannot be changed unseen."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from xseg._files import write_whole
from xseg.exceptions import LedgerError

__all__ = ["ActionLog"]

_START: Final = "0" * 64


class ActionLog:
    """Receipts in the order they were given, each with a hash over itself and the one before it.

    Examples
    --------
    >>> from xseg.rights import ActionLog
    >>> log = ActionLog()
    >>> first = log.append({"action": "object"})
    >>> log.verify(), len(log)
    (None, 1)
    """

    def __init__(self) -> None:
        self._receipts: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._receipts)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._receipts)

    @property
    def head(self) -> str:
        """The hash of the last receipt, to keep elsewhere."""
        return str(self._receipts[-1]["hash"]) if self._receipts else _START

    def append(self, receipt: Mapping[str, Any]) -> dict[str, Any]:
        """Add a receipt; gives it with its number and hash.

        Parameters
        ----------
        receipt : mapping
            What JSON can hold.

        Returns
        -------
        dict
            The receipt as it stands in the log.
        """
        told = {**receipt, "number": len(self), "previous": self.head}
        sealed = {**told, "hash": _hash(told)}
        self._receipts.append(sealed)
        return sealed

    def verify(self, head: str | None = None) -> None:
        """Check every link.

        Parameters
        ----------
        head : str, optional
            What `head` was when the log was last seen; without it a log that was cut short is not found.

        Raises
        ------
        LedgerError
            A receipt was edited, removed, added or moved; the first such place is named.
        """
        previous = _START
        for number, sealed in enumerate(self._receipts):
            told = {name: value for name, value in sealed.items() if name != "hash"}
            if (
                sealed.get("number") != number
                or sealed.get("previous") != previous
                or sealed.get("hash") != _hash(told)
            ):
                message = f"receipt {number} of the log is not what was written, or does not follow the one before it"
                raise LedgerError(message)
            previous = str(sealed["hash"])
        if head is not None and head not in {_START, *(str(sealed["hash"]) for sealed in self._receipts)}:
            message = f"the log has {len(self)} receipts, and none is the last one that was seen: it was cut short"
            raise LedgerError(message)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the log as JSON Lines, whole or not at all."""
        write_whole(path, "".join(f"{json.dumps(sealed, sort_keys=True)}\n" for sealed in self._receipts))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, head: str | None = None) -> "ActionLog":
        """Read a log and check it.

        Raises
        ------
        LedgerError
            It cannot be read, or was changed.
        """
        log = cls()
        try:
            log._receipts = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            message = f"cannot read the log {path}: {error}"
            raise LedgerError(message) from error
        log.verify(head)
        return log


def _hash(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
