"""The cheapest way into a box, and what made a membership change.

A number that lies below a box costs ``(up - value) / scale``, one above it ``(value - down) / scale``; a category
costs a constant. NaN is a missing value, which nothing changes.
"""

import numpy as np

from xseg._kernels.jit import kernel


@kernel
def number_cost(value, low, high, up, down, missing, scale):
    """Return what it costs to bring a number into a box; infinity if it cannot be done."""
    if np.isnan(value):
        return 0.0 if missing else np.inf
    if value < low:
        return (up - value) / scale
    if value >= high:
        return (value - down) / scale
    return 0.0


@kernel
def box_costs(values, box, tested, n_tested, place, ends, missing, scale, choices, category_cost, costs):
    """Write what each test of a box costs a row, and return the sum.

    `tested[box]` are its features; `ends[box, f]` holds low, high, up and down of a number, and for a category
    `choices[box, place[f], code]` the code to change to (-1: none).
    """
    total = 0.0
    for test in range(n_tested[box]):
        f = tested[box, test]
        value = values[f]
        if place[f] < 0:
            low, high, up, down = ends[box, f]
            cost = number_cost(value, low, high, up, down, missing[box, f], scale[f])
        elif np.isnan(value):
            cost = 0.0 if missing[box, f] else np.inf
        else:
            chosen = choices[box, place[f], np.int64(value)]
            cost = np.inf if chosen < 0 else (0.0 if chosen == value else category_cost)
        costs[test] = cost
        total += cost
    return total


@kernel
def nearest_boxes(
    values, tested, n_tested, place, ends, missing, scale, choices, category_cost, segment, own, targets, boxes, cost
):
    """Write the cheapest box of each row's target (-1: of any segment but its own) and its cost.

    The lower number wins among equals; the box is -1 where none can be reached.
    """
    costs = np.empty(tested.shape[1])
    for i in range(values.shape[0]):
        boxes[i], cost[i] = -1, np.inf
        for box in range(segment.shape[0]):
            wanted = segment[box] == targets[i] if targets[i] >= 0 else segment[box] != own[i]
            if wanted:
                total = box_costs(
                    values[i], box, tested, n_tested, place, ends, missing, scale, choices, category_cost, costs
                )
                if total < cost[i]:
                    boxes[i], cost[i] = box, total


@kernel
def explain_changes(after, before, first, targets, widths, players, gain, loss, out):
    """Write the Shapley values of the change of membership in one segment a row, shape (n_rows, n_columns).

    `after[i, b]` and `before[i, b]` are the tests of box b that the row fails then; `gain` and `loss` are the weights
    by how many tests the row failed before and fails after.
    """
    for i in range(out.shape[0]):
        row = out[i]
        for column in range(row.shape[0]):
            row[column] = 0.0
        for box in range(first[targets[i]], first[targets[i] + 1]):
            fails, failed = after[i, box], before[i, box]
            if fails & failed:
                continue
            n_fails, n_failed = 0, 0
            for test in range(widths[box]):
                n_fails += (fails >> test) & 1
                n_failed += (failed >> test) & 1
            for test in range(widths[box]):
                if (failed >> test) & 1:
                    row[players[box, test]] += gain[n_failed, n_fails]
                elif (fails >> test) & 1:
                    row[players[box, test]] -= loss[n_failed, n_fails]
