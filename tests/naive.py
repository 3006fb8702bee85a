"""Slow, obvious twins of everything that is fast."""

from itertools import combinations, pairwise, product
from math import factorial

import numpy as np


def encode(values, thresholds):
    return [255 if np.isnan(v) else sum(t <= v for t in thresholds) for v in values]


def mixed(value, numbers):
    """SplitMix64, in integers without end."""
    word = 2**64 - 1
    for number in numbers:
        value = ((value ^ number) + 0x9E3779B97F4A7C15) & word
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & word
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & word
        value ^= value >> 31
    return value


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


def curve_part(curve, segment, point, code):
    level, knot, slope, curvature, unknown = curve[:, segment]
    return unknown if code == 255 else level + slope * abs(point - knot) + curvature * (point - knot) ** 2


def additive_parts(points, codes, coordinates, looked_up, curves, tables):
    """The part of each used feature in each score, shape (n_rows, n_used, n_segments)."""
    n_segments = curves.shape[2]
    parts = np.zeros((len(codes), len(coordinates) + len(looked_up), n_segments))
    for i, row in enumerate(codes):
        for s in range(n_segments):
            for p, j in enumerate(coordinates):
                parts[i, p, s] = curve_part(curves[p], s, float(points[i, p]), row[j])
            for f, j in enumerate(looked_up):
                parts[i, len(coordinates) + f, s] = tables[f, row[j], s]
    return parts


def swap_costs(to_candidates, to_centres, weights):
    """Every exchange, by doing it."""
    n_candidates, n_centres = to_candidates.shape[1], to_centres.shape[1]
    costs = np.zeros((n_candidates, n_centres))
    for m in range(n_candidates):
        for c in range(n_centres):
            distances = to_centres.copy()
            distances[:, c] = to_candidates[:, m]
            costs[m, c] = weights @ distances.min(axis=1)
    return costs


def soft_sums(points, codes, coordinates, looked_up, shares, weights):
    """Mass, known mass, sums, squares and counts, in floating point."""
    known = (codes[:, coordinates] != 255).astype(float)
    weighted = shares * weights[:, None]
    counts = np.zeros((shares.shape[1], len(looked_up), 256))
    for f, j in enumerate(looked_up):
        for i, code in enumerate(codes[:, j]):
            counts[:, f, code] += weighted[i]
    there = points.astype(float) * known
    return weighted.sum(axis=0), weighted.T @ known, weighted.T @ there, weighted.T @ (there**2), counts


def latent_class_likelihood(table, weights, probabilities):
    """The mean log-likelihood of complete categories, row by row."""
    logs = []
    for row in table:
        joint = sum(
            weight * np.prod([probabilities[j][s][value] for j, value in enumerate(row)])
            for s, weight in enumerate(weights)
        )
        logs.append(np.log(joint))
    return float(np.mean(logs))


def latent_classes(table, n_categories, n_classes, rng, n_iter=500):
    """EM for latent classes by enumeration of rows and classes, from one random start."""
    shares = rng.dirichlet(np.ones(n_classes), len(table))
    for _ in range(n_iter):
        weights = shares.mean(axis=0)
        probabilities = [np.zeros((n_classes, count)) for count in n_categories]
        for s in range(n_classes):
            for j, count in enumerate(n_categories):
                for value in range(count):
                    probabilities[j][s, value] = shares[table[:, j] == value, s].sum() / shares[:, s].sum()
        for i, row in enumerate(table):
            joint = [
                weights[s] * np.prod([probabilities[j][s, v] for j, v in enumerate(row)]) for s in range(n_classes)
            ]
            shares[i] = np.array(joint) / sum(joint)
    return weights, probabilities


def box_cost(values, box, tested, place, ends, missing, scale, choices, category_cost):
    total = 0.0
    for f in tested[box]:
        if np.isnan(values[f]):
            total += 0.0 if missing[box, f] else np.inf
        elif place[f] >= 0:
            chosen = choices[box, place[f], int(values[f])]
            total += np.inf if chosen < 0 else category_cost * (chosen != values[f])
        else:
            low, high, up, down = ends[box, f]
            total += max(up - values[f], 0) / scale[f] if values[f] < low else 0.0
            total += max(values[f] - down, 0) / scale[f] if values[f] >= high else 0.0
    return total


def membership_change(fails, failed):
    """Shapley values of the tests of one box: who is inside when some tests are as after, the others as before."""
    n = len(fails)
    phi = np.zeros(n)
    for j in range(n):
        others = [k for k in range(n) if k != j]
        for size in range(n):
            for s in combinations(others, size):
                inside = [not any(fails[k] if k in known else failed[k] for k in range(n)) for known in (s, (*s, j))]
                phi[j] += (inside[1] - inside[0]) * factorial(size) * factorial(n - size - 1) / factorial(n)
    return phi


def part(curve, segment, point):
    level, knot, slope, curvature = curve[:4, segment]
    return level + slope * abs(point - knot) + curvature * (point - knot) ** 2


def cheapest_use(gains, needs, costs, units, chain, group):
    """The least cost of whole units of columns, used in the order of their chain, one chain a group."""
    best = np.inf
    for used in product(*(range(n + 1) for n in units)):
        in_order = all(
            not used[c] or used[c - 1] == units[c - 1] for c in range(1, len(used)) if chain[c] == chain[c - 1]
        )
        chains = [{chain[c] for c in range(len(used)) if used[c] and group[c] == g} for g in set(group)]
        if in_order and all(len(one) <= 1 for one in chains) and (gains.T @ used >= needs - 1e-9).all():
            best = min(best, float(costs @ used))
    return best


def cheapest_combination(spare, target, offsets, costs, gains):
    """The least cost of one candidate a feature, or none, that makes every lead at least nothing."""
    best = np.inf
    rivals = [s for s in range(len(spare)) if s != target]
    options = [[None, *range(first, last)] for first, last in pairwise(offsets)]
    for chosen in product(*options):
        taken = [c for c in chosen if c is not None]
        if all(spare[s] + sum(gains[c, s] for c in taken) >= 0 for s in rivals):
            best = min(best, sum(costs[c] for c in taken))
    return best


def consent(statements, subject, purpose, feature, now):
    """What the statements of a ledger say at `now`, by reading every one of them.

    A statement is a dict with subject, purpose, feature, state, source, at, until, recorded; times are integers.
    """
    allowing = {"given", "renewed"}
    best, first_heard = None, {}
    for statement in statements:
        grants = statement["state"] in allowing
        said = tuple(value for name, value in sorted(statement.items()) if name != "recorded")
        heard = first_heard.setdefault(said, statement["recorded"])
        if statement["subject"] != subject or statement["purpose"] not in {purpose, "*"}:
            continue
        if statement["feature"] != feature or (grants and statement["source"] == "business"):
            continue
        order = min(statement["at"], heard if grants else statement["recorded"])
        if (statement["at"] if grants else order) > now:
            continue
        rank = (order, not grants, -statement["until"])
        if best is None or rank > best[0]:
            best = rank, grants and now < statement["until"]
    return None if best is None else best[1]


def inherited_denials(identifiers, links, spells, now):
    """When the first denial of somebody else reaches each identifier, by following every denial on its own.

    Links are (left, right, since, until), spells (identifier, begins, ends); ends are exclusive. A denial that comes
    back to where it was made is passed on, but not held against it.
    """
    first = {}
    for origin in identifiers:
        own = [(begins, ends) for who, begins, ends in spells if who == origin and begins <= now]
        reached = {}
        for _ in identifiers:
            for left, right, since, until in links:
                for here, there in ((left, right), (right, left)):
                    waves = own if here == origin else []
                    waves = [*waves, (reached[here], now + 1)] if here in reached else waves
                    for begins, ends in waves:
                        time = max(begins, since)
                        if time < min(ends, until) and time <= now:
                            reached[there] = min(time, reached.get(there, time))
        for identifier, time in reached.items():
            if identifier != origin:
                first[identifier] = min(time, first.get(identifier, time))
    return first
