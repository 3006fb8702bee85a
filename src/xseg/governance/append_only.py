"""An append-only log of JSON lines, each chained to the one before by its hash, in memory or in a file.

A line's hash is SHA-256 over all of it but the hash itself and its private part, which stands beside it under a salted
digest: what is private can be forgotten later, which is a line of its own, and every link still holds.
"""

import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from threading import RLock
from typing import IO, Any, Final

from xseg._files import write_whole
from xseg.exceptions import ConsentError, XsegError

__all__ = ["AppendOnlyLog"]

_START: Final = "0" * 64
_UNBOUND: Final = frozenset({"hash", "private"})
_FORGOTTEN: Final = "forgotten"
_TAIL: Final = 200
Line = dict[str, Any]


class AppendOnlyLog:
    """An append-only log; lines that another process or thread adds to the same file are read too.

    Writing to a file needs a platform that can lock it; elsewhere it is refused.

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
        error: Callable[[str], XsegError] = ConsentError,
    ) -> None:
        self.path = None if path is None else Path(path).resolve()
        self._name = name if path is None else f"{name} {path}"
        self._error = error
        self._lock = RLock()
        self._lines: list[Line] = []
        self._forgotten: set[int] = set()
        # Of the file: how much of it was read, its state then, and the bytes of the last line, to know it again.
        self._size, self._state, self._tail = 0, (0, 0, 0), b""
        self._refresh()

    def __len__(self) -> int:
        return len(self._refresh())

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(deepcopy(self._refresh()))

    @property
    def head(self) -> str:
        """The hash of the last line, to keep elsewhere."""
        return _get_head(self._refresh())

    def append(self, facts: Mapping[str, Any], private: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Add a line, which is on the disk when this returns; returns it with its number and hash.

        Parameters
        ----------
        facts : mapping
            What JSON can hold.
        private : mapping, optional
            What may have to be forgotten later; it is kept beside the line, which holds a salted digest of it.
        """
        with self._lock_for_writing() as stream:
            line = self._append_line(self._copy_facts(facts), self._copy_facts(private or {}), stream)
            return deepcopy(line)

    def _copy_facts(self, facts: Mapping[str, Any]) -> Line:
        """Return a copy of the facts as JSON reads them back."""
        try:
            copied: Line = json.loads(json.dumps(dict(facts), allow_nan=False))
        except (TypeError, ValueError) as error:
            message = f"the {self._name} takes what JSON can hold, and was given something else: {error}"
            raise self._error(message) from error
        return copied

    def forget(self, concerns: Callable[[Mapping[str, Any]], bool]) -> int:
        """Remove what is private from some lines, and write down from which; returns from how many."""
        with self._lock_for_writing() as stream:
            self._check(self._lines, 0, _START)
            gone = [line for line in self._lines if "private" in line and concerns(line)]
            if not gone:
                return 0
            numbers = [line["number"] for line in gone]
            for line in gone:
                del line["private"]
            if stream is None or self.path is None:
                self._append_line({_FORGOTTEN: numbers}, {}, None)
                return len(gone)
            content = _build_line({_FORGOTTEN: numbers}, {}, self._lines)
            write_whole(self.path, b"".join(map(_encode_line, [*self._lines, content])))
            self._extend([content])
            with self.path.open("rb") as anew:
                self._remember(anew, self.path.stat().st_size)
        return len(gone)

    def verify(self, head: str | None = None) -> None:
        """Read all of it anew, and check every link.

        Parameters
        ----------
        head : str, optional
            What `head` was when the lines were last seen; without it lines that were cut off at the end are not found.
        """
        with self._lock:
            self._state = (0, 0, 0)
            self._size = 0
            lines = self._refresh()
            self._check(lines, 0, _START)
            self._check_private(lines, self._forgotten)
            if head is not None and head not in {_START, *(line["hash"] for line in lines)}:
                message = f"the {self._name} was cut short: the last line that was seen is none of its {len(lines)}"
                raise self._error(message)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a copy as JSON Lines, whole or not at all."""
        write_whole(path, b"".join(map(_encode_line, self)))

    def _extend(self, lines: list[Line]) -> None:
        """Keep lines that were checked."""
        self._lines += lines
        self._forgotten.update(number for line in lines for number in line.get(_FORGOTTEN, ()))

    def _append_line(self, facts: Mapping[str, Any], private: Mapping[str, Any], stream: IO[bytes] | None) -> Line:
        line = _build_line(facts, private, self._lines)
        if stream is not None:
            stream.write(_encode_line(line))
            stream.flush()
            os.fsync(stream.fileno())
            self._remember(stream, stream.tell())
        self._extend([line])
        return line

    def _check(self, lines: list[Line], first: int, previous: str) -> None:
        for number, line in enumerate(lines, first):
            content = {name: value for name, value in line.items() if name not in _UNBOUND}
            links = (line.get("number"), line.get("previous"), line.get("hash"))
            altered = "private" in line and line.get("private_sha256") != _compute_hash(line["private"])
            if altered or links != (number, previous, _compute_hash(content)):
                message = f"line {number} of the {self._name} is not what was written, or does not follow the last"
                raise self._error(message)
            previous = str(line["hash"])

    def _check_private(self, lines: list[Line], forgotten: set[int]) -> None:
        """Raise an error for a private part that is gone, and was not forgotten."""
        for line in lines:
            if "private_sha256" in line and "private" not in line and line["number"] not in forgotten:
                message = (
                    f"line {line['number']} of the {self._name} lost its private part, and nobody had it forgotten"
                )
                raise self._error(message)

    def _refresh(self) -> list[Line]:
        """Return the lines, with what was added to the file since it was last read."""
        with self._lock:
            if self.path is None:
                return self._lines
            try:
                found = self.path.stat()
            except FileNotFoundError:
                if self._lines:
                    message = f"the {self._name} is gone; restore it from a copy"
                    raise self._error(message) from None
                return self._lines
            if _get_file_state(found) != self._state:
                with self._open_file("rb") as stream:
                    self._read(stream)
            return self._lines

    def _read(self, stream: IO[bytes]) -> None:
        size = self._size if self._is_continued(stream) else 0
        stream.seek(size)
        content = stream.read()
        if content and not content.endswith(b"\n"):
            message = (
                f"the last line of the {self._name} is not whole: writing it was cut off, so that it was never "
                "confirmed; look at it, and remove it"
            )
            raise self._error(message)
        if size:
            lines = self._parse_lines(content, len(self._lines))
            self._check(lines, len(self._lines), _get_head(self._lines))
        else:
            lines = self._parse_lines(content, 0)
            self._check(lines, 0, _START)
            self._check_same_beginning(lines)
            self._lines = []
        gone = {number for line in lines for number in line.get(_FORGOTTEN, ())}
        self._check_private(lines, self._forgotten | gone)
        self._extend(lines)
        self._remember(stream, size + len(content))

    def _is_continued(self, stream: IO[bytes]) -> bool:
        """Return whether a file begins with what was read of it, as far as its last line tells."""
        if not self._size or os.fstat(stream.fileno()).st_size < self._size:
            return False
        stream.seek(self._size - len(self._tail))
        return stream.read(len(self._tail)) == self._tail

    def _check_same_beginning(self, lines: list[Line]) -> None:
        """Raise an error for a file that does not begin with the lines that were seen before."""
        seen = [line["hash"] for line in self._lines]
        if [line["hash"] for line in lines[: len(seen)]] != seen:
            message = (
                f"the {self._name} does not begin with the {len(seen)} lines that were read before: it was replaced"
            )
            raise self._error(message)

    def _remember(self, stream: IO[bytes], size: int) -> None:
        self._size = size
        self._state = _get_file_state(os.fstat(stream.fileno()))
        stream.seek(max(size - _TAIL, 0))
        self._tail = stream.read(min(size, _TAIL))

    def _parse_lines(self, content: bytes, first: int) -> list[Line]:
        lines = []
        for number, text in enumerate(content.splitlines(), first):
            try:
                line = json.loads(text, object_pairs_hook=_reject_repeated_names)
            except ValueError as error:
                message = f"line {number} of the {self._name} cannot be read: {error}"
                raise self._error(message) from error
            if not isinstance(line, dict):
                message = f"line {number} of the {self._name} is no record: {text[:40]!r}"
                raise self._error(message)
            lines.append(line)
        return lines

    @contextmanager
    def _lock_for_writing(self) -> Iterator[IO[bytes] | None]:
        """Keep others from writing at the same time, and see what they wrote before."""
        with self._lock:
            if self.path is None:
                yield None
                return
            self._refresh()
            while True:
                with self._open_file("a+b") as stream, _lock_file(stream, self._error):
                    # Who waited for the lock may hold a file that was written anew meanwhile.
                    if not self.path.exists() or os.fstat(stream.fileno()).st_ino != self.path.stat().st_ino:
                        continue
                    self._read(stream)
                    stream.seek(0, os.SEEK_END)
                    yield stream
                    return

    @contextmanager
    def _open_file(self, mode: str) -> Iterator[IO[bytes]]:
        assert self.path is not None
        try:
            with self.path.open(mode) as stream:
                yield stream
        except OSError as error:
            message = f"cannot read or write the {self._name}: {error.strerror}"
            raise self._error(message) from error


def _build_line(facts: Mapping[str, Any], private: Mapping[str, Any], before: list[Line]) -> Line:
    content: Line = {**facts, "number": len(before), "previous": _get_head(before)}
    if not private:
        return {**content, "hash": _compute_hash(content)}
    kept = {"salt": secrets.token_hex(16), **private}
    content["private_sha256"] = _compute_hash(kept)
    return {**content, "hash": _compute_hash(content), "private": kept}


def _get_head(lines: list[Line]) -> str:
    return str(lines[-1]["hash"]) if lines else _START


def _get_file_state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _reject_repeated_names(pairs: list[tuple[str, Any]]) -> Line:
    line = dict(pairs)
    if len(line) != len(pairs):
        message = "it repeats a name"
        raise ValueError(message)
    return line


def _encode_line(line: Mapping[str, Any]) -> bytes:
    # Lines are checked when they are added; older files may hold an Infinity, and are written as they were.
    return json.dumps(line, sort_keys=True).encode() + b"\n"


def _compute_hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@contextmanager
def _lock_file(stream: IO[bytes], fail: Callable[[str], XsegError]) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        message = (
            f"files cannot be locked on this platform ({sys.platform}), so that two processes could write over each "
            "other's lines; keep it without a path, or on a system with fcntl (Linux, macOS, BSD)"
        )
        raise fail(message) from None
    fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)
