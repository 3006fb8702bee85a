"""Which entry of a ledger decides, and which identifiers belong together."""

import numpy as np

from xseg._kernels import kernel

IGNORED, DENIES, GRANTS = 0, 1, 2


@kernel
def chain_by_subject(subject, last, previous, start):
    """Link each entry from `start` on to the entry before it of the same subject."""
    for i in range(start, len(subject)):
        previous[i] = last[subject[i]]
        last[subject[i]] = i


@kernel
def _outranks(i, j, effect, order, until, state):
    """Whether entry i decides over entry j: later first, then denials, then the shorter, then by state."""
    if order[i] != order[j]:
        return order[i] > order[j]
    if effect[i] != effect[j]:
        return effect[i] == DENIES
    if until[i] != until[j]:
        return until[i] < until[j]
    return state[i] < state[j]


@kernel
def deciding_entries(subjects, last, previous, purpose, feature, effect, order, at, until, state, purposes, about, now):
    """Return, for each subject, the entry that decides at `now` on a purpose and a feature; -1 where nothing was said.

    A denial counts from `order` on, a grant from `at` on. `purposes` are the codes that the question falls under.
    """
    decided = np.full(len(subjects), -1, np.int64)
    for s in range(len(subjects)):
        best = -1
        i = last[subjects[s]] if subjects[s] >= 0 else -1
        while i >= 0:
            asked = feature[i] == about and (purpose[i] == purposes[0] or purpose[i] == purposes[1])
            begins = at[i] if effect[i] == GRANTS else order[i]
            if (
                asked
                and effect[i] != IGNORED
                and begins <= now
                and (best < 0 or _outranks(i, best, effect, order, until, state))
            ):
                best = i
            i = previous[i]
        decided[s] = best
    return decided


SPELL_ENDS, SPELL_BEGINS, LINK_BEGINS = 0, 1, 2


@kernel
def spell_ends(subject, grants, order, begins, never):
    """Return, for entries in order of rank within each subject, when the first later grant of the subject begins."""
    ends = np.full(len(subject), never, np.int64)
    earliest = never
    for i in range(len(subject) - 1, -1, -1):
        if i + 1 == len(subject) or subject[i] != subject[i + 1]:
            earliest = never
        ends[i] = max(earliest, order[i])
        if grants[i]:
            earliest = min(earliest, begins[i])
    return ends


@kernel
def arcs_by_node(left, right, n_nodes):
    """Return where the links of each node begin in a list of links, and the list."""
    first = np.zeros(n_nodes + 1, np.int64)
    for e in range(len(left)):
        first[left[e] + 1] += 1
        first[right[e] + 1] += 1
    for v in range(n_nodes):
        first[v + 1] += first[v]
    place = first[:-1].copy()
    arcs = np.empty(2 * len(left), np.int32)
    for e in range(len(left)):
        arcs[place[left[e]]] = e
        place[left[e]] += 1
        arcs[place[right[e]]] = e
        place[right[e]] += 1
    return first, arcs


@kernel
def _record_denial(node, origin, time, origins, times):
    """Record that a denial of `origin` has reached `node`, unless two were there before; return whether it is news."""
    for slot in range(2):
        if origins[node, slot] == origin:
            return False
        if origins[node, slot] < 0:
            origins[node, slot] = origin
            times[node, slot] = time
            return True
    return False


@kernel
def _pass_on(height, stack, now, left, right, since, until, first, arcs, origins, times):
    """Carry what is on the stack, nodes and origins, over all links in force."""
    while height > 0:
        height -= 1
        node, origin = stack[height, 0], stack[height, 1]
        for arc in range(first[node], first[node + 1]):
            link = arcs[arc]
            other = right[link] if left[link] == node else left[link]
            in_force = since[link] <= now and now < until[link]
            if in_force and _record_denial(other, origin, now, origins, times):
                stack[height, 0], stack[height, 1] = other, origin
                height += 1


@kernel
def _cross(link, now, left, right, spells, origins, times, stack):
    """Carry what is at the ends of a new link over it; return how much has to be passed on."""
    height = 0
    for end in range(2):
        here, there = (left[link], right[link]) if end == 0 else (right[link], left[link])
        for slot in range(3):
            own = here if spells[here] > 0 else -1
            origin = own if slot == 2 else origins[here, slot]
            if origin >= 0 and _record_denial(there, origin, now, origins, times):
                stack[height, 0], stack[height, 1] = there, origin
                height += 1
    return height


@kernel
def spread_denials(kinds, moments, items, left, right, since, until, first, arcs):
    """Spread denials over links in the order of time; return what reached each node: the first two origins, and when.

    Two are enough: of two different origins at least one is somebody else's, and whoever is reached from a node that
    has two is reached by both. A node's own denial that comes back over a loop is passed on like any other.
    """
    n_nodes = len(first) - 1
    origins = np.full((n_nodes, 2), -1, np.int32)
    times = np.zeros((n_nodes, 2), np.int64)
    stack = np.empty((2 * n_nodes + 2, 2), np.int32)
    spells = np.zeros(n_nodes, np.int32)
    for event in range(len(kinds)):
        kind, now, item, height = kinds[event], moments[event], items[event], 0
        if kind == SPELL_ENDS:
            spells[item] -= 1
        elif kind == SPELL_BEGINS:
            spells[item] += 1
            stack[0, 0], stack[0, 1] = item, item
            height = 1
        else:
            height = _cross(item, now, left, right, spells, origins, times, stack)
        _pass_on(height, stack, now, left, right, since, until, first, arcs, origins, times)
    return origins, times
