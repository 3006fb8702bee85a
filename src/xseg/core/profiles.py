"""How the values of each feature are spread over the segments: counts, never rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.boxes import ThresholdTree
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock

__all__ = ["ProfileCounts", "SegmentProfile"]

_MIN_CODES = 2
_TYPICAL_SHARE = 0.6
_MAX_TYPICAL = 3


@dataclass(frozen=True, eq=False)
class SegmentProfile:
    """Weights of the codes of each feature, by segment.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    counts : ndarray of shape (n_segments, n_features, 256)
        Integer weights; the last code is missing.
    unit : float
        What to divide the integers by to get rows (or sample weight).
    """

    bins: Bins
    counts: NDArray[np.int64]
    unit: float = 1.0

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """The weight of each segment, shape (n_segments,)."""
        return np.asarray(self.counts[:, 0].sum(axis=1) / self.unit)

    @cached_property
    def population(self) -> NDArray[np.int64]:
        """Counts over all segments, shape (n_features, 256)."""
        return np.asarray(self.counts.sum(axis=0))

    def get_known_weight(self, feature: int) -> float:
        """Return the weight of the rows whose value of a feature is known."""
        return float(self.population[feature, :MISSING].sum() / self.unit)

    def window_shares(self, feature: int, code: int) -> tuple[float, float]:
        """Return the shares of the rows with a known value that have a lower code, and the same code."""
        counts = self.population[feature, :MISSING]
        total = counts.sum()
        return (float(counts[:code].sum() / total), float(counts[code] / total)) if total else (0.0, 0.0)

    def mean_ranks(self) -> NDArray[np.float64]:
        """Return the mean rank, 0 to 1, of each segment's rows in each feature, shape (n_segments, n_features)."""
        population = self.population[:, :MISSING].astype(np.float64)
        totals = np.maximum(population.sum(axis=1, keepdims=True), 1)
        ranks = (np.cumsum(population, axis=1) - population / 2) / totals
        known = self.counts[:, :, :MISSING]
        sums = np.einsum("sfc,fc->sf", known, ranks)
        return np.asarray(np.divide(sums, known.sum(axis=2), out=np.full(sums.shape, 0.5), where=known.sum(axis=2) > 0))

    def offsets(self) -> NDArray[np.float64]:
        """Return how far each segment is from all rows in each feature, -0.5 to 0.5, shape (n_segments, n_features).

        Of ordered values this is the mean rank less a half; of categories half the largest excess of a share.
        """
        offsets = self.mean_ranks() - 0.5
        for j, bins in enumerate(self.bins.features):
            if not bins.is_ordered:
                known, everyone = self.counts[:, j, :MISSING], self.population[j, :MISSING]
                shares = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
                excess = (shares - everyone / max(int(everyone.sum()), 1)).max(axis=1)
                offsets[:, j] = np.where(known.any(axis=1), excess / 2, 0.0)
        return offsets

    def typical(self, feature: int, segment: int | None = None) -> int:
        """Return the code of the median row (for ordered values) or the commonest code; 255 if none is known."""
        counts = self.population[feature] if segment is None else self.counts[segment, feature]
        known = counts[:MISSING]
        if not known.any():
            return int(MISSING)
        if not self.bins[feature].is_ordered:
            return int(known.argmax())
        return int(np.searchsorted(np.cumsum(known), known.sum() / 2))

    def middle_half(self, feature: int, segment: int) -> NDArray[np.bool_] | None:
        """Return the codes that are typical of a segment, shape (256,); None if none are.

        Of ordered values these are the codes from the lower to the upper quartile; of categories the commonest ones
        that together make three fifths, if they are at most three and not all there are.
        """
        known = self.counts[segment, feature, :MISSING]
        total, bins = known.sum(), self.bins[feature]
        inside = np.zeros(N_CODES, dtype=bool)
        if total == 0 or bins.n_codes < _MIN_CODES:
            return None
        if bins.is_ordered and bins.feature.kind is not Kind.BOOLEAN:
            reached = np.cumsum(known)
            low, high = np.searchsorted(reached, total / 4), np.searchsorted(reached, total * 3 / 4)
            inside[low : high + 1] = True
        else:
            order = np.argsort(-known, kind="stable")
            needed = int(np.searchsorted(np.cumsum(known[order]), total * _TYPICAL_SHARE)) + 1
            if needed > _MAX_TYPICAL:
                return None
            inside[order[:needed]] = True
        return None if inside[: bins.n_codes].all() else inside


class ProfileCounts:
    """A statistic: the weight of every code of every feature in every segment of a tree."""

    def __init__(self, tree: ThresholdTree, n_segments: int) -> None:
        self.tree = tree
        self.counts = np.zeros((n_segments, len(tree.bins), N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.tree, len(self.counts))

    def add(self, block: CodedBlock) -> None:
        add_code_counts(block.codes, self.tree.predict(block.codes), block.weights, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts
