"""Numba kernels: arrays in, arrays out, nothing but numpy and numba.

Each kernel runs on one block of rows in one thread and releases the interpreter lock; the backends decide how many
blocks run at a time. Each has a reference implementation in ``tests/naive.py``.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

__all__ = ["kernel"]


P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function`; strict floating point, so a result never depends on how the loop was vectorised."""
    compiled: Callable[P, R] = njit(nogil=True, cache=True, error_model="numpy", fastmath=False)(function)
    return compiled
