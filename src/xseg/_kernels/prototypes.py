"""What the search for centres adds up."""

import numpy as np

from xseg._kernels.encode import MISSING
from xseg._kernels.jit import kernel


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
            with_it = min(to_candidates[i, m], to_nearest[i])
            together += weights[i] * with_it
            costs[m, nearest[i]] += weights[i] * (min(to_candidates[i, m], to_second[i]) - with_it)
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
