"""Models whose score for a segment is a sum over features: ``bias_s + sum_f g_sf(x_f)``."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.score_kernels import (
    CURVATURE,
    KNOT,
    LEVEL,
    N_CURVE_LINES,
    SLOPE,
    UNKNOWN,
    add_part_sums,
    additive_scores,
    best_two,
)
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.embedding import Coding, Embedding
from xseg.core.statistics import CodedBlock, fixed_unit
from xseg.core.tables import Table

__all__ = ["AdditiveModel", "PartSums", "Population", "Scores"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of the segments: for each one a bias plus a function of each feature.

    A feature's term of a score is called its part.

    Attributes
    ----------
    embedding : Embedding
        The features that are coordinates, and those that are looked up by code; the others have no part in a score.
    bias : ndarray of shape (n_segments,)
        The constant term of each score.
    curves : ndarray of shape (n_points, 5, n_segments)
        For each coordinate: level, knot, slope, curvature, and the part of a missing value. The part of a coordinate z
        is ``level + slope |z - knot| + curvature (z - knot)^2``.
    tables : ndarray of shape (n_looked_up, 256, n_segments)
        For each looked-up feature: the part of every code; the last code is missing.
    """

    embedding: Embedding
    bias: NDArray[np.float64]
    curves: NDArray[np.float64]
    tables: NDArray[np.float64]

    @classmethod
    def zeros(cls, embedding: Embedding, n_segments: int) -> Self:
        """Return scores that are 0 everywhere, to be filled."""
        return cls(
            embedding,
            np.zeros(n_segments),
            np.zeros((len(embedding.coordinates), N_CURVE_LINES, n_segments)),
            np.zeros((len(embedding.looked_up), N_CODES, n_segments)),
        )

    def __len__(self) -> int:
        return len(self.bias)

    @property
    def used(self) -> NDArray[np.int64]:
        """The features that have a part in the scores: coordinates, then looked-up ones."""
        return np.concatenate([self.embedding.coordinates, self.embedding.looked_up])

    def compute(self, codes: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the score of each row in each segment, shape (n_rows, n_segments)."""
        out = np.empty((len(codes), len(self)))
        coordinates, looked_up = self.embedding.coordinates, self.embedding.looked_up
        additive_scores(points, codes, coordinates, looked_up, self.bias, self.curves, self.tables, out)
        return out

    def largest_parts(self, bound: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bound the absolute part of each used feature in each score, given the largest absolute coordinates.

        Returns
        -------
        ndarray of shape (n_used, n_segments)
            The bounds.
        """
        reach = bound[:, None] + np.abs(self.curves[:, KNOT])
        known = (
            np.abs(self.curves[:, LEVEL])
            + np.abs(self.curves[:, SLOPE]) * reach
            + np.abs(self.curves[:, CURVATURE]) * reach**2
        )
        return np.vstack([np.maximum(known, np.abs(self.curves[:, UNKNOWN])), np.abs(self.tables).max(axis=1)])

    def select_segments(self, order: NDArray[np.intp]) -> "Scores":
        """Return the segments in another order, or some of them."""
        return replace(
            self,
            bias=self.bias[order],
            curves=np.ascontiguousarray(self.curves[:, :, order]),
            tables=np.ascontiguousarray(self.tables[:, :, order]),
        )


@dataclass(frozen=True, eq=False)
class Population:
    """Sums over the fit population from which expectations are computed: each feature's part of each score.

    Attributes
    ----------
    sums : ndarray of shape (n_used, n_segments)
        Integer sums of the parts.
    units : ndarray of shape (n_used, n_segments)
        Units of the sums: ``sums / units`` are the sums of the parts.
    weight : int
        The integer weight of all rows.
    """

    sums: NDArray[np.int64]
    units: NDArray[np.float64]
    weight: int

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """The mean part of each used feature in each score, shape (n_used, n_segments)."""
        return np.asarray(self.sums / self.units / self.weight)


class PartSums:
    """A statistic: the sum over the rows of each feature's part of each score."""

    def __init__(self, scores: Scores, total_weight: int, bound: NDArray[np.float64] | None = None) -> None:
        self.scores = scores
        self.total_weight = total_weight
        self.bound = scores.embedding.bound if bound is None else bound
        largest = scores.largest_parts(self.bound)
        self.units = np.array([[fixed_unit(float(part), total_weight) for part in row] for row in largest])
        self.units = self.units.reshape(largest.shape)
        self.sums = np.zeros(largest.shape, dtype=np.int64)
        self.weight = 0

    def empty(self) -> Self:
        return type(self)(self.scores, self.total_weight, self.bound)

    def add(self, block: CodedBlock) -> None:
        scores = self.scores
        add_part_sums(
            block.points,
            block.codes,
            scores.embedding.coordinates,
            scores.embedding.looked_up,
            scores.curves,
            scores.tables,
            block.weights,
            self.units,
            self.sums,
        )
        self.weight += int(block.weights.sum())

    def merge(self, other: Self) -> None:
        self.sums += other.sums
        self.weight += other.weight

    def population(self) -> Population:
        """Return what has been added."""
        return Population(self.sums, self.units, self.weight)


@dataclass(frozen=True, eq=False)
class AdditiveModel:
    """A model that assigns each row to the segment with the highest of several additive scores.

    Attributes
    ----------
    coding : Coding
        How rows become codes and points.
    scores : Scores
        The scores; of equal scores the segment with the lower index wins.
    population : Population
        The parts of the scores, summed over the population the model was fitted on.
    """

    coding: Coding
    scores: Scores
    population: Population

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.scores)

    @property
    def used_features(self) -> NDArray[np.int64]:
        """The features that the scores use, in order."""
        return np.sort(self.scores.used)

    @property
    def boxes(self) -> None:
        """None: there are no boxes."""

    @property
    def bins(self) -> Bins:
        """How columns become codes."""
        return self.coding.bins

    @property
    def is_empty(self) -> bool:
        """Whether no row is left in the population."""
        return self.population.weight == 0 and not self.population.sums.any()

    def assign(self, table: Table) -> NDArray[np.int32]:
        """Return the segment of each row of a table: that of the highest score."""
        return np.asarray(self.score(table).argmax(axis=1), dtype=np.int32)

    def subtract_rows(self, table: Table) -> Self:
        """Return the same scores over the population without some of its rows."""
        codes, points = self.code(table)
        part = PartSums(self.scores, len(codes))
        part.units = self.population.units
        part.add(CodedBlock(codes, points, np.ones(len(codes), dtype=np.int64)))
        sums = self.population.sums - part.sums
        return replace(self, population=Population(sums, self.population.units, self.population.weight - len(codes)))

    def assigns_like(self, other: Self) -> bool:
        """Return whether another model has the very same scores."""
        return all(
            np.array_equal(getattr(self.scores, name), getattr(other.scores, name), equal_nan=True)
            for name in ("bias", "curves", "tables")
        )

    def counts_like(self, other: Self) -> bool:
        """Return whether another model has counted the same population."""
        one, two = self.population, other.population
        return one.weight == two.weight and np.array_equal(one.sums, two.sums)

    def code(self, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return codes and points of a table; the code of a feature that is a coordinate only says if it is missing."""
        embedding = self.coding.embedding
        table = self.coding.bins.read(table)
        codes = self.coding.bins.encode(table, embedding.looked_up.tolist())
        for j in embedding.coordinates.tolist():
            codes[np.isnan(np.asarray(table.columns[j].values, dtype=np.float64)), j] = MISSING
        return codes, embedding.points(table)

    def score(self, table: Table) -> NDArray[np.float64]:
        """Return the score of each row in each segment, shape (n_rows, n_segments)."""
        return self.scores.compute(*self.code(table))

    def two_best(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the segments with the highest and the second highest score of each row, given the scores."""
        own, rival = np.empty(len(scores), dtype=np.int64), np.empty(len(scores), dtype=np.int64)
        best_two(scores, own, rival)
        return own, rival
