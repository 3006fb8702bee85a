"""Whole points that add up."""

from collections.abc import Sequence
from math import floor

__all__ = ["whole_points"]

_NOISE_DIGITS = 9


def whole_points(parts: Sequence[float], total: int = 100) -> list[int]:
    """Round shares of a whole to integers that add up to `total`, by largest remainder.

    Parameters
    ----------
    parts : sequence of float
        Positive or negative; they add up to 1.
    total : int, default=100
        What the points add up to.

    Returns
    -------
    list of int
        Each within 1 of ``total * part``, and never of the opposite sign.

    Examples
    --------
    >>> whole_points([0.508, 0.217, 0.149, 0.072, 0.054])
    [51, 22, 15, 7, 5]
    """
    # Sums of floats miss the whole by rounding errors, which must not decide about a point.
    scaled = [round(total * part, _NOISE_DIGITS) for part in parts]
    points = [floor(part) for part in scaled]
    by_remainder = sorted(range(len(parts)), key=lambda i: (points[i] - scaled[i], i))
    for i in by_remainder[: total - sum(points)]:
        points[i] += 1
    return points
