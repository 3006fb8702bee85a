"""Cheapest changes of additive scores as a mixed-integer programme for HiGHS, written apart from xseg's own solver."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array


def solve_by_highs(
    segmenter: Any, values: Any, target: int, scale: Any, limits: Any, *, seconds: float = 60.0
) -> tuple[float, bool]:
    """Return the least scaled L1 cost that moves one row into a segment, and whether HiGHS proved it.

    The scores are linear between knots (Gower's and Manhattan distances of prototypes). Each feature ends in one of the
    ranges between its knots and its own value; within a range, costs and scores are linear. One binary variable chooses
    the range and one continuous variable, in range coordinates 0 to 1, the place in it (the multiple choice model of
    Vielma, Ahmed and Nemhauser, 2010, section 3).
    """
    scores = segmenter.model_.scores
    embedding = scores.embedding
    n_segments = len(scores)
    rivals = [s for s in range(n_segments) if s != target]
    ranges = []
    for f in range(len(embedding.coordinates)):
        knots = scores.curves[f, 1] / embedding.factor[f] + embedding.shift[f]
        low, high = limits[f]
        inner = [v for v in (*knots.tolist(), float(values[f])) if low < v < high]
        ends = np.unique([low, *inner, high])
        ranges.extend((f, a, b) for a, b in pairwise(ends))
    n = len(ranges)

    def lead(f: int, at: float) -> Any:
        z = (at - embedding.shift[f]) * embedding.factor[f]
        level, knot, slope, curvature = scores.curves[f, :4]
        parts = level + slope * np.abs(z - knot) + curvature * (z - knot) ** 2
        return parts[target] - parts[rivals]

    # Variables: one choice of each range, and how much of it is gone from its lower end.
    cost = np.zeros(2 * n)
    gains = np.zeros((len(rivals), 2 * n))
    chosen = lil_array((embedding.coordinates.size, 2 * n))
    within = lil_array((n, 2 * n))
    for k, (f, a, b) in enumerate(ranges):
        start, end = abs(a - values[f]) / scale[f], abs(b - values[f]) / scale[f]
        cost[k], cost[n + k] = start, end - start
        gains[:, k] = lead(f, a)
        gains[:, n + k] = lead(f, b) - lead(f, a)
        chosen[f, k] = 1
        within[k, n + k], within[k, k] = 1, -1
    needs = scores.bias[rivals] - scores.bias[target]
    found = milp(
        cost,
        integrality=np.r_[np.ones(n), np.zeros(n)],
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(gains, needs, np.inf),
            LinearConstraint(chosen.tocsr(), 1, 1),
            LinearConstraint(within.tocsr(), -np.inf, 0),
        ],
        options={"time_limit": seconds, "mip_rel_gap": 1e-6},
    )
    return (float(found.fun), found.status == 0) if found.x is not None else (np.inf, found.status == 2)
