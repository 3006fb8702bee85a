"""Numba kernels: arrays in, arrays out, nothing but numpy and numba.

Each kernel runs on one block of rows in one thread and releases the interpreter lock; the backends decide how many
blocks run at a time. Kernels allocate nothing and call few functions of numpy or Python, which would be compiled with
them: their callers pass the room they need, and arrays of one type and layout. Each kernel has a reference
implementation in ``tests/naive.py``.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

__all__ = ["kernel"]


P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function`; strict floating point, so a result never depends on how the loop was vectorised."""
    # The wrapper for calls from C would be compiled for nobody.
    options: Any = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": False, "no_cfunc_wrapper": True}
    compiled: Callable[P, R] = njit(**options)(function)
    return compiled
