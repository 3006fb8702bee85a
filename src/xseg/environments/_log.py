"""The log of overrides: JSON Lines that are only ever added to, each bound to the one before."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from xseg.exceptions import EnvironmentFileError

__all__ = ["Override", "append", "read_overrides"]

_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody let something happen outside the approved environment.

    Attributes
    ----------
    at : str
        When, in ISO 8601 with its offset.
    action : str
        What: "fit" or "export".
    environment : str
        SHA-256 of the environment that was gone around.
    differences : tuple of str
        What was not as approved.
    by, reason : str
        Who, and why.
    previous : str
        SHA-256 of the line before; zeros in the first.
    """

    at: str
    action: str
    environment: str
    differences: tuple[str, ...]
    by: str
    reason: str
    previous: str


def append(path: Path, facts: dict[str, Any]) -> None:
    """Add a line; what is there stays as it is.

    Raises
    ------
    EnvironmentFileError
        The log cannot be written, or was altered.
    """
    try:
        with path.open("a+b") as stream, _alone(stream):
            stream.seek(0)
            earlier = stream.read()
            _read(earlier, path)
            lines = earlier.splitlines()
            override = Override(**facts, previous=_digest(lines[-1]) if lines else _FIRST)
            stream.write(json.dumps(asdict(override), separators=(",", ":")).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        message = f"cannot write the log of overrides {path}: {error.strerror}; nothing is overridden without it"
        raise EnvironmentFileError(message) from error


def read_overrides(path: str | os.PathLike[str]) -> tuple[Override, ...]:
    """Read a log of overrides.

    Parameters
    ----------
    path : str or path-like
        The log.

    Returns
    -------
    tuple of Override
        The oldest first.

    Raises
    ------
    EnvironmentFileError
        The log cannot be read, or a line was altered, left out or put in. Lines that are missing at the end cannot be
        told from lines that were never written; keep the digest of the last one elsewhere if that matters.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read the log of overrides {path}: {error.strerror}"
        raise EnvironmentFileError(message) from error
    return _read(content, Path(path))


def _read(content: bytes, path: Path) -> tuple[Override, ...]:
    if content and not content.endswith(b"\n"):
        message = f"{path}: its last line is not whole"
        raise EnvironmentFileError(message)
    previous, found = _FIRST, []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            facts = json.loads(line)
            override = Override(**{**facts, "differences": tuple(facts["differences"])})
        except (ValueError, TypeError, KeyError) as error:
            message = f"{path}, line {number}: not an override: it needs {', '.join(f.name for f in fields(Override))}"
            raise EnvironmentFileError(message) from error
        if override.previous != previous:
            message = f"{path}, line {number}: it does not follow the line before: the log was altered"
            raise EnvironmentFileError(message)
        found.append(override)
        previous = _digest(line)
    return tuple(found)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


@contextmanager
def _alone(stream: IO[bytes]) -> Iterator[None]:
    """Keep other processes from adding a line at the same time, where the system can."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    fcntl.flock(stream, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)
