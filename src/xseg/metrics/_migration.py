"""Who moved where between two dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg.core.pairing import place_of_each
from xseg.exceptions import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Migration", "migration"]

_REMEDY = "give the segments of the same people, or arrays if both are in the same order (Series.to_numpy())"
_GAP = 0.03
_BAR = 0.035
_LABELLED_SHARE = 0.02
_CURVE_POINTS = 60
_LINE_LETTERS = 24
_COLOURS = ("#2563a8", "#b3471d", "#3c7d3c", "#7a4a9e", "#a17d00", "#0f7c86", "#a83260", "#5c6670")


@dataclass(frozen=True, slots=True, eq=False)
class Migration:
    """How many people went from each segment to each.

    Attributes
    ----------
    names : tuple of str
        The segments.
    counts : ndarray of shape (n_segments, n_segments)
        Weight of the people by segment before (rows) and after (columns).
    """

    names: tuple[str, ...]
    counts: NDArray[np.float64]

    @property
    def stayed(self) -> float:
        """The share of the people whose segment is the same."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def rates(self) -> NDArray[np.float64]:
        """Where the people of each segment went: rows sum to 1, or are NaN where nobody was."""
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
        """Draw segments before on the left, after on the right, and the people between as bands.

        Bands have the colour of the segment people come from; those who stay are drawn paler.

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
        ax.set_title(f"{self.stayed:.0%} stayed where they were", loc="center", fontsize=11, pad=18)
        return ax

    def _label(self, ax: "Axes", place: int, share: float, side: int, height: float) -> None:
        x, align = (1.02, "left") if side else (-0.02, "right")
        name = fill(self.names[place], _LINE_LETTERS)
        ax.text(x, height, f"{name}\n{share:.0%}", ha=align, va="center", fontsize=9)


def migration(before: ArrayLike, after: ArrayLike, *, names: Sequence[str] = (), weights: Any = None) -> Migration:
    """Count who moved from which segment to which.

    Parameters
    ----------
    before, after : array-like of shape (n_rows,)
        The segments of the same people at two dates: indices or names. Two pandas Series are aligned by their indexes;
        others are in the same order.
    names : sequence of str, default=()
        The names of the segments, in the order of their indices: `segment_names_`. Without them the labels that occur
        are the names.
    weights : array-like of shape (n_rows,), default=None
        How much each person counts, in the order of `after`; a Series is aligned by its index.

    Returns
    -------
    Migration
        The table; `plot` draws it.

    Raises
    ------
    DataError
        The labels are not of the same people, or there are none; or two indexes do not hold the same people, each once.
    ParameterError
        A label has no name, or weights are negative.

    Examples
    --------
    >>> from xseg.metrics import migration
    >>> moved = migration([0, 0, 1, 1], [0, 1, 1, 1], names=["Regulars", "Newcomers"])
    >>> moved.counts.tolist(), moved.stayed
    ([[1.0, 1.0], [0.0, 2.0]], 0.75)
    """
    if np.shape(before) == np.shape(after):
        places = place_of_each(before, after, ("before", "after"), _REMEDY)
        before = before if places is None else np.asarray(before)[places]
    if weights is not None and np.shape(weights) == np.shape(after):
        places = place_of_each(weights, after, ("weights", "after"), _REMEDY)
        weights = weights if places is None else np.asarray(weights)[places]
    first, second = np.asarray(before), np.asarray(after)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        message = f"before has shape {first.shape} and after {second.shape}; give one label a person, in the same order"
        raise DataError(message)
    weight = np.ones(len(first)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != first.shape or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        message = f"weights must be {len(first)} finite numbers of at least 0, and not all 0"
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
