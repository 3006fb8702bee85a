"""Base of the segmenters whose segments are where an additive score is highest, and what a file holds of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Self
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from sklearn.base import ClusterMixin

from xseg._kernels.center_kernels import add_code_counts
from xseg._kernels.score_kernels import N_CURVE_LINES
from xseg.backends import Backend
from xseg.backends.base import CodedBackend
from xseg.core.additive import AdditiveModel, PartSums, Population, Scores
from xseg.core.bins import N_CODES, Bins
from xseg.core.embedding import Coding, Embedding
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.core.statistics import CodedBlock, RawBlock
from xseg.exceptions import DataError, XsegWarning
from xseg.segmenters._base import Segmenter
from xseg.segmenters._learning import Prepared, prepare
from xseg.segmenters._names import align, choose_names, warn_if_names_move
from xseg.segmenters._number_choice import MAX_NUMBER_OF_SEGMENTS
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._saved_state import (
    CoordinateDocument,
    Finite,
    LookupDocument,
    SegmentsState,
    StrictState,
    build_bins,
    build_embedding,
    build_names,
    build_profile,
    check,
    describe_embedding,
)

__all__ = [
    "AdditiveSegmenter",
    "AdditiveState",
    "SegmentCounts",
    "build_additive_model",
    "describe_additive_model",
]

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


class AdditiveSegmenter(ClusterMixin, Segmenter):
    """Base class of the segmenters that assign rows to the highest of several additive scores."""

    model_: AdditiveModel
    n_segments: int | str
    max_bins: int
    forbid: Sequence[str]
    include: Sequence[str]
    segment_names: Sequence[str] | None
    min_members: int

    saved_state: ClassVar[type[SegmentsState]] = AdditiveState

    def get_state(self) -> dict[str, Any]:
        """Return the fitted state for a file: segments, counts and scores."""
        return {**self._describe_segments(), **describe_additive_model(self.model_, self.profile_.bins)}

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter from the parameters and the state of a file."""
        segmenter = cls._configure(parameters)
        model, profile = build_additive_model(state)
        segmenter._restore_additive(model, profile, build_names(state), state.named)
        return segmenter

    def _compute_scores(self, X: Any) -> NDArray[np.float64]:
        """Return the scores of the rows of a table or backend."""
        self._check_fitted()
        return self._backend(X).map(partial(_score_block, self.model_))

    def _prepare(
        self,
        X: Any,
        backend: Backend,
        *,
        scaling: str,
        feature_weights: Mapping[str, float] | ArrayLike | None,
        seed: int,
        power: int = 2,
        warns: bool = True,
    ) -> Prepared:
        """Code the rows; raise an error if all are equal or they are too few."""
        prepared = prepare(
            backend,
            max_bins=self.max_bins,
            scaling=scaling,
            feature_weights=feature_weights,
            forbid=tuple(self.forbid),
            include=tuple(self.include),
            min_members=self.min_members,
            seed=seed,
            n_jobs=self.n_jobs,
            power=power,
            warns=warns,
        )
        if isinstance(X, Backend):
            self._remember_backend(prepared.bins.schema.names)
        if prepared.whole and prepared.sample.n_rows == 1:
            message = (
                f"rows must differ, and there is 1 distinct row among n_samples={prepared.n_rows} "
                f"(n_features={self.n_features_in_}); pass more rows or columns that vary"
            )
            raise DataError(message)
        if prepared.space.total_weight < self._min_weight(backend):
            message = (
                f"min_members must be at most the weight of the rows "
                f"({prepared.space.total_weight / backend.weight_unit:g}, n_samples={prepared.n_rows}), got "
                f"{self.min_members}; lower it, or pass more rows"
            )
            raise DataError(message)
        return prepared

    def _min_weight(self, backend: Backend) -> int:
        return max(1, round(self.min_members * backend.weight_unit))

    def _number_of_segments(self, spaced: Prepared, min_weight: int, weight_unit: float, seed: int) -> int:
        """Return the number asked for, or choose one by rows whose numbers lie in standard deviations."""
        if not isinstance(self.n_segments, str):
            return self.n_segments
        most = self._count_possible(spaced, MAX_NUMBER_OF_SEGMENTS, min_weight)
        return self._choose_number(spaced, most, weight_unit, seed)

    def _count_possible(self, prepared: Prepared, wanted: int, min_weight: int) -> int:
        """Return the number of segments that are possible: each needs `min_weight` and a distinct row."""
        possible = prepared.space.total_weight // min_weight
        if prepared.whole:
            possible = min(possible, prepared.sample.n_rows)
        return max(1, min(wanted, possible))

    def _warn_of_fewer(self, wanted: int, found: int) -> None:
        if found < wanted:
            message = (
                f"found only {found} of {wanted} segments with at least min_members={self.min_members} rows "
                "each; lower min_members or n_segments"
            )
            warn(message, XsegWarning, stacklevel=5)

    def _learn(
        self, prepared: Prepared, scores: Scores, raw: Backend, align_to: FittedSegmenter | None
    ) -> NDArray[np.intp]:
        """Set the fitted attributes from scores: sort segments by size and sum over the population.

        Returns
        -------
        ndarray of shape (n_segments,)
            Where each segment was among the scores given.
        """
        backend = prepared.backend
        order = np.arange(len(scores))
        counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        for _ in range(len(scores)):
            by_size = np.argsort(-counted.counts[:, 0].sum(axis=1), kind="stable")
            if (by_size == np.arange(len(scores))).all():
                break
            # Rows with equal scores belong to the first segment, so another order may change the counts.
            order, scores = order[by_size], scores.select_segments(by_size)
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        aligned = None
        if align_to is not None:
            aligned = align(align_to, raw, _labels(backend, scores), len(scores))
            order, scores = order[aligned.order], scores.select_segments(aligned.order)
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        else:
            warn_if_names_move(self, raw, _labels(backend, scores), len(scores), stacklevel=5)
        parts = backend.sum(PartSums(scores, prepared.space.total_weight))
        profile = SegmentProfile(prepared.bins, counted.counts, raw.weight_unit)
        model = AdditiveModel(Coding(prepared.bins, prepared.space.embedding), scores, parts.population())
        names = choose_names(profile, model, self.segment_names, aligned)
        self._restore_additive(model, profile, names)
        self.labels_ = _labels(backend, scores)
        return order

    def _restore_additive(
        self, model: AdditiveModel, profile: SegmentProfile, names: SegmentNames, named: bool | None = None
    ) -> None:
        """Set the fitted attributes of a segmenter of additive scores, after a fit or from a file."""
        self.model_ = model
        self._restore_segments(profile=profile, names=names, rules=[()] * model.n_segments, named=named)


def _labels(backend: CodedBackend, scores: Scores) -> NDArray[np.int32]:
    return backend.map(partial(_predict_coded, scores))


def _predict_coded(scores: Scores, block: CodedBlock) -> NDArray[np.int32]:
    return np.asarray(scores.compute(block.codes, block.points).argmax(axis=1), dtype=np.int32)


def _score_block(model: AdditiveModel, block: RawBlock) -> NDArray[np.float64]:
    return model.score(block.table)


class SegmentCounts:
    """A statistic: the weight of every code of every feature among the rows of each segment."""

    def __init__(self, scores: Scores, n_features: int) -> None:
        self.scores = scores
        self.counts = np.zeros((len(scores), n_features, N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores, self.counts.shape[1])

    def add(self, block: CodedBlock) -> None:
        labels = self.scores.compute(block.codes, block.points).argmax(axis=1)
        add_code_counts(block.codes, labels, block.weights, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts
