"""Exact Shapley values of membership in unions of boxes, and the cheapest move of a row into a box.

A row's pattern has a bit for each test of the box that the row fails. With a row failing the tests `f` and a
background row failing `b`, a coalition puts the row inside the box only if `f & b == 0`; then each test in `b` earns
``(|b| - 1)! |f|! / (|b| + |f|)!`` and each in `f` loses ``|b|! (|f| - 1)! / (|b| + |f|)!`` (Lundberg et al., 2020).

A number that lies below a box costs ``(up - value) / scale``, one above it ``(value - down) / scale``; a category
costs a constant. NaN is a missing value, which no move changes.
"""

import numpy as np

from xseg._kernels import kernel, light_kernel


@light_kernel(lambda codes, features, *rest: len(codes) * len(features) * rest[-1].shape[1])
def failed_tests(codes, features, failing, word, shift, mask, first, targets, patterns):
    """Write the pattern of failed tests of each row in the boxes `first[t]` to `first[t + 1]` of its target t.

    Bits of several boxes share a word of `failing[u, code]`: box b has `mask[b]` at `shift[b]` of word `word[b]`.
    """
    for i in range(codes.shape[0]):
        box, stop = first[targets[i]], first[targets[i] + 1]
        while box < stop:
            here = word[box]
            bits = np.uint64(0)
            for u in range(features.shape[0]):
                bits |= failing[u, codes[i, features[u]], here]
            while box < stop and word[box] == here:
                patterns[i, box] = (bits >> shift[box]) & mask[box]
                box += 1


@light_kernel(lambda _, background, *rest: rest[-1].size * len(background))
def shapley_table(failed, background, share, gain, loss, table):
    """Write the Shapley value of each test for each pattern in `failed`, shape (n_patterns, n_tests).

    `background` are the patterns of the population and `share` how much of it has each; `gain[a, b]` and `loss[a, b]`
    are the weights above for a tests failed by the background alone and b by the row alone.
    """
    n_tests = table.shape[1]
    for p in range(failed.shape[0]):
        by_row = 0
        for test in range(n_tests):
            table[p, test] = 0.0
            by_row += (failed[p] >> test) & 1
        for q in range(background.shape[0]):
            if failed[p] & background[q]:
                continue
            by_background = 0
            for test in range(n_tests):
                by_background += (background[q] >> test) & 1
            gained = gain[by_background, by_row] * share[q]
            lost = loss[by_background, by_row] * share[q]
            for test in range(n_tests):
                if (background[q] >> test) & 1:
                    table[p, test] += gained
                elif (failed[p] >> test) & 1:
                    table[p, test] -= lost


@light_kernel(lambda codes, features, holds, *_: len(codes) * len(features) * holds.shape[2])
def find_boxes(codes, features, holds, place, boxes):
    """Write the box each row lies in.

    `holds[u, code]` has a bit for each box that allows this code of feature u, 64 to a word. `place` tells where the
    lowest bit of a word stands: 2 has another remainder by 67 for every power below 66.
    """
    for i in range(codes.shape[0]):
        for word in range(holds.shape[2]):
            bits = holds[0, codes[i, features[0]], word]
            for u in range(1, features.shape[0]):
                bits &= holds[u, codes[i, features[u]], word]
            if bits:
                boxes[i] = 64 * word + place[(bits & (~bits + np.uint64(1))) % np.uint64(67)]
                break


@light_kernel(lambda places, *_: 8 * places.size)
def explain_targets(places, first, tables, widths, starts, players, targets, out):
    """Write the Shapley values of membership in one segment per row, shape (n_rows, n_columns).

    Boxes `first[s]` to `first[s + 1]` belong to segment s. Box b's table is `tables[starts[b]:]`, `widths[b]` values
    a line, and `players[b]` are the columns those values belong to; `places[i, b]` is the line of row i.
    """
    n_columns = out.shape[1]
    for i in range(places.shape[0]):
        row = out[i]
        for column in range(n_columns):
            row[column] = 0.0
        for box in range(first[targets[i]], first[targets[i] + 1]):
            width = widths[box]
            line = starts[box] + np.int64(places[i, box]) * width
            for test in range(width):
                row[players[box, test]] += tables[line + test]


@kernel
def explain_segments(places, box_segment, tables, widths, starts, players, out):
    """Write the Shapley values of membership in every segment, shape (n_rows, n_columns, n_segments)."""
    n_columns, n_segments = out.shape[1], out.shape[2]
    for i in range(places.shape[0]):
        row = out[i]
        for column in range(n_columns):
            for segment in range(n_segments):
                row[column, segment] = 0.0
        for box in range(box_segment.shape[0]):
            width = widths[box]
            segment = box_segment[box]
            line = starts[box] + np.int64(places[i, box]) * width
            for test in range(width):
                row[players[box, test], segment] += tables[line + test]


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
