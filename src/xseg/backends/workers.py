"""How many threads to use."""

import os

from xseg.exceptions import ParameterError

__all__ = ["count_workers"]


def count_workers(n_jobs: int | None) -> int:
    """Give the number of threads `n_jobs` asks for; None and -1 mean every core this process may use."""
    if n_jobs == 0:
        message = "n_jobs is 0; ask for a number of threads, or -1 for every core"
        raise ParameterError(message)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None:
        return available
    return n_jobs if n_jobs > 0 else max(1, available + 1 + n_jobs)
