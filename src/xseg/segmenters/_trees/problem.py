"""What is searched for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedBackend
from xseg.core.bins import Bins
from xseg.segmenters._learning.space import NearestSums, Space
from xseg.segmenters._trees.cuts import roundness

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is searched for, and over which rows."""

    backend: CodedBackend
    space: Space
    bins: Bins
    features: NDArray[np.int64]
    n_segments: int
    max_leaves: int
    max_depth: int
    min_weight: int

    @cached_property
    def rounded(self) -> NDArray[np.int64]:
        """How round each threshold is."""
        return roundness(self.bins)

    @cached_property
    def norms(self) -> float:
        """The summed squared distance of all rows to the origin."""
        origin = self.space.embedding.centers(np.zeros((1, self.space.embedding.n_dimensions)))
        return self.backend.sum(NearestSums(self.space, origin)).cost
