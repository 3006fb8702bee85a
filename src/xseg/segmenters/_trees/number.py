"""How many segments: as many as come back when other people are asked, and lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score

from xseg.backends.coded import CodedRows
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning.kmeans import kmeans
from xseg.segmenters._learning.preparation import Prepared
from xseg.segmenters._learning.sample import hash_rows
from xseg.segmenters._learning.space import Space

__all__ = ["NumberChoice", "choose_number"]

_MAX_ROWS = 4_096
_SPLITS = 5
_RUNS = 3


@dataclass(frozen=True, slots=True)
class NumberChoice:
    """One number of segments, and what speaks for it.

    Attributes
    ----------
    n_segments : int
        The number.
    stability : float
        How alike the clusters of two halves of the rows are: the adjusted Rand index of what both say of all rows,
        mean over several halvings. 1 is the same, 0 is chance.
    silhouette : float
        How far apart the clusters lie: the mean silhouette.
    score : float
        The product, with a negative silhouette as 0: what decides.
    chosen : bool
        Whether this number was taken.
    """

    n_segments: int
    stability: float
    silhouette: float
    score: float
    chosen: bool


def choose_number(prepared: Prepared, numbers: Sequence[int], seed: int) -> tuple[NumberChoice, ...]:
    """Weigh numbers of segments by k-means on a sample; the best is marked as chosen.

    References
    ----------
    Ben-Hur, Elisseeff and Guyon, "A stability based method for discovering structure in clustered data", 2002.
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
    """
    sample = prepared.sample
    rows = slice(0, min(_MAX_ROWS, sample.n_rows))
    block = CodedBlock(sample.codes[rows], sample.points[rows], sample.weights[rows])
    points = prepared.space.embedding.matrix(block.codes, block.points)
    halves = [hash_rows(block.codes, seed + split) % np.uint64(2) == 0 for split in range(_SPLITS)]
    weighed = [_weigh(prepared.space, block, points, halves, number, seed) for number in numbers]
    scores = [stability * max(silhouette, 0.0) for stability, silhouette in weighed]
    best = int(np.argmax(scores))
    return tuple(
        NumberChoice(number, stability, silhouette, score, place == best)
        for place, (number, (stability, silhouette), score) in enumerate(zip(numbers, weighed, scores, strict=True))
    )


def _weigh(
    space: Space,
    block: CodedBlock,
    points: NDArray[np.float64],
    halves: Sequence[NDArray[np.bool_]],
    number: int,
    seed: int,
) -> tuple[float, float]:
    agreements = []
    for half in halves:
        if min(half.sum(), (~half).sum()) <= number:
            continue
        one, other = (_labels(space, block, chosen, number, seed) for chosen in (half, ~half))
        agreements.append(adjusted_rand_score(one, other))
    labels = _labels(space, block, np.ones(len(points), dtype=bool), number, seed)
    n_labels = len(np.unique(labels))
    silhouette = float(silhouette_score(points, labels)) if 1 < n_labels < len(points) else 0.0
    return float(np.mean(agreements)) if agreements else 0.0, silhouette


def _labels(space: Space, block: CodedBlock, chosen: NDArray[np.bool_], number: int, seed: int) -> NDArray[np.intp]:
    """Cluster some rows, and return the nearest centre of all."""
    some = CodedRows(block.codes[chosen], block.points[chosen], block.weights[chosen], int(chosen.sum()), 1)
    found = kmeans(some, space, some, whole=True, n_clusters=number, n_init=_RUNS, seed=seed)
    return np.asarray(space.distances(block, found.centers).argmin(axis=1))
