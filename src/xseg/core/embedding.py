"""The metric space in which "similar people" is measured.

Squared distance is a sum over raw features. A number is centred and scaled; a category is a one-hot vector over the
square root of 2, so two different categories are one apart; a missing value stands at the mean of the population and
so pulls nobody anywhere. Numbers become coordinates (`points`); categories and booleans stay codes, and their part of
a distance is looked up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import N_CODES, Bins
from xseg.core.tables import Table
from xseg.exceptions import DataError

__all__ = ["MAX_COORDINATE", "Centers", "Coding", "Embedding", "too_far"]

# Coordinates are kept in single precision, which ends at 3.4e38.
MAX_COORDINATE = 1e30


def too_far(name: str, value: float) -> DataError:
    """Return the error for a value whose distance to others cannot be worked out."""
    message = (
        f"column {name!r} holds {value:g}, which is more than {MAX_COORDINATE:g} times the scale of the column; "
        "correct the value, or replace it by NaN if it is not known"
    )
    return DataError(message)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Where each row lies in the metric space.

    Attributes
    ----------
    coordinates : ndarray of shape (n_points,)
        The features that are coordinates.
    shift, factor : ndarray of shape (n_points,)
        A coordinate is ``(value - shift) * factor``.
    bound : ndarray of shape (n_points,)
        The largest absolute coordinate.
    looked_up : ndarray of shape (n_looked_up,)
        The features that are looked up by code.
    vectors : tuple of ndarray of shape (256, n_dimensions)
        For each of those, the vector of every code.
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
                raise too_far(table.columns[j].name, float(table.columns[j].numbers()[np.nanargmax(np.abs(values))]))
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
        """How long those vectors are."""
        return len(self.coordinates) + sum(int(vectors.shape[1]) for vectors in self.vectors)

    def centers(self, means: NDArray[np.float64]) -> "Centers":
        """Prepare centres, given as plain vectors, for the kernels."""
        n_points = len(self.coordinates)
        tables = np.zeros((len(self.looked_up), N_CODES, len(means)))
        start = n_points
        for f, vectors in enumerate(self.vectors):
            stop = start + vectors.shape[1]
            offsets = vectors[:, None, :] - means[None, :, start:stop]
            tables[f] = np.einsum("acd,acd->ac", offsets, offsets)
            start = stop
        return Centers(means, np.ascontiguousarray(means[:, :n_points].T), tables)

    def means(
        self, sums: NDArray[np.int64], units: NDArray[np.float64], counts: NDArray[np.int64], mass: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Turn the exact sums of groups of rows into their means, shape (n_groups, n_dimensions)."""
        share = 1.0 / np.maximum(mass, 1)[:, None]
        parts = [sums / units * share]
        parts += [counts[:, f] @ vectors * share for f, vectors in enumerate(self.vectors)]
        return np.hstack(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Centers:
    """Centres as plain vectors, and as the kernels read them."""

    means: NDArray[np.float64]
    transposed: NDArray[np.float64]
    tables: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.means)


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """Everything needed to turn raw rows into codes and points."""

    bins: Bins
    embedding: Embedding

    def code(self, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the codes and points of a table."""
        table = self.bins.read(table)
        return self.bins.encode(table), self.embedding.points(table)
