"""The cheapest change that makes one additive score the highest, with changed numbers rounded where possible."""

import numpy as np

from xseg._kernels import kernel
from xseg._kernels.nearest_change.integer_programme import change_by_programme
from xseg._kernels.nearest_change.score_margins import (
    Candidates,
    RowValues,
    compute_max_lead,
    compute_min_lead,
    has_lead,
    value_alone,
    write_parts,
)
from xseg._kernels.nearest_change.step_search import change_by_steps, cheapest_bound, list_candidates

MAX_STEPS = 40


@kernel
def round_to_grid(value, places, way):
    """Round a number to decimal places, up or down; dividing gives 0.3 where 3 * 0.1 would not."""
    size = 10.0 ** abs(places)
    steps = value * size if places > 0 else value / size
    steps = np.ceil(steps - 1e-9) if way > 0 else np.floor(steps + 1e-9)
    return steps / size if places > 0 else steps * size


@kernel
def move_on_grid(value, places, steps, before, low, high):
    """Return the number some steps of its grid away; itself where that would leave its range or pass where it was."""
    size = 10.0 ** abs(places)
    number = np.rint(value * size if places > 0 else value / size) + steps
    other = number / size if places > 0 else number * size
    passes = (other - before) * (value - before) <= 0
    return value if passes or other < low or other > high else other


@kernel
def snap(before, after, codes, target, coding, bounds, parts):
    """Move changed numbers to multiples of a power of ten, outward first, and from there step by step until it does.

    Nothing is moved if so many steps do not suffice.
    """
    trial, scores = after.copy(), np.empty(parts.shape[0])
    for f in range(coding.n_coordinates):
        if not bounds.whole[f] and after[f] != before[f] and not np.isnan(before[f]):
            rounded = round_to_grid(after[f], bounds.places[f], after[f] - before[f])
            trial[f] = min(max(rounded, bounds.lowest[f]), bounds.highest[f])
    for _ in range(MAX_STEPS):
        scores[:] = coding.bias
        for f in range(trial.shape[0]):
            write_parts(f, trial[f], codes[f], coding, parts)
            scores += parts
        lead, chosen, value = compute_min_lead(scores, target), -1, 0.0
        if lead > 0:
            after[:] = trial
            break
        for f in range(coding.n_coordinates):
            if bounds.whole[f] or after[f] == before[f] or np.isnan(before[f]):
                continue
            for steps in (1, -1):
                other = move_on_grid(trial[f], bounds.places[f], steps, before[f], bounds.lowest[f], bounds.highest[f])
                changed = scores.copy()
                write_parts(f, trial[f], codes[f], coding, parts)
                changed -= parts
                write_parts(f, other, codes[f], coding, parts)
                changed += parts
                if compute_min_lead(changed, target) > lead:
                    lead, chosen, value = compute_min_lead(changed, target), f, other
        if chosen < 0:
            break
        trial[chosen] = value


# Nodes of the mixed-integer search. With 20 features and 10 segments 100 prove 66 % of the answers, 2,000 about 98 %.
MAX_NODES_EXACT = 2_000
MAX_NODES_APPROXIMATE = 20


@kernel
def change_one(sample, spare, target, coding, bounds, endpoints, candidates, best, moved, recoded, parts):
    """Write the cheapest change of one feature alone, if it costs less than `best`; returns its cost.

    Of a number on a coordinate it is the very first value that does, wherever it lies.
    """
    chosen, value, code = -1, 0.0, sample.codes[0]
    for f in range(coding.n_coordinates):
        for way in range(2):
            end = endpoints.ends[f, way]
            if np.isnan(sample.values[f]):
                continue
            start = max(sample.values[f], bounds.lowest[f]) if way == 0 else min(sample.values[f], bounds.highest[f])
            if not np.isfinite(end) or not (start <= end if way == 0 else start >= end) or end == sample.values[f]:
                continue
            if abs(start - sample.values[f]) / bounds.scale[f] >= best:
                continue
            there = value_alone(f, start, end, bounds.whole[f], spare, sample.here[f], target, coding, parts)
            if abs(there - sample.values[f]) / bounds.scale[f] < best:
                best, chosen, value, code = abs(there - sample.values[f]) / bounds.scale[f], f, there, sample.codes[f]
    for f in range(coding.n_coordinates, sample.values.shape[0]):
        for c in range(candidates.offsets[f], candidates.offsets[f + 1]):
            if candidates.costs[c] >= best:
                break
            if has_lead(spare, sample.here[f], endpoints.parts[f, candidates.side[c], candidates.which[c]], target):
                best, chosen, value, code = (
                    candidates.costs[c],
                    f,
                    endpoints.stops[f, candidates.side[c], candidates.which[c]],
                    candidates.which[c],
                )
                break
    if chosen >= 0:
        moved[:], recoded[:] = sample.values, sample.codes
        moved[chosen], recoded[chosen] = value, code
    return best


@kernel
def is_unreachable(sample, spare, target, coding, endpoints, candidates):
    """Return whether no change whatever can make the target lead some rival."""
    for s in range(spare.shape[0]):
        if s == target:
            continue
        most = spare[s]
        for f in range(sample.values.shape[0]):
            gain = 0.0
            if np.isnan(sample.values[f]):
                continue
            if f < coding.n_coordinates:
                high = (
                    max(sample.values[f], endpoints.ends[f, 0])
                    if np.isfinite(endpoints.ends[f, 0])
                    else sample.values[f]
                )
                low = (
                    min(sample.values[f], endpoints.ends[f, 1])
                    if np.isfinite(endpoints.ends[f, 1])
                    else sample.values[f]
                )
                if low < high:
                    low, high = (low - coding.shift[f]) * coding.factor[f], (high - coding.shift[f]) * coding.factor[f]
                    gain = compute_max_lead(coding.curves[f], target, s, low, high) - (
                        sample.here[f, target] - sample.here[f, s]
                    )
            else:
                for c in range(candidates.offsets[f], candidates.offsets[f + 1]):
                    gain = max(gain, candidates.gains[c, s])
            most += max(gain, 0.0)
        if most < 0:
            return True
    return False


@kernel
def steepest_bound(sample, spare, target, coding, bounds, endpoints, candidates):
    """Bound from below what any change costs, by the most that a unit of cost can gain on each rival.

    Leads must be linear between knots.
    """
    bound = 0.0
    for s in range(spare.shape[0]):
        if s == target or spare[s] >= 0:
            continue
        rate = 0.0
        for f in range(coding.n_coordinates):
            if np.isfinite(endpoints.ends[f]).any() and not np.isnan(sample.values[f]):
                curve = coding.curves[f]
                apart = 2 * curve[3, target] * (curve[1, s] - curve[1, target])
                steepest = abs(curve[2, target]) + abs(curve[2, s]) + abs(apart)
                rate = max(rate, steepest * coding.factor[f] * bounds.scale[f])
        for c in range(candidates.offsets[coding.n_coordinates], candidates.offsets[sample.values.shape[0]]):
            rate = max(rate, candidates.gains[c, s] / candidates.costs[c])
        bound = max(bound, -spare[s] / rate if rate > 0 else np.inf)
    return bound


@kernel
def nearest_scores(values, codes, coding, bounds, endpoints, exact, category_cost, own, targets, limit, out):
    """Write the values of the used features after the cheapest change of each row, its target, cost and proof.

    `exact` says that every lead is linear between the knots of a coordinate; `out` is (values, targets, costs, proven).
    """
    moved, reached, cost, proven = out
    n_coordinates, bias = coding.n_coordinates, coding.bias
    n_features, n_segments = values.shape[1], bias.shape[0]
    here = np.empty((n_features, n_segments))
    parts, scores, spare = np.empty(n_segments), np.empty(n_segments), np.empty(n_segments)
    n_most = n_features * 2 * endpoints.stops.shape[2]
    offsets = np.zeros(n_features + 1, dtype=np.int64)
    candidates = Candidates(
        offsets,
        np.empty(n_most),
        np.empty(n_most, dtype=np.int64),
        np.empty(n_most, dtype=np.int64),
        np.empty((n_most, n_segments)),
    )
    recoded = np.empty(n_features, dtype=codes.dtype)
    for i in range(values.shape[0]):
        scores[:], recoded[:], moved[i] = bias, codes[i], values[i]
        reached[i], cost[i], proven[i] = -1, np.inf, True
        if own[i] == targets[i]:
            reached[i], cost[i] = own[i], 0.0
            continue
        largest, n_free = 1.0, 0
        for f in range(n_features):
            write_parts(f, values[i, f], codes[i, f], coding, here[f])
            n_free += not np.isnan(values[i, f]) and np.isfinite(endpoints.stops[f]).any()
            scores += here[f]
            largest = max(largest, np.abs(here[f]).max())
        sample = RowValues(values[i], codes[i], here)
        for target in np.argsort(-scores):
            if target == own[i] or (targets[i] >= 0 and target != targets[i]):
                continue
            spare[:] = scores[target] - scores - 1e-9 * largest * n_features
            if not exact and cost[i] <= cheapest_bound(
                sample, bounds, endpoints, category_cost, target, own[i], -spare[own[i]]
            ):
                continue
            list_candidates(n_coordinates if exact else 0, sample, bounds, endpoints, category_cost, target, candidates)
            if exact and cost[i] <= steepest_bound(sample, spare, target, coding, bounds, endpoints, candidates):
                continue
            best = change_one(
                sample, spare, target, coding, bounds, endpoints, candidates, cost[i], moved[i], recoded, parts
            )
            proof = n_free <= 1
            if not proof:
                best, proof = change_by_programme(
                    sample, spare, target, coding, bounds, endpoints, candidates, exact,
                    MAX_NODES_EXACT if exact else MAX_NODES_APPROXIMATE, category_cost, best, moved[i], recoded, parts,
                )  # fmt: skip
            if not proof and (not exact or best == np.inf):
                if exact:
                    list_candidates(0, sample, bounds, endpoints, category_cost, target, candidates)
                best, looked_at = change_by_steps(
                    sample, spare, target, coding, bounds, endpoints, candidates, limit, category_cost,
                    best, moved[i], recoded, parts,
                )  # fmt: skip
                proof = looked_at and not exact and best < np.inf
                proof |= best == np.inf and is_unreachable(sample, spare, target, coding, endpoints, candidates)
            proven[i] &= proof
            if best < cost[i]:
                cost[i], reached[i] = best, target
        if reached[i] >= 0:
            snap(values[i], moved[i], recoded, reached[i], coding, bounds, parts)
