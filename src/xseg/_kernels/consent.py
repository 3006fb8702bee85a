"""Which entry of a ledger decides, and which identifiers belong together."""

import numpy as np

from xseg._kernels.jit import kernel

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
    """Give, for each subject, the entry that decides at `now` on a purpose and a feature; -1 where nothing was said.

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
