"""Scores that are sums over features, their means over a population, and the differences that explain them.

A feature is either a coordinate, whose part of a score is a curve ``level + slope |z - knot| + curvature (z - knot)^2``
of the point z (``curves[p]`` holds level, knot, slope, curvature and the part of a missing value, each for every
segment), or looked up, whose part is ``tables[f, code, segment]``. Used features are numbered: coordinates first.
"""

import numpy as np

from xseg._kernels import kernel
from xseg._kernels.encode_kernels import MISSING

LEVEL, KNOT, SLOPE, CURVATURE, UNKNOWN = range(5)
N_CURVE_LINES = 5


@kernel
def curve_part(curve, segment, point, code):
    """Return a coordinate's part of the score of one segment."""
    if code == MISSING:
        return curve[4, segment]
    offset = point - curve[1, segment]
    return curve[0, segment] + curve[2, segment] * abs(offset) + curve[3, segment] * offset * offset


@kernel
def additive_scores(points, codes, coordinates, looked_up, bias, curves, tables, out):
    """Write the score of each row in each segment, shape (n_rows, n_segments)."""
    n_segments = out.shape[1]
    for i in range(out.shape[0]):
        row = out[i]
        for s in range(n_segments):
            row[s] = bias[s]
        for p in range(coordinates.shape[0]):
            curve = curves[p]
            if codes[i, coordinates[p]] == MISSING:
                for s in range(n_segments):
                    row[s] += curve[4, s]
                continue
            point = np.float64(points[i, p])
            for s in range(n_segments):
                offset = point - curve[1, s]
                row[s] += curve[0, s] + curve[2, s] * abs(offset) + curve[3, s] * offset * offset
        for f in range(looked_up.shape[0]):
            line = tables[f, codes[i, looked_up[f]]]
            for s in range(n_segments):
                row[s] += line[s]


@kernel
def best_two(scores, first, second):
    """Write the segments with the highest and the next highest score, the lower number among equals.

    Where there is only one segment it is its own rival.
    """
    for i in range(scores.shape[0]):
        best, next_best = 0, -1
        for s in range(1, scores.shape[1]):
            if scores[i, s] > scores[i, best]:
                best, next_best = s, best
            elif next_best < 0 or scores[i, s] > scores[i, next_best]:
                next_best = s
        first[i] = best
        second[i] = next_best if next_best >= 0 else best


@kernel
def add_part_sums(points, codes, coordinates, looked_up, curves, tables, weights, units, sums):
    """Add each row's part of each score, rounded once to fixed point, to ``sums[used feature, segment]``."""
    n_segments = sums.shape[1]
    n_coordinates = coordinates.shape[0]
    for i in range(weights.shape[0]):
        weight = weights[i]
        if weight == 0:
            continue
        for p in range(n_coordinates):
            code = codes[i, coordinates[p]]
            point = np.float64(points[i, p])
            for s in range(n_segments):
                part = curve_part(curves[p], s, point, code)
                sums[p, s] += np.int64(np.rint(part * units[p, s])) * weight
        for f in range(looked_up.shape[0]):
            u = n_coordinates + f
            line = tables[f, codes[i, looked_up[f]]]
            for s in range(n_segments):
                sums[u, s] += np.int64(np.rint(line[s] * units[u, s])) * weight


@kernel
def explain_scores(points, codes, coordinates, looked_up, curves, tables, means, players, out):
    """Write part less mean for every segment, shape (n_rows, n_columns, n_segments)."""
    n_segments = out.shape[2]
    n_coordinates = coordinates.shape[0]
    for i in range(out.shape[0]):
        values = out[i]
        for column in range(out.shape[1]):
            for s in range(n_segments):
                values[column, s] = 0.0
        for p in range(n_coordinates):
            curve, row, mean = curves[p], values[players[p]], means[p]
            if codes[i, coordinates[p]] == MISSING:
                for s in range(n_segments):
                    row[s] += curve[4, s] - mean[s]
                continue
            point = np.float64(points[i, p])
            for s in range(n_segments):
                offset = point - curve[1, s]
                part = curve[0, s] + curve[2, s] * abs(offset) + curve[3, s] * offset * offset
                row[s] += part - mean[s]
        for f in range(looked_up.shape[0]):
            u = n_coordinates + f
            line, row, mean = tables[f, codes[i, looked_up[f]]], values[players[u]], means[u]
            for s in range(n_segments):
                row[s] += line[s] - mean[s]


@kernel
def explain_margins(points, codes, coordinates, looked_up, curves, tables, means, players, first, second, out):
    """Write part less mean for `first[i]`, less the same for `second[i]` unless that is negative.

    The shape is (n_rows, n_columns).
    """
    n_coordinates = coordinates.shape[0]
    for i in range(out.shape[0]):
        a, b = first[i], second[i]
        row = out[i]
        for column in range(out.shape[1]):
            row[column] = 0.0
        for p in range(n_coordinates):
            code = codes[i, coordinates[p]]
            point = np.float64(points[i, p])
            value = curve_part(curves[p], a, point, code) - means[p, a]
            if b >= 0:
                value -= curve_part(curves[p], b, point, code) - means[p, b]
            row[players[p]] += value
        for f in range(looked_up.shape[0]):
            u = n_coordinates + f
            line = tables[f, codes[i, looked_up[f]]]
            value = line[a] - means[u, a]
            if b >= 0:
                value -= line[b] - means[u, b]
            row[players[u]] += value
