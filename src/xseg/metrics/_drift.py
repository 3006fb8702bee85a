"""Drift since the fit, and migration between segments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.pairing import find_positions
from xseg.core.statistics import RawBlock
from xseg.core.tables import Table
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters import Segmenter, check_segmenter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Drift", "FeatureDrift", "Migration", "SegmentDrift", "drift", "migration"]

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
        Its share of the rows at the fit and now.
    psi : float
        What it adds to the stability index of the shares.
    drivers : tuple of FeatureDrift
        The features that moved most within the segment, the largest first; empty if no row is in it now.
    """

    name: str
    share_before: float
    share_now: float
    psi: float
    drivers: tuple[FeatureDrift, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Drift of the rows since the fit.

    Attributes
    ----------
    psi : float
        Population stability index of the shares of the segments.
    verdict : {"stable", "moderate", "large"}
        Name of that index.
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


def drift(segmenter: Segmenter, X: Any, *, sample_weight: ArrayLike | None = None) -> Drift:
    """Compare rows of today with those a segmenter was fitted on, by counts alone.

    Parameters
    ----------
    segmenter : fitted segmenter
        It keeps how the values of its rows were spread; no row is needed.
    X : table, array or Backend of shape (n_rows, n_features)
        The rows of today.
    sample_weight : array-like of shape (n_rows,), default=None
        Sample weights.

    Returns
    -------
    Drift
        Stability indices of the shares, of every feature, and of features within segments.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    DataError
        The columns are not those it was fitted on.

    Notes
    -----
    The index is ``sum((now - before) * log(now / before))`` over groups, with half a row added to each group, so
    that an empty one has a finite part. With few rows now, chance alone moves it by about the number of groups over
    the number of rows.

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
    groups = _group_codes(profile.population)
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


def _group_codes(population: NDArray[np.int64]) -> NDArray[np.int64]:
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


_REMEDY = "give the segments of the same people, or arrays if both are in the same order (Series.to_numpy())"
_GAP = 0.03
_BAR = 0.035
_LABELLED_SHARE = 0.02
_CURVE_POINTS = 60
_LINE_LETTERS = 24
_COLOURS = ("#2563a8", "#b3471d", "#3c7d3c", "#7a4a9e", "#a17d00", "#0f7c86", "#a83260", "#5c6670")


@dataclass(frozen=True, slots=True, eq=False)
class Migration:
    """Number of rows that went from each segment to each.

    Attributes
    ----------
    names : tuple of str
        The segments.
    counts : ndarray of shape (n_segments, n_segments)
        Weight of the rows by segment before (rows) and after (columns).
    """

    names: tuple[str, ...]
    counts: NDArray[np.float64]

    @property
    def unchanged_share(self) -> float:
        """The share of the rows whose segment is the same."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def rates(self) -> NDArray[np.float64]:
        """Where the rows of each segment went: rows sum to 1, or are NaN where no row was."""
        before = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(self.counts, before, out=np.full_like(self.counts, np.nan), where=before > 0))

    def to_frame(self, *, rates: bool = False) -> "pd.DataFrame":
        """Return the table, segments before as rows and after as columns; with `rates`, as shares of the rows."""
        import pandas as pd

        values = self.rates if rates else self.counts
        return pd.DataFrame(
            values, index=pd.Index(self.names, name="before"), columns=pd.Index(self.names, name="after")
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw segments before on the left, after on the right, and the rows between as bands.

        Bands have the colour of the segment rows come from; those that stay are drawn paler.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
            The drawing.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
        shares = self.counts / self.counts.sum()
        starts = _stack(shares.sum(axis=1)), _stack(shares.sum(axis=0))
        for side, x in ((0, 0.0), (1, 1.0 - _BAR)):
            for place, share in enumerate(shares.sum(axis=1 - side)):
                ax.bar(x, share, _BAR, starts[side][place], align="edge", color=_colour(place))
                if share >= _LABELLED_SHARE:
                    self._label(ax, place, share, side, starts[side][place] + share / 2)
        left, right = (start.copy() for start in starts)
        for before in range(len(self.names)):
            for after in range(len(self.names)):
                _band(ax, left[before], right[after], shares[before, after], before, stays=before == after)
                left[before] += shares[before, after]
                right[after] += shares[before, after]
        for x, when in ((_BAR / 2, "before"), (1 - _BAR / 2, "after")):
            ax.text(x, -0.02, when, ha="center", va="bottom", fontsize=9, color="0.35")
        ax.set_xlim(-0.5, 1.5)
        ax.invert_yaxis()
        ax.set_axis_off()
        ax.set_title(f"{self.unchanged_share:.0%} stayed where they were", loc="center", fontsize=11, pad=18)
        return ax

    def _label(self, ax: "Axes", place: int, share: float, side: int, height: float) -> None:
        x, align = (1.02, "left") if side else (-0.02, "right")
        name = fill(self.names[place], _LINE_LETTERS)
        ax.text(x, height, f"{name}\n{share:.0%}", ha=align, va="center", fontsize=9)


def migration(
    before: ArrayLike, after: ArrayLike, *, names: Sequence[str] = (), sample_weight: Any = None
) -> Migration:
    """Count who moved from which segment to which.

    Parameters
    ----------
    before, after : array-like of shape (n_rows,)
        The segments of the same rows at two dates: indices or names. Two pandas Series are aligned by their indexes;
        others are in the same order.
    names : sequence of str, default=()
        The names of the segments, in the order of their indices: `segment_names_`. Without them the labels that occur
        are the names.
    sample_weight : array-like of shape (n_rows,), default=None
        Sample weights, in the order of `after`; a Series is aligned by its index.

    Returns
    -------
    Migration
        The table; `plot` draws it.

    Raises
    ------
    DataError
        The labels are not of the same rows, or there are none; or two indexes do not hold the same rows, each once.
    ParameterError
        A label has no name, or a weight is negative.

    Examples
    --------
    >>> from xseg.metrics import migration
    >>> moved = migration([0, 0, 1, 1], [0, 1, 1, 1], names=["Regulars", "Newcomers"])
    >>> moved.counts.tolist(), moved.unchanged_share
    ([[1.0, 1.0], [0.0, 2.0]], 0.75)
    """
    if np.shape(before) == np.shape(after):
        places = find_positions(before, after, ("before", "after"), _REMEDY)
        before = before if places is None else np.asarray(before)[places]
    if sample_weight is not None and np.shape(sample_weight) == np.shape(after):
        places = find_positions(sample_weight, after, ("sample_weight", "after"), _REMEDY)
        sample_weight = sample_weight if places is None else np.asarray(sample_weight)[places]
    first, second = np.asarray(before), np.asarray(after)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        message = f"before has shape {first.shape} and after {second.shape}; give one label a person, in the same order"
        raise DataError(message)
    weight = np.ones(len(first)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != first.shape or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        message = f"sample_weight must be {len(first)} finite numbers of at least 0, and not all 0"
        raise ParameterError(message)
    known = tuple(names) or tuple(map(str, np.unique(np.concatenate([first, second])).tolist()))
    counts = np.zeros((len(known), len(known)))
    np.add.at(counts, (_places(first, known), _places(second, known)), weight)
    return Migration(known, counts)


def _places(labels: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the place of each label among the names: by name, or by index where labels are numbers and no names."""
    place: dict[Any, int] = {name: j for j, name in enumerate(names)}
    found = []
    for label in labels.tolist():
        at = place.get(str(label), label if isinstance(label, int) and 0 <= label < len(names) else None)
        if at is None:
            message = f"the label {label!r} is not one of the segments {', '.join(map(repr, names))}"
            raise ParameterError(message)
        found.append(at)
    return np.array(found, dtype=np.intp)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _stack(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each bar starts, with gaps between them."""
    return np.concatenate([[0.0], np.cumsum(shares + _GAP)[:-1]])


def _band(ax: "Axes", left: float, right: float, share: float, place: int, *, stays: bool) -> None:
    if share == 0:
        return
    along = np.linspace(0, 1, _CURVE_POINTS)
    top = left + (right - left) * along * along * (3 - 2 * along)
    x = _BAR + (1 - 2 * _BAR) * along
    ax.fill_between(x, top, top + share, color=_colour(place), alpha=0.18 if stays else 0.5, linewidth=0)
