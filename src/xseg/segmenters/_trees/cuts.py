"""Finding the best cut of a node in its histogram."""

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.segmenters._trees.cells import Cut

__all__ = ["best_difference_cut", "roundness"]

_UNREACHABLE = np.iinfo(np.int64).max


def roundness(bins: Bins) -> NDArray[np.int64]:
    """Return how round each threshold is, shape (n_features, 256): minus the number of its significant digits."""
    digits = np.full((len(bins), N_CODES), -99, dtype=np.int64)
    for j, feature in enumerate(bins.features):
        for code, threshold in enumerate(feature.thresholds):
            text = f"{abs(threshold):.15e}".partition("e")[0].replace(".", "").rstrip("0")
            digits[j, code] = -2 * len(text) - (not text.endswith("5") and text != "1")
    return digits


def best_difference_cut(
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: NDArray[np.int64], minimum: int
) -> Cut | None:
    """Return the cut that sends to the left whoever is cheaper there, as far as one cut can.

    The histogram has shape (n_features, 256, 2): how much dearer left is than right, and the weight.
    """
    ordered = np.array([bins[j].is_ordered for j in features])
    found = [_best_threshold(histogram[ordered], features[ordered], bins, rounded, minimum)]
    found += [_best_subset(histogram[f], int(features[f]), minimum) for f in np.flatnonzero(~ordered)]
    cuts = [one for one in found if one is not None]
    return min(cuts, key=lambda one: one[0])[1] if cuts else None


def _best_threshold(
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: NDArray[np.int64], minimum: int
) -> tuple[int, Cut] | None:
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
    costs = np.where(allowed, left[..., 0], _UNREACHABLE)
    return _choose(costs, left[..., -1], right[..., -1], missing[:, 0, -1], features, rounded)


def _choose(
    costs: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    missing: NDArray[np.int64],
    features: NDArray[np.int64],
    rounded: NDArray[np.int64],
) -> tuple[int, Cut]:
    """Among the cheapest cuts take the roundest threshold; missing values nobody had join the larger side."""
    cheapest = int(costs.min())
    side, f, code = np.unravel_index(int(costs.argmin()), costs.shape)
    # Thresholds between which nobody lies do the same.
    same = np.flatnonzero((costs[side, f] == cheapest) & (left[side, f] == left[side, f, code]))
    roundest = same[rounded[features[f], same] == rounded[features[f], same].max()]
    chosen = int(roundest[len(roundest) // 2])
    goes_left = np.arange(N_CODES) <= chosen
    goes_left[MISSING] = side == 1 if missing[f] else left[side, f, code] >= right[side, f, code]
    return cheapest, Cut(int(features[f]), goes_left)


def _best_subset(histogram: NDArray[np.int64], feature: int, minimum: int) -> tuple[int, Cut] | None:
    """Send the categories left that are cheaper there: the best subset exactly."""
    difference, weight = histogram[:, 0], histogram[:, 1]
    goes_left = difference < 0
    left_weight, right_weight = int(weight[goes_left].sum()), int(weight[~goes_left].sum())
    if min(left_weight, right_weight) < max(minimum, 1):
        return None
    cost = int(difference[goes_left].sum())
    return cost, Cut(feature, np.where(weight > 0, goes_left, left_weight >= right_weight))
