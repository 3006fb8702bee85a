"""Which environments count, and who answers for going around them, in the whole process and all of its threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from xseg.exceptions import ParameterError

__all__ = ["Place", "Waiver", "active", "standing", "waived"]


class Place(Protocol):
    """What must be so where something happens."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def digest(self) -> str:
        """SHA-256 of what it says."""

    def differences(self) -> tuple[str, ...]:
        """Say what is not here as it should be."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True, eq=False)
class Waiver:
    """Somebody answers for what happens outside an environment, for as long as this stands."""

    environment: str
    by: str
    reason: str
    log: Path


# Lists of the process and not of a thread: a guard that another thread does not see would be none.
_lock = Lock()
_active: list[Place] = []
_waivers: list[Waiver] = []


@contextmanager
def active(environment: P) -> Iterator[P]:
    """Let an environment count."""
    with _lock:
        _active.append(environment)
    try:
        yield environment
    finally:
        with _lock:
            _active.remove(environment)


@contextmanager
def waived(waiver: Waiver) -> Iterator[None]:
    """Let somebody answer for going around an environment."""
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
    """Give the environments that count, and who answers for going around one; the latest last."""
    with _lock:
        return tuple(_active), tuple(_waivers)
