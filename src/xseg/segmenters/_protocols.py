"""What other packages may ask of a fitted segmenter, and of the model in it."""

from collections.abc import Sequence
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from xseg.core.bins import Bins
from xseg.core.boxes import Boxes, ThresholdTree
from xseg.core.segments import SegmentProfile, Segments
from xseg.core.tables import Table

__all__ = [
    "FittedModel",
    "FittedSegmenter",
    "FittedSurrogate",
    "FittedTree",
    "SegmenterOrPipeline",
    "TestedSegmenter",
    "get_last_step",
]


class FittedModel(Protocol):
    """Assigns rows to segments, and holds what exact explanations need of the population; no row is kept.

    `BoxModel` and `AdditiveModel` implement it. What explanations add to it is chosen by the type of the model, in
    `xseg.explanations.make_family`.
    """

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        ...

    @property
    def bins(self) -> Bins:
        """How columns become codes."""
        ...

    @property
    def boxes(self) -> Boxes | None:
        """The boxes that segments are made of; None where scores are compared."""
        ...

    @property
    def population(self) -> Any:
        """The counts or sums over the fit population that exact explanations need; their type depends on the model."""
        ...

    @property
    def used_features(self) -> NDArray[np.int64]:
        """The features that decide the segment of a row, in order."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether no row is left in the population."""
        ...

    def assign(self, table: Table) -> NDArray[np.int32]:
        """Return the segment of each row of a table."""
        ...

    def subtract_rows(self, table: Table) -> Self:
        """Return the same model over the population without some of its rows."""
        ...

    def assigns_like(self, other: Self) -> bool:
        """Return whether another model of the same type has the same parameters, and so assigns every row alike."""
        ...

    def counts_like(self, other: Self) -> bool:
        """Return whether another model of the same type has the same counts of the population."""
        ...


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
        """Origin of the segments: learned from "rows" alone, from "labels" given for them, or by "definition"."""
        ...

    @property
    def keeps_estimates(self) -> bool:
        """Whether it holds estimates besides counts, so that rows cannot be subtracted from it."""
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
    def public_names_(self) -> tuple[str | None, ...]:
        """Names that people gave, in the order of the segments; None where a name was proposed."""
        ...

    @property
    def excluded_columns_(self) -> tuple[str, ...]:
        """Columns that are accepted in every table and neither used nor stored."""
        ...

    def read_rows(self, X: Any) -> Table:
        """Read a table and check its columns against those of the fit."""
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


SegmenterOrPipeline: TypeAlias = FittedSegmenter | Pipeline
"""A fitted segmenter, or a scikit-learn Pipeline that ends in one: what functions on a whole model take."""


@runtime_checkable
class FittedTree(FittedSegmenter, Protocol):
    """A fitted segmenter whose boxes are the leaves of one tree."""

    @property
    def tree_(self) -> ThresholdTree:
        """The tree."""
        ...


@runtime_checkable
class FittedSurrogate(FittedSegmenter, Protocol):
    """A fitted segmenter that approximates another model."""

    @property
    def original_name_(self) -> str:
        """Name of the model that it approximates."""
        ...

    @property
    def fidelity_by_segment_(self) -> Sequence[Any]:
        """Precision and recall of each group of that model."""
        ...

    def agreement(self, X: Any, labels: Any = None) -> NDArray[np.str_]:
        """Return for each row whether that model agrees: "yes", "no" or "not known"."""
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


def get_last_step(model: Any) -> Any:
    """Return the last step of a scikit-learn Pipeline, however deep; any other model as it is."""
    while isinstance(model, Pipeline):
        model = model.steps[-1][1]
    return model
