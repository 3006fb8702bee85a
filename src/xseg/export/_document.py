"""The shape of a saved model. Everything that is read from a file passes through here before anything is built."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FORMAT", "VERSION", "ModelDocument", "NodeDocument"]

FORMAT = "xseg-model"
VERSION = 1

Count = Annotated[int, Field(ge=0, lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ColumnDocument(_Strict):
    """One column, and the thresholds or categories of its codes."""

    name: str
    kind: Literal["number", "boolean", "category", "ordered category", "empty"]
    integral: bool
    has_missing: bool
    categories: list[str]
    thresholds: list[Finite]


class CoordinateDocument(_Strict):
    """A column that is a coordinate of the metric space."""

    column: Count
    shift: Finite
    factor: Finite
    bound: Finite


class LookupDocument(_Strict):
    """A column whose codes have places in the metric space; the last place is that of missing values."""

    column: Count
    places: list[list[Finite]]


class NodeDocument(_Strict):
    """One node of the tree: a cut, or the segment of a leaf."""

    column: Count | None = None
    threshold: Finite | None = None
    categories_left: list[str] | None = None
    missing_left: bool | None = None
    left: Count | None = None
    right: Count | None = None
    segment: Count | None = None


class PatternDocument(_Strict):
    """How much of the population fails which tests of one box."""

    pattern: list[Count]
    weight: list[Count]


class ModelDocument(_Strict):
    """A fitted segmenter."""

    format: Literal["xseg-model"]
    version: Literal[1]
    xseg: str
    kind: Literal["TreeSegmenter"]
    parameters: dict[str, object]
    columns: Annotated[list[ColumnDocument], Field(min_length=1)]
    named: bool
    coordinates: list[CoordinateDocument]
    lookups: list[LookupDocument]
    nodes: Annotated[list[NodeDocument], Field(min_length=1)]
    segment_names: Annotated[list[str], Field(min_length=1)]
    counts: list[list[list[Count]]]
    weight_unit: Finite
    population: list[PatternDocument]
    means: list[list[Finite]]
    cost: Finite
    reference_cost: Finite
    mean_depth: Finite
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
