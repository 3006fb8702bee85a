"""Progress of long work: who is told of it, and how the threads of work that failed or was interrupted are stopped."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

__all__ = ["Progress", "listen_to_progress", "report_progress", "run_in_threads", "wait_for"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Progress:
    """State of long work.

    Attributes
    ----------
    stage : str
        What is being done.
    done : float
        How much of the stage is done, in units of its own (iterations, starts, blocks of rows, additions).
    total : float or None
        How much the stage consists of at most; None if that is not known.
    """

    stage: str
    done: float
    total: float | None

    def __str__(self) -> str:
        return self.stage if not self.total else f"{self.stage}: {min(self.done / self.total, 1.0):.0%}"


Listener = Callable[[Progress], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())
# Set in the threads of `run_in_threads` only, which report to nobody and are stopped by it.
_stop: ContextVar[Event | None] = ContextVar("stop", default=None)
_SECONDS_BETWEEN_REPORTS = 0.25


class _WorkStoppedError(Exception):
    """Raised in a thread whose result nobody waits for any more."""


@contextmanager
def listen_to_progress(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Call a function with the progress of every fit inside a ``with`` block.

    Parameters
    ----------
    listener : callable
        Called with a `Progress` in the thread that fits: at least about once a second, and often much more often. If it
        raises an exception, the fit ends with it and leaves the segmenter as it was before.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> stages = set()
    >>> with xseg.listen_to_progress(lambda progress: stages.add(progress.stage)):
    ...     segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    >>> "searching trees" in stages
    True
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def report_progress(stage: str, done: float = 0, total: float | None = None) -> None:
    """Report to the listeners how far some work is.

    Long work calls this between pieces that each take much less than a second. In a thread of `run_in_threads` it
    raises an exception instead, once the result of the thread is no longer wanted.
    """
    stop = _stop.get()
    if stop is not None:
        if stop.is_set():
            raise _WorkStoppedError
        return
    listeners = _listeners.get()
    if listeners:
        progress = Progress(stage, done, total)
        for listener in listeners:
            listener(progress)


def wait_for(future: "Future[R]", stage: str, done: float = 0, total: float | None = None) -> R:
    """Return the result of a thread, and report progress while it is awaited."""
    while True:
        report_progress(stage, done, total)
        try:
            return future.result(timeout=_SECONDS_BETWEEN_REPORTS)
        except TimeoutError:
            if future.done():
                raise


def run_in_threads(
    function: Callable[[T], R], items: Iterable[T], n_workers: int, stage: str, total: float | None = None
) -> Iterator[R]:
    """Return what a function makes of each item, in order, with a bounded number of items under way.

    Whatever ends the iteration, an error, an interrupt or the caller, no thread is left: those that still work are
    stopped at their next report of progress.
    """
    if n_workers == 1:
        for done, item in enumerate(items):
            report_progress(stage, done, total)
            yield function(item)
        return
    stop = Event()

    def work(item: T) -> R:
        _stop.set(stop)
        return function(item)

    with ThreadPoolExecutor(n_workers) as pool:
        pending: deque[Future[R]] = deque()
        try:
            done = 0
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > 2 * n_workers:
                    yield wait_for(pending.popleft(), stage, done, total)
                    done += 1
            while pending:
                yield wait_for(pending.popleft(), stage, done, total)
                done += 1
        finally:
            stop.set()
            for future in pending:
                future.cancel()
