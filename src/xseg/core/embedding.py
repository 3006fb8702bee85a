"""The metric space in which the similarity of rows is measured, and its scaling.

Squared distance is a sum over raw features. A number is centred and scaled; a category is a one-hot vector over the
square root of 2, so two different categories are one apart; a missing value is placed at the mean of the population.
Numbers become coordinates (`points`); categories and booleans stay codes, and their part of a distance is looked up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import frexp, ldexp
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import N_CODES, Bins
from xseg.core.numbers import NumberSummary
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock, RawBlock, RawStatistic
from xseg.core.summaries import CategoryCounts, Moments, TableSummary
from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = [
    "MAX_COORDINATE",
    "SCALINGS",
    "Centers",
    "CodeCounts",
    "Coding",
    "Embedding",
    "choose_embedding",
    "embed_block",
    "make_distance_error",
]


# Coordinates are kept in single precision, which ends at 3.4e38.
MAX_COORDINATE = 1e30


def make_distance_error(name: str, value: float) -> DataError:
    """Return the error for a value that is too far from the others for distances in single precision."""
    message = (
        f"values of column {name!r} must be within {MAX_COORDINATE:g} times its scale, got {value:g}; correct the "
        "value, or replace it by NaN if it is not known"
    )
    return DataError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The mapping of rows into the metric space.

    Attributes
    ----------
    coordinates : ndarray of shape (n_points,)
        The features that are coordinates.
    shift, factor : ndarray of shape (n_points,)
        A coordinate is ``(value - shift) * factor``.
    bound : ndarray of shape (n_points,)
        A bound on the absolute coordinates of the population.
    looked_up : ndarray of shape (n_looked_up,)
        The features that are looked up by code.
    vectors : tuple of ndarray of shape (256, n_dimensions)
        For each of those, the position of every code: on a line, or if there are several dimensions, each of the first
        codes on an axis of its own, equally far from the origin, and all others at the mean of the population.
    """

    coordinates: NDArray[np.int64]
    shift: NDArray[np.float64]
    factor: NDArray[np.float64]
    bound: NDArray[np.float64]
    looked_up: NDArray[np.int64]
    vectors: tuple[NDArray[np.float64], ...]

    def points(self, table: Table) -> NDArray[np.float32]:
        """Return the coordinates of a table, shape (n_rows, n_points)."""
        points = np.empty((len(table), len(self.coordinates)), dtype=np.float32)
        for p, j in enumerate(self.coordinates):
            with np.errstate(over="ignore"):
                values = (table.columns[j].numbers() - self.shift[p]) * self.factor[p]
            if (np.abs(values) > MAX_COORDINATE).any():
                raise make_distance_error(
                    table.columns[j].name, float(table.columns[j].numbers()[np.nanargmax(np.abs(values))])
                )
            points[:, p] = np.nan_to_num(values, nan=0.0, posinf=None, neginf=None)
        return points

    @property
    def largest_distance(self) -> float:
        """A bound on the squared distance between two rows of the table that was fitted."""
        looked_up = sum(float(np.ptp(vectors, axis=0) @ np.ptp(vectors, axis=0)) for vectors in self.vectors)
        return float(4 * (self.bound @ self.bound)) + looked_up

    def matrix(self, codes: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return every row as one plain vector, shape (n_rows, n_points + dimensions of the categories)."""
        looked_up = [vectors[codes[:, j]] for j, vectors in zip(self.looked_up, self.vectors, strict=True)]
        return np.hstack([points.astype(np.float64), *looked_up])

    @property
    def n_dimensions(self) -> int:
        """Number of dimensions of the space."""
        return len(self.coordinates) + sum(int(vectors.shape[1]) for vectors in self.vectors)

    def centers(self, means: NDArray[np.float64]) -> "Centers":
        """Prepare centres, given as plain vectors, for the kernels."""
        n_points = len(self.coordinates)
        tables = np.zeros((len(self.looked_up), N_CODES, len(means)))
        start = n_points
        for f, vectors in enumerate(self.vectors):
            n_dimensions = vectors.shape[1]
            own = means[:, start : start + n_dimensions]
            if n_dimensions > 1:
                # Codes are axes of one length: |v - m|^2 = |v|^2 - 2 v m + |m|^2, and v m is one product.
                length = vectors[0, 0]
                norms = length**2 + np.einsum("cd,cd->c", own, own)
                tables[f, :n_dimensions] = np.maximum(norms - 2 * length * own.T, 0.0)
                offsets = vectors[n_dimensions] - own
                tables[f, n_dimensions:] = np.einsum("cd,cd->c", offsets, offsets)
            else:
                tables[f] = (vectors - own.T) ** 2
            start += n_dimensions
        return Centers(means, np.ascontiguousarray(means[:, :n_points].T), tables)

    def means(
        self, sums: NDArray[np.int64], units: NDArray[np.float64], counts: NDArray[np.int64], mass: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Compute the means of groups of rows from their exact sums, shape (n_groups, n_dimensions)."""
        share = 1.0 / np.maximum(mass, 1)[:, None]
        parts = [sums / units * share]
        for f, vectors in enumerate(self.vectors):
            n_dimensions = vectors.shape[1]
            if n_dimensions > 1:
                others = counts[:, f, n_dimensions:].sum(axis=1)
                added = counts[:, f, :n_dimensions] * vectors[0, 0] + others[:, None] * vectors[n_dimensions]
            else:
                added = counts[:, f] @ vectors
            parts.append(added * share)
        return np.hstack(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Centers:
    """Centres as plain vectors, and in the layout of the kernels.

    Attributes
    ----------
    means : ndarray of shape (n_centers, n_dimensions)
        The centres.
    transposed : ndarray of shape (n_points, n_centers)
        Their coordinates.
    tables : ndarray of shape (n_looked_up, 256, n_centers)
        The squared distance of every code of each looked-up feature to each centre.
    """

    means: NDArray[np.float64]
    transposed: NDArray[np.float64]
    tables: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.means)


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """The bins and the embedding that convert raw rows to codes and points."""

    bins: Bins
    embedding: Embedding

    def code(self, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the codes and points of a table."""
        table = self.bins.read(table)
        return self.bins.encode(table), self.embedding.points(table)


def embed_block(embedding: Embedding, block: CodedBlock) -> NDArray[np.float64]:
    """Compute the position of each row of a block in the metric space, shape (n_rows, n_dimensions)."""
    return embedding.matrix(block.codes, block.points)


SCALINGS = ("standard", "robust", "quantile", "none")
_UNIFORM_DEVIATION = np.sqrt(1 / 12)
_NORMAL_QUARTILE_RANGE = 1.349


class CodeCounts:
    """A statistic over raw rows: the weight of every code of every feature, shape (n_features, 256)."""

    def __init__(self, bins: Bins) -> None:
        self.bins = bins
        self.counts = np.zeros((len(bins), N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.bins)

    def add(self, block: RawBlock) -> None:
        for counts, codes in zip(self.counts, self.bins.encode(block.table).T, strict=True):
            np.add.at(counts, codes, block.weights)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


class _Builder:
    """Collects the coordinates and the looked-up features of an embedding."""

    def __init__(self) -> None:
        self.coordinates: list[tuple[int, float, float, float]] = []
        self.looked_up: list[tuple[int, NDArray[np.float64]]] = []

    def add_number(self, j: int, name: str, shift: float, factor: float, summary: NumberSummary) -> None:
        if factor > 0 and np.isfinite(factor) and summary.high > summary.low:
            bound = max(abs(summary.low - shift), abs(summary.high - shift)) * factor
            if not bound <= MAX_COORDINATE:
                message = (
                    f"column {name!r} reaches from {summary.low:.3g} to {summary.high:.3g}, too far for its scale of "
                    f"{1 / factor:.3g}: distances could not be worked out; correct or drop the extreme values, or use "
                    "another scaling, such as 'quantile'"
                )
                raise DataError(message)
            # The next power of two: a bound need not be tight, and an exact one would reveal the most extreme value.
            bound = ldexp(1.0, frexp(bound)[1])
            self.coordinates.append((j, shift, factor, bound))

    def add_codes(self, j: int, positions: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        """Add a feature with its codes at `positions`, shape (n_codes, n_dimensions), and other codes at the mean."""
        total = counts.sum()
        if total == 0 or np.count_nonzero(counts) < 2 or not positions.any():
            return
        vectors = np.tile(counts @ positions / total, (N_CODES, 1))
        vectors[: len(positions)] = positions
        self.looked_up.append((j, vectors))

    def build(self) -> Embedding:
        columns = np.array(self.coordinates, dtype=np.float64).reshape(-1, 4)
        return Embedding(
            coordinates=columns[:, 0].astype(np.int64),
            shift=columns[:, 1].copy(),
            factor=columns[:, 2].copy(),
            bound=columns[:, 3].copy(),
            looked_up=np.array([j for j, _ in self.looked_up], dtype=np.int64),
            vectors=tuple(vectors for _, vectors in self.looked_up),
        )


def choose_embedding(
    summary: TableSummary,
    bins: Bins,
    scaling: str,
    weights: NDArray[np.float64],
    add: Callable[[RawStatistic], RawStatistic],
    power: int = 2,
    min_weight: int = 1,
) -> Embedding:
    """Choose the scales and positions of the metric space.

    Parameters
    ----------
    summary : TableSummary
        The counts of the first pass over the rows.
    bins : Bins
        The codes.
    scaling : {"standard", "robust", "quantile", "none", "range"}
        Scaling of numbers: by their standard deviation, by their interquartile range, by rank, not at all, or by their
        range without the few values at its ends that would reveal single rows.
    weights : ndarray of shape (n_features,)
        Weight of each feature in a distance; 0 leaves it out.
    add : callable
        Sums a statistic over the rows.
    power : {1, 2}, default=2
        Exponent of the differences that a distance adds up.
    min_weight : int, default=1
        The smallest weight of rows at and beyond either end of a range.
    """
    numbers = {j: column for j, column in enumerate(summary.columns) if isinstance(column, NumberSummary)}
    numbers = {j: column for j, column in numbers.items() if column.known and weights[j] > 0}
    mean, deviation = _mean_and_deviation(numbers, summary.total_weight, add)
    counts = _code_counts(summary, bins, scaling, mean, add)
    builder = _Builder()
    for j, bin_ in enumerate(bins.features):
        root, name = float(weights[j] ** (1 / power)), bin_.feature.name
        if bin_.feature.kind is Kind.NUMBER and j in numbers:
            if scaling == "quantile":
                builder.add_codes(j, _mid_ranks(counts[j][: bin_.n_codes])[:, None] * root, counts[j][: bin_.n_codes])
            elif scaling == "robust":
                shift, scale = _median_and_range(bin_.thresholds, counts[j][: bin_.n_codes], numbers[j], deviation[j])
                builder.add_number(j, name, shift, root / scale if scale else 0.0, numbers[j])
            else:
                scale = _scale(scaling, numbers[j], deviation[j], min_weight)
                builder.add_number(j, name, mean[j], root / scale if scale else 0.0, numbers[j])
        elif root > 0 and bin_.feature.kind is not Kind.EMPTY:
            positions = _positions(bin_.feature.kind, counts[j][: bin_.n_codes], scaling)
            builder.add_codes(j, positions * root, counts[j][: bin_.n_codes])
    return builder.build()


def _scale(scaling: str, summary: NumberSummary, deviation: float, min_weight: int) -> float:
    if scaling == "standard":
        return deviation
    if scaling != "range":
        return 1.0
    low, high = summary.common_range(min_weight)
    return high - low or summary.high - summary.low


def _mean_and_deviation(
    numbers: dict[int, NumberSummary], total_weight: int, add: Callable[[RawStatistic], RawStatistic]
) -> tuple[dict[int, float], dict[int, float]]:
    columns = [
        (j, column.low / 2 + column.high / 2, max(column.high / 2 - column.low / 2, 1e-300))
        for j, column in numbers.items()
    ]
    moments = Moments(columns, total_weight)
    if columns:
        added = add(moments)
        assert isinstance(added, Moments)
        moments = added
    mean, deviation = moments.mean_and_deviation()
    return dict(zip(numbers, mean.tolist(), strict=True)), dict(zip(numbers, deviation.tolist(), strict=True))


def _code_counts(
    summary: TableSummary,
    bins: Bins,
    scaling: str,
    mean: dict[int, float],
    add: Callable[[RawStatistic], RawStatistic],
) -> list[NDArray[np.float64]]:
    """Return the weight of each code, as far as this scaling needs it."""
    if scaling in {"robust", "quantile"}:
        added = add(CodeCounts(bins))
        assert isinstance(added, CodeCounts)
        return list(added.counts.astype(np.float64))
    counts = [np.zeros(N_CODES) for _ in bins.features]
    for j, (column, bin_) in enumerate(zip(summary.columns, bins.features, strict=True)):
        if isinstance(column, CategoryCounts):
            counts[j][: bin_.n_codes] = [column.counts[name] for name in bin_.categories]
        elif bin_.feature.kind is Kind.BOOLEAN and j in mean and bin_.n_codes == 2:
            counts[j][:2] = 1 - mean[j], mean[j]
    return counts


def _positions(kind: Kind, counts: NDArray[np.float64], scaling: str) -> NDArray[np.float64]:
    """Return the positions of the codes of a category: one-hot over sqrt 2, or on a line if they are ordered."""
    if kind is Kind.CATEGORY:
        return np.asarray(np.eye(len(counts)) / np.sqrt(2))
    rank = np.arange(len(counts), dtype=np.float64)
    if kind is Kind.BOOLEAN or not counts.sum():
        return rank[:, None]
    if scaling == "range":
        return rank[:, None] / max(len(rank) - 1, 1)
    mean = counts @ rank / counts.sum()
    deviation = np.sqrt(counts @ (rank - mean) ** 2 / counts.sum())
    return (rank - mean)[:, None] / deviation if deviation else np.zeros((len(counts), 1))


def _mid_ranks(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of rows below the middle of each code, in standard deviations of a uniform rank."""
    reached = np.cumsum(counts) - counts / 2
    return np.asarray((reached / counts.sum() - 0.5) / _UNIFORM_DEVIATION)


def _median_and_range(
    thresholds: NDArray[np.float64], counts: NDArray[np.float64], summary: NumberSummary, deviation: float
) -> tuple[float, float]:
    """Return the median and a scale: the interquartile range as the deviation of a normal distribution that has it."""
    edges = np.concatenate([[summary.low], thresholds, [summary.high]])
    reached = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    lower, median, upper = np.interp([0.25, 0.5, 0.75], reached, edges)
    return float(median), float(upper - lower) / _NORMAL_QUARTILE_RANGE or deviation
