"""Finding the best cut of a node in its histogram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins

__all__ = ["Cut", "best_difference_cut", "roundness"]

_UNREACHABLE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A question: whether the code of `feature` goes left.

    `cost` is that of the two sides together; it decides between cuts.
    """

    feature: int
    goes_left: NDArray[np.bool_]
    cost: float


def roundness(bins: Bins) -> NDArray[np.int64]:
    """Give how round each threshold is, shape (n_features, 256): minus the number of its significant digits."""
    digits = np.full((len(bins), N_CODES), -99, dtype=np.int64)
    for j, feature in enumerate(bins.features):
        for code, threshold in enumerate(feature.thresholds):
            text = f"{abs(threshold):.15e}".partition("e")[0].replace(".", "").rstrip("0")
            digits[j, code] = -2 * len(text) - (not text.endswith("5") and text != "1")
    return digits


def best_difference_cut(
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: NDArray[np.int64], minimum: int
) -> Cut | None:
    """Give the cut that sends to the left whoever is cheaper there, as far as one cut can.

    The histogram has shape (n_features, 256, 2): how much dearer left is than right, and the weight.
    """
    costs = np.zeros((*histogram.shape[:2], 3), dtype=np.int64)
    costs[:, :, 0], costs[:, :, 2] = histogram[:, :, 0], histogram[:, :, 1]
    ordered = np.array([bins[j].is_ordered for j in features])
    cuts = [_best_threshold(costs[ordered], features[ordered], bins, rounded, minimum, sides=(0, 1))]
    cuts += [_subset(costs[f], int(features[f]), costs[f, :, 0] < 0, (0, 1), minimum) for f in np.flatnonzero(~ordered)]
    return _cheapest(cuts)


def _cheapest(cuts: list[Cut | None]) -> Cut | None:
    found = [cut for cut in cuts if cut is not None]
    return min(found, key=lambda cut: cut.cost) if found else None


def _best_threshold(
    histogram: NDArray[np.int64],
    features: NDArray[np.int64],
    bins: Bins,
    rounded: NDArray[np.int64],
    minimum: int,
    sides: tuple[int, int] | None = None,
) -> Cut | None:
    if not len(features):
        return None
    n_codes = np.array([bins[j].n_codes for j in features])
    widest = int(n_codes.max())
    below = np.cumsum(histogram[:, :widest], axis=1)
    total, missing = below[:, -1:] + histogram[:, MISSING:], histogram[:, MISSING:]
    real = np.arange(widest)[None, :] < n_codes[:, None] - 1
    # Axis 0: missing values go right, or left.
    left = np.stack([below, below + missing])
    right = total[None] - left
    allowed = real & (left[..., -1] >= minimum) & (right[..., -1] >= minimum)
    if not allowed.any():
        return None
    if sides is None:
        costs = left[..., :-1].min(axis=-1) + right[..., :-1].min(axis=-1)
    else:
        costs = left[..., sides[0]] + right[..., sides[1]]
    costs = np.where(allowed, costs, _UNREACHABLE)
    return _choose(costs, left[..., -1], right[..., -1], missing[:, 0, -1], features, rounded)


def _choose(
    costs: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    missing: NDArray[np.int64],
    features: NDArray[np.int64],
    rounded: NDArray[np.int64],
) -> Cut:
    """Among the cheapest cuts take the roundest threshold; missing values nobody had join the larger side."""
    cheapest = int(costs.min())
    side, f, code = np.unravel_index(int(costs.argmin()), costs.shape)
    # Thresholds between which nobody lies do the same.
    same = np.flatnonzero((costs[side, f] == cheapest) & (left[side, f] == left[side, f, code]))
    roundest = same[rounded[features[f], same] == rounded[features[f], same].max()]
    chosen = int(roundest[len(roundest) // 2])
    goes_left = np.arange(N_CODES) <= chosen
    goes_left[MISSING] = side == 1 if missing[f] else left[side, f, code] >= right[side, f, code]
    return Cut(int(features[f]), goes_left, cheapest)


def _subset(
    histogram: NDArray[np.int64], feature: int, goes_left: NDArray[np.bool_], sides: tuple[int, int], minimum: int
) -> Cut | None:
    weight = histogram[:, -1]
    left_weight, right_weight = int(weight[goes_left].sum()), int(weight[~goes_left].sum())
    if min(left_weight, right_weight) < max(minimum, 1):
        return None
    goes_left = np.where(weight > 0, goes_left, left_weight >= right_weight)
    cost = int(histogram[goes_left, sides[0]].sum() + histogram[~goes_left, sides[1]].sum())
    return Cut(feature, goes_left, cost)
