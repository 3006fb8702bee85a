"""What is shown as a prototype: the middle of the people nearest to a centre, never one of them."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.distances import add_code_counts
from xseg._kernels.encode import add_to_cells
from xseg._kernels.summaries import N_CELLS
from xseg.backends.base import CodedBackend
from xseg.core.additive import Scores
from xseg.core.bins import N_CODES, FeatureBins
from xseg.core.numbers import cell_keys
from xseg.core.profiles import Profile
from xseg.core.rounding import roundest
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock

__all__ = ["core_counts", "typical_values"]

_CORE_SHARE = 0.5


class _DistanceCells:
    """A statistic: how far from their own centre the people of each segment are, in cells of 0.8 % relative width."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self.counts = np.zeros((len(scores), N_CELLS), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores)

    def add(self, block: CodedBlock) -> None:
        labels, keys = _nearest_cells(self.scores, block)
        add_to_cells(self.counts.reshape(-1), labels * N_CELLS + keys, block.weights)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


class _CoreCounts:
    """A statistic: counts of codes among the people of each segment within a radius of its centre."""

    def __init__(self, scores: Scores, n_features: int, last_cells: NDArray[np.int64]) -> None:
        self.scores = scores
        self.last_cells = last_cells
        self.counts = np.zeros((len(scores), n_features, N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.scores, self.counts.shape[1], self.last_cells)

    def add(self, block: CodedBlock) -> None:
        labels, keys = _nearest_cells(self.scores, block)
        near = np.where(keys <= self.last_cells[labels], block.weights, 0)
        add_code_counts(block.codes, labels, near, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


def _nearest_cells(scores: Scores, block: CodedBlock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    values = scores.of(block.codes, block.points)
    labels = values.argmax(axis=1)
    # Distances are never negative, but rounding may leave minus nothing.
    distances = np.maximum(-values[np.arange(len(labels)), labels], 0.0)
    return labels, cell_keys(distances).astype(np.int64)


def core_counts(backend: CodedBackend, scores: Scores, n_features: int, min_weight: int) -> NDArray[np.int64]:
    """Count the codes of the nearer half of each segment's people, and of at least `min_weight` of them.

    Returns
    -------
    ndarray of shape (n_segments, n_features, 256)
        The counts.
    """
    reached = np.cumsum(backend.sum(_DistanceCells(scores)).counts, axis=1)
    total = reached[:, -1]
    needed = np.minimum(np.maximum(np.ceil(_CORE_SHARE * total).astype(np.int64), min_weight), total)
    last_cells = (reached >= needed[:, None]).argmax(axis=1)
    return backend.sum(_CoreCounts(scores, n_features, last_cells)).counts


def typical_values(core: Profile, levels: Mapping[int, NDArray[np.float64]]) -> list[list[Any]]:
    """Return the middle or commonest value of each feature among the people counted, one list for each segment.

    Parameters
    ----------
    core : Profile
        Counts of the people to summarise.
    levels : mapping of int to ndarray of shape (256,)
        For the features that are coordinates, the mean of everyone with each code, in raw units.
    """
    return [
        [_value(bins, core.typical(j, segment), levels.get(j)) for j, bins in enumerate(core.bins.features)]
        for segment in range(len(core.counts))
    ]


def _value(bins: FeatureBins, code: int, levels: NDArray[np.float64] | None) -> Any:
    kind = bins.feature.kind
    if code >= bins.n_codes or kind is Kind.EMPTY:
        return None
    if not kind.is_numeric:
        return bins.categories[code]
    if kind is Kind.BOOLEAN:
        return bool(code) if bins.n_codes > 1 else None
    return _round_number(bins, code, None if levels is None else float(levels[code]))


def _round_number(bins: FeatureBins, code: int, level: float | None) -> float | None:
    """Return the roundest number near the middle of a code: one that nobody need have."""
    lower = float(bins.thresholds[code - 1]) if code else None
    upper = float(bins.thresholds[code]) if code < len(bins.thresholds) else None
    if lower is None and upper is None:
        return level
    if level is None:
        level = _inside(bins, lower, upper)
    low = 2 * level - upper if lower is None and upper is not None else lower
    high = 2 * level - lower if upper is None and lower is not None else upper
    assert low is not None
    assert high is not None
    quarter = (high - low) / 4
    start, stop = max(low, level - quarter), min(high, level + quarter)
    return roundest(float(np.nextafter(start, -np.inf)), float(np.nextafter(stop, -np.inf))) if stop > start else level


def _inside(bins: FeatureBins, lower: float | None, upper: float | None) -> float:
    if lower is not None:
        return lower
    assert upper is not None
    return float(np.ceil(upper) - 1) if bins.feature.integral else upper
