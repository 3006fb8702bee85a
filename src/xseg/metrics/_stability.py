"""Whether the same segments come back when other people are asked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state

from xseg.core.tables import read_table
from xseg.exceptions import ParameterError
from xseg.segmenters import Segmenter, check_segmenter

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SegmentStability", "Stability", "stability"]

_RECOVERED, _DISSOLVED = 0.75, 0.5


@dataclass(frozen=True, slots=True)
class SegmentStability:
    """How one segment fares when others are asked.

    Attributes
    ----------
    name : str
        The segment.
    jaccard : float
        Mean over resamples of the overlap with the segment most like it: people in both over people in either.
    recovered, dissolved : float
        Shares of the resamples in which that overlap was at least 0.75, and at most 0.5.
    """

    name: str
    jaccard: float
    recovered: float
    dissolved: float


@dataclass(frozen=True, slots=True)
class Stability:
    """How far segments depend on who happened to be asked.

    Attributes
    ----------
    index : float
        Adjusted Rand index between the segments and those of a resample, mean over resamples: 1 is the same, 0 is
        chance.
    segments : tuple of SegmentStability
        The segments, in order.
    n_resamples : int
        How many resamples there were.
    """

    index: float
    segments: tuple[SegmentStability, ...]
    n_resamples: int

    def to_frame(self) -> "pd.DataFrame":
        """Return the segments as a table with the columns segment, jaccard, recovered and dissolved."""
        import pandas as pd

        rows = [(one.name, one.jaccard, one.recovered, one.dissolved) for one in self.segments]
        return pd.DataFrame(rows, columns=["segment", "jaccard", "recovered", "dissolved"])


def stability(segmenter: Segmenter, X: Any, *, n_resamples: int = 20, random_state: Any = None) -> Stability:
    """Fit again on bootstrap resamples of the people, and see which segments come back.

    A person drawn twice counts twice. Everyone, drawn or not, is then given a segment by the new model, and the two
    partitions of all rows are compared.

    Parameters
    ----------
    segmenter : fitted segmenter
        What to judge; it is left as it is.
    X : table or array of shape (n_rows, n_features)
        The people it was fitted on.
    n_resamples : int, default=20
        How many resamples to draw.
    random_state : int, RandomState instance or None, default=None
        Draws the resamples.

    Returns
    -------
    Stability
        The index, and how each segment fares. A mean overlap below 0.6 should not be relied on, one of 0.75 or more
        is a segment that comes back, one of 0.85 or more is highly stable (Hennig, 2007).

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    ParameterError
        There is nothing to resample.
    SchemaError, ColumnTypeError
        The columns are not those it was fitted on.

    References
    ----------
    Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics & Data Analysis 52, 2007.
    Hubert and Arabie, "Comparing partitions", Journal of Classification 2, 1985.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(3, effort="fast", random_state=0).fit(customers)
    >>> found = xseg.metrics.stability(segmenter, customers, n_resamples=3, random_state=0)
    >>> len(found.segments), 0 < found.index <= 1
    (3, True)
    """
    if n_resamples < 1:
        message = f"n_resamples is {n_resamples}; draw at least one resample"
        raise ParameterError(message)
    labels = check_segmenter(segmenter).predict(X)
    random = check_random_state(random_state)
    agreement, overlaps = [], []
    n_rows = len(read_table(X))
    for _ in range(n_resamples):
        drawn = random.multinomial(n_rows, np.full(n_rows, 1 / n_rows))
        again = clone(segmenter).fit(X, sample_weight=drawn).predict(X)
        agreement.append(adjusted_rand_score(labels, again))
        overlaps.append(best_overlaps(labels, again, segmenter.n_segments_))
    return Stability(float(np.mean(agreement)), _summarise(segmenter.segment_names_, np.array(overlaps)), n_resamples)


def best_overlaps(labels: NDArray[np.int32], others: NDArray[np.int32], n_segments: int) -> NDArray[np.float64]:
    """Return, for each segment, its Jaccard similarity to the other segment most like it; 0 for an empty one."""
    both = np.zeros((n_segments, int(others.max()) + 1))
    np.add.at(both, (labels, others), 1)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0) - both
    return np.asarray(np.divide(both, either, out=np.zeros_like(both), where=either > 0).max(axis=1))


def _summarise(names: tuple[str, ...], overlaps: NDArray[np.float64]) -> tuple[SegmentStability, ...]:
    return tuple(
        SegmentStability(name, float(own.mean()), float((own >= _RECOVERED).mean()), float((own <= _DISSOLVED).mean()))
        for name, own in zip(names, overlaps.T, strict=True)
    )
