"""The log of overrides: who let something happen outside the approved environment, and why."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from xseg.exceptions import EnvironmentFileError
from xseg.governance.append_only import SealedLines

__all__ = ["Override", "append", "read_overrides"]


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
        The hash of the line before; zeros in the first.
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
    _opened(path, "; nothing is overridden without it").append(facts)


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
    if not Path(path).is_file():
        message = f"cannot read the log of overrides {path}: there is no such file"
        raise EnvironmentFileError(message)
    return tuple(_override(line, path) for line in _opened(path))


def _opened(path: str | os.PathLike[str], consequence: str = "") -> SealedLines:
    def error(message: str) -> EnvironmentFileError:
        return EnvironmentFileError(f"{message}{consequence}")

    return SealedLines(path, name="log of overrides", error=error)


def _override(line: Mapping[str, Any], path: str | os.PathLike[str]) -> Override:
    names = [field.name for field in fields(Override)]
    if not set(names) <= line.keys():
        message = f"{path}, line {line['number']}: not an override: it needs {', '.join(names)}"
        raise EnvironmentFileError(message)
    return Override(**{name: line[name] for name in names} | {"differences": tuple(line["differences"])})
