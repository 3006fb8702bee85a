"""Base of the segmenters whose segments are unions of boxes, and counting a population by boxes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.backends import Backend
from xseg.core.bins import MAX_BINS, N_CODES, Bins
from xseg.core.boxes import Boxes, BoxModel, PatternCounts
from xseg.core.segments import SegmentNames, SegmentProfile
from xseg.core.statistics import CodedBlock, RawBlock, apply_to_table
from xseg.exceptions import DataError
from xseg.segmenters._base import Segmenter
from xseg.segmenters._learning import MIN_MEMBERS, Columns, learn_columns
from xseg.segmenters._names import choose_names
from xseg.segmenters._saved_state import (
    DrawnBoxState,
    SegmentsState,
    build_bins,
    build_box_model,
    build_drawn_boxes,
    build_names,
    build_profile,
    describe_drawn_boxes,
    describe_population,
)

__all__ = ["BoxSegmenter", "count_population"]

_NO_POINTS = np.empty((0, 0), dtype=np.float32)


class BoxPopulation:
    """A statistic over raw rows: codes by segment, and patterns of failed tests by box."""

    def __init__(self, bins: Bins, boxes: Boxes, n_segments: int) -> None:
        self.bins = bins
        self.boxes = boxes
        self.counts = np.zeros((n_segments, len(bins), N_CODES), dtype=np.int64)
        self.patterns = PatternCounts(boxes.tests())

    def empty(self) -> Self:
        """Return one over no rows."""
        return type(self)(self.bins, self.boxes, len(self.counts))

    def add(self, block: RawBlock) -> None:
        """Add a block of rows."""
        codes = self.boxes.bins.encode(block.table, self.boxes.used_features.tolist())
        segments = self.boxes.segment[self.patterns.tests.find(codes)]
        add_code_counts(self.bins.encode(block.table), segments, block.weights, self.counts)
        self.patterns.add(CodedBlock(codes, _NO_POINTS, block.weights))

    def merge(self, other: Self) -> None:
        """Add everything that `other` has seen."""
        self.counts += other.counts
        self.patterns.merge(other.patterns)


def count_population(backend: Backend, bins: Bins, boxes: Boxes, n_segments: int) -> tuple[BoxModel, SegmentProfile]:
    """Count by sums how a population lies in boxes: what exact explanations, cards and metrics need of it.

    Parameters
    ----------
    backend : Backend
        The rows.
    bins : Bins
        How columns become codes; `boxes` may use fewer thresholds.
    boxes : Boxes
        Boxes that do not overlap and together cover everything.
    n_segments : int
        Number of segments that the boxes belong to.
    """
    counted = backend.sum(BoxPopulation(bins, boxes, n_segments))
    model = BoxModel(boxes, n_segments, tuple(counted.patterns.boxes))
    return model, SegmentProfile(bins, counted.counts, backend.weight_unit)


class BoxSegmenter(Segmenter):
    """Base class of the segmenters whose segments are unions of boxes."""

    model_: BoxModel
    saved_state: ClassVar[type[SegmentsState]] = DrawnBoxState

    def get_state(self) -> dict[str, Any]:
        """Return the fitted state for a file: segments, counts and boxes."""
        return {
            **self._describe_segments(),
            "population": describe_population(self.model_),
            **describe_drawn_boxes(self.model_.boxes),
        }

    @classmethod
    def from_state(cls, parameters: Mapping[str, Any], state: Any) -> Self:
        """Build the fitted segmenter from the parameters and the state of a file."""
        profile = build_profile(state, build_bins(state.columns))
        model = build_box_model(state, build_drawn_boxes(state), profile)
        segmenter = cls._configure(parameters)
        segmenter.restore_boxes(model=model, profile=profile, names=build_names(state), named=state.named)
        return segmenter

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the membership of each row in each segment: 1 in its own, 0 elsewhere.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_segments)
            Memberships.
        """
        labels = self.predict(X)
        return np.asarray(np.eye(self.n_segments_)[labels])

    def fit_boxes(
        self,
        X: Any,
        choose: Callable[[Columns], Boxes],
        *,
        sample_weight: ArrayLike | None = None,
        segment_names: Sequence[str] | None = None,
        min_members: int = MIN_MEMBERS,
    ) -> Self:
        """Fit boxes that a function chooses: the whole `fit` of a segmenter of your own.

        Parameters
        ----------
        X : table, array or Backend of shape (n_rows, n_features)
            The rows.
        choose : callable
            Called with the columns of the rows and how they become codes (`Columns`); returns boxes over
            ``columns.bins`` that do not overlap and together cover everything. Every segment needs a row.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row.
        segment_names : sequence of str, default=None
            Names of the segments; None proposes names.
        min_members : int, default=10
            Number of rows that must share a category for it to be kept.

        Returns
        -------
        BoxSegmenter
            The fitted segmenter.

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The rows cannot be used, or a segment has no row.
        """
        self._begin_fit()
        columns = learn_columns(self._backend(X, sample_weight, reset=True), max_bins=MAX_BINS, min_members=min_members)
        if isinstance(X, Backend):
            self._remember_backend(columns.schema.names)
        boxes = choose(columns)
        model, profile = count_population(columns.backend, columns.bins, boxes, int(boxes.segment.max()) + 1)
        empty = np.flatnonzero(profile.sizes == 0)
        if len(empty):
            message = f"each segment must have at least one row, and segment {empty[0]} has none; choose other boxes"
            raise DataError(message)
        self.restore_boxes(model=model, profile=profile, names=choose_names(profile, model, segment_names))
        self.labels_ = columns.backend.map(partial(apply_to_table, self._make_predictor()))
        return self

    def restore_boxes(
        self, *, model: BoxModel, profile: SegmentProfile, names: SegmentNames, named: bool | None = None
    ) -> None:
        """Set the fitted attributes of a segmenter made of boxes, after a fit or from a file."""
        self.model_ = model
        rules = [
            tuple(model.boxes.rule(int(box)) for box in np.flatnonzero(model.boxes.segment == index))
            for index in range(model.n_segments)
        ]
        self._restore_segments(profile=profile, names=names, rules=rules, named=named)
