"""Comparison of segmenters on common metrics."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xseg.backends import MemoryBackend
from xseg.core.embedding import embed_block
from xseg.core.tables import read_table
from xseg.exceptions import ParameterError
from xseg.metrics._stability import stability
from xseg.segmenters import SAMPLE_CAPACITY, Prepared, Segmenter, prepare, reference_partition

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare"]

_REFERENCE_RUNS = 10


def compare(
    segmenters: Mapping[str, Segmenter] | Sequence[Segmenter],
    X: Any,
    *,
    scaling: str = "standard",
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
    scaling : {"standard", "robust", "quantile", "none"}, default="standard"
        The metric space in which costs are taken.
    n_resamples : int, default=10
        Number of resamples for stability; 0 leaves it out.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples and the initialisation of the reference. Pass an int for reproducible results.

    Returns
    -------
    pandas.DataFrame
        A row for each segmenter, with the columns

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
    return pd.DataFrame.from_dict(rows, orient="index")


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
