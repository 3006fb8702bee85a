"""The cheapest mix of linear gains that makes up for what is lacking: a dual simplex, and branch and bound above it.

Column c costs ``costs[c]`` a unit and adds ``gains[c, s]`` to the lead over rival s; ``sum of gains >= needs`` is
asked of every rival. Columns that follow each other make a chain: pieces of one feature's way up or down, of which one
is used only if those before it are used up. Of the chains of one group, a feature, only one may be used. A column is
unused or used at least ``first[c]``, in whole units where ``grid[c]`` says so.
"""

import numpy as np

from xseg._kernels.jit import kernel

SOLVED, HOPELESS, GIVEN_UP = 0, 1, 2
TINY = 1e-11
SLACK = 1e-9
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
def cheapest_lift(gains, needs, costs, low, cap, best, out):
    """Write the cheapest use of every column between its bounds; returns its cost and how it ended.

    The cost bounds the least from below at every step, so nothing is written once it reaches `best`.
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
def misused(used, cap, first, grid, chain, group):
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
def use_less(c, most, caps, chain):
    """Forbid a column beyond some use, and so what follows it in its chain."""
    caps[c] = most
    for later in range(c + 1, caps.shape[0]):
        if chain[later] == chain[c]:
            caps[later] = 0.0


@kernel
def use_more(c, least, lows, caps, cap, chain, group):
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
def cheapest_mix(gains, needs, costs, cap, first, grid, chain, group, best, most_nodes, out):
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
        total, ended = cheapest_lift(gains, needs, costs, low, high, best * (1 - SLACK), used)
        if ended == HOPELESS or not total < best:
            continue
        if ended == GIVEN_UP or waiting == MAX_WAITING:
            return best, False
        c = misused(used, cap, first, grid, chain, group)
        if c < 0:
            best = total
            out[:] = used
            continue
        step = np.ceil(used[c] - SLACK) if grid[c] else first[c]
        if low[c] == 0.0 or grid[c]:
            lows[waiting], caps[waiting] = low, high
            use_less(c, max(step - 1.0, 0.0) if grid[c] else 0.0, caps[waiting], chain)
            waiting += lows[waiting, c] <= caps[waiting, c]
        # Looked at next: what leads somewhere is found early.
        lows[waiting], caps[waiting] = low, high
        waiting += use_more(c, step, lows[waiting], caps[waiting], cap, chain, group)
    return best, waiting == 0
