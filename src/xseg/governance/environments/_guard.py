"""What must hold before something is fitted or exported."""

import json
import os
from datetime import UTC, datetime

from xseg.exceptions import EnvironmentFileError, OutsideEnvironmentError
from xseg.governance.environments._environment import Environment
from xseg.governance.environments._log import append
from xseg.governance.environments._standing import ACTIVE, Place, standing

__all__ = ["require_environment"]

_VARIABLE = "XSEG_ENVIRONMENT"


def require_environment(action: str) -> None:
    """Raise an error for something outside of the environments that are active, or log who answers for it.

    Parameters
    ----------
    action : str
        What is about to happen, such as ``"fit"``.

    Raises
    ------
    OutsideEnvironmentError
        This is not an environment that is active, in this process or by the variable ``XSEG_ENVIRONMENT``, and nobody
        answers for it.
    EnvironmentFileError
        The file that the variable names is no environment, or an override cannot be logged.

    Examples
    --------
    >>> from xseg.governance.environments import require_environment
    >>> require_environment("fit")
    """
    places, waivers = standing()
    # What is active here is in the variable too, for the processes that are started from here.
    for environment in {place.digest: place for place in (*_named(), *_inherited(), *places)}.values():
        differences = environment.differences()
        if not differences:
            continue
        waiver = next((one for one in reversed(waivers) if one.environment == environment.digest), None)
        if waiver is None:
            heading = f"{action} is allowed only in the environment {environment.name!r}, and here"
            raise OutsideEnvironmentError("\n  ".join([f"{heading}:", *differences]))
        append(
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


def _inherited() -> tuple[Place, ...]:
    """Return the environments that were active in the process that started this one."""
    try:
        return tuple(Environment.model_validate(one) for one in json.loads(os.environ.get(ACTIVE) or "[]"))
    except (TypeError, ValueError) as error:
        message = f"the variable {ACTIVE} is not what an active environment wrote: {error}; unset it"
        raise EnvironmentFileError(message) from error


def _named() -> tuple[Place, ...]:
    """Return the environment that the variable names."""
    path = os.environ.get(_VARIABLE, "").strip()
    return (Environment.load(path),) if path else ()
