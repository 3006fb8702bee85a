"""Whether the people of today are still the people a segmenter was fitted on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.statistics import RawBlock
from xseg.core.tables import Table
from xseg.segmenters import Segmenter, check_segmenter

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Drift", "FeatureDrift", "SegmentDrift", "drift"]

_GROUPS = 10
_MODERATE, _LARGE = 0.1, 0.25
_PSEUDO_COUNT = 0.5
_DRIVERS = 3


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature has moved.

    Attributes
    ----------
    name : str
        The feature.
    psi : float
        Population stability index over about ten groups of equal weight, and one for missing values.
    verdict : {"stable", "moderate", "large"}
        By the usual bounds of 0.1 and 0.25 (Siddiqi, 2006).
    """

    name: str
    psi: float
    verdict: str


@dataclass(frozen=True, slots=True)
class SegmentDrift:
    """How far one segment has moved.

    Attributes
    ----------
    name : str
        The segment.
    share_before, share_now : float
        Its share of the people at the fit and now.
    psi : float
        What it adds to the stability index of the shares.
    drivers : tuple of FeatureDrift
        The features that moved most within the segment, the largest first; empty if nobody is in it now.
    """

    name: str
    share_before: float
    share_now: float
    psi: float
    drivers: tuple[FeatureDrift, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the people have moved since the fit.

    Attributes
    ----------
    psi : float
        Population stability index of the shares of the segments.
    verdict : {"stable", "moderate", "large"}
        What that index is called.
    features : tuple of FeatureDrift
        The features, the one that moved most first.
    segments : tuple of SegmentDrift
        The segments, in order.
    """

    psi: float
    verdict: str
    features: tuple[FeatureDrift, ...]
    segments: tuple[SegmentDrift, ...]

    def to_frame(self) -> "pd.DataFrame":
        """Return the features as a table with the columns feature, psi and verdict."""
        import pandas as pd

        rows = [(one.name, one.psi, one.verdict) for one in self.features]
        return pd.DataFrame(rows, columns=["feature", "psi", "verdict"])


def drift(segmenter: Segmenter, X: Any, sample_weight: ArrayLike | None = None) -> Drift:
    """Compare people of today with those a segmenter was fitted on, by counts alone.

    Parameters
    ----------
    segmenter : fitted segmenter
        It keeps how the values of its people were spread; no row is needed.
    X : table, array or Backend of shape (n_rows, n_features)
        The people of today.
    sample_weight : array-like of shape (n_rows,), default=None
        How much each row counts.

    Returns
    -------
    Drift
        Stability indices of the shares, of every feature, and of features within segments.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    SchemaError, ColumnTypeError
        The columns are not those it was fitted on.

    Notes
    -----
    The index is ``sum((now - before) * log(now / before))`` over groups, with half a person added to each group, so
    that an empty one has a finite part. With few people now, chance alone moves it by about the number of groups over
    the number of people.

    References
    ----------
    Siddiqi, "Credit risk scorecards", 2006.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(customers)
    >>> xseg.metrics.drift(segmenter, customers).verdict
    'stable'
    """
    check_segmenter(segmenter)
    backend = segmenter._backend(X, sample_weight)
    profile = segmenter.profile_
    before = profile.counts
    now = backend.sum(_SegmentCodes(profile.bins, segmenter._make_predictor(), len(before))).counts
    groups = _grouped(profile.population)
    names = profile.bins.schema.names
    features = sorted(
        (_feature(name, before[:, j].sum(axis=0), now[:, j].sum(axis=0), groups[j]) for j, name in enumerate(names)),
        key=lambda one: -one.psi,
    )
    parts = _parts(before[:, 0].sum(axis=1), now[:, 0].sum(axis=1))
    shares = [counts[:, 0].sum(axis=1) / counts[:, 0].sum() for counts in (before, now)]
    segments = tuple(
        SegmentDrift(
            segmenter.segment_names_[s],
            float(shares[0][s]),
            float(shares[1][s]),
            float(parts[s]),
            _drivers(names, before[s], now[s], groups),
        )
        for s in range(len(before))
    )
    total = float(parts.sum())
    return Drift(total, _verdict(total), tuple(features), segments)


class _SegmentCodes:
    """A statistic over raw rows: the weight of every code of every feature in every segment."""

    def __init__(self, bins: Bins, predict: Callable[[Table], NDArray[np.int32]], n_segments: int) -> None:
        self.bins = bins
        self.predict = predict
        self.counts = np.zeros((n_segments, len(bins), N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        """Return one over no rows."""
        return type(self)(self.bins, self.predict, len(self.counts))

    def add(self, block: RawBlock) -> None:
        """Add a block of rows."""
        add_code_counts(self.bins.encode(block.table), self.predict(block.table), block.weights, self.counts)

    def merge(self, other: Self) -> None:
        """Add everything that `other` has seen."""
        self.counts += other.counts


def _grouped(population: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of each code of each feature: about ten of equal weight, and one for missing values."""
    known = population[:, :MISSING].astype(np.float64)
    middle = (np.cumsum(known, axis=1) - known / 2) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    groups = np.full(population.shape, _GROUPS, dtype=np.int64)
    groups[:, :MISSING] = np.minimum(middle * _GROUPS, _GROUPS - 1).astype(np.int64)
    return groups


def _feature(name: str, before: NDArray[np.int64], now: NDArray[np.int64], groups: NDArray[np.int64]) -> FeatureDrift:
    counts = [np.bincount(groups, codes, _GROUPS + 1) for codes in (before, now)]
    used = (counts[0] > 0) | (counts[1] > 0)
    psi = float(_parts(counts[0][used], counts[1][used]).sum())
    return FeatureDrift(name, psi, _verdict(psi))


def _drivers(
    names: tuple[str, ...], before: NDArray[np.int64], now: NDArray[np.int64], groups: NDArray[np.int64]
) -> tuple[FeatureDrift, ...]:
    if not now[0].any() or not before[0].any():
        return ()
    found = [_feature(name, before[j], now[j], groups[j]) for j, name in enumerate(names)]
    return tuple(sorted(found, key=lambda one: -one.psi)[:_DRIVERS])


def _parts(before: NDArray[Any], now: NDArray[Any]) -> NDArray[np.float64]:
    """Return what each group adds to the stability index."""
    old, new = (counts + _PSEUDO_COUNT for counts in (before, now))
    old, new = old / old.sum(), new / new.sum()
    return np.asarray((new - old) * np.log(new / old))


def _verdict(psi: float) -> str:
    if psi < _MODERATE:
        return "stable"
    return "moderate" if psi < _LARGE else "large"
