"""Search for a tree by an outcome: targets, the parts of an honest fit, growth, pruning and a test of differences.

One part of the rows grows the tree under least sizes and monotone constraints, another prunes it, and a third, which
had no influence on the tree, estimates the outcome of each segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, f, norm, t

from xseg.core.numbers import MAX_NUMBER
from xseg.core.progress import report_progress
from xseg.core.segments import Outcome
from xseg.exceptions import DataError
from xseg.segmenters._learning import hash_numbers, hash_rows
from xseg.segmenters._tree_cells import ENTROPY, SQUARES, Cells, Cut, Values, Views
from xseg.segmenters._tree_moves import prune
from xseg.segmenters._tree_nodes import Node, Sample, Shape, get_shape, leaves

__all__ = [
    "BINARY",
    "CATEGORIES",
    "ESTIMATE",
    "GROW",
    "NUMBER",
    "PRUNE",
    "OutcomeRows",
    "Target",
    "difference_test",
    "grow_and_prune",
    "read_target",
    "split_rows",
]


BINARY, NUMBER, CATEGORIES = "binary", "number", "categories"
_MAX_CATEGORIES = 50
_SMALLEST_SHARE = 1e-12


@dataclass(frozen=True, eq=False)
class Target:
    """The outcome of each row.

    Attributes
    ----------
    kind : {"binary", "number", "categories"}
        Kind of the outcome.
    values : ndarray of shape (n_rows, n_values)
        The number itself; or 1 for the category of the row and 0 for the others.
    classes : tuple of str
        The categories; of two, the second is the positive class.
    labels : tuple
        The categories as they were given.
    """

    kind: str
    values: NDArray[np.float64]
    classes: tuple[str, ...]
    labels: tuple[Any, ...]

    @property
    def cost_kind(self) -> int:
        """The cost of a group, computed from its sums: the variance of numbers, or the entropy of categories."""
        return SQUARES if self.kind == NUMBER else ENTROPY

    def losses(self, rows: NDArray[np.int64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the loss of predicting `mean` for each row: the squared error, or the negative log-likelihood."""
        if self.kind == NUMBER:
            return np.asarray((self.values[rows, 0] - mean[0]) ** 2)
        return np.asarray(-np.log(np.maximum(self.values[rows] @ mean, _SMALLEST_SHARE)))

    def smooth(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the prediction for a group from its sums, weight last; shares have half a row added per category."""
        if self.kind == NUMBER:
            return np.asarray(total[:-1] / max(total[-1], 1.0))
        return np.asarray((total[:-1] + 0.5) / (total[:-1] + 0.5).sum())

    def outcomes(self, rows: NDArray[np.int64], weights: NDArray[np.float64], confidence: float) -> tuple[Outcome, ...]:
        """Estimate the outcome of some rows, with intervals: Student's for a mean, Wilson's for shares."""
        own = weights[rows]
        n = float(own.sum())
        if self.kind == NUMBER:
            return (_mean(self.values[rows, 0], own, n, confidence),)
        shares = own @ self.values[rows] / n if n else np.full(len(self.classes), np.nan)
        reported = [1] if self.kind == BINARY else range(len(self.classes))
        return tuple(_share(float(shares[c]), n, confidence, self.classes[c]) for c in reported)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64], n: float, confidence: float) -> Outcome:
    if n <= 1:
        return Outcome(float(values.mean()) if len(values) else np.nan, -np.inf, np.inf, n)
    mean = float(weights @ values / n)
    deviation = np.sqrt(weights @ (values - mean) ** 2 / (n - 1))
    reach = float(t.ppf((1 + confidence) / 2, n - 1) * deviation / np.sqrt(n))
    return Outcome(mean, mean - reach, mean + reach, n)


def _share(share: float, n: float, confidence: float, value: str) -> Outcome:
    if n == 0:
        return Outcome(np.nan, 0.0, 1.0, n, value)
    z = float(norm.ppf((1 + confidence) / 2))
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Outcome(share, max(0.0, center - reach), min(1.0, center + reach), n, value)


def read_target(y: Any, n_rows: int) -> Target:
    """Read outcomes: numbers with more than two values are numbers, everything else is categories.

    Raises
    ------
    DataError
        Some are missing or infinite, there is one value only, or the number of rows differs.
    """
    if y is None:
        message = "requires y to be passed, but the target y is None; pass the outcome of each row"
        raise DataError(message)
    array = y.to_numpy() if isinstance(y, pd.Series | pd.DataFrame) else np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        message = f"y must have one value for each row, got an array of shape {array.shape}"
        raise DataError(message)
    series = pd.Series(array.tolist())
    if len(series) != n_rows:
        message = f"y must have one value for each of the {n_rows} rows, got {len(series)}"
        raise DataError(message)
    if series.isna().any():
        row = int(np.flatnonzero(series.isna())[0])
        message = f"y must not have missing values, and that of row {row} is missing (NaN); leave the row out"
        raise DataError(message)
    return _numbers(series) if _is_number(series) else _categories(series)


def _is_number(series: "pd.Series[Any]") -> bool:
    numeric = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    return bool(numeric and series.nunique() > 2)


def _numbers(series: "pd.Series[Any]") -> Target:
    values = series.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        message = f"y must be finite, and the value of row {row} is infinite (inf); replace it by a number"
        raise DataError(message)
    if (largest := float(np.abs(values).max())) > MAX_NUMBER:
        message = (
            f"y must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}, and the value of row {np.abs(values).argmax()} "
            f"has the size {largest:g}; correct it, or leave the row out"
        )
        raise DataError(message)
    return Target(NUMBER, values[:, None], (), ())


def _categories(series: "pd.Series[Any]") -> Target:
    codes, labels = pd.factorize(series, sort=True)
    if len(labels) < 2:
        message = f"y must have at least 2 different values, and every value is {labels[0]!r} (1 class)"
        raise DataError(message)
    if len(labels) > _MAX_CATEGORIES:
        message = f"y must have at most {_MAX_CATEGORIES} categories, got {len(labels)}; merge rare ones"
        raise DataError(message)
    kind = BINARY if len(labels) == 2 else CATEGORIES
    classes = tuple(str(label) for label in labels)
    return Target(kind, np.eye(len(labels))[codes], classes, tuple(labels.tolist()))


def difference_test(target: Target, groups: Sequence[NDArray[np.int64]], weights: NDArray[np.float64]) -> float:
    """Return the p-value of no difference between groups of rows: Welch's test, or the chi-squared test.

    References
    ----------
    Welch, "On the comparison of several mean values: an alternative approach", Biometrika 38, 1951.
    """
    if len(groups) < 2:
        return 1.0
    if target.kind == NUMBER:
        return _welch([(target.values[rows, 0], weights[rows]) for rows in groups])
    counts = np.array([weights[rows] @ target.values[rows] for rows in groups])
    counts = counts[:, counts.sum(axis=0) > 0]
    return float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


def _welch(groups: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    sizes = np.array([own.sum() for _, own in groups])
    means = np.array([own @ values / own.sum() for values, own in groups])
    squares = [own @ (values - mean) ** 2 for (values, own), mean in zip(groups, means, strict=True)]
    variances = np.array(squares) / np.maximum(sizes - 1, 1)
    if (sizes <= 1).any() or (variances <= 0).any():
        return 1.0 if np.ptp(means) == 0 else _compute_anova(sizes, means, float(np.sum(squares)))
    precision = sizes / variances
    center = precision @ means / precision.sum()
    between = precision @ (means - center) ** 2 / (len(groups) - 1)
    slack = float(((1 - precision / precision.sum()) ** 2 / (sizes - 1)).sum())
    within = 1 + 2 * (len(groups) - 2) / (len(groups) ** 2 - 1) * slack
    return float(f.sf(between / within, len(groups) - 1, (len(groups) ** 2 - 1) / (3 * slack)))


def _compute_anova(sizes: NDArray[np.float64], means: NDArray[np.float64], squares: float) -> float:
    """Return the p-value of the usual analysis of variance, for groups that vary too little for Welch's test."""
    freedom = sizes.sum() - len(sizes)
    if freedom <= 0:
        return 1.0
    if squares <= 0:
        return 0.0
    center = sizes @ means / sizes.sum()
    between = sizes @ (means - center) ** 2 / (len(sizes) - 1)
    return float(f.sf(between / (squares / freedom), len(sizes) - 1, freedom))


GROW, PRUNE, ESTIMATE = range(3)
_GROW_SHARE = 2 / 3


def split_rows(
    codes: NDArray[np.uint8],
    outcomes: NDArray[np.float64],
    weights: NDArray[np.int64],
    unit: float,
    estimate_share: float,
    seed: int,
) -> NDArray[np.int64]:
    """Return the weight of each row in each part, shape (n_rows, 3).

    A share of the rows estimates; of the others, two thirds grow the tree and a third prunes it. Equal rows are dealt
    out in turn, from an offset that is a hash of their values: so each set of equal rows is divided in proportion, and
    the parts hold the same rows whatever their order. Where weights are whole (`unit` is 1), a weight of 2 is two rows,
    which may go to two parts; other weights belong to one row.

    With `offset` in [0, 1), the rows from the i-th to the k-th of equal ones put ``floor(offset + k s) - floor(offset +
    i s)`` rows into a part of share s: a systematic sample, whose counts differ from their share by less than one row.
    """
    # Adding zero turns -0.0 into 0.0, so that equal outcomes have equal bytes.
    own = np.ascontiguousarray(outcomes) + 0.0
    hashes = hash_numbers(hash_rows(codes, seed), own.view(np.uint64))
    order = np.lexsort((weights, hashes))
    units = (weights if unit == 1 else np.minimum(weights, 1))[order]
    ranked = hashes[order]
    starts = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    # The number of units before each row among the rows equal to it.
    before = np.cumsum(units) - units
    before -= np.repeat(before[starts], np.diff(np.append(np.flatnonzero(starts), len(order))))
    first, second = (_fraction(ranked, salt) for salt in (1, 2))
    others = [np.floor(first + at * (1 - estimate_share)) for at in (before, before + units)]
    grown = [np.floor(second + at * _GROW_SHARE) for at in others]
    n_others, n_grown = others[1] - others[0], grown[1] - grown[0]
    shared = np.empty((len(order), 3), dtype=np.int64)
    shared[order] = np.column_stack([n_grown, n_others - n_grown, units - n_others]).astype(np.int64)
    return shared if unit == 1 else shared * weights[:, None]


def _fraction(hashes: NDArray[np.uint64], salt: int) -> NDArray[np.float64]:
    mixed = hash_numbers(hashes, np.full((1, 1), salt, dtype=np.uint64))
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2.0**53)


_GROW_PAST = 3
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, eq=False)
class OutcomeRows:
    """Coded rows with their outcomes and parts.

    Attributes
    ----------
    cells : Cells
        The cells of all rows.
    target : Target
        Their outcomes.
    weights : ndarray of shape (n_rows, 3)
        The weight of each row in the parts that grow, prune and estimate.
    least_share : float
        The smallest share of each part's weight in a leaf.
    directions : mapping of int to int
        For constrained features, whether the outcome may only rise (1) or only fall (-1) with the value.
    """

    cells: Cells
    target: Target
    weights: NDArray[np.int64]
    least_share: float
    directions: Mapping[int, int]

    def select_rows(self, part: int) -> NDArray[np.int64]:
        """Return the rows of a part."""
        return np.flatnonzero(self.weights[:, part] > 0)

    def outcome_sums(self) -> Values:
        """Return the weighted outcomes of the rows that grow the tree; the outcomes of the others are not used."""
        values = self.target.values
        own = self.weights[:, GROW]
        if self.target.kind == NUMBER:
            values = values - np.average(values, axis=0, weights=own)
        return Values.from_rows(values, own, self.target.cost_kind)

    def part_sums(self) -> Values:
        """Return the weights of each row in the three parts, from which the sizes of leaves are computed."""
        return Values(np.column_stack([self.weights, self.weights.sum(axis=1)]).astype(np.float64), SQUARES)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Bounds on the outcome of a node, which keep the monotone splits above it monotone."""

    low: float = -np.inf
    high: float = np.inf


def grow_and_prune(data: OutcomeRows, max_leaves: int, max_depth: int) -> Shape:
    """Grow a tree beyond its final size on the first part, and prune it to what predicts the second part best."""
    values = data.outcome_sums()
    sample = Sample(data.cells, values, 0, max_depth)
    root = sample.root()
    _Grower(data, sample, data.part_sums()).grow(root, _GROW_PAST * max_leaves)
    return _select_subtree(data, sample, root, max_leaves)


class _Grower:
    """Best-first growth: the leaf whose best split lowers the cost most is split next."""

    def __init__(self, data: OutcomeRows, sample: Sample, sizes: Values) -> None:
        self.data, self.sample, self.sizes = data, sample, sizes
        total = sizes.values[:, :3].sum(axis=0)
        self.least = np.maximum(np.ceil(data.least_share * total - 1e-9), 1.0)

    def grow(self, root: Node, n_leaves: int) -> None:
        """Split the leaf with the largest gain, until there are `n_leaves` or no split gains."""
        waiting: list[tuple[float, int, Node, _Bounds, Cut]] = []
        turn = count()

        def offer(leaf: Node, bounds: _Bounds) -> None:
            found = self.best_cut(leaf, bounds)
            if found is not None:
                heappush(waiting, (found[0], next(turn), leaf, bounds, found[1]))

        offer(root, _Bounds())
        grown = 1
        while waiting and grown < n_leaves:
            _, _, leaf, bounds, cut = heappop(waiting)
            left, right = self.sample.divide(leaf, cut)
            for child, own in zip((left, right), self.bounds_below(cut, left, right, bounds), strict=True):
                offer(child, own)
            grown += 1

    def best_cut(self, leaf: Node, bounds: _Bounds) -> tuple[float, Cut] | None:
        """Return the allowed split with the largest gain, with the negative gain first; None if there is none."""
        report_progress("growing the tree")
        if leaf.depth >= self.sample.max_depth or not len(self.data.cells.features):
            return None
        cells = self.data.cells
        sums = cells.sums(self.sample.values, leaf.rows)[0]
        sizes = cells.sums(self.sizes, leaf.rows)[0][:, :3]
        views = cells.views(sums)
        best: tuple[float, int, int] | None = None
        for view in range(len(views)):
            change = self._changes(views, view, sums, sizes, leaf, bounds)
            place = int(change.argmin()) if len(change) else 0
            if (
                len(change)
                and change[place] < -1e-9 * max(abs(leaf.cost), 1.0)
                and (best is None or change[place] < best[0])
            ):
                best = float(change[place]), view, place
        return None if best is None else (best[0], cells.make_cut(views, int(views.start[best[1]]) + best[2]))

    def _changes(
        self,
        views: Views,
        view: int,
        sums: NDArray[np.float64],
        sizes: NDArray[np.float64],
        leaf: Node,
        bounds: _Bounds,
    ) -> NDArray[np.float64]:
        """Return how much each cut of a view changes the cost; infinity where it is not allowed."""
        own = views.cells[views.start[view] : views.start[view + 1]]
        low = np.cumsum(sums[own], axis=0)[:-1]
        high = leaf.total - low
        low_sizes = np.cumsum(sizes[own], axis=0)[:-1]
        high_sizes = sizes[own].sum(axis=0) - low_sizes
        change = _costs(low, self.data.target) + _costs(high, self.data.target) - leaf.cost
        allowed = ((low_sizes >= self.least) & (high_sizes >= self.least)).all(axis=1)
        if self.data.directions:
            allowed &= self._keeps_direction(own, low, high, bounds)
        return np.where(allowed, change, np.inf)

    def _keeps_direction(
        self, own: NDArray[np.int64], low: NDArray[np.float64], high: NDArray[np.float64], bounds: _Bounds
    ) -> NDArray[np.bool_]:
        below, above = _compute_order_values(low, self.data.target), _compute_order_values(high, self.data.target)
        inside = (np.minimum(below, above) >= bounds.low) & (np.maximum(below, above) <= bounds.high)
        cells = self.data.cells
        f = int(np.searchsorted(cells.offsets, own[0], side="right")) - 1
        direction = self.data.directions.get(int(cells.features[f]), 0)
        return np.asarray(inside & (direction * (above - below) >= 0))

    def bounds_below(self, cut: Cut, left: Node, right: Node, bounds: _Bounds) -> tuple[_Bounds, _Bounds]:
        """Return the bounds of the two sides of a cut."""
        direction = self.data.directions.get(cut.feature, 0)
        if not direction:
            return bounds, bounds
        values = [float(_compute_order_values(side.total[None], self.data.target)[0]) for side in (left, right)]
        middle = sum(values) / 2
        lower, upper = _Bounds(bounds.low, middle), _Bounds(middle, bounds.high)
        return (lower, upper) if values[0] <= values[1] else (upper, lower)


def _compute_order_values(totals: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    column = 0 if target.kind == NUMBER else -2
    return np.asarray(totals[:, column] / np.maximum(totals[:, -1], 1e-300))


def _costs(totals: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """Return what groups with these sums cost, as `group_cost` does for one."""
    weight = np.maximum(totals[:, -1:], 1e-300)
    values = totals[:, :-1]
    if target.kind == NUMBER:
        return np.asarray(-(values * values / weight).sum(axis=1))
    share = np.maximum(values, 0) / weight
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.asarray(-(np.maximum(values, 0) * logarithm).sum(axis=1))


def _select_subtree(data: OutcomeRows, sample: Sample, root: Node, max_leaves: int) -> Shape:
    """Return the smallest subtree that predicts the second part as well as the best one, within two standard errors."""
    candidates, losses = [], []
    for n_leaves in range(1, max_leaves + 1):
        tree = sample.build(get_shape(root), root.rows)
        _set_costs(data, sample, tree)
        prune(sample, tree, n_leaves)
        candidates.append(get_shape(tree))
        losses.append(_row_losses(data, tree))
    weights = data.weights[data.select_rows(PRUNE), PRUNE].astype(np.float64)
    if not len(weights):
        return candidates[0]
    means = [float(np.average(loss, weights=weights)) for loss in losses]
    best = int(np.argmin(means))
    for shape, loss, mean in zip(candidates, losses, means, strict=True):
        difference = loss - losses[best]
        spread = np.sqrt(np.average((difference - difference.mean()) ** 2, weights=weights) / weights.sum())
        if mean - means[best] <= _STANDARD_ERRORS * spread:
            return shape
    return candidates[best]


def _set_costs(data: OutcomeRows, sample: Sample, node: Node) -> None:
    """Set what each node costs: what its growing rows lead to expect of its pruning rows."""
    rows = node.rows[data.weights[node.rows, PRUNE] > 0]
    node.cost = float(data.weights[rows, PRUNE] @ data.target.losses(rows, _compute_prediction(data, node)))
    for child in node.children or ():
        _set_costs(data, sample, child)


def _row_losses(data: OutcomeRows, root: Node) -> NDArray[np.float64]:
    rows = data.select_rows(PRUNE)
    loss = np.empty(len(data.weights))
    for leaf in leaves(root):
        own = leaf.rows[data.weights[leaf.rows, PRUNE] > 0]
        loss[own] = data.target.losses(own, _compute_prediction(data, leaf))
    return loss[rows]


def _compute_prediction(data: OutcomeRows, node: Node) -> NDArray[np.float64]:
    weights = data.weights[node.rows, GROW].astype(np.float64)
    return data.target.smooth(np.append(weights @ data.target.values[node.rows], weights.sum()))
