"""The one decorator that holds the compiler flags."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function`; strict floating point, so a result never depends on how the loop was vectorised."""
    compiled: Callable[P, R] = njit(nogil=True, cache=True, error_model="numpy", fastmath=False)(function)
    return compiled
