"""What other packages may ask of a fitted segmenter."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xseg.core.boxes import ThresholdTree
from xseg.core.models import FittedModel
from xseg.core.profiles import SegmentProfile
from xseg.core.segments import Segments

__all__ = ["FittedSegmenter", "FittedSurrogate", "FittedTree", "TestedSegmenter"]


@runtime_checkable
class FittedSegmenter(Protocol):
    """A fitted segmenter, whatever its kind: what explanations, cards, metrics and exports are made of.

    Every segmenter of xseg has these members once it is fitted or loaded, and ``isinstance(segmenter,
    FittedSegmenter)`` is False before.
    """

    @property
    def n_jobs(self) -> int | None:
        """Number of threads; None means every core."""
        ...

    @property
    def segment_source(self) -> str:
        """What decides the segments: "rows" alone, "labels" given for them, or a "definition" that is kept."""
        ...

    @property
    def keeps_estimates(self) -> bool:
        """Whether more is kept than counts, so that a row cannot be subtracted."""
        ...

    @property
    def model_(self) -> FittedModel:
        """The boxes or additive scores that assign rows to segments."""
        ...

    @property
    def profile_(self) -> SegmentProfile:
        """Counts of the codes of each feature by segment."""
        ...

    @property
    def segments_(self) -> Segments:
        """The segments, in order."""
        ...

    @property
    def n_segments_(self) -> int:
        """Number of segments."""
        ...

    @property
    def segment_names_(self) -> tuple[str, ...]:
        """Names of the segments, in order."""
        ...

    @property
    def excluded_columns_(self) -> tuple[str, ...]:
        """Columns that are accepted in every table and neither used nor stored."""
        ...

    def predict(self, X: Any) -> NDArray[np.int32]:
        """Predict the segment index of each row of a table, array or backend."""
        ...

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Compute one column per segment: memberships, distances or probabilities."""
        ...

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the estimator."""
        ...


@runtime_checkable
class FittedTree(FittedSegmenter, Protocol):
    """A fitted segmenter whose boxes are the leaves of one tree."""

    @property
    def tree_(self) -> ThresholdTree:
        """The tree."""
        ...


@runtime_checkable
class FittedSurrogate(FittedSegmenter, Protocol):
    """A fitted segmenter that stands in for another model."""

    @property
    def original_name_(self) -> str:
        """Name of the model that it stands in for."""
        ...

    @property
    def fidelity_by_segment_(self) -> Sequence[Any]:
        """Precision and recall of each group of the original."""
        ...

    def agreement(self, X: Any, labels: Any = None) -> NDArray[np.str_]:
        """Return for each row whether the original agrees."""
        ...


@runtime_checkable
class TestedSegmenter(FittedSegmenter, Protocol):
    """A fitted segmenter whose segments were tested for a difference in an outcome."""

    @property
    def structure_found_(self) -> bool:
        """Whether the outcome differs between segments."""
        ...

    @property
    def p_value_(self) -> float:
        """The p-value of the test."""
        ...
