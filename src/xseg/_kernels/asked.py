"""What kernels are told about a model, about what may change, and about a row."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Coding(NamedTuple):
    """How values become points and parts of scores; see `additive` for curves and tables."""

    n_coordinates: int
    shift: NDArray[np.float64]
    factor: NDArray[np.float64]
    bias: NDArray[np.float64]
    curves: NDArray[np.float64]
    tables: NDArray[np.float64]


class Asked(NamedTuple):
    """What may change, by used feature, and to how many decimal places."""

    whole: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    scale: NDArray[np.float64]
    rises: NDArray[np.bool_]
    falls: NDArray[np.bool_]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    places: NDArray[np.int64]


class Ladder(NamedTuple):
    """Where features may end.

    Coming from below feature f may end at ``stops[f, 0, c]``, from above at ``stops[f, 1, c]`` (infinite where that is
    not allowed), c being the code it gets; categories change to any code whose stop is finite. ``parts`` are what is
    added to each score there. Numbers of a coordinate may end anywhere up to ``ends[f, 0]`` or down to ``ends[f, 1]``.
    """

    stops: NDArray[np.float64]
    parts: NDArray[np.float64]
    ends: NDArray[np.float64]


class Person(NamedTuple):
    """One row: its values and codes, and the part ``here[f, s]`` of each used feature in each score."""

    values: NDArray[np.float64]
    codes: NDArray[np.uint8]
    here: NDArray[np.float64]


class Candidates(NamedTuple):
    """Where a row's features may end: those of feature f are ``offsets[f]`` to ``offsets[f + 1]``, cheapest first.

    ``gains[c, s]`` is what one adds to the lead over rival s; the target's own slot holds what its score gains.
    """

    offsets: NDArray[np.int64]
    costs: NDArray[np.float64]
    which: NDArray[np.int64]
    side: NDArray[np.int64]
    gains: NDArray[np.float64]
