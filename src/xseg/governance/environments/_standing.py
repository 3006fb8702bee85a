"""Which environments count, and who answers for going around them, in the whole process and all of its threads."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol, TypeVar
from warnings import warn

from xseg.exceptions import ParameterError, RunningWorkersWarning

__all__ = ["ACTIVE", "Place", "Waiver", "active", "standing", "waived"]


class Place(Protocol):
    """What must be so where something happens."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def digest(self) -> str:
        """SHA-256 of what it says."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return what it says as plain data."""

    def differences(self) -> tuple[str, ...]:
        """Return what is not here as it should be."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True, eq=False)
class Waiver:
    """Somebody answers for what happens outside an environment, for as long as this stands."""

    environment: str
    by: str
    reason: str
    log: Path


# How processes that are started inside of the block, such as those of joblib, know what counts.
ACTIVE: Final = "XSEG_ACTIVE_ENVIRONMENTS"
_INHERITED: Final = os.environ.get(ACTIVE)


# Lists of the process and not of a thread: a guard that another thread does not see would be none.
_lock = Lock()
_active: list[Place] = []
_waivers: list[Waiver] = []


@contextmanager
def active(environment: P) -> Iterator[P]:
    """Activate an environment, here and in the processes that are started inside of the block."""
    _warn_of_running_workers()
    with _lock:
        _active.append(environment)
        _tell_children()
    try:
        yield environment
    finally:
        with _lock:
            _active.remove(environment)
            _tell_children()


def _tell_children() -> None:
    """Write what counts into the variables of the process, beside what it was started with."""
    told = [] if _INHERITED is None else json.loads(_INHERITED)
    told += [place.model_dump(mode="json") for place in _active]
    if told:
        os.environ[ACTIVE] = json.dumps(told, allow_nan=False)
    else:
        os.environ.pop(ACTIVE, None)


def _warn_of_running_workers() -> None:
    """Warn if joblib has processes already: they were started before, and do not read the variable again."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(loky, "_executor", None)
    if executor is not None and not getattr(getattr(executor, "_flags", None), "shutdown", False):
        message = (
            "processes of joblib are running already and are not held to the environment; stop them first with "
            "joblib.externals.loky.get_reusable_executor().shutdown(wait=True), or set XSEG_ENVIRONMENT for the run"
        )
        warn(message, RunningWorkersWarning, stacklevel=4)


@contextmanager
def waived(waiver: Waiver) -> Iterator[None]:
    """Record who answers for running outside an environment."""
    for name in ("by", "reason"):
        said = getattr(waiver, name)
        if not isinstance(said, str) or not said.strip():
            message = f"{name} is {said!r}; an override needs a name and a reason"
            raise ParameterError(message)
    with _lock:
        _waivers.append(waiver)
    try:
        yield
    finally:
        with _lock:
            _waivers.remove(waiver)


def standing() -> tuple[tuple[Place, ...], tuple[Waiver, ...]]:
    """Return the environments that count, and who answers for going around one; the latest last."""
    with _lock:
        return tuple(_active), tuple(_waivers)
