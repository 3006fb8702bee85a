"""How many threads to use."""

import os
from numbers import Integral

from xseg.exceptions import ParameterError

__all__ = ["count_workers"]


def count_workers(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` asks for; None and -1 mean every core this process may use.

    Raises
    ------
    ParameterError
        It is no whole number, 0, or asks for more cores to be left free than the machine has.
    """
    # All but one core is one core where there is only one.
    most_left_free = max(os.cpu_count() or 1, 2)
    is_whole = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if n_jobs is not None and (not is_whole or n_jobs == 0 or n_jobs < -most_left_free):
        message = (
            f"n_jobs must be None, a whole number from 1 on, or one from -{most_left_free} to -1 (every core), "
            f"got {n_jobs!r}"
        )
        raise ParameterError(message)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        return available
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)
