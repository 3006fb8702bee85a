"""Scans over every cut of every feature in the search for a tree, and descents of rows through a tree.

Rows have `values` (n_rows, n_values), weighted, the last one the weight itself. A feature's codes are *cells*, numbered
through all features; a *view* lists the cells of one feature in an order in which a cut may send the first ones left.
The `kind` says what a group of rows costs, given its summed values. A finished tree is flat arrays over nodes:
`feature` (-1 in a leaf), `goes_left[node, code]`, `left`, `right`.
"""

import numpy as np

from xseg._kernels import kernel

SQUARES = 0
NEAREST = 1
ENTROPY = 2


@kernel
def squared_norm(values, stop):
    """Return the squared norm of the first `stop` values, in four sums that do not wait for each other."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    even = stop - stop % 4
    for v in range(0, even, 4):
        first += values[v] * values[v]
        second += values[v + 1] * values[v + 1]
        third += values[v + 2] * values[v + 2]
        fourth += values[v + 3] * values[v + 3]
    for v in range(even, stop):
        first += values[v] * values[v]
    return (first + second) + (third + fourth)


@kernel
def group_cost(total, kind):
    """Return a group's cost: minus the squared norm of its sum over its weight, its nearest centre, or entropy."""
    last = total.shape[0] - 1
    weight = total[last]
    if weight <= 0.0:
        return 0.0
    if kind == SQUARES:
        return -squared_norm(total, last) / weight
    if kind == NEAREST:
        smallest = total[0]
        for v in range(1, last):
            smallest = min(smallest, total[v])
        return smallest
    entropy = 0.0
    for v in range(last):
        if total[v] > 0.0:
            entropy -= total[v] * np.log(total[v] / weight)
    return entropy


@kernel
def cell_sums(cells, values, rows, groups, out):
    """Write the summed values of some rows by group and cell, shape (n_groups, n_cells, n_values)."""
    n_groups, n_values = out.shape[0], out.shape[2]
    first = np.zeros(n_groups + 1, dtype=np.int64)
    for q in range(rows.shape[0]):
        first[groups[q] + 1] += 1
    for g in range(n_groups):
        first[g + 1] += first[g]
    order = np.empty(rows.shape[0], dtype=np.int64)
    place = first.copy()
    for q in range(rows.shape[0]):
        order[place[groups[q]]] = rows[q]
        place[groups[q]] += 1
    out[:] = 0.0
    for g in range(n_groups):
        for f in range(cells.shape[0]):
            for q in range(first[g], first[g + 1]):
                i = order[q]
                cell = out[g, cells[f, i]]
                for v in range(n_values):
                    cell[v] += values[i, v]


@kernel
def scan_cuts(sums, total, view_cells, view_start, kind, minimum, costs, places):
    """Write, for each view, the cost of the best cut of one group and how many cells go left; infinity if none."""
    n_values, last = total.shape[0], total.shape[0] - 1
    left, right = np.empty(n_values), np.empty(n_values)
    for view in range(view_start.shape[0] - 1):
        costs[view], places[view] = np.inf, 0
        left[:] = 0.0
        for position in range(view_start[view], view_start[view + 1] - 1):
            cell = sums[view_cells[position]]
            if cell[last] == 0.0:
                continue
            for v in range(n_values):
                left[v] += cell[v]
                right[v] = total[v] - left[v]
            if left[last] < minimum:
                continue
            if right[last] < minimum:
                break
            cost = group_cost(left, kind) + group_cost(right, kind)
            if cost < costs[view]:
                costs[view], places[view] = cost, position - view_start[view] + 1


@kernel
def side_costs(part, whole, kind, minimum, penalty, rest):
    """Return the costs of a part of a group and of the rest; infinity for a side that is too small."""
    last = whole.shape[0] - 1
    inside, outside = 0.0, 0.0
    if part[last] > 0.0:
        inside = group_cost(part, kind) + penalty * part[last] if part[last] >= minimum else np.inf
    weight = whole[last] - part[last]
    if weight > 0.0:
        if weight < minimum:
            outside = np.inf
        else:
            for v in range(whole.shape[0]):
                rest[v] = whole[v] - part[v]
            outside = group_cost(rest, kind) + penalty * weight
    return inside, outside


@kernel
def view_totals(sums, cells):
    """Return what each group adds up to over the cells of one feature, shape (n_groups, n_values)."""
    n_groups, n_values = sums.shape[0], sums.shape[2]
    whole = np.zeros((n_groups, n_values))
    for a in range(n_groups):
        for cell in cells:
            for v in range(n_values):
                whole[a, v] += sums[a, cell, v]
    return whole


@kernel
def scan_insertions(sums, whole, groups, view_cells, view_start, kind, minimum, penalty, depths, depth):
    """Return the best new leaf above a node: its rows on one side of a cut leave the node's `groups` and form a leaf.

    Returns the cost of the node afterwards, the view, how many cells lie on the low side, and whether the high side
    (1) or the low side (0) becomes the leaf. `whole` is what each of the node's groups adds up to, `depths` are the
    questions asked of each now, `depth` of the node.
    """
    n_groups, n_values = groups.shape[0], sums.shape[2]
    last = n_values - 1
    everything = np.zeros(n_values)
    for a in range(n_groups):
        for v in range(n_values):
            everything[v] += whole[a, v]
    part, low, high = np.empty((n_groups, n_values)), np.empty(n_values), np.empty(n_values)
    inside, outside = np.empty(n_groups), np.empty(n_groups)
    best, best_view, best_place, best_side = np.inf, -1, 0, 0
    leaf_penalty = penalty * (depth + 1.0)
    for view in range(view_start.shape[0] - 1):
        part[:] = 0.0
        low[:] = 0.0
        for a in range(n_groups):
            inside[a], outside[a] = side_costs(part[a], whole[a], kind, minimum, penalty * (depths[a] + 1.0), high)
        for position in range(view_start[view], view_start[view + 1] - 1):
            moved = False
            for a in range(n_groups):
                cell = sums[groups[a], view_cells[position]]
                if cell[last] > 0.0:
                    moved = True
                    for v in range(n_values):
                        part[a, v] += cell[v]
                        low[v] += cell[v]
                    inside[a], outside[a] = side_costs(
                        part[a], whole[a], kind, minimum, penalty * (depths[a] + 1.0), high
                    )
            if not moved or low[last] < minimum:
                continue
            if everything[last] - low[last] < minimum:
                break
            for v in range(n_values):
                high[v] = everything[v] - low[v]
            with_low = group_cost(low, kind) + leaf_penalty * low[last]
            with_high = group_cost(high, kind) + leaf_penalty * high[last]
            for a in range(n_groups):
                with_low += outside[a]
                with_high += inside[a]
            place = position - view_start[view] + 1
            if with_low < best:
                best, best_view, best_place, best_side = with_low, view, place, 0
            if with_high < best:
                best, best_view, best_place, best_side = with_high, view, place, 1
    return best, best_view, best_place, best_side


@kernel
def scan_recuts(sums, whole, n_left, view_cells, view_start, kind, minimum, penalty, depths):
    """Return the best other cut of a node whose subtrees stay as they are.

    The first `n_left` groups of `sums` hold the node's rows by the leaf of the left subtree each would reach, the
    others by the leaf of the right one; `whole` is what each group adds up to. Returns the cost afterwards, the view,
    how many cells lie on the low side, and whether the low side goes left (0) or right (1).
    """
    n_groups, n_values = sums.shape[0], sums.shape[2]
    last = n_values - 1
    part, rest = np.empty((n_groups, n_values)), np.empty(n_values)
    inside, outside = np.empty(n_groups), np.empty(n_groups)
    best, best_view, best_place, best_side = np.inf, -1, 0, 0
    for view in range(view_start.shape[0] - 1):
        part[:] = 0.0
        for a in range(n_groups):
            inside[a], outside[a] = side_costs(part[a], whole[a], kind, minimum, penalty * depths[a], rest)
        for position in range(view_start[view], view_start[view + 1] - 1):
            moved = False
            for a in range(n_groups):
                cell = sums[a, view_cells[position]]
                if cell[last] > 0.0:
                    moved = True
                    for v in range(n_values):
                        part[a, v] += cell[v]
                    inside[a], outside[a] = side_costs(part[a], whole[a], kind, minimum, penalty * depths[a], rest)
            if not moved:
                continue
            straight, swapped = 0.0, 0.0
            for a in range(n_groups):
                straight += inside[a] if a < n_left else outside[a]
                swapped += outside[a] if a < n_left else inside[a]
            place = position - view_start[view] + 1
            if straight < best:
                best, best_view, best_place, best_side = straight, view, place, 0
            if swapped < best:
                best, best_view, best_place, best_side = swapped, view, place, 1
    return best, best_view, best_place, best_side


@kernel
def find_nodes(codes, feature, goes_left, left, right, start, out):
    """Write the leaf each row reaches from `start[i]`; a negative start stays as it is."""
    for i in range(codes.shape[0]):
        node = start[i]
        if node >= 0:
            while feature[node] >= 0:
                node = left[node] if goes_left[node, codes[i, feature[node]]] else right[node]
        out[i] = node


@kernel
def add_cut_histogram(codes, features, slots, values, histogram):
    """Add `values[i, :]` to `histogram[slots[i], f, codes[i, features[f]], :]` for every feature; slot -1 is skipped.

    Rows are visited slot by slot, so that the part of the histogram in use stays in the cache.
    """
    n_slots, n_values = histogram.shape[0], histogram.shape[3]
    first = np.zeros(n_slots + 1, dtype=np.int64)
    for i in range(slots.shape[0]):
        if slots[i] >= 0:
            first[slots[i] + 1] += 1
    for slot in range(n_slots):
        first[slot + 1] += first[slot]
    order = np.empty(first[n_slots], dtype=np.int64)
    place = first.copy()
    for i in range(slots.shape[0]):
        if slots[i] >= 0:
            order[place[slots[i]]] = i
            place[slots[i]] += 1
    for slot in range(n_slots):
        for f in range(features.shape[0]):
            cells = histogram[slot, f]
            feature = features[f]
            for position in range(first[slot], first[slot + 1]):
                i = order[position]
                cell = cells[codes[i, feature]]
                for v in range(n_values):
                    cell[v] += values[i, v]
