"""Expectation and maximisation: how much of a row belongs to each component, and the sums that follow."""

import numpy as np

from xseg._kernels.encode import MISSING
from xseg._kernels.jit import kernel

NEGLIGIBLE = 1e-12


@kernel
def soften(scores, shares, logs):
    """Write the share of each row in each component, and the logarithm of the summed exponentials of its scores."""
    n_components = scores.shape[1]
    for i in range(scores.shape[0]):
        row, share = scores[i], shares[i]
        largest = row[0]
        for s in range(1, n_components):
            largest = max(largest, row[s])
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
