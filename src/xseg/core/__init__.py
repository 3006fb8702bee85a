"""The frozen data types that everything else is made of: schema, bins, conditions, trees, boxes, segments.

The package itself holds the guards: functions that may forbid an action, such as `fit` or `save`, before it begins.
"""

from collections.abc import Callable

__all__ = ["check_allowed", "register_guard"]


Guard = Callable[[str], None]

_guards: dict[str, Guard] = {}


def register_guard(name: str, guard: Guard) -> None:
    """Register a function that is called with the name of each action before it begins.

    Parameters
    ----------
    name : str
        Name of the guard. A guard that is registered under the same name is replaced.
    guard : callable
        Called with ``"fit"`` or ``"export"``; raises an `XsegError` to forbid it.
    """
    _guards[name] = guard


def check_allowed(action: str) -> None:
    """Call every registered guard; raise what they raise."""
    for guard in tuple(_guards.values()):
        guard(action)
