"""Cells of coded rows, and the best split of a node in its cells.

Every code of every feature is a cell. Splits are scored by what the rows of the sample add up to in each cell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.cut_kernels import cell_sums, group_cost
from xseg.core.bins import MISSING, N_CODES, Bins

__all__ = ["Cells", "Cut", "Values", "Views", "best_difference_cut", "roundness"]


# How many sums by group, cell and value are held at once: 128 MiB of them.
_MAX_SUMS = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A question: whether the code of `feature` goes left; `goes_left` has shape (256,)."""

    feature: int
    goes_left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Orders of the cells of features, in which the first ones may go left.

    View v is ``cells[start[v]:start[v + 1]]``.
    """

    cells: NDArray[np.int64]
    start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def first(self) -> NDArray[np.int64]:
        """The cells of the first view."""
        return self.cells[: self.start[1]]

    @classmethod
    def from_orders(cls, orders: Sequence[NDArray[np.int64]]) -> "Views":
        """Join orders."""
        start = np.concatenate([[0], np.cumsum([len(order) for order in orders])]).astype(np.int64)
        return cls(np.concatenate(orders).astype(np.int64), start)


@dataclass(frozen=True, eq=False)
class Values:
    """What a group of rows costs: summed `values`, and how to read them.

    `values` has shape (n_rows, n_values); the last one is the weight.
    """

    values: NDArray[np.float64]
    kind: int

    @classmethod
    def from_rows(cls, values: NDArray[np.float64], weights: NDArray[np.int64], kind: int) -> "Values":
        """Weigh the values of rows."""
        return cls(np.column_stack([values, np.ones(len(values))]) * weights[:, None], kind)

    def total(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the summed values of some rows."""
        return np.asarray(self.values[rows].sum(axis=0))

    def cost(self, total: NDArray[np.float64]) -> float:
        """Return what a group with this sum costs."""
        return float(group_cost(total, self.kind))


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of rows.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    features : ndarray of shape (n_features,)
        The features that may be cut.
    cells : ndarray of shape (n_features, n_rows)
        The cell of each row in each of them.
    """

    bins: Bins
    features: NDArray[np.int64]
    cells: NDArray[np.int32]
    _split: "dict[int, list[Cells]]" = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def from_codes(cls, bins: Bins, features: NDArray[np.int64], codes: NDArray[np.uint8]) -> "Cells":
        """Arrange rows of codes."""
        cells = np.empty((len(features), len(codes)), dtype=np.int32)
        offset = 0
        for f, j in enumerate(features):
            n_codes = bins[j].n_codes
            cells[f] = np.minimum(codes[:, j], n_codes).astype(np.int32) + offset
            offset += n_codes + 1
        return cls(bins, features, cells)

    @cached_property
    def _in_order(self) -> "Cells":
        """The same cells, ordered features first: the order in which views are scanned."""
        order = np.argsort([not self.bins[j].is_ordered for j in self.features], kind="stable")
        widths = np.diff(self.offsets)[order]
        shift = np.cumsum(widths) - widths - self.offsets[order]
        return Cells(self.bins, self.features[order], self.cells[order] + shift[:, None].astype(np.int32))

    def parts(self, n_groups: int, n_values: int) -> "list[Cells]":
        """Split into parts of features, so that the sums of one part fit into a bounded memory.

        A table of ordinary width is one part. Scanned one after another, parts give what the whole gives.
        """
        most = max(1, _MAX_SUMS // (n_groups * n_values))
        if self.n_cells <= most:
            return [self]
        if most not in self._split:
            self._split[most] = list(self._in_order._split_at(most))
        return self._split[most]

    def _split_at(self, most: int) -> "Iterator[Cells]":
        kinds = np.array([self.bins[j].is_ordered for j in self.features])
        first = 0
        while first < len(self.features):
            fits = int(np.searchsorted(self.offsets, self.offsets[first] + most, side="right")) - 1
            # Orders of categories are scanned after all others, and so are not in one part with them.
            alike = first + int(np.count_nonzero(kinds[first:] == kinds[first]))
            last = max(first + 1, min(fits, alike))
            own = self.cells[first:last] - np.int32(self.offsets[first])
            yield Cells(self.bins, self.features[first:last], own)
            first = last

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.cells.shape[1])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where the cells of each feature start; the last cell of a feature is that of missing values."""
        widths = [self.bins[j].n_codes + 1 for j in self.features]
        return np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(self.offsets[-1])

    @cached_property
    def ordered_views(self) -> list[NDArray[np.int64]]:
        """The orders of ordered features; where values are missing there are two, with missing values first or last."""
        orders = []
        for f, j in enumerate(self.features):
            if self.bins[j].is_ordered:
                known = np.arange(self.offsets[f], self.offsets[f + 1] - 1)
                missing = self.offsets[f + 1] - 1
                orders.append(np.append(known, missing))
                if (self.cells[f] == missing).any():
                    orders.append(np.concatenate([[missing], known]))
        return orders

    @cached_property
    def categories(self) -> list[int]:
        """The positions of features whose codes have no order."""
        return [f for f, j in enumerate(self.features) if not self.bins[j].is_ordered]

    def views(self, sums: NDArray[np.float64]) -> Views:
        """Return the orders worth scanning for rows with these sums by cell, shape (n_cells, n_values).

        Categories are ordered along the direction in which they differ most.
        """
        return (
            self._ordered
            if not self.categories
            else Views.from_orders(self.ordered_views + self._category_orders(sums))
        )

    @cached_property
    def _ordered(self) -> Views:
        return Views.from_orders(self.ordered_views)

    def _category_orders(self, sums: NDArray[np.float64]) -> list[NDArray[np.int64]]:
        orders = []
        for f in self.categories:
            own = np.arange(self.offsets[f], self.offsets[f + 1])
            weight = sums[own, -1:]
            means = sums[own, :-1] / np.maximum(weight, 1)
            center = (means * weight).sum(axis=0) / max(float(weight.sum()), 1.0)
            axes = np.linalg.svd((means - center) * np.sqrt(weight), full_matrices=False)[2][:2]
            # Where nothing tells categories apart (a space without dimensions) there is no direction.
            orders += [own[np.argsort(means @ axis, kind="stable")] for axis in axes] or [own]
        return orders

    def make_cut(self, views: Views, view: int, place: int, *, low_left: bool = True) -> Cut:
        """Return the cut that parts the first `place` cells of a view from the others."""
        view_cells = views.cells[views.start[view] : views.start[view + 1]]
        f = int(np.searchsorted(self.offsets, view_cells[0], side="right")) - 1
        codes = view_cells[:place] - self.offsets[f]
        n_codes = self.bins[self.features[f]].n_codes
        goes_left = np.zeros(N_CODES, dtype=bool)
        goes_left[np.where(codes == n_codes, MISSING, codes)] = True
        return Cut(int(self.features[f]), goes_left if low_left else ~goes_left)

    def sides(self, cut: Cut, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some rows go left."""
        f = int(np.searchsorted(self.features, cut.feature))
        n_codes = self.bins[cut.feature].n_codes
        by_cell = np.append(cut.goes_left[:n_codes], cut.goes_left[MISSING])
        return np.asarray(by_cell[self.cells[f, rows] - self.offsets[f]])

    def sums(
        self, values: Values, rows: NDArray[np.int64], groups: NDArray[np.int64] | None = None, n_groups: int = 1
    ) -> NDArray[np.float64]:
        """Return the summed values of some rows by group and cell, shape (n_groups, n_cells, n_values)."""
        out = np.empty((n_groups, self.n_cells, values.values.shape[1]))
        cell_sums(self.cells, values.values, rows, np.zeros(len(rows), np.int64) if groups is None else groups, out)
        return out


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
    """Among the cheapest cuts take the roundest threshold; missing values no row had join the larger side."""
    cheapest = int(costs.min())
    side, f, code = np.unravel_index(int(costs.argmin()), costs.shape)
    # Thresholds between which no row lies do the same.
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
