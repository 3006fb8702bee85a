"""Segmenters of additive scores as documents."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xseg._kernels.score_kernels import N_CURVE_LINES
from xseg.core.additive import AdditiveModel, Population, Scores
from xseg.core.bins import N_CODES, Bins
from xseg.core.embedding import Coding, Embedding
from xseg.export._model_document import (
    ColumnDocument,
    CoordinateDocument,
    Count,
    Finite,
    LookupDocument,
    ModelDocument,
    StrictDocument,
    build_bins,
    build_counted,
    build_embedding,
    check,
    configured,
    describe_bins,
    describe_counts,
    describe_embedding,
)
from xseg.segmenters import AdditiveSegmenter, MixtureSegmenter, PrototypeSegmenter

__all__ = [
    "MixtureDocument",
    "PrototypeDocument",
    "build_mixture",
    "build_prototypes",
    "describe_mixture",
    "describe_prototypes",
]

Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class CurveDocument(StrictDocument):
    """What one coordinate adds to the score of each segment."""

    level: list[Finite]
    knot: list[Finite]
    slope: list[Finite]
    curvature: list[Finite]
    unknown: list[Finite]


class PartsDocument(StrictDocument):
    """What one feature adds to the scores, added over the population, and the units that is counted in."""

    sums: list[Whole]
    units: list[Finite]


class AdditiveDocument(ModelDocument):
    """A fitted segmenter whose segments are made by additive scores."""

    columns: Annotated[list[ColumnDocument], Field(min_length=1)]
    named: bool
    segment_names: Annotated[list[str], Field(min_length=1)]
    counts: list[list[list[Count]]]
    weight_unit: Finite
    coordinates: list[CoordinateDocument]
    lookups: list[LookupDocument]
    bias: list[Finite]
    curves: list[CurveDocument]
    tables: list[list[list[Finite]]]
    population: list[PartsDocument]


class PrototypeDocument(AdditiveDocument):
    """A fitted `PrototypeSegmenter`."""

    kind: Literal["PrototypeSegmenter"]
    prototypes: list[list[bool | Finite | str | None]]
    prototype_sizes: list[Finite]
    cost: Finite
    n_iter: Count


class MixtureDocument(AdditiveDocument):
    """A fitted `MixtureSegmenter`."""

    kind: Literal["MixtureSegmenter"]
    weights: list[Finite]
    lower_bound: Finite
    n_iter: Count
    converged: bool


def describe_prototypes(segmenter: PrototypeSegmenter) -> dict[str, Any]:
    """Return what the document of fitted prototypes adds to that of any model."""
    return {
        **_describe(segmenter),
        "prototypes": [list(values) for values in segmenter._prototypes],
        "prototype_sizes": segmenter.prototype_sizes_.tolist(),
        "cost": segmenter.cost_,
        "n_iter": segmenter.n_iter_,
    }


def describe_mixture(segmenter: MixtureSegmenter) -> dict[str, Any]:
    """Return what the document of a fitted mixture adds to that of any model."""
    return {
        **_describe(segmenter),
        "weights": segmenter.weights_.tolist(),
        "lower_bound": segmenter.lower_bound_,
        "n_iter": segmenter.n_iter_,
        "converged": segmenter.converged_,
    }


def build_prototypes(document: PrototypeDocument) -> PrototypeSegmenter:
    """Build the segmenter."""
    segmenter = configured(PrototypeSegmenter, document.parameters)
    _build(segmenter, document)
    n_segments, n_columns = len(document.segment_names), len(document.columns)
    fits = len(document.prototypes) == n_segments and all(len(values) == n_columns for values in document.prototypes)
    check(fits, "prototypes", "needs a value for each segment and column")
    check(len(document.prototype_sizes) == n_segments, "prototype_sizes", "needs a number for each segment")
    segmenter._restore_prototypes(document.prototypes, np.array(document.prototype_sizes))
    segmenter.cost_, segmenter.n_iter_ = document.cost, document.n_iter
    return segmenter


def build_mixture(document: MixtureDocument) -> MixtureSegmenter:
    """Build the segmenter."""
    segmenter = configured(MixtureSegmenter, document.parameters)
    _build(segmenter, document)
    check(len(document.weights) == len(document.segment_names), "weights", "needs a number for each segment")
    segmenter._restore_estimate(
        weights=np.array(document.weights),
        lower_bound=document.lower_bound,
        n_iter=document.n_iter,
        converged=document.converged,
    )
    return segmenter


def _describe(segmenter: AdditiveSegmenter) -> dict[str, Any]:
    profile, model = segmenter.profile_, segmenter.model_
    scores, population, bins = model.scores, model.population, profile.bins
    lines = tuple(CurveDocument.model_fields)
    return {
        "columns": describe_bins(bins),
        "named": hasattr(segmenter, "feature_names_in_"),
        "segment_names": list(segmenter.segment_names_),
        "counts": describe_counts(profile),
        "weight_unit": profile.unit,
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


def _build(segmenter: AdditiveSegmenter, document: AdditiveDocument) -> None:
    """Set what every segmenter of additive scores holds; whatever does not fit together is refused."""
    bins = build_bins(document.columns)
    n_segments = len(document.segment_names)
    check(len(set(document.segment_names)) == n_segments, "segment_names", "repeats itself")
    profile = build_counted(document.counts, n_segments, bins, document.weight_unit)
    embedding = build_embedding(document.coordinates, document.lookups, bins)
    check(all(place.factor > 0 for place in document.coordinates), "coordinates", "a factor is not positive")
    scores = _scores(document, embedding, bins, n_segments)
    population = _population(document, n_segments, len(scores.used), int(profile.counts[:, 0].sum()))
    model = AdditiveModel(Coding(bins, embedding), scores, population)
    segmenter._restore_additive(model, profile, tuple(document.segment_names), document.named)


def _scores(document: AdditiveDocument, embedding: Embedding, bins: Bins, n_segments: int) -> Scores:
    scores = Scores.nothing(embedding, n_segments)
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


def _population(document: AdditiveDocument, n_segments: int, n_used: int, weight: int) -> Population:
    check(len(document.population) == n_used, "population", "needs an entry for each feature that counts")
    for u, parts in enumerate(document.population):
        fits = len(parts.sums) == n_segments and len(parts.units) == n_segments
        check(fits and all(unit > 0 for unit in parts.units), f"population.{u}", "needs a sum and a unit per segment")
    shape = (n_used, n_segments)
    sums = np.array([parts.sums for parts in document.population], dtype=np.int64).reshape(shape)
    units = np.array([parts.units for parts in document.population], dtype=np.float64).reshape(shape)
    return Population(sums, units, weight)
