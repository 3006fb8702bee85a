"""The guard that environments put before `fit` and `save`, and the log of overrides."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xseg.exceptions import ApprovalError, DefinitionError
from xseg.governance.append_only import AppendOnlyLog
from xseg.governance.environments._environment import ACTIVE, Environment, EnvironmentLike, get_active_environments

__all__ = ["Override", "append_override", "read_overrides", "require_environment"]


@dataclass(frozen=True, slots=True)
class Override:
    """A fit or an export outside the approved environment, for which somebody took responsibility.

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


def append_override(path: Path, facts: dict[str, Any]) -> None:
    """Add a line; what is there stays as it is.

    Raises
    ------
    DefinitionError
        The log cannot be written, or was altered.
    """
    _open_log(path, "; nothing is overridden without it").append(facts)


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
    DefinitionError
        The log cannot be read, or a line was altered, left out or put in. Lines that are missing at the end cannot be
        told from lines that were never written; keep the digest of the last one elsewhere if that matters.
    """
    if not Path(path).is_file():
        message = f"cannot read the log of overrides {path}: there is no such file"
        raise DefinitionError(message)
    return tuple(_read_override(line, path) for line in _open_log(path))


def _open_log(path: str | os.PathLike[str], consequence: str = "") -> AppendOnlyLog:
    def error(message: str) -> DefinitionError:
        return DefinitionError(f"{message}{consequence}")

    return AppendOnlyLog(path, name="log of overrides", error=error)


def _read_override(line: Mapping[str, Any], path: str | os.PathLike[str]) -> Override:
    names = [field.name for field in fields(Override)]
    if not set(names) <= line.keys():
        message = f"{path}, line {line['number']}: not an override: it needs {', '.join(names)}"
        raise DefinitionError(message)
    return Override(**{name: line[name] for name in names} | {"differences": tuple(line["differences"])})


_VARIABLE = "XSEG_ENVIRONMENT"


def require_environment(action: str) -> None:
    """Raise an error for something outside of the environments that are active, or log who answers for it.

    Parameters
    ----------
    action : str
        What is about to happen, such as ``"fit"``.

    Raises
    ------
    ApprovalError
        This is not an environment that is active, in this process or by the variable ``XSEG_ENVIRONMENT``, and nobody
        answers for it.
    DefinitionError
        The file that the variable names is no environment, or an override cannot be logged.

    Examples
    --------
    >>> from xseg.governance.environments import require_environment
    >>> require_environment("fit")
    """
    places, waivers = get_active_environments()
    # What is active here is in the variable too, for the processes that are started from here.
    for environment in {place.digest: place for place in (*_read_named(), *_read_inherited(), *places)}.values():
        differences = environment.find_differences()
        if not differences:
            continue
        waiver = next((one for one in reversed(waivers) if one.environment == environment.digest), None)
        if waiver is None:
            heading = f"{action} is allowed only in the environment {environment.name!r}, and here"
            raise ApprovalError("\n  ".join([f"{heading}:", *differences]))
        append_override(
            waiver.log,
            {
                "at": datetime.now(UTC).isoformat(),
                "action": action,
                "environment": environment.digest,
                "differences": differences,
                "by": waiver.by,
                "reason": waiver.reason,
            },
        )


def _read_inherited() -> tuple[EnvironmentLike, ...]:
    """Return the environments that were active in the process that started this one."""
    try:
        return tuple(Environment.model_validate(one) for one in json.loads(os.environ.get(ACTIVE) or "[]"))
    except (TypeError, ValueError) as error:
        message = f"the variable {ACTIVE} is not what an active environment wrote: {error}; unset it"
        raise DefinitionError(message) from error


def _read_named() -> tuple[EnvironmentLike, ...]:
    """Return the environment that the variable names."""
    path = os.environ.get(_VARIABLE, "").strip()
    return (Environment.load(path),) if path else ()
