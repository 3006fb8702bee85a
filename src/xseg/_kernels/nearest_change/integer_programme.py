"""The cheapest change of several features at once: a mixed-integer linear programme.

Leads are linear between knots or taken to be so. The programme is solved by a dual simplex with branch and bound above
it: column c costs ``costs[c]`` per unit and adds ``gains[c, s]`` to the lead over rival s, and ``sum of gains >=
needs`` must hold for every rival. Columns that follow each other make a chain: pieces of one feature's way up or down,
of which one is used only if those before it are used up. Of the chains of one group, a feature, only one may be used.
A column is unused or used at least ``first[c]``, in whole units where ``grid[c]`` says so.
"""

import numpy as np

from xseg._kernels import kernel
from xseg._kernels.nearest_change.score_margins import (
    SINGLE_PRECISION,
    compute_change_cost,
    is_assigned,
    value_alone,
    write_parts,
)

SOLVED, HOPELESS, GIVEN_UP = 0, 1, 2
TINY = 1e-11
SLACK = 1e-9
# Depth of the stack of open nodes: each branching adds one, and depth first search closes them in turn.
MAX_WAITING = 64


@kernel
def leaving_row(right, room, basic):
    """Return the row whose variable is furthest out of bounds (-1: none), and whether it exceeds the upper one."""
    row, worst, above = -1, -SLACK, False
    for s in range(right.shape[0]):
        if right[s] < worst:
            row, worst, above = s, right[s], False
        if room[basic[s]] - right[s] < worst:
            row, worst, above = s, room[basic[s]] - right[s], True
    return row, above


@kernel
def entering_column(line, price, room, outside):
    """Return the column that restores a row at the least price; -1 if there is none."""
    column, least = -1, np.inf
    for k in range(line.shape[0]):
        if line[k] < -TINY and room[outside[k]] > 0:
            ratio = price[k] / -line[k]
            if ratio < least or (ratio == least and line[k] < line[column]):
                column, least = k, ratio
    return column


@kernel
def pivot(table, right, price, row, column):
    """Exchange the variable of a row with that of a column; returns what the exchange costs."""
    n_rows, n_columns = table.shape
    inverse = 1.0 / table[row, column]
    for k in range(n_columns):
        table[row, k] *= inverse
    table[row, column] = inverse
    right[row] *= inverse
    for s in range(n_rows):
        times = table[s, column]
        if s == row or times == 0.0:
            continue
        for k in range(n_columns):
            table[s, k] -= times * table[row, k]
        table[s, column] = -times * inverse
        right[s] -= times * right[row]
    times = price[column]
    for k in range(n_columns):
        price[k] -= times * table[row, k]
    price[column] = -times * inverse
    return times * right[row]


@kernel
def solve_relaxation(gains, needs, costs, low, cap, best, out):
    """Write the cheapest use of every column between its bounds; returns its cost and how it ended.

    A dual simplex with upper bounds. Invariant: `price` is never negative, so the present solution costs no more than
    any solution within the bounds; the cost is a lower bound at every step, and nothing is written once it reaches
    `best`. A variable at its upper bound is replaced by its complement (`flipped`), so that nonbasic ones are 0.
    """
    n, m = gains.shape
    table, right, price = np.empty((m, n)), np.empty(m), costs.copy()
    room = np.full(n + m, np.inf)
    total = 0.0
    for c in range(n):
        room[c] = cap[c] - low[c]
        total += costs[c] * low[c]
    for s in range(m):
        right[s], size = -needs[s], 0.0
        for c in range(n):
            table[s, c] = -gains[c, s]
            right[s] += gains[c, s] * low[c]
            size = max(size, abs(gains[c, s]))
        if size > 0:
            table[s] /= size
            right[s] /= size
    outside, basic = np.arange(n), np.arange(n, n + m)
    flipped = np.zeros(n + m, dtype=np.bool_)
    for _ in range(10 * (n + m)):
        row, above = leaving_row(right, room, basic)
        if row < 0:
            for c in range(n):
                out[c] = 0.0
            for s in range(m):
                if basic[s] < n:
                    out[basic[s]] = right[s]
            for c in range(n):
                out[c] = low[c] + (room[c] - out[c] if flipped[c] else out[c])
            return total, SOLVED
        if above:
            table[row] = -table[row]
            right[row] = room[basic[row]] - right[row]
            flipped[basic[row]] = not flipped[basic[row]]
        column = entering_column(table[row], price, room, outside)
        if column < 0:
            return np.inf, HOPELESS
        total += pivot(table, right, price, row, column)
        basic[row], outside[column] = outside[column], basic[row]
        if total >= best:
            return total, HOPELESS
    return total, GIVEN_UP


@kernel
def find_misused(used, cap, first, grid, chain, group):
    """Return the column that is used as it may not be, the most used one among several (-1: none)."""
    worst, most = -1, 0.0
    for c in range(used.shape[0]):
        if used[c] <= SLACK:
            continue
        wrong = used[c] < first[c] - SLACK or (grid[c] and abs(used[c] - np.rint(used[c])) > SLACK)
        wrong |= c > 0 and chain[c] == chain[c - 1] and used[c - 1] < cap[c - 1] - SLACK
        for other in range(used.shape[0]):
            if wrong:
                break
            wrong = group[other] == group[c] and chain[other] != chain[c] and used[other] > SLACK
        if wrong and used[c] > most:
            worst, most = c, used[c]
    return worst


@kernel
def limit_column(c, most, caps, chain):
    """Forbid a column beyond some use, and so what follows it in its chain."""
    caps[c] = most
    for later in range(c + 1, caps.shape[0]):
        if chain[later] == chain[c]:
            caps[later] = 0.0


@kernel
def force_column(c, least, lows, caps, cap, chain, group):
    """Force a column to some use, and with it what comes before it, and no other chain; return whether that can be."""
    lows[c] = max(lows[c], least)
    possible = lows[c] <= caps[c]
    for other in range(caps.shape[0]):
        if chain[other] == chain[c] and other < c:
            possible &= caps[other] == cap[other]
            lows[other] = cap[other]
        elif chain[other] != chain[c] and group[other] == group[c]:
            possible &= lows[other] == 0.0
            caps[other] = 0.0
    return possible


@kernel
def branch_and_bound(gains, needs, costs, cap, first, grid, chain, group, best, most_nodes, out):
    """Write the cheapest use of columns as they may be used, if it costs less than `best`.

    Gives its cost (`best` if there is none) and whether the search was exhausted.
    """
    n = costs.shape[0]
    lows, caps = np.empty((MAX_WAITING + 2, n)), np.empty((MAX_WAITING + 2, n))
    lows[0], caps[0] = 0.0, cap
    used = np.empty(n)
    waiting = 1
    for _ in range(most_nodes):
        if waiting == 0:
            break
        waiting -= 1
        low, high = lows[waiting].copy(), caps[waiting].copy()
        total, ended = solve_relaxation(gains, needs, costs, low, high, best * (1 - SLACK), used)
        if ended == HOPELESS or not total < best:
            continue
        if ended == GIVEN_UP or waiting == MAX_WAITING:
            return best, False
        c = find_misused(used, cap, first, grid, chain, group)
        if c < 0:
            best = total
            out[:] = used
            continue
        step = np.ceil(used[c] - SLACK) if grid[c] else first[c]
        if low[c] == 0.0 or grid[c]:
            lows[waiting], caps[waiting] = low, high
            limit_column(c, max(step - 1.0, 0.0) if grid[c] else 0.0, caps[waiting], chain)
            waiting += lows[waiting, c] <= caps[waiting, c]
        # Looked at next: what leads somewhere is found early.
        lows[waiting], caps[waiting] = low, high
        waiting += force_column(c, step, lows[waiting], caps[waiting], cap, chain, group)
    return best, waiting == 0


PIECES = 8


@kernel
def write_pieces(f, way, value, coding, bounds, endpoints, exact, out):
    """Write where the pieces of a number's way up or down begin and end, and return how many ends there are.

    Where leads are exact they are linear between two knots; elsewhere pieces lie between some of the candidates. The
    first piece, up to where the way is open, may only be used up. Whole numbers have pieces from one to another.
    """
    end, sign = endpoints.ends[f, way], 1.0 if way == 0 else -1.0
    start = max(value, bounds.lowest[f]) if way == 0 else min(value, bounds.highest[f])
    if bounds.whole[f]:
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
            for rounded in (np.floor(knot), np.ceil(knot)) if bounds.whole[f] else (knot, knot):
                if bent[s] != 0 and (rounded - start) * sign > 0 and (end - rounded) * sign > 0:
                    out[n], n = rounded, n + 1
    else:
        some = endpoints.stops[f, way]
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
def write_columns(sample, spare, target, coding, bounds, endpoints, candidates, exact, columns, needs):
    """Write the columns of a mix, and the leads that it needs; returns how many there are, and how many are numbers."""
    gain, price, cap, first, grid, chain, group, unit = columns
    n_segments = spare.shape[0]
    ends = np.empty(2 * n_segments + PIECES + 4)
    before, after = np.empty(n_segments), np.empty(n_segments)
    needs[:] = -spare
    n, n_chains = 0, 0
    for f in range(coding.n_coordinates):
        value = sample.values[f]
        if np.isnan(value):
            continue
        size, steepest = 0.0, np.zeros(n_segments)
        for way in range(2):
            n_ends, leaps = write_pieces(f, way, value, coding, bounds, endpoints, exact, ends)
            before[:], n_first = sample.here[f], n
            for piece in range(n_ends - 1):
                length = abs(ends[piece + 1] - ends[piece])
                if length == 0:
                    continue
                # Whole numbers are counted one by one, others in units of what they cost.
                unit[n] = 1.0 if bounds.whole[f] else bounds.scale[f]
                price[n], cap[n] = unit[n] / bounds.scale[f], length / unit[n]
                first[n], grid[n] = (cap[n], False) if leaps and piece == 0 else (0.0, bounds.whole[f])
                chain[n], group[n] = n_chains, f
                write_parts(f, ends[piece + 1], 0, coding, after)
                for s in range(n_segments):
                    gain[n, s] = ((after[target] - before[target]) - (after[s] - before[s])) / cap[n]
                    steepest[s] = max(steepest[s], abs(gain[n, s]) / (unit[n] * coding.factor[f]))
                size = max(size, abs(ends[piece + 1] - coding.shift[f]) * coding.factor[f])
                before[:] = after
                unit[n] *= 1.0 if way == 0 else -1.0
                n += 1
            # Pieces at the end of a way that gain on no rival are never used.
            while n > n_first and gain[n - 1].max() <= 0:
                n -= 1
            n_chains += 1
        size = max(size, abs(value - coding.shift[f]) * coding.factor[f])
        needs += 2 * SINGLE_PRECISION * size * steepest
    n_numbers = n
    for f in range(coding.n_coordinates, sample.values.shape[0]):
        for c in range(candidates.offsets[f], candidates.offsets[f + 1]):
            gain[n], price[n], group[n] = candidates.gains[c], candidates.costs[c], f
            cap[n], first[n], grid[n], unit[n], chain[n] = 1.0, 1.0, False, 1.0, n_chains
            n_chains += 1
            n += 1
    gain[:n, target], needs[target] = 0.0, -1.0
    return n, n_numbers


@kernel
def tighten(sample, trial, trial_codes, spare, target, coding, bounds, endpoints, parts):
    """Move each changed number to the first value that does, the others being as they are."""
    n_features = trial.shape[0]
    ahead_by = spare.copy()
    now = np.empty_like(sample.here)
    for f in range(n_features):
        write_parts(f, trial[f], trial_codes[f], coding, now[f])
        gain = now[f] - sample.here[f]
        ahead_by += gain[target] - gain
    for _ in range(2):
        for f in range(coding.n_coordinates):
            if trial[f] == sample.values[f] or np.isnan(trial[f]):
                continue
            way = 0 if trial[f] > sample.values[f] else 1
            start, end = sample.values[f], endpoints.ends[f, way]
            start = max(start, bounds.lowest[f]) if way == 0 else min(start, bounds.highest[f])
            value = value_alone(f, start, end, bounds.whole[f], ahead_by, now[f], target, coding, parts)
            if np.isnan(value):
                continue
            trial[f] = value
            write_parts(f, value, trial_codes[f], coding, parts)
            gain = parts - now[f]
            ahead_by += gain[target] - gain
            now[f] = parts


@kernel
def change_by_programme(
    sample,
    spare,
    target,
    coding,
    bounds,
    endpoints,
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
    n_candidates = candidates.offsets[sample.values.shape[0]] - candidates.offsets[coding.n_coordinates]
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
    n, n_numbers = write_columns(sample, spare, target, coding, bounds, endpoints, candidates, exact, columns, needs)
    gain, price, cap, first, grid, chain, group, unit = columns
    used = np.zeros(n)
    total, exhausted = branch_and_bound(
        gain[:n], needs, price[:n], cap[:n], first[:n], grid[:n], chain[:n], group[:n], best, most_nodes, used
    )
    if not total < best:
        return best, exhausted and exact
    trial, trial_codes = sample.values.copy(), sample.codes.copy()
    for c in range(n_numbers):
        trial[group[c]] += unit[c] * used[c]
    for f in range(coding.n_coordinates):
        if bounds.whole[f]:
            trial[f] = np.rint(trial[f])
        if trial[f] != sample.values[f] and not np.isnan(trial[f]):
            trial[f] = (
                min(trial[f], endpoints.ends[f, 0])
                if trial[f] > sample.values[f]
                else max(trial[f], endpoints.ends[f, 1])
            )
    for c in range(n_numbers, n):
        if used[c] > 0.5:
            f, place = group[c], candidates.offsets[coding.n_coordinates] + c - n_numbers
            trial[f] = endpoints.stops[f, candidates.side[place], candidates.which[place]]
            trial_codes[f] = candidates.which[place]
    if not exact:
        tighten(sample, trial, trial_codes, spare, target, coding, bounds, endpoints, parts)
        total = compute_change_cost(sample.values, trial, bounds.flat, bounds.scale, category_cost)
    if not total < best or not is_assigned(trial, trial_codes, target, coding, parts):
        return best, False
    moved[:], recoded[:] = trial, trial_codes
    return total, exhausted and exact
