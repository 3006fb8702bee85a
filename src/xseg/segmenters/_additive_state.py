"""What a file holds of a model of additive scores."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xseg._kernels.score_kernels import N_CURVE_LINES
from xseg.core.additive import AdditiveModel, Population, Scores
from xseg.core.bins import N_CODES, Bins
from xseg.core.embedding import Coding, Embedding
from xseg.core.segments import SegmentProfile
from xseg.segmenters._saved_state import (
    CoordinateDocument,
    Finite,
    LookupDocument,
    SegmentsState,
    StrictState,
    build_bins,
    build_embedding,
    build_profile,
    check,
    describe_embedding,
)

__all__ = ["AdditiveState", "build_additive_model", "describe_additive_model"]

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class CurveDocument(StrictState):
    """What one coordinate adds to the score of each segment."""

    level: list[Finite]
    knot: list[Finite]
    slope: list[Finite]
    curvature: list[Finite]
    unknown: list[Finite]


class PartsDocument(StrictState):
    """What one feature adds to the scores, added over the population, and the units that is counted in."""

    sums: list[Whole]
    units: list[Finite]


class AdditiveState(SegmentsState):
    """A fitted segmenter whose segments are made by additive scores."""

    coordinates: list[CoordinateDocument]
    lookups: list[LookupDocument]
    bias: list[Finite]
    curves: list[CurveDocument]
    tables: list[list[list[Finite]]]
    population: list[PartsDocument]


def _scores(document: AdditiveState, embedding: Embedding, bins: Bins, n_segments: int) -> Scores:
    scores = Scores.zeros(embedding, n_segments)
    check(len(document.bias) == n_segments, "bias", "needs a number for each segment")
    scores.bias[:] = document.bias
    check(len(document.curves) == len(scores.curves), "curves", "needs one for each coordinate")
    for p, curve in enumerate(document.curves):
        lines = list(curve.model_dump().values())
        check(all(len(line) == n_segments for line in lines), f"curves.{p}", "needs a number for each segment")
        scores.curves[p] = np.array(lines).reshape(N_CURVE_LINES, n_segments)
    check(len(document.tables) == len(scores.tables), "tables", "needs one for each lookup")
    for f, j in enumerate(embedding.looked_up.tolist()):
        scores.tables[f] = _table(document.tables[f], bins[j].n_codes, n_segments, f"tables.{f}")
    return scores


def _table(lines: list[list[float]], n_codes: int, n_segments: int, where: str) -> NDArray[np.float64]:
    fits = len(lines) == n_codes + 1 and all(len(line) == n_segments for line in lines)
    check(fits, where, "needs a number for each code and segment")
    table = np.zeros((N_CODES, n_segments))
    table[:n_codes], table[-1] = lines[:-1], lines[-1]
    return table


def _population(document: AdditiveState, n_segments: int, n_used: int, weight: int) -> Population:
    check(len(document.population) == n_used, "population", "needs an entry for each feature that counts")
    for u, parts in enumerate(document.population):
        fits = len(parts.sums) == n_segments and len(parts.units) == n_segments
        check(fits and all(unit > 0 for unit in parts.units), f"population.{u}", "needs a sum and a unit per segment")
    shape = (n_used, n_segments)
    sums = np.array([parts.sums for parts in document.population], dtype=np.int64).reshape(shape)
    units = np.array([parts.units for parts in document.population], dtype=np.float64).reshape(shape)
    return Population(sums, units, weight)


def describe_additive_model(model: AdditiveModel, bins: Bins) -> dict[str, Any]:
    """Return scores and population as JSON can hold them."""
    scores, population = model.scores, model.population
    lines = tuple(CurveDocument.model_fields)
    return {
        **describe_embedding(scores.embedding, bins),
        "bias": scores.bias.tolist(),
        "curves": [dict(zip(lines, curve.tolist(), strict=True)) for curve in scores.curves],
        "tables": [
            [*table[: bins[j].n_codes].tolist(), table[-1].tolist()]
            for j, table in zip(scores.embedding.looked_up.tolist(), scores.tables, strict=True)
        ],
        "population": [
            {"sums": sums, "units": units}
            for sums, units in zip(population.sums.tolist(), population.units.tolist(), strict=True)
        ],
    }


def build_additive_model(document: AdditiveState) -> tuple[AdditiveModel, SegmentProfile]:
    """Build scores, population and counts; whatever does not fit together is refused."""
    bins = build_bins(document.columns)
    n_segments = len(document.segment_names)
    check(len(set(document.segment_names)) == n_segments, "segment_names", "repeats itself")
    profile = build_profile(document, bins)
    embedding = build_embedding(document.coordinates, document.lookups, bins)
    check(all(place.factor > 0 for place in document.coordinates), "coordinates", "a factor is not positive")
    scores = _scores(document, embedding, bins, n_segments)
    population = _population(document, n_segments, len(scores.used), int(profile.counts[:, 0].sum()))
    return AdditiveModel(Coding(bins, embedding), scores, population), profile
