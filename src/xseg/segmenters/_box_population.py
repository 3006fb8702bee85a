"""Counting a population by boxes: all that a fitted segmenter made of boxes keeps of it."""

from typing import Self

import numpy as np

from xseg._kernels.center_kernels import add_code_counts
from xseg.backends import Backend
from xseg.core.bins import N_CODES, Bins
from xseg.core.boxes import Boxes, BoxModel, PatternCounts
from xseg.core.segments import SegmentProfile
from xseg.core.statistics import CodedBlock, RawBlock

__all__ = ["count_population"]

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
