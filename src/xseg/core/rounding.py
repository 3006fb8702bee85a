"""The roundest number in an interval, so that rules read like rules people would write."""

from math import ceil, floor, inf, log10

__all__ = ["find_midpoint", "find_roundest"]

_LEADING_DIGITS = (5, 2, 1)


def find_roundest(low: float, high: float) -> float:
    """Return the number in ``(low, high]`` that is a multiple of the largest step 1, 2 or 5 times a power of ten.

    Among several multiples of that step the one nearest the middle wins.

    Parameters
    ----------
    low, high : float
        The interval; `low` is left out. ``low < high``.

    Returns
    -------
    float
        The roundest number of the interval.

    Examples
    --------
    >>> find_roundest(148.2, 151.7), find_roundest(2.0, 3.0), find_roundest(-0.4, 0.3), find_roundest(0.27, 0.31)
    (150.0, 3.0, 0.0, 0.3)
    """
    if low < 0 <= high:
        return 0.0
    center = low / 2 + high / 2
    magnitude = max(abs(low), abs(high))
    first = floor(log10(magnitude)) + 1 if 0 < magnitude < inf else 0
    for exponent in range(first, first - 19, -1):
        for digit in _LEADING_DIGITS:
            value = _multiple_inside(digit, exponent, low, high, center)
            if value is not None:
                return value
    return high


def find_midpoint(low: float, high: float) -> float:
    """Return the middle of an interval, or its upper end if no number lies between."""
    between = low / 2 + high / 2
    return between if low < between <= high else high


def _multiple_inside(digit: int, exponent: int, low: float, high: float, center: float) -> float | None:
    step = digit * 10.0**exponent
    if step == 0 or not abs(center) / step < 2**53:
        return None
    nearest = round(center / step) * step
    if abs(nearest - center) > (high / 2 - low / 2) + 1e-9 * abs(center):
        return None
    lowest, highest = floor(low / step), ceil(high / step)
    if highest - lowest > 3:
        lowest, highest = round(center / step) - 1, round(center / step) + 1
    # Parsing the decimal gives 0.3 where 3 * 0.1 would give 0.30000000000000004.
    candidates = (float(f"{count * digit}e{exponent}") for count in range(lowest, highest + 1))
    inside = [value for value in candidates if low < value <= high]
    return min(inside, key=lambda value: abs(value - center)) if inside else None
