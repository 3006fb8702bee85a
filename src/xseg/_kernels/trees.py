"""Walking threshold trees and counting what their cuts would do.

A tree is flat arrays over nodes: `feature` (-1 in a leaf), `goes_left[node, code]`, `left`, `right`.
"""

import numpy as np

from xseg._kernels.jit import kernel


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
