"""The cheapest combination of candidate values that makes one additive score the highest: branch and bound."""

import numpy as np

from xseg._kernels import kernel
from xseg._kernels.encode_kernels import MISSING
from xseg._kernels.nearest_change.score_margins import compute_change_cost, has_lead, is_assigned, write_parts

HALVINGS = 60


@kernel
def category_allowed(code, own, rises, falls):
    """Return whether a category may change to a code; one without a code of its own has no place in an order."""
    if rises and falls:
        return True
    if own == MISSING:
        return False
    return code > own if rises else code < own


@kernel
def list_candidates(first_feature, sample, bounds, endpoints, category_cost, target, candidates):
    """List the candidates of every feature from one on, the cheapest first, without those that gain on no rival."""
    offsets, costs, which, side, gains = candidates
    n_segments = sample.here.shape[1]
    n = 0
    for f in range(sample.here.shape[0]):
        offsets[f] = n
        value = sample.values[f]
        if np.isnan(value) or f < first_feature:
            continue
        for way in range(2):
            for c in range(endpoints.stops.shape[2]):
                stop = endpoints.stops[f, way, c]
                if np.isinf(stop) or c == sample.codes[f]:
                    continue
                if bounds.flat[f]:
                    if way == 1 or not category_allowed(c, sample.codes[f], bounds.rises[f], bounds.falls[f]):
                        continue
                    cost = category_cost
                else:
                    if (way == 0 and stop <= value) or (way == 1 and stop >= value):
                        continue
                    cost = abs(stop - value) / bounds.scale[f]
                helps = False
                gains[n, target] = endpoints.parts[f, way, c, target] - sample.here[f, target]
                for s in range(n_segments):
                    if s == target:
                        continue
                    gain = (endpoints.parts[f, way, c, target] - sample.here[f, target]) - (
                        endpoints.parts[f, way, c, s] - sample.here[f, s]
                    )
                    gains[n, s] = gain
                    helps |= gain > 0
                if helps:
                    costs[n], which[n], side[n] = cost, c, way
                    n += 1
        order = np.argsort(costs[offsets[f] : n]) + offsets[f]
        costs[offsets[f] : n], which[offsets[f] : n], side[offsets[f] : n] = costs[order], which[order], side[order]
        gains[offsets[f] : n] = gains[order]
    offsets[sample.here.shape[0]] = n


@kernel
def ahead(lead, gains, target):
    """Return whether the target leads every rival with these gains."""
    for s in range(lead.shape[0]):
        if s != target and lead[s] + gains[s] < 0:
            return False
    return True


@kernel
def cheapest_bound(sample, bounds, endpoints, category_cost, target, rival, behind):
    """Bound from below what it costs to make up for how far the target is behind one rival."""
    rate = 0.0
    for f in range(sample.here.shape[0]):
        if np.isnan(sample.values[f]):
            continue
        lead = sample.here[f, target] - sample.here[f, rival]
        for way in range(1 if bounds.flat[f] else 2):
            for c in range(endpoints.stops.shape[2]):
                stop = endpoints.stops[f, way, c]
                if np.isinf(stop) or c == sample.codes[f]:
                    continue
                cost = category_cost if bounds.flat[f] else abs(stop - sample.values[f]) / bounds.scale[f]
                gain = endpoints.parts[f, way, c, target] - endpoints.parts[f, way, c, rival] - lead
                if gain > rate * cost:
                    rate = gain / max(cost, 1e-300)
    return behind / rate if rate > 0 else np.inf


@kernel
def write_combination(spare, target, offsets, costs, gains, chosen):
    """Write a combination that leads every rival, and return its cost; infinity if this way does not lead to one.

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
def compute_lower_bound(spare, target, reach, rate):
    """Bound from below what it still costs until the target leads every rival; infinity if it cannot."""
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
            bound = compute_lower_bound(lead[place], target, reach[place], rate[place])
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
    """Return the candidate before one, on the way from a value; where its bounds let it start if there is none."""
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
def find_closest_value(f, near, far, whole, spare, here, target, coding, parts):
    """Return the value nearest to `near` that does as well as `far`, found by halving.

    `spare[s]` is by how much the target leads rival s without this feature's change, `here` the feature's parts now;
    a value does if no lead falls below 0.
    """
    good, bad = far, near
    if whole:
        bad = np.ceil(near) if near < far else np.floor(near)
    write_parts(f, bad, 0, coding, parts)
    if has_lead(spare, here, parts, target):
        return bad
    for _ in range(HALVINGS):
        between = good / 2 + bad / 2
        if whole:
            between = np.floor(between) if good < bad else np.ceil(between)
        if between in (good, bad):
            break
        write_parts(f, between, 0, coding, parts)
        if has_lead(spare, here, parts, target):
            good = between
        else:
            bad = between
    return good


@kernel
def change_by_steps(
    sample, spare, target, coding, bounds, endpoints, candidates, limit, category_cost, best, moved, recoded, parts
):
    """Write the cheapest combination of candidates, each number pulled back as far as it may be, if below `best`.

    Gives its cost, and whether every combination was ruled out or looked at.
    """
    n_features, n_segments = sample.values.shape[0], spare.shape[0]
    worst = np.argmin(spare)
    first = np.zeros(n_features)
    for f in range(n_features):
        for c in range(candidates.offsets[f], candidates.offsets[f + 1]):
            first[f] = min(first[f], -candidates.gains[c, worst] / max(candidates.costs[c], 1e-300))
    order = np.argsort(first)
    chosen = np.empty(n_features, dtype=np.int64)
    reach, rate = np.empty((n_features + 1, n_segments)), np.empty((n_features + 1, n_segments))
    settled = min(
        best, write_combination(spare, target, candidates.offsets, candidates.costs, candidates.gains, chosen)
    )
    limits(candidates.offsets, candidates.costs, candidates.gains, order, reach, rate)
    total, left = search(
        spare,
        target,
        candidates.offsets,
        candidates.costs,
        candidates.gains,
        order,
        reach,
        rate,
        limit,
        settled,
        chosen,
    )
    if not total < best:
        return best, left > 0
    trial, trial_codes, ahead_by = sample.values.copy(), sample.codes.copy(), spare.copy()
    for f in range(n_features):
        if chosen[f] >= 0:
            trial[f], trial_codes[f] = (
                endpoints.stops[f, candidates.side[chosen[f]], candidates.which[chosen[f]]],
                candidates.which[chosen[f]],
            )
            ahead_by += candidates.gains[chosen[f]]
    for f in range(coding.n_coordinates):
        if chosen[f] < 0:
            continue
        way, code = candidates.side[chosen[f]], candidates.which[chosen[f]]
        near = neighbour(endpoints.stops[f], way, code, sample.values[f], bounds.lowest[f], bounds.highest[f])
        before = endpoints.parts[f, way, code]
        trial[f] = find_closest_value(f, near, trial[f], bounds.whole[f], ahead_by, before, target, coding, parts)
        write_parts(f, trial[f], 0, coding, parts)
        for s in range(n_segments):
            ahead_by[s] += (parts[target] - before[target]) - (parts[s] - before[s])
    if not is_assigned(trial, trial_codes, target, coding, parts):
        return best, False
    moved[:], recoded[:] = trial, trial_codes
    return compute_change_cost(sample.values, trial, bounds.flat, bounds.scale, category_cost), left > 0
