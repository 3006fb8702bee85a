"""How much one person can ask of the page at once."""

from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

__all__ = ["RequestLimit"]

_MINUTE: Final = 60.0
_MAX_PEOPLE: Final = 10_000


class RequestLimit:
    """Counts of requests of the last minute, by person; nothing of it is kept longer or written anywhere.

    Parameters
    ----------
    most : int
        How many requests a person has in a minute.
    clock : callable, optional
        Gives seconds that only grow.
    """

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, subject: str) -> bool:
        """Count a request, and return whether it is within the limit."""
        with self._lock:
            now = self._clock()
            times = self._times.setdefault(subject, deque(maxlen=self._most))
            self._times.move_to_end(subject)
            if len(self._times) > _MAX_PEOPLE:
                self._times.popitem(last=False)
            if len(times) == self._most and now - times[0] < _MINUTE:
                return False
            times.append(now)
            return True
