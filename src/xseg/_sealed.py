"""Lines of JSON that are only ever added to, each bound to the one before, in memory or in a file.

A line's hash is SHA-256 over all of it but the hash itself and its private part, which stands beside it under a salted
digest: what is private can be forgotten later, and every link still holds.
"""

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from xseg._files import write_whole
from xseg.exceptions import LedgerError, XsegError

__all__ = ["SealedLines"]

_START: Final = "0" * 64
_UNBOUND: Final = frozenset({"hash", "private"})


class SealedLines:
    """Lines in the order they were written; what another process adds to the same file is seen too.

    Parameters
    ----------
    path : path-like, optional
        The file; made when the first line is added. Without one the lines are kept in memory.
    name : str
        What messages call it.
    error : type
        What is raised where it is not what was written, or cannot be read or written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        name: str = "log",
        error: Callable[[str], XsegError] = LedgerError,
    ) -> None:
        self.path = None if path is None else Path(path)
        self._name = name if path is None else f"{name} {path}"
        self._error = error
        self._lines: list[dict[str, Any]] = []
        self._seen: tuple[int, int] = (0, 0)
        self._catch_up()

    def __len__(self) -> int:
        self._catch_up()
        return len(self._lines)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        self._catch_up()
        return iter(self._lines)

    @property
    def head(self) -> str:
        """The hash of the last line, to keep elsewhere."""
        self._catch_up()
        return self._head()

    def append(self, facts: Mapping[str, Any], private: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Add a line, which is on the disk when this returns; gives it with its number and hash.

        Parameters
        ----------
        facts : mapping
            What JSON can hold.
        private : mapping, optional
            What may have to be forgotten later; it is kept beside the line, which holds a salted digest of it.
        """
        with self._alone() as stream:
            line = self._sealed(facts, private)
            if stream is not None:
                stream.write(_written(line))
                stream.flush()
                os.fsync(stream.fileno())
                self._seen = (os.fstat(stream.fileno()).st_ino, stream.tell())
            self._take([line])
        return line

    def forget(self, concerns: Callable[[Mapping[str, Any]], bool]) -> int:
        """Remove what is private from some lines; gives from how many. The links go on holding."""
        with self._alone() as stream:
            gone = [line for line in self._lines if "private" in line and concerns(line)]
            for line in gone:
                del line["private"]
            if stream is not None and self.path is not None:
                write_whole(self.path, b"".join(map(_written, self._lines)))
                self._seen = (self.path.stat().st_ino, self.path.stat().st_size)
        return len(gone)

    def verify(self, head: str | None = None) -> None:
        """Check every link.

        Parameters
        ----------
        head : str, optional
            What `head` was when the lines were last seen; without it lines that were cut off at the end are not found.
        """
        self._catch_up()
        self._check(self._lines, 0, _START)
        if head is not None and head not in {_START, *(line["hash"] for line in self._lines)}:
            message = f"the {self._name} was cut short: the last line that was seen is none of its {len(self._lines)}"
            raise self._error(message)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a copy as JSON Lines, whole or not at all."""
        write_whole(path, b"".join(map(_written, self)))

    def _take(self, lines: list[dict[str, Any]]) -> None:
        """Keep lines that were checked."""
        self._lines += lines

    def _head(self) -> str:
        return str(self._lines[-1]["hash"]) if self._lines else _START

    def _sealed(self, facts: Mapping[str, Any], private: Mapping[str, Any] | None) -> dict[str, Any]:
        told: dict[str, Any] = {**facts, "number": len(self._lines), "previous": self._head()}
        if not private:
            return {**told, "hash": _hash(told)}
        kept = {"salt": secrets.token_hex(16), **private}
        told["private_sha256"] = _hash(kept)
        return {**told, "hash": _hash(told), "private": kept}

    def _check(self, lines: list[dict[str, Any]], first: int, previous: str) -> None:
        for number, line in enumerate(lines, first):
            told = {name: value for name, value in line.items() if name not in _UNBOUND}
            links = (line.get("number"), line.get("previous"), line.get("hash"))
            altered = "private" in line and line.get("private_sha256") != _hash(line["private"])
            if altered or links != (number, previous, _hash(told)):
                message = f"line {number} of the {self._name} is not what was written, or does not follow the last"
                raise self._error(message)
            previous = str(line["hash"])

    def _catch_up(self) -> None:
        """Read what was added to the file since it was last read; all of it if it was written anew."""
        if self.path is None:
            return
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._start_over()
            return
        if (found.st_ino, found.st_size) != self._seen:
            with self._opened("rb") as stream:
                self._read(stream)

    def _start_over(self) -> None:
        if self._lines:
            message = f"the {self._name} is gone; restore it from a copy"
            raise self._error(message)

    def _read(self, stream: IO[bytes]) -> None:
        found = os.fstat(stream.fileno())
        inode, size = self._seen
        if found.st_ino != inode or found.st_size < size:
            size = 0
        stream.seek(size)
        content = stream.read()
        if content and not content.endswith(b"\n"):
            message = (
                f"the last line of the {self._name} is not whole: writing it was cut off, so that it was never "
                "confirmed; look at it, and remove it"
            )
            raise self._error(message)
        known = self._lines if size else []
        lines = self._parsed(content, len(known))
        self._check(lines, len(known), self._head() if known else _START)
        if not size:
            self._lines = []
        self._take(lines)
        self._seen = (found.st_ino, size + len(content))

    def _parsed(self, content: bytes, first: int) -> list[dict[str, Any]]:
        lines = []
        for number, text in enumerate(content.splitlines(), first):
            try:
                line = json.loads(text)
            except ValueError as error:
                message = f"line {number} of the {self._name} cannot be read: {error}"
                raise self._error(message) from error
            if not isinstance(line, dict):
                message = f"line {number} of the {self._name} is no record: {text[:40]!r}"
                raise self._error(message)
            lines.append(line)
        return lines

    @contextmanager
    def _alone(self) -> Iterator[IO[bytes] | None]:
        """Keep other processes from writing at the same time, where the system can, and see what they wrote before."""
        if self.path is None:
            yield None
            return
        while True:
            with self._opened("a+b") as stream, _locked(stream):
                # Who waited for the lock may hold a file that was written anew meanwhile.
                if not self.path.exists() or os.fstat(stream.fileno()).st_ino != self.path.stat().st_ino:
                    continue
                self._read(stream)
                stream.seek(0, os.SEEK_END)
                yield stream
                return

    @contextmanager
    def _opened(self, mode: str) -> Iterator[IO[bytes]]:
        assert self.path is not None
        try:
            with self.path.open(mode) as stream:
                yield stream
        except OSError as error:
            message = f"cannot read or write the {self._name}: {error.strerror}"
            raise self._error(message) from error


def _written(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _hash(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@contextmanager
def _locked(stream: IO[bytes]) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    import fcntl

    fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)
