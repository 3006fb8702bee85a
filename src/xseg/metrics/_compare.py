"""Comparison of segmenters on common metrics, and how stable their segments are under resampling."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xseg.backends import MemoryBackend
from xseg.backends.base import CodedRows
from xseg.core.embedding import Coding, embed_block
from xseg.core.tables import Table, read_table
from xseg.exceptions import DataError, ParameterError
from xseg.segmenters import (
    SAMPLE_CAPACITY,
    Prepared,
    Segmenter,
    Space,
    check_segmenter,
    kmeans,
    prepare,
    reference_partition,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SegmentStability", "Stability", "Structure", "compare", "stability", "structure"]

_RECOVERED, _DISSOLVED = 0.75, 0.5


@dataclass(frozen=True, slots=True)
class SegmentStability:
    """Stability of one segment under resampling of the rows.

    Attributes
    ----------
    name : str
        The segment.
    jaccard : float
        Mean over resamples of the overlap with the segment most like it: rows in both over rows in either.
    recovered, dissolved : float
        Shares of the resamples in which that overlap was at least 0.75, and at most 0.5.
    """

    name: str
    jaccard: float
    recovered: float
    dissolved: float


@dataclass(frozen=True, slots=True)
class Stability:
    """Stability of segments under resampling of the rows.

    Attributes
    ----------
    index : float
        Adjusted Rand index between the segments and those of a resample, mean over resamples: 1 is the same, 0 is
        chance.
    segments : tuple of SegmentStability
        The segments, in order.
    n_resamples : int
        Number of resamples.
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
    """Fit again on bootstrap resamples of the rows, and see which segments come back.

    A row drawn twice counts twice. All rows, drawn or not, are then given a segment by the new model, and the two
    partitions of all rows are compared.

    Parameters
    ----------
    segmenter : fitted segmenter
        Segmenter to assess; it is not changed.
    X : table or array of shape (n_rows, n_features)
        The rows it was fitted on.
    n_resamples : int, default=20
        Number of resamples.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples. Pass an int for reproducible results.

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
    DataError
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


_MAX_ROWS = 2_000
_RUNS = 2
_LEVEL = 0.02


@dataclass(frozen=True, slots=True)
class Structure:
    """Whether columns hang together in groups.

    Attributes
    ----------
    found : bool
        Whether `p_value` is at most 0.02.
    p_value : float
        The share of tables with unrelated columns, the given one counted among them, in which groups are as tight.
    tightness : float
        Cost of k-means on the table, over its mean on tables with the same columns, each shuffled on its own. 1 means
        that groups are no tighter than in a table whose columns have nothing to do with each other.
    n_permutations : int
        Number of permuted copies.
    """

    found: bool
    p_value: float
    tightness: float
    n_permutations: int

    def __str__(self) -> str:
        """Return the finding as one sentence."""
        if self.found:
            return (
                f"Groups are {1 - self.tightness:.0%} tighter than in tables whose columns have nothing to do with "
                f"each other (p = {self.p_value:.2g})."
            )
        return (
            "No structure found: groups are no tighter than in tables whose columns have nothing to do with each "
            f"other (p = {self.p_value:.2g})."
        )


def structure(
    X: Any, *, n_segments: int, scaling: str = "standard", n_permutations: int = 49, random_state: Any = None
) -> Structure:
    """Test whether the columns of a table hang together in groups.

    The groups of k-means are compared with those in copies of the table in which every column is shuffled on its own:
    each keeps its values, and what columns have to do with each other is gone. Where columns are unrelated the table is
    one of these copies, so the test is exact whatever the columns look like.

    Parameters
    ----------
    X : table or array of shape (n_rows, n_features)
        The rows; at most 2,000 are drawn.
    n_segments : int
        Number of groups, at least 2.
    scaling : {"standard", "robust", "quantile", "none"}, default="standard"
        Scaling of numeric features in the metric space.
    n_permutations : int, default=49
        Number of permuted copies; with fewer than 49 no structure is ever found.
    random_state : int, RandomState instance or None, default=None
        Controls the sample of rows, the permutations and k-means. Pass an int for reproducible results.

    Returns
    -------
    Structure
        The answer; as text, a sentence.

    Raises
    ------
    ParameterError
        There are fewer than two groups to look for, or no copies.
    DataError
        The rows cannot be used.

    Notes
    -----
    The test asks about columns together. Groups that show in a single column (two heights, say) stay in every copy and
    are not seen by it.

    References
    ----------
    Good, "Permutation, parametric and bootstrap tests of hypotheses", 2005.
    Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic", 2001.

    Examples
    --------
    >>> import numpy as np, xseg
    >>> noise = np.random.default_rng(0).normal(size=(200, 4))
    >>> xseg.metrics.structure(noise, n_segments=3, random_state=0).found
    False
    >>> xseg.metrics.structure(xseg.make_customers(400, random_state=0), n_segments=3, random_state=0).found
    True
    """
    if n_segments < 2 or n_permutations < 1:
        message = f"look for 2 groups or more in 1 copy or more, not for {n_segments} in {n_permutations}"
        raise ParameterError(message)
    random = check_random_state(random_state)
    seed = int(random.randint(np.iinfo(np.int32).max))
    table = _some_rows(read_table(X), random)
    if len(table) <= n_segments:
        message = f"{len(table)} rows are too few to look for {n_segments} groups in"
        raise DataError(message)
    prepared = prepare(
        MemoryBackend(table),
        max_bins=255,
        scaling=scaling,
        feature_weights=None,
        forbid=(),
        seed=seed,
        n_jobs=None,
        # Of a table that was read before, as by a report, the fit has warned already.
        warns=not isinstance(X, Table),
    )
    embedding = prepared.space.embedding
    codes, points = Coding(prepared.bins, embedding).code(table)
    space = Space.from_embedding(embedding, len(table))

    def cost(codes: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
        rows = CodedRows(codes, points, np.ones(len(codes), dtype=np.int64), len(codes), 1)
        return kmeans(rows, space, rows, whole=True, n_clusters=n_segments, n_init=_RUNS, seed=seed).cost

    own = cost(codes, points)
    shuffled = np.array(
        [cost(_shuffle_columns(codes, random), _shuffle_columns(points, random)) for _ in range(n_permutations)]
    )
    p_value = (1 + int((shuffled <= own).sum())) / (1 + n_permutations)
    usual = float(shuffled.mean())
    return Structure(p_value <= _LEVEL, p_value, own / usual if usual > 0 else 1.0, n_permutations)


def _some_rows(table: Table, random: np.random.RandomState) -> Table:
    if len(table) <= _MAX_ROWS:
        return table
    return table.take(np.sort(random.choice(len(table), _MAX_ROWS, replace=False)))


def _shuffle_columns(columns: NDArray[Any], random: np.random.RandomState) -> NDArray[Any]:
    """Shuffle every column on its own."""
    order = np.argsort(random.random_sample(columns.shape), axis=0)
    return np.ascontiguousarray(np.take_along_axis(columns, order, axis=0))


_REFERENCE_RUNS = 10


def compare(
    segmenters: Mapping[str, Segmenter] | Sequence[Segmenter],
    X: Any,
    *,
    scaling: str = "quantile",
    n_resamples: int = 10,
    random_state: Any = None,
) -> "pd.DataFrame":
    """Compare segmenters on common metrics, in one metric space.

    Parameters
    ----------
    segmenters : dict of str to segmenter, or sequence of segmenters
        The candidates; those that are not fitted are cloned and fitted. A sequence is named by class.
    X : table or array of shape (n_rows, n_features)
        The rows.
    scaling : {"standard", "robust", "quantile", "none"}, default="quantile"
        Scaling of numeric features in the metric space in which costs are taken; the table says it.
    n_resamples : int, default=10
        Number of resamples for stability; 0 leaves it out.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples and the initialisation of the reference. Pass an int for reproducible results.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, with the columns below; the name of the columns, ``scaling="quantile"``, says in
        which space the costs were taken.

        - segments: how many it made;
        - cost: mean squared distance of a row to the mean of its segment;
        - relative_cost: that over k-means with as many clusters;
        - stability: adjusted Rand index with fits on resamples, mean;
        - mean_depth: mean number of splits from the root to the leaf of a row; NaN for segmenters without a tree;
        - smallest, largest: shares of the rows;
        - fidelity: for stand-ins, the share of rows for which the original predicts the same; NaN otherwise;
        - seconds: how long the fit took; NaN for what came fitted.

    Raises
    ------
    ParameterError
        There is nothing to compare, two have one name, or something is not a segmenter.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> candidates = [xseg.TreeSegmenter(3, effort="fast", random_state=0), xseg.PrototypeSegmenter(3, random_state=0)]
    >>> table = xseg.compare(candidates, customers, n_resamples=2, random_state=0)
    >>> list(table.index), bool((table["relative_cost"] >= 1).all())
    (['TreeSegmenter', 'PrototypeSegmenter'], True)
    """
    import pandas as pd

    named = _name_segmenters(segmenters)
    table = read_table(X)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    space = prepare(
        MemoryBackend(table),
        max_bins=255,
        scaling=scaling,
        feature_weights=None,
        forbid=(),
        seed=seed,
        n_jobs=None,
        warns=False,
    )
    references: dict[int, float] = {}
    rows = {}
    for name, segmenter in named.items():
        fitted, seconds = _fit_if_needed(segmenter, X)
        labels = fitted.predict(X)
        cost = _cost(space, labels)
        if fitted.n_segments_ not in references:
            found = reference_partition(
                "kmeans",
                space,
                n_clusters=fitted.n_segments_,
                n_init=_REFERENCE_RUNS,
                n_rows=SAMPLE_CAPACITY,
                seed=seed,
            )
            references[fitted.n_segments_] = found.cost / len(table)
        shares = np.bincount(labels, minlength=fitted.n_segments_) / len(labels)
        back = stability(fitted, X, n_resamples=n_resamples, random_state=seed).index if n_resamples else np.nan
        rows[name] = {
            "segments": fitted.n_segments_,
            "cost": cost,
            "relative_cost": _compute_relative_cost(cost, references[fitted.n_segments_]),
            "stability": back,
            "mean_depth": float(getattr(fitted, "mean_depth_", np.nan)),
            "smallest": float(shares.min()),
            "largest": float(shares.max()),
            "fidelity": float(getattr(fitted, "fidelity_", np.nan)),
            "seconds": seconds,
        }
    table_of_metrics = pd.DataFrame.from_dict(rows, orient="index")
    return table_of_metrics.rename_axis(columns=f'scaling="{scaling}"')


def _name_segmenters(segmenters: Mapping[str, Segmenter] | Sequence[Segmenter]) -> dict[str, Segmenter]:
    if isinstance(segmenters, Mapping):
        named = dict(segmenters)
    else:
        named = {}
        for segmenter in segmenters:
            kind = type(segmenter).__name__
            taken = sum(name.partition(" ")[0] == kind for name in named)
            named[kind if not taken else f"{kind} {taken + 1}"] = segmenter
    if not named:
        message = "there is nothing to compare; give one segmenter or more"
        raise ParameterError(message)
    for name, segmenter in named.items():
        if not isinstance(segmenter, Segmenter):
            message = (
                f"{name} is a {type(segmenter).__name__}, which is no segmenter of xseg; "
                "put another clusterer into SurrogateSegmenter"
            )
            raise ParameterError(message)
    return named


def _fit_if_needed(segmenter: Segmenter, X: Any) -> tuple[Segmenter, float]:
    try:
        check_is_fitted(segmenter)
    except NotFittedError:
        start = time.perf_counter()
        fresh: Segmenter = clone(segmenter).fit(X)
        return fresh, time.perf_counter() - start
    return segmenter, np.nan


def _cost(space: Prepared, labels: NDArray[np.int32]) -> float:
    """Return the mean squared distance of each row to the mean of its segment."""
    matrix = space.backend.map(partial(embed_block, space.space.embedding))
    total = 0.0
    for label in np.unique(labels):
        rows = matrix[labels == label]
        total += float(((rows - rows.mean(axis=0)) ** 2).sum())
    return total / len(labels)


def _compute_relative_cost(cost: float, reference: float) -> float:
    if reference > 0:
        return cost / reference
    return 1.0 if cost <= 0 else np.inf
