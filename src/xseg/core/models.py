"""What every fitted model can do, whatever its segments are made of."""

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import Bins
from xseg.core.boxes import Boxes
from xseg.core.tables import Table

__all__ = ["FittedModel"]


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
        """What was counted of the population, in the form of the family."""
        ...

    @property
    def used_features(self) -> NDArray[np.int64]:
        """The features that have a part in where a row belongs, in order."""
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
        """Return whether another model of the family places every row alike, by the very same numbers."""
        ...

    def counts_like(self, other: Self) -> bool:
        """Return whether another model of the family has counted the same population."""
        ...
