"""Sums of rows by group and cell in the search for a tree, and descents of rows through a tree.

Rows have `values` (n_rows, n_values), weighted, the last one the weight itself. The cells of all features are numbered
in one row. A finished tree is flat arrays over nodes: `feature` (-1 in a leaf), `goes_left[node, code]`, `left`,
`right`.
"""

import numpy as np

from xseg._kernels import kernel

# What a group of rows costs, given its summed values.
SQUARES = 0
NEAREST = 1
ENTROPY = 2


@kernel
def cell_sums(cells, values, rows, first, out):
    """Add the values of rows to those of their group and cell, shape (n_groups, n_cells, n_values).

    Group g has the rows ``rows[first[g]:first[g + 1]]``.
    """
    for g in range(out.shape[0]):
        for f in range(cells.shape[0]):
            for q in range(first[g], first[g + 1]):
                i = rows[q]
                cell = out[g, cells[f, i]]
                for v in range(out.shape[2]):
                    cell[v] += values[i, v]


@kernel
def prefix_sums(sums, cells, start, out):
    """Write what the cells of each view add up to, from its first cell to each position; views start anew."""
    for view in range(start.shape[0] - 1):
        for position in range(start[view], start[view + 1]):
            cell = sums[cells[position]]
            for v in range(sums.shape[1]):
                out[position, v] = cell[v] if position == start[view] else out[position - 1, v] + cell[v]


@kernel
def group_cost(total, kind):
    """Return what a group costs: minus the squared norm of its sum over its weight, its nearest centre, or entropy."""
    last = total.shape[0] - 1
    weight = total[last]
    if weight <= 0.0:
        return 0.0
    cost = 0.0
    if kind == SQUARES:
        for v in range(last):
            cost -= total[v] * total[v]
        return cost / weight
    if kind == NEAREST:
        cost = total[0]
        for v in range(1, last):
            cost = total[v] if total[v] < cost else cost
        return cost
    for v in range(last):
        if total[v] > 0.0:
            cost -= total[v] * np.log(total[v] / weight)
    return cost


@kernel
def side_costs(low, total, kind, minimum, penalty, rest, inside, outside):
    """Write what parts of a group cost, and what the rest of it costs: infinity below the minimum, 0 without weight.

    `low` has the sums of the parts, shape (n_positions, n_values), `total` that of the group; `rest` is room for one
    more sum.
    """
    last = total.shape[0] - 1
    for position in range(low.shape[0]):
        part = low[position]
        weight, remaining = part[last], total[last] - part[last]
        inside[position], outside[position] = 0.0, 0.0
        if weight > 0.0:
            inside[position] = group_cost(part, kind) + penalty * weight if weight >= minimum else np.inf
        if remaining > 0.0:
            if remaining < minimum:
                outside[position] = np.inf
            else:
                for v in range(total.shape[0]):
                    rest[v] = total[v] - part[v]
                outside[position] = group_cost(rest, kind) + penalty * remaining


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
