"""Margins of one additive score over the others, and the first point on one feature's line where it leads.

The named tuples group the arguments of the counterfactual kernels: the model, what may change, and one row.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xseg._kernels import kernel
from xseg._kernels.score_kernels import curve_part


class Coding(NamedTuple):
    """How values become points and parts of scores; see `additive` for curves and tables."""

    n_coordinates: int
    shift: NDArray[np.float64]
    factor: NDArray[np.float64]
    bias: NDArray[np.float64]
    curves: NDArray[np.float64]
    tables: NDArray[np.float64]


class Limits(NamedTuple):
    """What may change, by used feature, and to how many decimal places."""

    whole: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    scale: NDArray[np.float64]
    rises: NDArray[np.bool_]
    falls: NDArray[np.bool_]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    places: NDArray[np.int64]


class Endpoints(NamedTuple):
    """Where features may end.

    Coming from below feature f may end at ``stops[f, 0, c]``, from above at ``stops[f, 1, c]`` (infinite where that is
    not allowed), c being the code it gets; categories change to any code whose stop is finite. ``parts`` are what is
    added to each score there. Numbers of a coordinate may end anywhere up to ``ends[f, 0]`` or down to ``ends[f, 1]``.
    """

    stops: NDArray[np.float64]
    parts: NDArray[np.float64]
    ends: NDArray[np.float64]


class RowValues(NamedTuple):
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


PIECES = 3
TRIES = 24
NUDGES = 8
SINGLE_PRECISION = 2.0**-23


@kernel
def write_parts(f, value, code, coding, out):
    """Write the part of a used feature in every score, as `predict` would see the value."""
    if f < coding.n_coordinates:
        point = np.float64(np.float32((value - coding.shift[f]) * coding.factor[f]))
        for s in range(out.shape[0]):
            out[s] = curve_part(coding.curves[f], s, point, code)
    else:
        for s in range(out.shape[0]):
            out[s] = coding.tables[f - coding.n_coordinates, code, s]


@kernel
def has_lead(spare, here, parts, target):
    """Return whether the target leads every rival once a feature's parts are `parts` rather than `here`.

    `spare[s]` is by how much the target leads rival s before.
    """
    for s in range(spare.shape[0]):
        gain = (parts[target] - here[target]) - (parts[s] - here[s])
        if s != target and spare[s] + gain < 0:
            return False
    return True


@kernel
def compute_min_lead(scores, target):
    """Return by how much the target leads the best of the others."""
    best = -np.inf
    for s in range(scores.shape[0]):
        if s != target:
            best = max(best, scores[s])
    return scores[target] - best


@kernel
def advance(curve, target, rival, at, inside, way, need):
    """Return how far from a point the lead over a rival first is what is needed; infinity if it never is.

    Between two knots the lead is a quadratic function; `inside` tells between which.
    """
    lead, rate, bend = -need, 0.0, 0.0
    for segment, sign in ((target, 1.0), (rival, -1.0)):
        offset = at - curve[1, segment]
        side = 1.0 if inside > curve[1, segment] else -1.0
        lead += sign * (curve[0, segment] + curve[2, segment] * side * offset + curve[3, segment] * offset * offset)
        rate += sign * way * (curve[2, segment] * side + 2 * curve[3, segment] * offset)
        bend += sign * curve[3, segment]
    if lead >= 0:
        return 0.0
    under = rate * rate - 4 * bend * lead
    if under < 0 or (bend <= 0 and rate <= 0):
        return np.inf
    if rate < 0:
        return (np.sqrt(under) - rate) / (2 * bend)
    return -2 * lead / (rate + np.sqrt(under))


@kernel
def first_lead(curve, target, rival, start, end, need):
    """Return the first point from start to end where the lead over one rival is what is needed; NaN if none."""
    way = 1.0 if end >= start else -1.0
    at = start
    for _ in range(PIECES):
        stop = end
        for knot in (curve[1, target], curve[1, rival]):
            if (knot - at) * way > 0 and (stop - knot) * way > 0:
                stop = knot
        step = advance(curve, target, rival, at, at / 2 + stop / 2, way, need)
        if step <= (stop - at) * way:
            return at + way * step
        at = stop
    return np.nan


@kernel
def lead_alone(curve, spare, here, target, start, end):
    """Return the first point from start to end that makes the target lead every rival; NaN if none.

    Each rival is led on a few intervals. From the first point that suits one, the next one is checked, until all agree.
    """
    at = start
    for _ in range(4 * spare.shape[0] + 4):
        before = at
        for s in range(spare.shape[0]):
            if s != target:
                at = first_lead(curve, target, s, at, end, here[target] - here[s] - spare[s])
                if np.isnan(at):
                    return at
        if at == before:
            break
    return at


@kernel
def value_alone(f, start, end, whole, spare, here, target, coding, parts):
    """Return the first value from start to end that alone makes the target lead every rival; NaN if none.

    Points are single precision, so a boundary may have to be passed by a little; whole numbers stay whole.
    """
    way = 1.0 if end >= start else -1.0
    value, last = start, (end - coding.shift[f]) * coding.factor[f]
    for _ in range(TRIES):
        point = lead_alone(coding.curves[f], spare, here, target, (value - coding.shift[f]) * coding.factor[f], last)
        if np.isnan(point):
            return point
        there = point / coding.factor[f] + coding.shift[f]
        if (there - value) * way > 0:
            value = there
        if whole:
            # A boundary at a whole number may come out a little beyond it.
            slack = way * 1e-9 * max(1.0, abs(value))
            value = np.ceil(value - slack) if way > 0 else np.floor(value - slack)
        nudge = SINGLE_PRECISION * max(abs(value - coding.shift[f]), 1e-6 / coding.factor[f])
        for _ in range(NUDGES):
            if (value - end) * way > 0:
                value = end
            write_parts(f, value, 0, coding, parts)
            if has_lead(spare, here, parts, target):
                return value
            if value == end:
                return np.nan
            value += way if whole else way * nudge
            nudge *= 2
    return np.nan


@kernel
def compute_max_lead(curve, target, rival, low, high):
    """Return the largest lead over one rival on a range of points."""
    most = -np.inf
    first, last = min(curve[1, target], curve[1, rival]), max(curve[1, target], curve[1, rival])
    bend = curve[3, target] - curve[3, rival]
    for piece in range(PIECES):
        start = low if piece == 0 else max(low, first if piece == 1 else last)
        stop = high if piece == 2 else min(high, first if piece == 0 else last)
        if start > stop:
            continue
        top = start
        if bend < 0:
            inside, rate = start / 2 + stop / 2, 0.0
            for segment, sign in ((target, 1.0), (rival, -1.0)):
                side = 1.0 if inside > curve[1, segment] else -1.0
                rate += sign * (curve[2, segment] * side + 2 * curve[3, segment] * (start - curve[1, segment]))
            top = min(max(start, start - rate / (2 * bend)), stop)
        for point in (start, top, stop):
            most = max(most, curve_part(curve, target, point, 0) - curve_part(curve, rival, point, 0))
    return most


@kernel
def compute_change_cost(before, after, flat, scale, category_cost):
    """Return what a change of all features costs."""
    total = 0.0
    for f in range(before.shape[0]):
        if before[f] != after[f] and not np.isnan(before[f]):
            total += category_cost if flat[f] else abs(after[f] - before[f]) / scale[f]
    return total


@kernel
def is_assigned(values, codes, target, coding, parts):
    """Return whether `predict` would assign the row to the target."""
    scores = coding.bias.copy()
    for f in range(values.shape[0]):
        write_parts(f, values[f], codes[f], coding, parts)
        scores += parts
    return compute_min_lead(scores, target) > 0
