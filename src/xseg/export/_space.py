"""The metric space that a segmenter measured likeness in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import N_CODES, Bins
from xseg.core.embedding import MAX_COORDINATE, Embedding
from xseg.core.numbers import MAX_NUMBER
from xseg.export._document import Count, Finite, StrictDocument, check

__all__ = ["CoordinateDocument", "LookupDocument", "build_embedding", "build_means", "describe_embedding"]


class CoordinateDocument(StrictDocument):
    """A column that is a coordinate of the metric space."""

    column: Count
    shift: Finite
    factor: Finite
    bound: Finite


class LookupDocument(StrictDocument):
    """A column whose codes have places in the metric space; the last place is that of missing values."""

    column: Count
    places: list[list[Finite]]


def describe_embedding(embedding: Embedding, bins: Bins) -> dict[str, Any]:
    """Return the documents of the coordinates and of the columns that are looked up."""
    names = ("column", "shift", "factor", "bound")
    columns = (embedding.coordinates, embedding.shift, embedding.factor, embedding.bound)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "coordinates": [dict(zip(names, row, strict=True)) for row in rows],
        "lookups": [
            {"column": j, "places": [*vectors[: bins[j].n_codes].tolist(), vectors[-1].tolist()]}
            for j, vectors in zip(embedding.looked_up.tolist(), embedding.vectors, strict=True)
        ],
    }


def build_embedding(
    coordinates: Sequence[CoordinateDocument], lookups: Sequence[LookupDocument], bins: Bins
) -> Embedding:
    """Build the metric space."""
    used = [*(place.column for place in coordinates), *(place.column for place in lookups)]
    check(len(set(used)) == len(used) and all(j < len(bins) for j in used), "coordinates", "a column is not known")
    vectors = []
    for number, lookup in enumerate(lookups):
        n_codes = bins[lookup.column].n_codes
        widths = {len(place) for place in lookup.places}
        check(len(lookup.places) == n_codes + 1 and len(widths) == 1, f"lookups.{number}", "needs a place per code")
        places = np.array(lookup.places)
        vectors.append(np.vstack([places[:-1], np.tile(places[-1], (N_CODES - n_codes, 1))]))
    for number, place in enumerate(coordinates):
        fits = abs(place.shift) <= MAX_NUMBER and abs(place.shift * place.factor) <= MAX_COORDINATE
        check(fits, f"coordinates.{number}", f"must place 0 within {MAX_COORDINATE:g} of the origin")
    columns = [(place.column, place.shift, place.factor, place.bound) for place in coordinates]
    numbers = np.array(columns, dtype=np.float64).reshape(-1, 4)
    return Embedding(
        coordinates=numbers[:, 0].astype(np.int64),
        shift=numbers[:, 1].copy(),
        factor=numbers[:, 2].copy(),
        bound=numbers[:, 3].copy(),
        looked_up=np.array([lookup.column for lookup in lookups], dtype=np.int64),
        vectors=tuple(vectors),
    )


def build_means(means: Sequence[Sequence[float]], n_segments: int, embedding: Embedding) -> NDArray[np.float64]:
    """Build the place of each segment in the metric space."""
    fits = len(means) == n_segments and all(len(row) == embedding.n_dimensions for row in means)
    check(fits, "means", "needs one place per segment")
    return np.array(means, dtype=np.float64).reshape(n_segments, embedding.n_dimensions)
