"""The cheapest change of several features at once, where leads are linear between knots or taken to be."""

import numpy as np

from xseg._kernels.jit import kernel
from xseg._kernels.margins import SINGLE_PRECISION, price_of, value_alone, wins, write_parts
from xseg._kernels.simplex import cheapest_mix

PIECES = 8


@kernel
def pieces_of(f, way, value, coding, asked, ladder, exact, out):
    """Write where the pieces of a number's way up or down begin and end, and return how many ends there are.

    Where leads are exact they are linear between two knots; elsewhere pieces lie between some of the candidates. The
    first piece, up to where the way is open, may only be used up. Whole numbers have pieces from one to another.
    """
    end, sign = ladder.ends[f, way], 1.0 if way == 0 else -1.0
    start = max(value, asked.lowest[f]) if way == 0 else min(value, asked.highest[f])
    if asked.whole[f]:
        start = np.ceil(start) if way == 0 else np.floor(start)
    if not np.isfinite(end) or (end - start) * sign < 0 or end == value:
        return 0, False
    out[0], n = value, 1
    if start != value:
        out[n], n = start, n + 1
    leaps, sorted_from = n == 2, n
    if exact:
        bent = coding.curves[f, 2]
        for s in range(bent.shape[0]):
            knot = coding.curves[f, 1, s] / coding.factor[f] + coding.shift[f]
            for rounded in (np.floor(knot), np.ceil(knot)) if asked.whole[f] else (knot, knot):
                if bent[s] != 0 and (rounded - start) * sign > 0 and (end - rounded) * sign > 0:
                    out[n], n = rounded, n + 1
    else:
        some = ladder.stops[f, way]
        every = max(1, np.isfinite(some).sum() // PIECES)
        seen = 0
        for stop in some:
            if np.isfinite(stop):
                seen += 1
                if seen % every == 0 and (stop - start) * sign > 0 and (end - stop) * sign > 0:
                    out[n], n = stop, n + 1
    out[sorted_from:n] = np.sort(out[sorted_from:n] * sign) * sign
    if start != end:
        out[n], n = end, n + 1
    return n, leaps


@kernel
def lay_columns(person, spare, target, coding, asked, ladder, candidates, exact, columns, needs):
    """Write the columns of a mix, and what is asked of it; returns how many there are, and how many are numbers."""
    gain, price, cap, first, grid, chain, group, unit = columns
    n_segments = spare.shape[0]
    ends = np.empty(2 * n_segments + PIECES + 4)
    before, after = np.empty(n_segments), np.empty(n_segments)
    needs[:] = -spare
    n, n_chains = 0, 0
    for f in range(coding.n_coordinates):
        value = person.values[f]
        if np.isnan(value):
            continue
        size, steepest = 0.0, np.zeros(n_segments)
        for way in range(2):
            n_ends, leaps = pieces_of(f, way, value, coding, asked, ladder, exact, ends)
            before[:], n_first = person.here[f], n
            for piece in range(n_ends - 1):
                length = abs(ends[piece + 1] - ends[piece])
                if length == 0:
                    continue
                # Whole numbers are counted one by one, others in units of what they cost.
                unit[n] = 1.0 if asked.whole[f] else asked.scale[f]
                price[n], cap[n] = unit[n] / asked.scale[f], length / unit[n]
                first[n], grid[n] = (cap[n], False) if leaps and piece == 0 else (0.0, asked.whole[f])
                chain[n], group[n] = n_chains, f
                write_parts(f, ends[piece + 1], 0, coding, after)
                for s in range(n_segments):
                    gain[n, s] = ((after[target] - before[target]) - (after[s] - before[s])) / cap[n]
                    steepest[s] = max(steepest[s], abs(gain[n, s]) / (unit[n] * coding.factor[f]))
                size = max(size, abs(ends[piece + 1] - coding.shift[f]) * coding.factor[f])
                before[:] = after
                unit[n] *= 1.0 if way == 0 else -1.0
                n += 1
            # Pieces at the end of a way that gain on nobody are never used.
            while n > n_first and gain[n - 1].max() <= 0:
                n -= 1
            n_chains += 1
        size = max(size, abs(value - coding.shift[f]) * coding.factor[f])
        needs += 2 * SINGLE_PRECISION * size * steepest
    n_numbers = n
    for f in range(coding.n_coordinates, person.values.shape[0]):
        for c in range(candidates.offsets[f], candidates.offsets[f + 1]):
            gain[n], price[n], group[n] = candidates.gains[c], candidates.costs[c], f
            cap[n], first[n], grid[n], unit[n], chain[n] = 1.0, 1.0, False, 1.0, n_chains
            n_chains += 1
            n += 1
    gain[:n, target], needs[target] = 0.0, -1.0
    return n, n_numbers


@kernel
def tighten(person, trial, trial_codes, spare, target, coding, asked, ladder, parts):
    """Move each changed number to the first value that does, the others being as they are."""
    n_features = trial.shape[0]
    ahead_by = spare.copy()
    now = np.empty_like(person.here)
    for f in range(n_features):
        write_parts(f, trial[f], trial_codes[f], coding, now[f])
        gain = now[f] - person.here[f]
        ahead_by += gain[target] - gain
    for _ in range(2):
        for f in range(coding.n_coordinates):
            if trial[f] == person.values[f] or np.isnan(trial[f]):
                continue
            way = 0 if trial[f] > person.values[f] else 1
            start, end = person.values[f], ladder.ends[f, way]
            start = max(start, asked.lowest[f]) if way == 0 else min(start, asked.highest[f])
            value = value_alone(f, start, end, asked.whole[f], ahead_by, now[f], target, coding, parts)
            if np.isnan(value):
                continue
            trial[f] = value
            write_parts(f, value, trial_codes[f], coding, parts)
            gain = parts - now[f]
            ahead_by += gain[target] - gain
            now[f] = parts


@kernel
def change_by_mixing(
    person,
    spare,
    target,
    coding,
    asked,
    ladder,
    candidates,
    exact,
    most_nodes,
    category_cost,
    best,
    moved,
    recoded,
    parts,
):
    """Write the cheapest change of all where leads are linear between knots, if it costs less than `best`.

    Gives its cost, and whether there is proof that none is cheaper. Where leads are not linear, what is found is mended
    by moving one of its numbers to where it does, and nothing is proven.
    """
    n_candidates = candidates.offsets[person.values.shape[0]] - candidates.offsets[coding.n_coordinates]
    n_most = 2 * coding.n_coordinates * (2 * spare.shape[0] + PIECES + 4) + n_candidates
    columns = (
        np.empty((n_most, spare.shape[0])),
        np.empty(n_most),
        np.empty(n_most),
        np.empty(n_most),
        np.empty(n_most, dtype=np.bool_),
        np.empty(n_most, dtype=np.int64),
        np.empty(n_most, dtype=np.int64),
        np.empty(n_most),
    )
    needs = np.empty(spare.shape[0])
    n, n_numbers = lay_columns(person, spare, target, coding, asked, ladder, candidates, exact, columns, needs)
    gain, price, cap, first, grid, chain, group, unit = columns
    used = np.zeros(n)
    total, exhausted = cheapest_mix(
        gain[:n], needs, price[:n], cap[:n], first[:n], grid[:n], chain[:n], group[:n], best, most_nodes, used
    )
    if not total < best:
        return best, exhausted and exact
    trial, trial_codes = person.values.copy(), person.codes.copy()
    for c in range(n_numbers):
        trial[group[c]] += unit[c] * used[c]
    for f in range(coding.n_coordinates):
        if asked.whole[f]:
            trial[f] = np.rint(trial[f])
        if trial[f] != person.values[f] and not np.isnan(trial[f]):
            trial[f] = (
                min(trial[f], ladder.ends[f, 0]) if trial[f] > person.values[f] else max(trial[f], ladder.ends[f, 1])
            )
    for c in range(n_numbers, n):
        if used[c] > 0.5:
            f, place = group[c], candidates.offsets[coding.n_coordinates] + c - n_numbers
            trial[f] = ladder.stops[f, candidates.side[place], candidates.which[place]]
            trial_codes[f] = candidates.which[place]
    if not exact:
        tighten(person, trial, trial_codes, spare, target, coding, asked, ladder, parts)
        total = price_of(person.values, trial, asked.flat, asked.scale, category_cost)
    if not total < best or not wins(trial, trial_codes, target, coding, parts):
        return best, False
    moved[:], recoded[:] = trial, trial_codes
    return total, exhausted and exact
