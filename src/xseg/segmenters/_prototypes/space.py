"""Distances to centres, as sums over features in which a missing value has no part."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.additive import CURVATURE, KNOT, SLOPE
from xseg._kernels.prototypes import add_level_sums
from xseg.core.additive import Scores
from xseg.core.bins import MISSING, N_CODES
from xseg.core.embedding import Embedding
from xseg.core.fixed_point import fixed_unit
from xseg.core.statistics import CodedBlock

__all__ = ["METRICS", "Centres", "Levels", "PrototypeSpace"]

METRICS = {"gower": 1, "manhattan": 1, "squared": 2}


@dataclass(frozen=True, eq=False)
class Centres:
    """Where the prototypes stand.

    Attributes
    ----------
    numbers : ndarray of shape (n_centres, n_points)
        Their coordinates.
    codes : ndarray of shape (n_centres, n_looked_up)
        Their codes of the features that are looked up.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: NDArray[np.intp] | slice) -> "Centres":
        return Centres(self.numbers[which], self.codes[which])

    def with_one(self, place: int, other: "Centres", which: int) -> "Centres":
        """Return the centres with one of them replaced by one of others."""
        numbers, codes = self.numbers.copy(), self.codes.copy()
        numbers[place], codes[place] = other.numbers[which], other.codes[which]
        return Centres(numbers, codes)

    def and_one(self, other: "Centres", which: int) -> "Centres":
        """Return the centres and one more."""
        chosen = slice(which, which + 1)
        return Centres(np.vstack([self.numbers, other.numbers[chosen]]), np.vstack([self.codes, other.codes[chosen]]))


@dataclass(frozen=True, eq=False)
class PrototypeSpace:
    """A distance that adds weighted differences (or their squares) over the features whose value is known.

    Attributes
    ----------
    embedding : Embedding
        Coordinates and looked-up features, weights included.
    n_features : int
        How many features there are, those without a part in the distance included.
    squared : bool
        Whether differences are squared.
    levels : ndarray of shape (n_points, 256)
        For each code of a coordinate, the mean point of the people who have it.
    overall : Centres
        One centre in the middle of everyone, for values that are not known.
    pairs : tuple of ndarray of shape (256, 256)
        For each looked-up feature, the distance between any two codes; a missing one is near all.
    total_weight : int
        The weight of the rows.
    units : ndarray of shape (n_points,)
        The fixed-point units of sums of coordinates.
    cost_unit : float
        That of sums of distances.
    """

    embedding: Embedding
    n_features: int
    squared: bool
    levels: NDArray[np.float64]
    overall: Centres
    pairs: tuple[NDArray[np.float64], ...]
    total_weight: int
    units: NDArray[np.float64]
    cost_unit: float

    @classmethod
    def of(
        cls,
        embedding: Embedding,
        *,
        n_features: int,
        squared: bool,
        levels: NDArray[np.float64],
        overall: Centres,
        total_weight: int,
    ) -> Self:
        """Choose the units for rows of this total weight."""
        reach = 2 * embedding.bound
        largest = float((reach**2 if squared else reach).sum())
        pairs = code_distances(embedding, squared=squared)
        largest += sum(float(pair.max()) for pair in pairs)
        units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        return cls(
            embedding,
            n_features,
            squared,
            levels,
            overall,
            pairs,
            total_weight,
            units,
            fixed_unit(largest, total_weight),
        )

    def scaled_to(self, total_weight: int) -> "PrototypeSpace":
        """Return the same distance for other rows."""
        return PrototypeSpace.of(
            self.embedding,
            n_features=self.n_features,
            squared=self.squared,
            levels=self.levels,
            overall=self.overall,
            total_weight=total_weight,
        )

    def around(self, overall: Centres) -> "PrototypeSpace":
        """Return the same distance with another middle of everyone."""
        return replace(self, overall=overall)

    def scores(self, centres: Centres) -> Scores:
        """Return minus the distance to each centre as a sum over features."""
        scores = Scores.nothing(self.embedding, len(centres))
        scores.curves[:, KNOT] = centres.numbers.T
        scores.curves[:, CURVATURE if self.squared else SLOPE] = -1.0
        for f, pair in enumerate(self.pairs):
            scores.tables[f] = -pair[:, centres.codes[:, f]]
        return scores

    def distances(self, block: CodedBlock, centres: Centres) -> NDArray[np.float64]:
        """Return the distance of each row to each centre, shape (n_rows, n_centres)."""
        return -self.scores(centres).of(block.codes, block.points)

    def at(self, block: CodedBlock, rows: NDArray[np.intp]) -> Centres:
        """Return centres where some rows are, standing in the middle where a value is not known."""
        coordinates, looked_up = self.embedding.coordinates, self.embedding.looked_up
        codes = block.codes[rows]
        numbers = np.where(codes[:, coordinates] == MISSING, self.overall.numbers, block.points[rows])
        return Centres(
            numbers.astype(np.float64),
            np.where(codes[:, looked_up] == MISSING, self.overall.codes, codes[:, looked_up]),
        )


def code_distances(embedding: Embedding, *, squared: bool) -> tuple[NDArray[np.float64], ...]:
    """Return, for each looked-up feature, the distance between any two codes, shape (256, 256)."""
    distances = []
    for vectors in embedding.vectors:
        between = np.sqrt(((vectors[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2))
        between[MISSING, :] = between[:, MISSING] = 0.0
        distances.append(between**2 if squared else between)
    return tuple(distances)


class Levels:
    """A statistic: the sum of the points that have each code of each coordinate, and their weight."""

    def __init__(self, embedding: Embedding, total_weight: int) -> None:
        self.embedding = embedding
        self.total_weight = total_weight
        self.units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        self.sums = np.zeros((len(embedding.coordinates), N_CODES), dtype=np.int64)
        self.counts = np.zeros_like(self.sums)

    def empty(self) -> Self:
        return type(self)(self.embedding, self.total_weight)

    def add(self, block: CodedBlock) -> None:
        coordinates = self.embedding.coordinates
        add_level_sums(block.points, block.codes, coordinates, block.weights, self.units, self.sums, self.counts)

    def merge(self, other: Self) -> None:
        self.sums += other.sums
        self.counts += other.counts

    def means(self) -> NDArray[np.float64]:
        """Return the mean point of each code; rounded as points are, so that equal points stay what they are."""
        means = self.sums / self.units[:, None] / np.maximum(self.counts, 1)
        return np.asarray(means.astype(np.float32), dtype=np.float64)
