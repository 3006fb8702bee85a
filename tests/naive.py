"""Slow, obvious twins of everything that is fast."""

from itertools import combinations
from math import factorial

import numpy as np


def encode(values, thresholds):
    return [255 if np.isnan(v) else sum(t <= v for t in thresholds) for v in values]


def squared_distances(points, codes, looked_up, centers_t, tables):
    n, k = len(points), centers_t.shape[1]
    out = np.zeros((n, k))
    for i in range(n):
        for c in range(k):
            out[i, c] = sum((float(points[i, j]) - centers_t[j, c]) ** 2 for j in range(points.shape[1]))
            out[i, c] += sum(tables[f, codes[i, j], c] for f, j in enumerate(looked_up))
    return out


def group_sums(points, codes, looked_up, groups, weights, units, n_groups):
    sums = np.zeros((n_groups, points.shape[1]), dtype=np.int64)
    counts = np.zeros((n_groups, len(looked_up), 256), dtype=np.int64)
    mass = np.zeros(n_groups, dtype=np.int64)
    for i, group in enumerate(groups):
        if group >= 0:
            mass[group] += weights[i]
            for j in range(points.shape[1]):
                sums[group, j] += int(np.rint(float(points[i, j]) * units[j])) * weights[i]
            for f, j in enumerate(looked_up):
                counts[group, f, codes[i, j]] += weights[i]
    return sums, counts, mass


def leaf(codes, tree, start=0):
    node = start
    while tree.feature[node] >= 0:
        node = tree.left[node] if tree.goes_left[node, codes[tree.feature[node]]] else tree.right[node]
    return node


def cut_histogram(codes, features, slots, values, n_slots):
    histogram = np.zeros((n_slots, len(features), 256, values.shape[1]), dtype=np.int64)
    for i, slot in enumerate(slots):
        if slot >= 0:
            for f, j in enumerate(features):
                histogram[slot, f, codes[i, j]] += values[i]
    return histogram


def shapley_values(membership, row, background, weights, n_columns):
    """Every coalition, every background row: v(S) = E_z f(row on S, z elsewhere)."""
    everyone = range(n_columns)

    def value(coalition):
        mixed = background.copy()
        for j in coalition:
            mixed[:, j] = row[j]
        return np.average(membership(mixed), axis=0, weights=weights)

    values = {frozenset(s): value(s) for size in range(n_columns + 1) for s in combinations(everyone, size)}
    phi = []
    for j in everyone:
        total = 0.0
        for coalition, worth in values.items():
            if j not in coalition:
                weight = factorial(len(coalition)) * factorial(n_columns - len(coalition) - 1) / factorial(n_columns)
                total = total + weight * (values[coalition | {j}] - worth)
        phi.append(total)
    return np.array(phi), values[frozenset()]


def partition_cost(points, labels, weights=None):
    weights = np.ones(len(points)) if weights is None else weights
    cost = 0.0
    for label in np.unique(labels):
        some, weight = points[labels == label], weights[labels == label]
        mean = np.average(some, axis=0, weights=weight)
        cost += float(weight @ ((some - mean) ** 2).sum(axis=1))
    return cost


def best_stump(points, codes, n_codes, min_rows):
    """The cheapest split in two by one threshold, over all features and thresholds."""
    best = np.inf
    for j in range(codes.shape[1]):
        for cut in range(n_codes[j] - 1):
            left = codes[:, j] <= cut
            if min(left.sum(), (~left).sum()) >= min_rows:
                best = min(best, partition_cost(points, left.astype(int)))
    return best


_SIGNS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def rule_holds(rule, row):
    """A rule as nested tuples, about a row whose missing values are None; a comparison with None is false."""
    what, *parts = rule
    if what == "and":
        return all(rule_holds(part, row) for part in parts)
    if what == "or":
        return any(rule_holds(part, row) for part in parts)
    if what == "not":
        return not rule_holds(parts[0], row)
    value = row[parts[0]]
    if what == "missing":
        return value is None
    if what == "known":
        return value is not None
    if value is None:
        return False
    if what == "in":
        return value in parts[1]
    if what == "not in":
        return value not in parts[1]
    return _SIGNS[what](value, parts[1])


def first_rule(rules, row):
    """The place of the first rule that holds; their number if none does."""
    return next((place for place, rule in enumerate(rules) if rule_holds(rule, row)), len(rules))
