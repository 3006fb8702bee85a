"""Squared distances of rows to centres, responsibilities, and the sums that update the centres.

A row has `points` (numbers in the metric space) and `codes`; the features in `looked_up` enter a distance through
`tables[feature, code, centre]` instead of a coordinate. Centres come transposed, so the inner loop runs over them.
"""

import numpy as np

from xseg._kernels import kernel
from xseg._kernels.encode_kernels import MISSING


@kernel
def squared_distances(points, codes, looked_up, centers_t, tables, out):
    """Write the squared distance of each row to each centre, shape (n_rows, n_centers)."""
    n_centers = out.shape[1]
    for i in range(points.shape[0]):
        row = out[i]
        for c in range(n_centers):
            row[c] = 0.0
        for j in range(points.shape[1]):
            point = np.float64(points[i, j])
            for c in range(n_centers):
                difference = point - centers_t[j, c]
                row[c] += difference * difference
        for f in range(looked_up.shape[0]):
            table = tables[f, codes[i, looked_up[f]]]
            for c in range(n_centers):
                row[c] += table[c]


@kernel
def find_nearest(distances, labels, best):
    """Write the index of the nearest centre (the first among equals) and its distance."""
    for i in range(distances.shape[0]):
        label = 0
        smallest = distances[i, 0]
        for c in range(1, distances.shape[1]):
            if distances[i, c] < smallest:
                smallest = distances[i, c]
                label = c
        labels[i] = label
        best[i] = smallest


@kernel
def add_group_sums(points, codes, looked_up, groups, weights, units, sums, counts, mass):
    """Add each row, rounded once to fixed point, to the totals of its group; a negative group is left out.

    `sums` has shape (n_groups, n_points), `counts` (n_groups, n_looked_up, 256), `mass` (n_groups,).
    """
    for i in range(groups.shape[0]):
        group = groups[i]
        weight = weights[i]
        if group < 0 or weight == 0:
            continue
        mass[group] += weight
        total = sums[group]
        for j in range(points.shape[1]):
            total[j] += np.int64(np.rint(np.float64(points[i, j]) * units[j])) * weight
        for f in range(looked_up.shape[0]):
            counts[group, f, codes[i, looked_up[f]]] += weight


@kernel
def add_code_counts(codes, groups, weights, counts):
    """Add each row's weight to ``counts[group, feature, code]`` for every feature."""
    for i in range(codes.shape[0]):
        group = counts[groups[i]]
        for j in range(codes.shape[1]):
            group[j, codes[i, j]] += weights[i]


@kernel
def cost_differences(points, codes, looked_up, means, tables, first, second, weights, unit, out):
    """Write how much dearer centre `first[i]` is than `second[i]` in fixed point, and the weight; shape (n_rows, 2).

    Rows whose `first` is negative get zeros.
    """
    for i in range(points.shape[0]):
        out[i, 0] = 0
        out[i, 1] = weights[i]
        a, b = first[i], second[i]
        if a < 0 or a == b:
            continue
        difference = 0.0
        for j in range(points.shape[1]):
            point = np.float64(points[i, j])
            to_a, to_b = point - means[a, j], point - means[b, j]
            difference += to_a * to_a - to_b * to_b
        for f in range(looked_up.shape[0]):
            table = tables[f, codes[i, looked_up[f]]]
            difference += table[a] - table[b]
        out[i, 0] = np.int64(np.rint(difference * unit)) * weights[i]


@kernel
def swap_costs(to_candidates, nearest, to_nearest, to_second, weights, costs):
    """Write the cost of every exchange of a centre for a candidate, shape (n_candidates, n_centers).

    A row goes to the candidate or stays with its nearest centre; if that is the one taken out, its second (Schubert
    and Rousseeuw, 2021).
    """
    n_candidates, n_centers = costs.shape
    for m in range(n_candidates):
        together = 0.0
        for c in range(n_centers):
            costs[m, c] = 0.0
        for i in range(weights.shape[0]):
            to_candidate = to_candidates[i, m]
            with_it = to_candidate if to_candidate < to_nearest[i] else to_nearest[i]
            without = to_candidate if to_candidate < to_second[i] else to_second[i]
            together += weights[i] * with_it
            costs[m, nearest[i]] += weights[i] * (without - with_it)
        for c in range(n_centers):
            costs[m, c] += together


@kernel
def add_level_sums(points, codes, coordinates, weights, units, sums, counts):
    """Add each point, rounded once to fixed point, to ``sums[coordinate, code]``, and its weight to the counts."""
    for i in range(weights.shape[0]):
        for p in range(coordinates.shape[0]):
            code = codes[i, coordinates[p]]
            if code != MISSING:
                sums[p, code] += np.int64(np.rint(np.float64(points[i, p]) * units[p])) * weights[i]
                counts[p, code] += weights[i]


NEGLIGIBLE = 1e-12


@kernel
def compute_responsibilities(scores, shares, logs):
    """Write the share of each row in each component, and the logarithm of the summed exponentials of its scores."""
    n_components = scores.shape[1]
    for i in range(scores.shape[0]):
        row, share = scores[i], shares[i]
        largest = row[0]
        for s in range(1, n_components):
            largest = row[s] if row[s] > largest else largest
        total = 0.0
        for s in range(n_components):
            share[s] = np.exp(row[s] - largest)
            total += share[s]
        for s in range(n_components):
            share[s] /= total
        logs[i] = largest + np.log(total)


@kernel
def add_soft_sums(
    points,
    codes,
    coordinates,
    looked_up,
    shares,
    weights,
    unit,
    units,
    square_units,
    mass,
    known,
    sums,
    squares,
    counts,
):
    """Add each row's share in each component, rounded once to fixed point; shares below 1e-12 are nothing.

    `mass` has shape (n_components,), `known`, `sums` and `squares` (n_components, n_points), and `counts`
    (n_components, n_looked_up, 256).
    """
    for i in range(weights.shape[0]):
        weight = weights[i]
        if weight == 0:
            continue
        for s in range(mass.shape[0]):
            share = shares[i, s]
            if share < NEGLIGIBLE:
                continue
            part = np.int64(np.rint(share * unit)) * weight
            mass[s] += part
            for p in range(coordinates.shape[0]):
                if codes[i, coordinates[p]] == MISSING:
                    continue
                point = np.float64(points[i, p])
                known[s, p] += part
                sums[s, p] += np.int64(np.rint(share * point * units[p])) * weight
                squares[s, p] += np.int64(np.rint(share * point * point * square_units[p])) * weight
            for f in range(looked_up.shape[0]):
                counts[s, f, codes[i, looked_up[f]]] += part
