"""Whole percentage points that add up as shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, fsum, inf
from typing import TYPE_CHECKING

from xseg.cards._fact_types import Hidden

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Points", "shared_out", "whole_points"]

MAX_REASONS = 4
# No part of a card has more than this many times 100 points: where two groups fit almost equally well, the points by
# which one is ahead are fewer than 100 instead.
MAX_PER_POINT = 2.0
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Points:
    """The parts of an answer, in whole points.

    Attributes
    ----------
    shown : list of int
        The features that are reasons, the most influential first.
    base, reasons, rest, total : int, list of int, int, int
        Points; base, reasons, rest and what is hidden add up to the total.
    hidden : Hidden or None
        What is not named.
    total_value : float
        What the exact parts add up to.
    """

    shown: list[int]
    base: int
    reasons: list[int]
    rest: int
    hidden: Hidden | None
    total: int
    total_value: float


def shared_out(values: "NDArray[np.float64]", base: float, hidden: Sequence[bool], *, compared: bool) -> Points:
    """Share out an answer among the strongest features, what is left, and what is not named.

    Parameters
    ----------
    values : ndarray of shape (n_features,)
        Contributions.
    base : float
        What is known of nobody.
    hidden : sequence of bool of shape (n_features,)
        What is not named.
    compared : bool
        Whether the answer is a margin over another group; otherwise it is 1.
    """
    parts = values.tolist()
    order = sorted(range(len(parts)), key=lambda j: -abs(parts[j]))
    weighty = [j for j in order if abs(parts[j]) > _NEGLIGIBLE]
    shown = [j for j in weighty if not hidden[j]][:MAX_REASONS]
    secret = [j for j in weighty if hidden[j]]
    unnamed = fsum(parts[j] for j in secret)
    total = max(base + fsum(parts), 0.0) if compared else 1.0
    rest = total - base - fsum(parts[j] for j in shown) - unnamed
    told = [base, *(parts[j] for j in shown), rest, unnamed]
    scale = max(total, max(map(abs, told)) / MAX_PER_POINT) if compared else 1.0
    whole = round(100 * total / scale) if scale > 0 else 0
    points = whole_points([part / (scale or 1.0) for part in told], whole)
    weakest = min((abs(parts[j]) for j in shown), default=inf)
    outweighs = any(abs(parts[j]) > weakest for j in secret) or bool(secret and not shown)
    return Points(
        shown=shown,
        base=points[0],
        reasons=points[1:-2],
        rest=points[-2],
        hidden=Hidden(features=len(secret), points=points[-1], outweighs=outweighs) if secret else None,
        total=whole,
        total_value=total,
    )


def whole_points(parts: Sequence[float], total: int = 100) -> list[int]:
    """Round parts of 1 to whole percentage points that add up to `total`: largest remainders (Hamilton's method)."""
    exact = [100 * part for part in parts]
    whole = [floor(part + 1e-9) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in by_remainder[: total - sum(whole)]:
        whole[place] += 1
    return whole
