"""Numba kernels: arrays in, arrays out, nothing but numpy and numba.

Each kernel runs on one block of rows in one thread and releases the interpreter lock; the backends decide how many
blocks run at a time. Kernels allocate nothing and call few functions of numpy or Python, which would be compiled with
them: their callers pass the room they need, and arrays of one type and layout. Each kernel has a reference
implementation in ``tests/naive.py``.

Numba is imported by the first call that needs it. Importing it and loading kernels takes longer than to explain a row,
so that kernels with an estimate of their work are interpreted until the process has spent `MAX_INTERPRETED_STEPS`.
Both ways give the same bits.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

__all__ = ["MAX_INTERPRETED_STEPS", "Kernel", "kernel", "light_kernel"]

# About 20 milliseconds, where importing numba takes 500.
MAX_INTERPRETED_STEPS = 20_000

P = ParamSpec("P")
R = TypeVar("R")


class Kernel(Generic[P, R]):
    """Function that is compiled when it is first called.

    Parameters
    ----------
    function : callable
        The function of arrays.
    count_steps : callable or None
        Function of the positional arguments that estimates the number of steps of the innermost loop. None means that
        the function is always compiled.

    Attributes
    ----------
    py_func : callable
        The function itself, interpreted.
    """

    _steps_left = MAX_INTERPRETED_STEPS

    def __init__(self, function: Callable[P, R], count_steps: Callable[..., int] | None) -> None:
        self.py_func = function
        self._count_steps = count_steps
        self._compiled: Callable[P, R] | None = None
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._compiled is not None:
            return self._compiled(*args, **kwargs)
        if self._count_steps is not None and Kernel._steps_left > 0:
            # Threads may count past each other, and then interpret a few calls more.
            Kernel._steps_left -= self._count_steps(*args)
            if Kernel._steps_left > 0:
                with np.errstate(all="ignore"):
                    return self.py_func(*args, **kwargs)
        return self.compile()(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.py_func.__qualname__

    def compile(self) -> Callable[P, R]:
        """Return the compiled function; strict floating point, so no result depends on how a loop was vectorised."""
        if self._compiled is None:
            from numba import njit
            from numba.extending import typeof_impl

            Kernel._steps_left = 0
            if Kernel not in typeof_impl.registry:
                # Kernels that call this one find it as a global object.
                typeof_impl.register(Kernel)(lambda value, context: typeof_impl(value.compile(), context))
            # The wrapper for calls from C would be compiled for nobody.
            options: Any = {"nogil": True, "cache": True, "error_model": "numpy", "no_cfunc_wrapper": True}
            self._compiled = njit(fastmath=False, **options)(self.py_func)
        return self._compiled


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Return the function as a kernel that is compiled when it is first called."""
    return Kernel(function, None)


def light_kernel(count_steps: Callable[..., int]) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Return a decorator for a kernel that may be interpreted, and takes `count_steps(*args)` steps."""
    return lambda function: Kernel(function, count_steps)
