"""Cost against leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from xseg.exceptions import ParameterError
from xseg.segmenters import TreeSegmenter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Tradeoff", "TradeoffPoint", "tradeoff"]


@dataclass(frozen=True, slots=True)
class TradeoffPoint:
    """One size of tree.

    Attributes
    ----------
    leaves : int
        How many leaves it was allowed.
    price : float
        Its price of explainability: cost over that of the reference.
    questions : float
        How many questions a person is asked, on average.
    """

    leaves: int
    price: float
    questions: float


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """The curve of cost against leaves.

    Attributes
    ----------
    points : tuple of TradeoffPoint
        The sizes that were tried, the smallest first.
    elbow : int
        After how many leaves more of them buy little: the point farthest below the line between the ends of the
        curve, both axes scaled to 1.
    """

    points: tuple[TradeoffPoint, ...]
    elbow: int

    def to_frame(self) -> "pd.DataFrame":
        """Return the curve as a table with the columns leaves, price, questions and elbow."""
        import pandas as pd

        rows = [(point.leaves, point.price, point.questions, point.leaves == self.elbow) for point in self.points]
        return pd.DataFrame(rows, columns=["leaves", "price", "questions", "elbow"])

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curve with its elbow marked.

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
            _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        leaves, prices = [point.leaves for point in self.points], [point.price for point in self.points]
        ax.plot(leaves, prices, marker="o", color="#2563a8")
        elbow = next(point for point in self.points if point.leaves == self.elbow)
        ax.plot([elbow.leaves], [elbow.price], marker="o", markersize=13, fillstyle="none", color="#b3471d")
        ax.annotate(
            f"{elbow.leaves} leaves,\n{elbow.questions:.1f} questions a person",
            (elbow.leaves, elbow.price),
            xytext=(0, -34),
            textcoords="offset points",
            color="#b3471d",
            ha="center",
        )
        ax.axhline(1.0, color="0.6", linewidth=1, linestyle="--")
        ax.set_xticks(leaves)
        ax.set_xlabel("leaves (rules)")
        ax.set_ylabel("cost over the reference's")
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(y=0.2)
        return ax


def tradeoff(X: Any, segments: int, leaves: Sequence[int] | None = None, **parameters: Any) -> Tradeoff:
    """Measure what more leaves buy: the price of explainability by the size of the tree.

    Parameters
    ----------
    X : table, array or Backend of shape (n_rows, n_features)
        The people.
    segments : int
        How many segments to make.
    leaves : sequence of int, default=None
        The sizes to try; None means from `segments` to three times as many.
    **parameters
        Other parameters of `TreeSegmenter`.

    Returns
    -------
    Tradeoff
        The curve; `plot` draws it, `to_frame` gives it as a table.

    Raises
    ------
    ParameterError
        `leaves` is empty, or asks for fewer leaves than segments.
    DataError, SchemaError, ColumnTypeError
        The rows cannot be segmented.

    References
    ----------
    Satopää, Albrecht, Irwin and Raghavan, "Finding a 'kneedle' in a haystack", 2011.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> curve = xseg.metrics.tradeoff(customers, 3, leaves=[3, 4, 6], effort="fast", random_state=0)
    >>> [point.leaves for point in curve.points]
    [3, 4, 6]
    """
    sizes = sorted(set(range(segments, 3 * segments + 1) if leaves is None else leaves))
    if not sizes or not all(isinstance(size, Integral) for size in sizes) or sizes[0] < segments:
        message = f"leaves must be one or more whole numbers of at least segments={segments}, got {leaves!r}"
        raise ParameterError(message)
    points = []
    for size in sizes:
        fitted = TreeSegmenter(segments, max_leaves=size, **parameters).fit(X)
        points.append(TradeoffPoint(int(size), fitted.price_of_explainability_, fitted.mean_depth_))
    return Tradeoff(tuple(points), points[_farthest_below_chord(points)].leaves)


def _farthest_below_chord(points: Sequence[TradeoffPoint]) -> int:
    leaves = np.array([point.leaves for point in points], dtype=np.float64)
    prices = np.minimum.accumulate([point.price for point in points])
    if len(points) < 3 or prices[0] == prices[-1]:
        return 0
    along = (leaves - leaves[0]) / (leaves[-1] - leaves[0])
    fallen = (prices[0] - prices) / (prices[0] - prices[-1])
    return int(np.argmax(fallen - along))
