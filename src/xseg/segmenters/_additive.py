"""What segmenters made of additive scores can do once they are fitted."""

from collections.abc import Mapping, Sequence
from typing import Any, Self
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClusterMixin

from xseg._kernels.distances import add_code_counts
from xseg.backends import Backend
from xseg.backends.base import CodedBackend
from xseg.core.additive import AdditiveModel, PartSums, Scores
from xseg.core.bins import N_CODES
from xseg.core.embedding import Coding
from xseg.core.profiles import Profile
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table
from xseg.exceptions import DataError, XsegWarning
from xseg.segmenters._alignment import align, choose_names, warn_if_names_move
from xseg.segmenters._base import Segmenter
from xseg.segmenters._learning.preparation import Prepared, prepare

__all__ = ["AdditiveSegmenter", "SegmentCounts"]


class AdditiveSegmenter(ClusterMixin, Segmenter):
    """Base of the segmenters whose segments are where one of several additive scores is highest."""

    model_: AdditiveModel
    max_bins: int
    forbid: Sequence[str]
    include: Sequence[str]
    segment_names: Sequence[str] | None
    min_members: int

    def _predict_table(self, table: Table) -> NDArray[np.int32]:
        return np.asarray(self.model_.score(table).argmax(axis=1), dtype=np.int32)

    def _scores_of(self, X: Any) -> NDArray[np.float64]:
        """Return the scores of rows, wherever they are."""
        self._check_fitted()
        return self._backend(X).map(lambda block: self.model_.score(block.table))

    def _prepare(
        self,
        X: Any,
        backend: Backend,
        *,
        scaling: str,
        feature_weights: Mapping[str, float] | ArrayLike | None,
        seed: int,
        power: int = 2,
    ) -> Prepared:
        """Code the rows, and refuse those that cannot be told apart or are too few."""
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
        )
        if isinstance(X, Backend):
            self._remember_backend(prepared.bins.schema.names)
        if prepared.whole and prepared.sample.n_rows == 1:
            message = (
                f"found 1 distinct row among n_samples={prepared.n_rows} (n_features={self.n_features_in_}): there is "
                "nothing to tell people apart by; give more rows or columns that vary"
            )
            raise DataError(message)
        if prepared.space.total_weight < self._min_weight(backend):
            message = (
                f"n_samples={prepared.n_rows} people (weight {prepared.space.total_weight / backend.weight_unit:g}) "
                f"are fewer than min_members={self.min_members}; a segment would tell of single people. Give more "
                "rows, or lower min_members"
            )
            raise DataError(message)
        return prepared

    def _min_weight(self, backend: Backend) -> int:
        return max(1, round(self.min_members * backend.weight_unit))

    def _count_possible(self, prepared: Prepared, wanted: int, min_weight: int) -> int:
        """Return how many segments the rows can make: each needs people, and a distinct row."""
        possible = prepared.space.total_weight // min_weight
        if prepared.whole:
            possible = min(possible, prepared.sample.n_rows)
        return max(1, min(wanted, possible))

    def _warn_of_fewer(self, wanted: int, found: int) -> None:
        if found < wanted:
            message = (
                f"found only {found} of {wanted} segments with at least min_members={self.min_members} people each; "
                "lower min_members or n_segments"
            )
            warn(message, XsegWarning, stacklevel=4)

    def _learn(self, prepared: Prepared, scores: Scores, raw: Backend, align_to: Any) -> NDArray[np.intp]:
        """Keep what the fitted segmenter needs: scores, largest segment first, and sums over the population.

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
            # People as near to two segments belong to the first of them, so another order may count others.
            order, scores = order[by_size], scores.reordered(by_size)
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        inherited: tuple[str | None, ...] = ()
        if align_to is not None:
            aligned = align(align_to, raw, _labels(backend, scores), len(scores))
            order, scores, inherited = order[aligned.order], scores.reordered(aligned.order), aligned.names
            counted = backend.sum(SegmentCounts(scores, len(prepared.bins)))
        else:
            warn_if_names_move(self, raw, _labels(backend, scores), len(scores), stacklevel=4)
        parts = backend.sum(PartSums(scores, prepared.space.total_weight))
        profile = Profile(prepared.bins, counted.counts, raw.weight_unit)
        model = AdditiveModel(Coding(prepared.bins, prepared.space.embedding), scores, parts.population())
        names = choose_names(profile, model.used_features, self.segment_names, inherited)
        self._restore_additive(model, profile, names)
        self.labels_ = _labels(backend, scores)
        return order

    def _restore_additive(
        self, model: AdditiveModel, profile: Profile, names: tuple[str, ...], named: bool | None = None
    ) -> None:
        """Set what every segmenter of additive scores holds, whether it was just learned or comes from a file."""
        self.model_ = model
        self._restore_segments(profile=profile, names=names, rules=[()] * model.n_segments, named=named)


def _labels(backend: CodedBackend, scores: Scores) -> NDArray[np.int32]:
    return backend.map(lambda block: scores.of(block.codes, block.points).argmax(axis=1).astype(np.int32))


class SegmentCounts:
    """A statistic: the weight of every code of every feature among the people of each segment."""

    def __init__(self, scores: Scores, n_features: int) -> None:
        self.scores = scores
        self.counts = np.zeros((len(scores), n_features, N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores, self.counts.shape[1])

    def add(self, block: CodedBlock) -> None:
        labels = self.scores.of(block.codes, block.points).argmax(axis=1)
        add_code_counts(block.codes, labels, block.weights, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts
