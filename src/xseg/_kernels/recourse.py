"""The cheapest change that makes one additive score the highest.

Each feature has candidate ends: coming from below it may end at ``stops[f, 0, c]``, from above at ``stops[f, 1, c]``
(infinite where that is not allowed), c being the code it gets; categories change to any code whose stop is finite, at
a constant cost. Ends that are numbers of a coordinate may be followed to the very boundary, by halving.
"""

import numpy as np

from xseg._kernels.additive import curve_part
from xseg._kernels.encode import MISSING
from xseg._kernels.jit import kernel

HALVINGS = 60


@kernel
def write_parts(f, value, code, n_coordinates, shift, factor, curves, tables, out):
    """Write the part of a used feature in every score, as `predict` would see the value."""
    if f < n_coordinates:
        point = np.float64(np.float32((value - shift[f]) * factor[f]))
        for s in range(out.shape[0]):
            out[s] = curve_part(curves[f], s, point, code)
    else:
        for s in range(out.shape[0]):
            out[s] = tables[f - n_coordinates, code, s]


@kernel
def pull_back(f, near, far, whole, spare, here, target, n_coordinates, shift, factor, curves, tables, parts):
    """Give the value nearest to `near` that does as well as `far`, found by halving.

    `spare[s]` is by how much the target leads rival s without this feature's change, `here` the feature's parts now;
    a value does if no lead falls below 0.
    """
    good, bad = far, near
    if whole:
        bad = np.ceil(near) if near < far else np.floor(near)
    write_parts(f, bad, 0, n_coordinates, shift, factor, curves, tables, parts)
    if leads(spare, here, parts, target):
        return bad
    for _ in range(HALVINGS):
        between = good / 2 + bad / 2
        if whole:
            between = np.floor(between) if good < bad else np.ceil(between)
        if between in (good, bad):
            break
        write_parts(f, between, 0, n_coordinates, shift, factor, curves, tables, parts)
        if leads(spare, here, parts, target):
            good = between
        else:
            bad = between
    return good


@kernel
def leads(spare, here, parts, target):
    """Say whether the target leads every rival once a feature's parts are `parts` rather than `here`."""
    for s in range(spare.shape[0]):
        gain = (parts[target] - here[target]) - (parts[s] - here[s])
        if s != target and spare[s] + gain < 0:
            return False
    return True


@kernel
def category_allowed(code, own, rises, falls):
    """Say whether a category may change to a code; one without a code of its own has no place in an order."""
    if rises and falls:
        return True
    if own == MISSING:
        return False
    return code > own if rises else code < own


@kernel
def gather(
    values,
    codes,
    stops,
    parts,
    here,
    flat,
    scale,
    rises,
    falls,
    category_cost,
    target,
    offsets,
    costs,
    which,
    side,
    gains,
):
    """List the candidates of every feature, the cheapest first, without those that gain on nobody.

    Feature f's are `offsets[f]` to `offsets[f + 1]`; `gains[c, s]` is what one adds to the lead over rival s.
    """
    n_segments = here.shape[1]
    n = 0
    for f in range(here.shape[0]):
        offsets[f] = n
        value = values[f]
        if np.isnan(value):
            continue
        for way in range(2):
            for c in range(stops.shape[2]):
                stop = stops[f, way, c]
                if np.isinf(stop) or c == codes[f]:
                    continue
                if flat[f]:
                    if way == 1 or not category_allowed(c, codes[f], rises[f], falls[f]):
                        continue
                    cost = category_cost
                else:
                    if (way == 0 and stop <= value) or (way == 1 and stop >= value):
                        continue
                    cost = abs(stop - value) / scale[f]
                helps = False
                # The target's own slot holds what its score gains.
                gains[n, target] = parts[f, way, c, target] - here[f, target]
                for s in range(n_segments):
                    if s == target:
                        continue
                    gain = (parts[f, way, c, target] - here[f, target]) - (parts[f, way, c, s] - here[f, s])
                    gains[n, s] = gain
                    helps |= gain > 0
                if helps:
                    costs[n], which[n], side[n] = cost, c, way
                    n += 1
        order = np.argsort(costs[offsets[f] : n]) + offsets[f]
        costs[offsets[f] : n], which[offsets[f] : n], side[offsets[f] : n] = costs[order], which[order], side[order]
        gains[offsets[f] : n] = gains[order]
    offsets[here.shape[0]] = n


@kernel
def ahead(lead, gains, target):
    """Say whether the target leads every rival with these gains."""
    for s in range(lead.shape[0]):
        if s != target and lead[s] + gains[s] < 0:
            return False
    return True


@kernel
def cheapest_bound(values, codes, stops, parts, here, flat, scale, category_cost, target, rival, behind):
    """Bound from below what it costs to make up for how far the target is behind one rival."""
    rate = 0.0
    for f in range(here.shape[0]):
        if np.isnan(values[f]):
            continue
        lead = here[f, target] - here[f, rival]
        for way in range(1 if flat[f] else 2):
            for c in range(stops.shape[2]):
                stop = stops[f, way, c]
                if np.isinf(stop) or c == codes[f]:
                    continue
                cost = category_cost if flat[f] else abs(stop - values[f]) / scale[f]
                gain = parts[f, way, c, target] - parts[f, way, c, rival] - lead
                if gain > rate * cost:
                    rate = gain / max(cost, 1e-300)
    return behind / rate if rate > 0 else np.inf


@kernel
def settle(spare, target, offsets, costs, gains, chosen):
    """Write a combination that leads everybody, and give its cost; infinity if this way does not lead to one.

    Every feature goes where the target's own score is highest, and then, the dearest first, back as far as it may.
    """
    n_features = chosen.shape[0]
    lead = spare.copy()
    paid = np.zeros(n_features)
    for f in range(n_features):
        chosen[f] = -1
        for c in range(offsets[f], offsets[f + 1]):
            if gains[c, target] > (gains[chosen[f], target] if chosen[f] >= 0 else 0.0):
                chosen[f] = c
        if chosen[f] >= 0:
            lead += gains[chosen[f]]
            paid[f] = costs[chosen[f]]
    none = np.zeros(spare.shape[0])
    if not ahead(lead, none, target):
        return np.inf
    for f in np.argsort(-paid):
        if chosen[f] < 0:
            continue
        lead -= gains[chosen[f]]
        if ahead(lead, none, target):
            chosen[f], paid[f] = -1, 0.0
            continue
        for c in range(offsets[f], offsets[f + 1]):
            if c == chosen[f] or ahead(lead, gains[c], target):
                chosen[f], paid[f] = c, costs[c]
                break
        lead += gains[chosen[f]]
    return paid.sum()


@kernel
def limits(offsets, costs, gains, order, reach, rate):
    """Write the most that features from a place of the order on may gain on each rival, and the best gain per cost."""
    n_features, n_segments = order.shape[0], reach.shape[1]
    for s in range(n_segments):
        reach[n_features, s] = 0.0
        rate[n_features, s] = 0.0
    for place in range(n_features - 1, -1, -1):
        f = order[place]
        for s in range(n_segments):
            most, best = 0.0, 0.0
            for c in range(offsets[f], offsets[f + 1]):
                most = max(most, gains[c, s])
                best = max(best, gains[c, s] / max(costs[c], 1e-300))
            reach[place, s] = reach[place + 1, s] + most
            rate[place, s] = max(rate[place + 1, s], best)


@kernel
def least(spare, target, reach, rate):
    """Bound from below what it still costs until the target leads everybody; infinity if it cannot."""
    bound = 0.0
    for s in range(spare.shape[0]):
        if s != target and spare[s] < 0:
            if spare[s] + reach[s] < 0:
                return np.inf
            bound = max(bound, -spare[s] / rate[s])
    return bound


@kernel
def search(spare, target, offsets, costs, gains, order, reach, rate, limit, best, chosen):
    """Write the cheapest combination of candidates that costs less than `best` (-1: a feature stays).

    Gives its cost, and how many steps were left of `limit`: 0 means that the search was not exhausted.
    """
    n_features, n_segments = order.shape[0], spare.shape[0]
    at = np.full(n_features + 1, -2, dtype=np.int64)
    paid = np.zeros(n_features + 1)
    lead = np.empty((n_features + 1, n_segments))
    lead[0] = spare
    place = 0
    while place >= 0 and limit > 0:
        limit -= 1
        if at[place] == -2:
            bound = least(lead[place], target, reach[place], rate[place])
            if bound == 0.0:
                if paid[place] < best:
                    best = paid[place]
                    for f in range(n_features):
                        chosen[f] = -1
                    for p in range(place):
                        chosen[order[p]] = at[p]
                place -= 1
                continue
            if place == n_features or not paid[place] + bound < best * (1 - 1e-12):
                place -= 1
                continue
        f = order[place]
        candidate = -1 if at[place] == -2 else (offsets[f] if at[place] == -1 else at[place] + 1)
        if candidate >= 0 and (candidate >= offsets[f + 1] or not paid[place] + costs[candidate] < best):
            at[place] = -2
            place -= 1
            continue
        at[place] = candidate
        paid[place + 1] = paid[place]
        for s in range(n_segments):
            lead[place + 1, s] = lead[place, s]
        if candidate >= 0:
            paid[place + 1] += costs[candidate]
            for s in range(n_segments):
                lead[place + 1, s] += gains[candidate, s]
        place += 1
        at[place] = -2
    return best, limit


@kernel
def neighbour(stops, way, code, value, lowest, highest):
    """Give the candidate before one, on the way from a value; where its bounds let it start if there is none."""
    before = min(max(value, lowest), highest)
    step = -1 if way == 0 else 1
    c = code + step
    while 0 <= c < stops.shape[1]:
        stop = stops[way, c]
        if not np.isinf(stop):
            ahead = stop > value if way == 0 else stop < value
            if ahead:
                before = stop
            break
        c += step
    return before


@kernel
def nearest_scores(
    values,
    codes,
    coding,
    asked,
    stops,
    stop_parts,
    category_cost,
    own,
    targets,
    limit,
    out,
):
    """Write the values of the used features after the cheapest change of each row, its target, cost and proof.

    `coding` is (n_coordinates, shift, factor, bias, curves, tables), `asked` is (whole, flat, scale, rises, falls,
    lowest, highest) of every used feature, `out` is (values, targets, costs, proven).
    """
    n_coordinates, shift, factor, bias, curves, tables = coding
    whole, flat, scale, rises, falls, lowest, highest = asked
    moved, reached, cost, proven = out
    n_features, n_segments = values.shape[1], bias.shape[0]
    here = np.empty((n_features, n_segments))
    parts = np.empty(n_segments)
    scores = np.empty(n_segments)
    spare = np.empty(n_segments)
    n_most = n_features * 2 * stops.shape[2]
    costs, which, side = np.empty(n_most), np.empty(n_most, dtype=np.int64), np.empty(n_most, dtype=np.int64)
    gains = np.empty((n_most, n_segments))
    offsets = np.zeros(n_features + 1, dtype=np.int64)
    reach, rate = np.empty((n_features + 1, n_segments)), np.empty((n_features + 1, n_segments))
    chosen = np.empty(n_features, dtype=np.int64)
    trial = np.empty(n_features)
    for i in range(values.shape[0]):
        scores[:] = bias
        moved[i] = values[i]
        reached[i], cost[i], proven[i] = -1, np.inf, True
        if own[i] == targets[i]:
            reached[i], cost[i] = own[i], 0.0
            continue
        largest = 1.0
        for f in range(n_features):
            write_parts(f, values[i, f], codes[i, f], n_coordinates, shift, factor, curves, tables, here[f])
            for s in range(n_segments):
                scores[s] += here[f, s]
                largest = max(largest, abs(here[f, s]))
        ranked = np.argsort(-scores)
        for place in range(n_segments):
            target = ranked[place]
            if target == own[i] or (targets[i] >= 0 and target != targets[i]):
                continue
            for s in range(n_segments):
                spare[s] = scores[target] - scores[s] - 1e-9 * largest * n_features
            bound = cheapest_bound(
                values[i], codes[i], stops, stop_parts, here, flat, scale, category_cost, target, own[i], -spare[own[i]]
            )
            if bound >= cost[i]:
                continue
            gather(
                values[i], codes[i], stops, stop_parts, here, flat, scale, rises, falls, category_cost, target,
                offsets, costs, which, side, gains,
            )  # fmt: skip
            best = cost[i]
            # One number alone, to the very boundary.
            for f in range(n_features):
                way_done = (False, False)
                for c in range(offsets[f], offsets[f + 1]):
                    if not costs[c] < np.inf or way_done[side[c]]:
                        continue
                    way, code = side[c], which[c]
                    if not leads(spare, here[f], stop_parts[f, way, code], target):
                        continue
                    way_done = (way_done[0] or way == 0, way_done[1] or way == 1)
                    value, price = stops[f, way, code], costs[c]
                    if f < n_coordinates:
                        near = neighbour(stops[f], way, code, values[i, f], lowest[f], highest[f])
                        value = pull_back(
                            f, near, value, whole[f], spare, here[f], target, n_coordinates, shift, factor, curves,
                            tables, parts,
                        )  # fmt: skip
                        price = abs(value - values[i, f]) / scale[f]
                    if price < best:
                        best = price
                        moved[i] = values[i]
                        moved[i, f] = value
                        reached[i] = target
            cost[i] = best
            worst = np.argmin(spare)
            first = np.zeros(n_features)
            for f in range(n_features):
                for c in range(offsets[f], offsets[f + 1]):
                    first[f] = min(first[f], -gains[c, worst] / max(costs[c], 1e-300))
            order = np.argsort(first)
            total = settle(spare, target, offsets, costs, gains, chosen)
            settled = min(best, total)
            limits(offsets, costs, gains, order, reach, rate)
            total, left = search(spare, target, offsets, costs, gains, order, reach, rate, limit, settled, chosen)
            if left <= 0:
                proven[i] = False
            if not total < best:
                continue
            trial[:] = values[i]
            for f in range(n_features):
                if chosen[f] >= 0:
                    trial[f] = stops[f, side[chosen[f]], which[chosen[f]]]
                    for s in range(n_segments):
                        spare[s] += gains[chosen[f], s]
            for f in range(n_coordinates):
                if chosen[f] < 0:
                    continue
                way, code = side[chosen[f]], which[chosen[f]]
                near = neighbour(stops[f], way, code, values[i, f], lowest[f], highest[f])
                trial[f] = pull_back(
                    f, near, trial[f], whole[f], spare, stop_parts[f, way, code], target, n_coordinates, shift, factor,
                    curves, tables, parts,
                )  # fmt: skip
                write_parts(f, trial[f], 0, n_coordinates, shift, factor, curves, tables, parts)
                for s in range(n_segments):
                    spare[s] += (parts[target] - stop_parts[f, way, code, target]) - (
                        parts[s] - stop_parts[f, way, code, s]
                    )
            moved[i], reached[i] = trial, target
            cost[i] = 0.0
            for f in range(n_features):
                if chosen[f] >= 0:
                    cost[i] += category_cost if flat[f] else abs(trial[f] - values[i, f]) / scale[f]
