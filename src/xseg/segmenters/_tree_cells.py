"""Cells of coded rows, and what groups of rows cost.

Every code of a feature, or every run of neighbouring codes, is a *cell*. Splits are scored by what the rows of the
sample add up to in each cell. Cells are numbered through all features, and the last cell of a feature is that of its
missing values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.cut_kernels import ENTROPY, NEAREST, SQUARES, cell_sums, group_cost
from xseg.core.bins import MISSING, N_CODES, Bins

__all__ = [
    "ENTROPY",
    "NEAREST",
    "SQUARES",
    "Cells",
    "Cut",
    "Roundness",
    "Values",
    "Views",
    "best_difference_cut",
]

# How many sums by group, cell and value are held at once: 128 MiB of them.
_MAX_SUMS = 2**24


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A test of one feature: rows whose code is marked go left; `goes_left` has shape (256,)."""

    feature: int
    goes_left: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Views:
    """Orders of the cells of features, in which the first ones may go left.

    View v is ``cells[start[v]:start[v + 1]]``.
    """

    cells: NDArray[np.int64]
    start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start) - 1

    @cached_property
    def view_of_position(self) -> NDArray[np.int64]:
        """The view of each position in `cells`."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

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
        The features that may be cut, in increasing order.
    codes : ndarray of shape (n_features, n_rows)
        The code of each row in each of them.
    weights : ndarray of shape (n_rows,)
        The weight of each row.
    places : sequence of ndarray of shape (256,)
        For each feature, which of its cells each code lies in.
    """

    bins: Bins
    features: NDArray[np.int64]
    codes: NDArray[np.uint8]
    weights: NDArray[np.float64]
    places: Sequence[NDArray[np.int32]]
    _split: "dict[int, list[Cells]]" = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def from_codes(
        cls,
        bins: Bins,
        features: NDArray[np.int64],
        codes: NDArray[np.uint8],
        weights: NDArray[np.int64] | None = None,
    ) -> "Cells":
        """Arrange rows of codes, shape (n_rows, all features): each code is a cell."""
        own = np.ones(len(codes)) if weights is None else weights.astype(np.float64)
        places = [np.minimum(np.arange(N_CODES), bins[j].n_codes).astype(np.int32) for j in features]
        return cls(bins, features, np.ascontiguousarray(codes.T[features]), own, places)

    def coarsen(self, n_cells: int) -> "Cells":
        """Return cells of neighbouring codes that hold about the same weight, at most `n_cells` in an ordered feature.

        Codes without an order, and features with few codes, stay as they are.
        """
        if n_cells not in self._coarse:
            self._coarse[n_cells] = self._merge_codes(n_cells)
        return self._coarse[n_cells]

    @cached_property
    def _coarse(self) -> "dict[int, Cells]":
        return {}

    def _merge_codes(self, n_cells: int) -> "Cells":
        places = []
        for f, j in enumerate(self.features):
            n_codes = self.bins[j].n_codes
            if not self.bins[j].is_ordered or n_codes <= n_cells:
                places.append(self.places[f])
                continue
            mass = np.bincount(self.codes[f], self.weights, N_CODES)[:n_codes]
            middle = (np.cumsum(mass) - mass / 2) / max(float(mass.sum()), 1e-300)
            group = np.minimum((middle * n_cells).astype(np.int64), n_cells - 1)
            group = np.cumsum(np.concatenate([[0], np.diff(group) > 0]))
            places.append(np.append(group, np.full(N_CODES - n_codes, group[-1] + 1)).astype(np.int32))
        if all(own is other for own, other in zip(places, self.places, strict=True)):
            return self
        return Cells(self.bins, self.features, self.codes, self.weights, places)

    def select(self, feature: int) -> "Cells":
        """Return the cells of one feature."""
        f = int(np.searchsorted(self.features, feature))
        if f not in self._selected:
            own = slice(f, f + 1)
            self._selected[f] = Cells(self.bins, self.features[own], self.codes[own], self.weights, self.places[own])
        return self._selected[f]

    @cached_property
    def _selected(self) -> "dict[int, Cells]":
        return {}

    @cached_property
    def cells(self) -> NDArray[np.int32]:
        """The cell of each row in each feature, shape (n_features, n_rows)."""
        out = np.empty(self.codes.shape, dtype=np.int32)
        for f, place in enumerate(self.places):
            out[f] = place[self.codes[f]] + np.int32(self.offsets[f])
        return out

    @cached_property
    def _ordered_first(self) -> "Cells":
        """The same cells, ordered features first: the order in which views are scanned."""
        order = np.argsort([not self.bins[j].is_ordered for j in self.features], kind="stable")
        return Cells(self.bins, self.features[order], self.codes[order], self.weights, [self.places[f] for f in order])

    def parts(self, n_groups: int, n_values: int) -> "list[Cells]":
        """Split into parts of features, so that the sums of one part fit into a bounded memory.

        A table of ordinary width is one part. Scanned one after another, parts give what the whole gives.
        """
        most = max(1, _MAX_SUMS // (n_groups * n_values))
        if self.n_cells <= most:
            return [self]
        if most not in self._split:
            self._split[most] = list(self._ordered_first._split_at(most))
        return self._split[most]

    def _split_at(self, most: int) -> "Iterator[Cells]":
        kinds = np.array([self.bins[j].is_ordered for j in self.features])
        first = 0
        while first < len(self.features):
            fits = int(np.searchsorted(self.offsets, self.offsets[first] + most, side="right")) - 1
            # Orders of categories are scanned after all others, and so are not in one part with them.
            alike = first + int(np.count_nonzero(kinds[first:] == kinds[first]))
            last = max(first + 1, min(fits, alike))
            own = slice(first, last)
            yield Cells(self.bins, self.features[own], self.codes[own], self.weights, self.places[own])
            first = last

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.codes.shape[1])

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where the cells of each feature start."""
        return np.concatenate([[0], np.cumsum([place[-1] + 1 for place in self.places])]).astype(np.int64)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
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
                if (self.codes[f] == MISSING).any():
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
        if not self.categories:
            return self._ordered
        return Views.from_orders(self.ordered_views + self._category_orders(sums))

    @cached_property
    def _ordered(self) -> Views:
        return Views.from_orders(self.ordered_views)

    def _category_orders(self, sums: NDArray[np.float64]) -> list[NDArray[np.int64]]:
        widths = np.diff(self.offsets)[self.categories]
        orders: dict[int, list[NDArray[np.int64]]] = {}
        # Features with equally many cells are ordered at once.
        for width in np.unique(widths):
            chosen = [f for f, own in zip(self.categories, widths, strict=True) if own == width]
            cells = self.offsets[chosen][:, None] + np.arange(width)
            along = _project_on_main_axes(sums[cells, :-1], sums[cells, -1])
            sorted_cells = np.take_along_axis(cells[:, None], np.argsort(along, axis=2, kind="stable"), axis=2)
            # Two cells with weight have one order.
            n_axes = np.where(np.count_nonzero(sums[cells, -1], axis=1) > 2, along.shape[1], 1)
            orders |= {f: list(own[:n]) for f, own, n in zip(chosen, sorted_cells, n_axes, strict=True)}
        return [order for f in self.categories for order in orders[f]]

    def make_cut(self, views: Views, position: int, *, low_left: bool = True) -> Cut:
        """Return the cut of a view that parts its cells up to a position of ``views.cells`` from those after it."""
        first = views.cells[views.start[views.view_of_position[position]] : position + 1]
        f = int(np.searchsorted(self.offsets, first[0], side="right")) - 1
        is_first = np.zeros(int(self.offsets[f + 1] - self.offsets[f]), dtype=bool)
        is_first[first - self.offsets[f]] = True
        goes_left = is_first[self.places[f]]
        # Codes that no row has go right for now.
        goes_left[self.bins[self.features[f]].n_codes : MISSING] = False
        return Cut(int(self.features[f]), goes_left if low_left else ~goes_left)

    def sides(self, cut: Cut, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some rows go left."""
        return np.asarray(cut.goes_left[self.codes[int(np.searchsorted(self.features, cut.feature))][rows]])

    def sums(
        self, values: Values, rows: NDArray[np.int64], groups: NDArray[np.int64] | None = None, n_groups: int = 1
    ) -> NDArray[np.float64]:
        """Return the summed values of some rows by group and cell, shape (n_groups, n_cells, n_values)."""
        out = np.zeros((n_groups, self.n_cells, values.values.shape[1]))
        first = np.array([0, len(rows)])
        if groups is not None:
            first = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n_groups))])
            # Short integers are sorted by counting.
            rows = rows[np.argsort(groups.astype(np.uint16), kind="stable")]
        cell_sums(self.cells, values.values, rows, first, out)
        return out


def _project_on_main_axes(sums: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project the means of cells on the two directions in which they differ most.

    Parameters
    ----------
    sums : ndarray of shape (n_features, n_cells, n_values)
        The summed values of each cell.
    weight : ndarray of shape (n_features, n_cells)
        The weight of each cell.

    Returns
    -------
    ndarray of shape (n_features, at most 2, n_cells)
        The first two principal components of the weighted means, from whichever of the two products of their matrix
        with its transpose is smaller.
    """
    root = np.sqrt(weight)[..., None]
    means = sums / np.maximum(weight, 1e-300)[..., None]
    center = sums.sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1), 1e-300)[:, None, None]
    offsets = (means - center) * (weight > 0)[..., None]
    scaled = offsets * root
    if scaled.shape[1] <= scaled.shape[2] or not scaled.shape[2]:
        vectors = np.linalg.eigh(scaled @ scaled.transpose(0, 2, 1))[1][..., :-3:-1]
        along = vectors / np.where(root > 0, root, np.inf)
    else:
        along = offsets @ np.linalg.eigh(scaled.transpose(0, 2, 1) @ scaled)[1][..., :-3:-1]
    return along.transpose(0, 2, 1)


_UNREACHABLE = np.iinfo(np.int64).max


class Roundness:
    """How round thresholds are: minus the number of their significant digits, computed for a feature when asked for."""

    def __init__(self, bins: Bins) -> None:
        self.bins = bins
        self._known: dict[int, NDArray[np.int64]] = {}

    def select_roundest(self, feature: int, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some codes of a feature after which the threshold is roundest."""
        if feature not in self._known:
            digits = np.full(N_CODES, -99, dtype=np.int64)
            for code, threshold in enumerate(self.bins[feature].thresholds):
                text = f"{abs(threshold):.15e}".partition("e")[0].replace(".", "").rstrip("0")
                digits[code] = -2 * len(text) - (not text.endswith("5") and text != "1")
            self._known[feature] = digits
        roundness = self._known[feature][codes]
        return np.asarray(codes[roundness == roundness.max()])


def best_difference_cut(
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: Roundness, minimum: int
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
    histogram: NDArray[np.int64], features: NDArray[np.int64], bins: Bins, rounded: Roundness, minimum: int
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
    rounded: Roundness,
) -> tuple[int, Cut]:
    """Among the cheapest cuts take the roundest threshold; missing values no row had join the larger side."""
    cheapest = int(costs.min())
    side, f, code = np.unravel_index(int(costs.argmin()), costs.shape)
    # Thresholds between which no row lies do the same.
    same = np.flatnonzero((costs[side, f] == cheapest) & (left[side, f] == left[side, f, code]))
    roundest = rounded.select_roundest(int(features[f]), same)
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
