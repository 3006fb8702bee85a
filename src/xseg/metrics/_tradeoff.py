"""Cost against the number of leaves, and a lower bound on the cost of any tree."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import read_table
from xseg.exceptions import ParameterError, UnsupportedTypeError
from xseg.segmenters import TreeSegmenter, check_segmenter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Certificate", "Tradeoff", "TradeoffPoint", "certify", "tradeoff"]


@dataclass(frozen=True, slots=True)
class TradeoffPoint:
    """One size of tree.

    Attributes
    ----------
    leaves : int
        Maximum number of leaves.
    relative_cost : float
        Its cost over that of the reference.
    mean_depth : float
        Mean number of splits from the root to the leaf of a row.
    """

    leaves: int
    relative_cost: float
    mean_depth: float


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """The curve of cost against leaves.

    Attributes
    ----------
    points : tuple of TradeoffPoint
        The sizes that were tried, the smallest first.
    elbow : int
        After how many leaves more of them buy little: the point farthest below the line between the ends of the
        curve, both axes scaled to 1.
    """

    points: tuple[TradeoffPoint, ...]
    elbow: int

    def to_frame(self) -> "pd.DataFrame":
        """Return the curve as a table with the columns leaves, relative_cost, mean_depth and elbow."""
        import pandas as pd

        rows = [
            (point.leaves, point.relative_cost, point.mean_depth, point.leaves == self.elbow) for point in self.points
        ]
        return pd.DataFrame(rows, columns=["leaves", "relative_cost", "mean_depth", "elbow"])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curve with its elbow marked.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
            The drawing.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        leaves, costs = [point.leaves for point in self.points], [point.relative_cost for point in self.points]
        ax.plot(leaves, costs, marker="o", color="#2563a8")
        elbow = next(point for point in self.points if point.leaves == self.elbow)
        ax.plot([elbow.leaves], [elbow.relative_cost], marker="o", markersize=13, fillstyle="none", color="#b3471d")
        ax.annotate(
            f"{elbow.leaves} leaves,\n{elbow.mean_depth:.1f} splits per row",
            (elbow.leaves, elbow.relative_cost),
            xytext=(0, -34),
            textcoords="offset points",
            color="#b3471d",
            ha="center",
        )
        ax.axhline(1.0, color="0.6", linewidth=1, linestyle="--")
        ax.set_xticks(leaves)
        ax.set_xlabel("leaves (rules)")
        ax.set_ylabel("cost relative to the reference")
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(y=0.2)
        return ax


def tradeoff(X: Any, *, n_segments: int, max_leaves: Sequence[int] | None = None, **parameters: Any) -> Tradeoff:
    """Measure the cost of trees of several sizes, relative to that of k-means.

    Parameters
    ----------
    X : table, array or Backend of shape (n_rows, n_features)
        The rows.
    n_segments : int
        Number of segments.
    max_leaves : sequence of int, default=None
        The sizes to try; None means from `n_segments` to three times as many.
    **parameters
        Other parameters of `TreeSegmenter`.

    Returns
    -------
    Tradeoff
        The curve; `plot` draws it, `to_frame` gives it as a table.

    Raises
    ------
    ParameterError
        `max_leaves` is empty, or asks for fewer leaves than segments.
    DataError
        The rows cannot be segmented.

    References
    ----------
    Satopää, Albrecht, Irwin and Raghavan, "Finding a 'kneedle' in a haystack", 2011.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> curve = xseg.metrics.tradeoff(customers, n_segments=3, max_leaves=[3, 4, 6], effort="fast", random_state=0)
    >>> [point.leaves for point in curve.points]
    [3, 4, 6]
    """
    sizes = sorted(set(range(n_segments, 3 * n_segments + 1) if max_leaves is None else max_leaves))
    if not sizes or not all(isinstance(size, Integral) for size in sizes) or sizes[0] < n_segments:
        message = (
            f"max_leaves must be one or more whole numbers of at least n_segments={n_segments}, got {max_leaves!r}; "
            "give numbers of leaves to try, such as [4, 6, 8]"
        )
        raise ParameterError(message)
    points = []
    for size in sizes:
        fitted = TreeSegmenter(n_segments, max_leaves=size, **parameters).fit(X)
        points.append(TradeoffPoint(int(size), fitted.relative_cost_, fitted.mean_depth_))
    return Tradeoff(tuple(points), points[_farthest_below_chord(points)].leaves)


def _farthest_below_chord(points: Sequence[TradeoffPoint]) -> int:
    leaves = np.array([point.leaves for point in points], dtype=np.float64)
    costs = np.minimum.accumulate([point.relative_cost for point in points])
    if len(points) < 3 or costs[0] == costs[-1]:
        return 0
    along = (leaves - leaves[0]) / (leaves[-1] - leaves[0])
    fallen = (costs[0] - costs) / (costs[0] - costs[-1])
    return int(np.argmax(fallen - along))


_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is proven of a tree.

    Attributes
    ----------
    cost : float
        The cost of the tree's partition of these rows.
    bound : float
        No tree of this size over the same candidate thresholds costs less; 0 if nothing better is known.
    is_optimal : bool
        Whether no such tree is cheaper than this one.
    complete : bool
        Whether the search for the bound ended by itself, and not because time was up or the tree is of a kind for
        which only the general bound is known.
    """

    cost: float
    bound: float
    is_optimal: bool
    complete: bool

    @property
    def gap(self) -> float:
        """How much dearer than the cheapest tree this one may be at most: 0.02 means 2 %; infinite without a bound."""
        if self.is_optimal:
            return 0.0
        return self.cost / self.bound - 1 if self.bound > 0 else float("inf")

    def __str__(self) -> str:
        if self.is_optimal:
            return f"proven: no tree of this size costs less than {self.cost:.6g}"
        if self.bound <= 0:
            return f"no lower bound was found in the time given; this tree costs {self.cost:.6g}"
        why = "" if self.complete else " (the search for a better bound did not end)"
        return f"this tree costs {self.cost:.6g}, at most {self.gap:.1%} more than the best of this size{why}"


def certify(
    segmenter: TreeSegmenter, X: Any, *, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
) -> Certificate:
    """Prove how much cheaper any tree of this size could be on the rows the segmenter was fitted on.

    Any partition into k groups costs at least the total scatter less its k - 1 largest principal components. Where
    each segment is one leaf and all columns are ordered and known, that bound prunes a complete search over trees
    (branch and bound); otherwise it is what is given.

    Parameters
    ----------
    segmenter : fitted TreeSegmenter
        The tree.
    X : table or array of shape (n_rows, n_features)
        The rows it was fitted on.
    seconds : float, default=10.0
        Time limit of the search.
    clock : callable, default=time.monotonic
        Tells the time in seconds.

    Returns
    -------
    Certificate
        Cost, bound, and whether the tree is proven to be the best.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        The model is not a TreeSegmenter, or was made by `xseg.fold` and knows no distances between raw rows.
    ParameterError
        `seconds` is not positive.
    DataError
        The columns are not those it was fitted on.

    References
    ----------
    Ding and He, "K-means clustering via principal component analysis", ICML 2004.

    Examples
    --------
    >>> import xseg
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> segmenter = xseg.TreeSegmenter(3, min_segment_size=1, random_state=0).fit(X)
    >>> print(xseg.metrics.certify(segmenter, X))
    proven: no tree of this size costs less than 163.473
    """
    if not isinstance(check_segmenter(segmenter), TreeSegmenter):
        message = (
            f"segmenter must be a fitted TreeSegmenter, got {type(segmenter).__name__}; of other segmenters no lower "
            "bound on the cost is known"
        )
        raise UnsupportedTypeError(message)
    if not seconds > 0:
        message = f"seconds must be positive, got {seconds!r}"
        raise ParameterError(message)
    segmenter._check_has_distances("certify")
    labels = segmenter.predict(X)
    coding = segmenter.coding_
    codes, coordinates = coding.code(read_table(X))
    points = coding.embedding.matrix(codes, coordinates)
    cost = sum(_scatter(points[labels == label]) for label in np.unique(labels))
    n_leaves, n_segments = segmenter.tree_.n_leaves, segmenter.n_segments_
    known = bool((codes < [bins.n_codes for bins in coding.bins.features]).all())
    ordered = all(bins.is_ordered for bins in coding.bins.features)
    everything = np.arange(len(points))
    if n_leaves == n_segments and known and ordered:
        search = _Search(points, codes, deadline=clock() + seconds, clock=clock)
        bound = search.compute_lower_bound(everything, n_leaves, cost * (1 + _EQUAL))
        complete = not search.is_late
    else:
        bound, complete = float(_partition_bounds(_scatter_matrix(points)[None], n_segments)[0, -1]), False
    return Certificate(cost, min(bound, cost), bound >= cost * (1 - _EQUAL), complete)


class _Search:
    """Branch and bound over all trees."""

    def __init__(
        self, points: NDArray[np.float64], codes: NDArray[np.uint8], deadline: float, clock: Callable[[], float]
    ) -> None:
        self.points = points
        self.codes = codes
        self.deadline = deadline
        self.clock = clock
        self.is_late = False

    def compute_lower_bound(self, rows: NDArray[np.intp], n_leaves: int, limit: float) -> float:
        """Return a number that no tree of some rows is below; it is exact if it is below `limit` and time was left."""
        bounds = _partition_bounds(_scatter_matrix(self.points[rows])[None], n_leaves)[0]
        if n_leaves == 1 or bounds[-1] >= limit or self._is_time_over():
            return float(bounds[-1])
        best = limit
        for promised, left, right, n_left, after_right in self._branches(rows, n_leaves):
            if promised >= best:
                break
            if self._is_time_over():
                return min(best, promised)
            on_left = self.compute_lower_bound(left, n_left, best - after_right)
            if on_left + after_right < best:
                best = min(best, on_left + self.compute_lower_bound(right, n_leaves - n_left, best - on_left))
        return best

    def _is_time_over(self) -> bool:
        self.is_late = self.is_late or self.clock() >= self.deadline
        return self.is_late

    def _branches(
        self, rows: NDArray[np.intp], n_leaves: int
    ) -> Iterator[tuple[float, NDArray[np.intp], NDArray[np.intp], int, float]]:
        """Return every cut and every way to share the leaves out, by what it costs at least."""
        found = []
        for j in range(self.codes.shape[1]):
            codes = self.codes[rows, j]
            last = np.unique(codes)[:-1]
            if not len(last):
                continue
            below, above = _scatters_of_cuts(self.points[rows], codes, last)
            on_left, on_right = _partition_bounds(below, n_leaves - 1), _partition_bounds(above, n_leaves - 1)
            for n_left in range(1, n_leaves):
                promised = on_left[:, n_left - 1] + on_right[:, n_leaves - n_left - 1]
                found += [
                    (float(least), j, int(code), n_left, float(after))
                    for least, code, after in zip(promised, last, on_right[:, n_leaves - n_left - 1], strict=True)
                ]
        for total, j, code, n_left, rest in sorted(found):
            left = self.codes[rows, j] <= code
            yield total, rows[left], rows[~left], n_left, rest


def _scatter(points: NDArray[np.float64]) -> float:
    offsets = points - points.mean(axis=0)
    return float(np.einsum("nd,nd->", offsets, offsets))


def _scatter_matrix(points: NDArray[np.float64]) -> NDArray[np.float64]:
    offsets = points - points.mean(axis=0)
    return np.asarray(offsets.T @ offsets)


def _scatters_of_cuts(
    points: NDArray[np.float64], codes: NDArray[np.uint8], last: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scatter matrices below and above each cut, shape (n_cuts, n_dimensions, n_dimensions)."""
    order = np.argsort(codes, kind="stable")
    centred = (points - points.mean(axis=0))[order]
    ends = np.searchsorted(codes[order], last, side="right")
    starts = np.concatenate([[0], ends])
    parts = np.array([centred[a:b].T @ centred[a:b] for a, b in zip(starts[:-1], ends, strict=True)])
    products, sums = np.cumsum(parts, axis=0), np.cumsum(centred, axis=0)[ends - 1]
    whole = centred.T @ centred
    outer = sums[:, :, None] * sums[:, None, :]
    n_below = ends[:, None, None]
    return products - outer / n_below, whole - products - outer / (len(points) - n_below)


def _partition_bounds(scatters: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return what partitions into 1 to `most` groups cost at least, shape (n_scatters, most)."""
    trace = np.trace(scatters, axis1=1, axis2=2)
    if most == 1:
        return np.asarray(np.maximum(trace, 0.0)[:, None])
    largest = np.linalg.eigvalsh(scatters)[:, ::-1][:, : most - 1]
    explained = np.cumsum(np.maximum(largest, 0.0), axis=1)
    padded = np.pad(explained, ((0, 0), (1, most - 1 - explained.shape[1])), mode="edge")
    padded[:, 0] = 0.0
    # Rounding must not make a bound too high.
    return np.asarray(np.maximum(trace[:, None] * (1 - 1e-12) - padded, 0.0))
