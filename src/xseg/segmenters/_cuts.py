"""Finding the best cut of a node in its histogram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, N_CODES, Bins

__all__ = ["Cut", "best_cut", "best_difference_cut", "best_tight_cut", "roundness"]

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


def best_cut(
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: NDArray[np.int64], minimum: int
) -> Cut | None:
    """Give the cut after which the two sides, each given to its cheapest centre, cost least.

    Parameters
    ----------
    histogram : ndarray of shape (n_features, 256, n_centers + 1)
        Costs by code and centre; the last value is the weight.
    features : ndarray of shape (n_features,)
        The features of the histogram.
    bins : Bins
        How columns become codes.
    rounded : ndarray
        How round each threshold is: decides between thresholds that do the same.
    minimum : int
        The least weight of a side.
    """
    ordered = np.array([bins[j].is_ordered for j in features])
    cuts = [_best_threshold(histogram[ordered], features[ordered], bins, rounded, minimum)]
    cuts += [_best_subset(histogram[f], int(features[f]), minimum) for f in np.flatnonzero(~ordered)]
    return _cheapest(cuts)


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


def best_tight_cut(
    histogram: NDArray[np.int64],
    features: NDArray[np.int64],
    bins: Bins,
    rounded: NDArray[np.int64],
    minimum: int,
    unit: float,
) -> Cut | None:
    """Give the cut after which the two sides vary least about their own means.

    The histogram has shape (n_features, 256, n_dimensions + 1): sums in fixed point, and the weight. The cost leaves
    out the sum of squares, which no cut changes.
    """
    cuts: list[Cut | None] = []
    for f, feature in enumerate(features):
        order = np.arange(bins[feature].n_codes)
        if not bins[feature].is_ordered:
            order = _along_main_axis(histogram[f, : len(order)])
        cuts.append(_best_prefix(histogram[f], int(feature), order, rounded[feature], minimum, unit))
    return _cheapest(cuts)


def _best_prefix(
    cells: NDArray[np.int64],
    feature: int,
    order: NDArray[np.intp],
    rounded: NDArray[np.int64],
    minimum: int,
    unit: float,
) -> Cut | None:
    """Send the first codes of an order left: how many, and on which side missing values are tighter."""
    below, missing = np.cumsum(cells[order], axis=0)[:-1], cells[MISSING]
    total = cells.sum(axis=0)
    left = np.stack([below, below + missing])
    right = total - left
    allowed = (left[..., -1] >= minimum) & (right[..., -1] >= minimum)
    if not allowed.any():
        return None
    costs = np.where(allowed, -_squared_norm(left, unit) - _squared_norm(right, unit), np.inf)
    side, place = np.unravel_index(int(costs.argmin()), costs.shape)
    same = np.flatnonzero((costs[side] == costs[side, place]) & (left[side, :, -1] == left[side, place, -1]))
    roundest = same[rounded[order[same]] == rounded[order[same]].max()]
    place = roundest[len(roundest) // 2]
    goes_left = np.zeros(N_CODES, dtype=bool)
    goes_left[order[: place + 1]] = True
    heavier_left = bool(left[side, place, -1] >= right[side, place, -1])
    goes_left[MISSING] = side == 1 if missing[-1] else heavier_left
    return Cut(feature, goes_left, float(costs[side, place]))


def _squared_norm(sums: NDArray[np.int64], unit: float) -> NDArray[np.float64]:
    totals = sums[..., :-1] / unit
    return np.asarray(np.einsum("...d,...d->...", totals, totals) / np.maximum(sums[..., -1], 1))


def _along_main_axis(cells: NDArray[np.int64]) -> NDArray[np.intp]:
    """Order categories along the direction in which their means differ most."""
    weight = np.maximum(cells[:, -1], 1)[:, None]
    means = cells[:, :-1] / weight
    offsets = (means - np.average(means, axis=0, weights=cells[:, -1] + 1e-9)) * np.sqrt(cells[:, -1:])
    axis = np.linalg.svd(offsets, full_matrices=False)[2][0]
    return np.argsort(means @ axis, kind="stable")


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


def _best_subset(histogram: NDArray[np.int64], feature: int, minimum: int) -> Cut | None:
    """For each pair of centres, the categories that are cheaper with the first go left: the best subset exactly."""
    costs = histogram[:, :-1]
    n_centers = costs.shape[1]
    pair_costs = np.minimum(costs[:, :, None], costs[:, None, :]).sum(axis=0)
    first, second = np.triu_indices(n_centers, k=1)
    order = np.argsort(pair_costs[first, second], kind="stable")
    for pair in order[: 2 * n_centers]:
        a, b = int(first[pair]), int(second[pair])
        cut = _subset(histogram, feature, costs[:, a] < costs[:, b], (a, b), minimum)
        if cut is not None:
            return cut
    return None


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
