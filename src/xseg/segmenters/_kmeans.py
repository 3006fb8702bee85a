"""k-means in the metric space by sums only: the reference partition, and the choice of a number of segments."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, silhouette_score

from xseg.backends.base import CodedBackend, CodedRows
from xseg.core.embedding import Centers, embed_block
from xseg.core.statistics import CodedBlock
from xseg.exceptions import ParameterError
from xseg.segmenters._learning import NearestSums, Prepared, Space, derive_seed, draw_rows, hash_block, hash_rows

__all__ = [
    "NumberChoice",
    "Partition",
    "choose_number",
    "init_kmeans_plusplus",
    "kmeans",
    "lloyd",
    "reference_partition",
]


_MAX_ROUNDS = 300
_FINE, _COARSE = 1e-7, 1e-4


@dataclass(frozen=True, eq=False)
class Partition:
    """Centres, and the summed squared distance of the rows to the nearest of them."""

    centers: Centers
    cost: float


def kmeans(
    backend: CodedBackend, space: Space, sample: CodedRows, *, whole: bool, n_clusters: int, n_init: int, seed: int
) -> Partition:
    """Return the best of `n_init` runs of Lloyd's algorithm.

    Runs start with greedy k-means++ seeding (Arthur and Vassilvitskii, 2007) and work on the sample; unless that is
    the `whole` table, the best one is then taken to convergence on all rows.
    """
    sample_space = Space.from_embedding(space.embedding, int(sample.weights[: sample.n_rows].sum()))
    tolerance = _FINE if whole else _COARSE

    def run(start: int) -> Partition:
        means = init_kmeans_plusplus(sample, sample_space, n_clusters, derive_seed(seed, start))
        alone = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        return lloyd(alone, sample_space, means, tolerance)

    with ThreadPoolExecutor(sample.n_workers) as pool:
        best = min(pool.map(run, range(n_init)), key=lambda partition: partition.cost)
    return best if whole else lloyd(backend, space, best.centers.means, tolerance)


def lloyd(backend: CodedBackend, space: Space, means: NDArray[np.float64], tolerance: float = _COARSE) -> Partition:
    """Run Lloyd's algorithm until the cost falls by less than a share `tolerance`."""
    best: Partition | None = None
    for _ in range(_MAX_ROUNDS):
        centers = space.embedding.centers(means)
        sums = backend.sum(NearestSums(space, centers))
        gained = np.inf if best is None else best.cost - sums.cost
        if gained > 0:
            best = Partition(centers, sums.cost)
        if best is not None and gained <= tolerance * best.cost:
            break
        empty = sums.groups.mass == 0
        means = np.where(empty[:, None], means, sums.groups.means())
    assert best is not None
    return best


def init_kmeans_plusplus(sample: CodedRows, space: Space, n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Choose initial means by greedy k-means++ (Arthur and Vassilvitskii, 2007).

    A row is drawn with probability proportional to its weight times its squared distance to the rows chosen before;
    of a few draws the one that lowers the cost most is kept. Draws depend on hashes of the rows, not on their order.
    """
    everything = slice(0, sample.n_rows)
    block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
    matrix = space.embedding.matrix
    hashes = hash_block(block, seed)
    n_trials = 2 + int(log(n_clusters))
    chosen: list[int] = []
    closest = np.full(sample.n_rows, np.inf)
    for step in range(n_clusters):
        odds = block.weights * (closest if chosen else 1.0)
        trials = draw_rows(hashes, odds, derive_seed(seed, step), n_trials if chosen else 1)
        means = matrix(block.codes[trials], block.points[trials])
        distances = np.minimum(space.distances(block, space.embedding.centers(means)), closest[:, None])
        winner = int((block.weights @ distances).argmin())
        chosen.append(int(trials[winner]))
        closest = distances[:, winner]
    return matrix(block.codes[chosen], block.points[chosen])


def reference_partition(
    reference: Any, prepared: Prepared, *, n_clusters: int, n_init: int, n_rows: int, seed: int
) -> Partition:
    """Return the reference partition of a tree.

    Parameters
    ----------
    reference : "kmeans" or clusterer
        A clusterer is cloned and fitted in the metric space; its centres are the means of its clusters.
    n_rows : int
        Number of rows of the sample on which k-means starts.
    """
    space, backend = prepared.space, prepared.backend
    if isinstance(reference, str):
        some = prepared.sample.take_first(n_rows)
        whole = prepared.whole and some.n_rows == prepared.sample.n_rows
        return kmeans(backend, space, some, whole=whole, n_clusters=n_clusters, n_init=n_init, seed=seed)
    if not hasattr(reference, "fit_predict"):
        message = f"reference must be 'kmeans' or a clusterer with fit_predict, got {reference!r}"
        raise ParameterError(message)
    matrix = backend.map(partial(embed_block, space.embedding))
    labels = np.asarray(clone(reference).fit_predict(matrix))
    found = [label for label in np.unique(labels) if label >= 0]
    if not found:
        message = f"reference must find at least one cluster, and {reference!r} found only noise; change its parameters"
        raise ParameterError(message)
    centers = space.embedding.centers(np.array([matrix[labels == label].mean(axis=0) for label in found]))
    return Partition(centers, backend.sum(NearestSums(space, centers)).cost)


_MAX_ROWS = 4_096
_SPLITS = 5
_RUNS = 3


@dataclass(frozen=True, slots=True)
class NumberChoice:
    """Scores of one number of segments.

    Attributes
    ----------
    n_segments : int
        The number.
    stability : float
        Mean over random halves of the adjusted Rand index between clusterings of the two halves, applied to all rows.
        1 means equal, 0 chance.
    silhouette : float
        Mean silhouette of the clusters.
    score : float
        The product of both, with a negative silhouette as 0; the highest is chosen.
    chosen : bool
        Whether this number was chosen.
    """

    n_segments: int
    stability: float
    silhouette: float
    score: float
    chosen: bool


def choose_number(prepared: Prepared, numbers: Sequence[int], seed: int) -> tuple[NumberChoice, ...]:
    """Score numbers of segments by k-means on a sample; the best is marked as chosen.

    References
    ----------
    Ben-Hur, Elisseeff and Guyon, "A stability based method for discovering structure in clustered data", 2002.
    Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
    """
    sample = prepared.sample
    rows = slice(0, min(_MAX_ROWS, sample.n_rows))
    block = CodedBlock(sample.codes[rows], sample.points[rows], sample.weights[rows])
    points = prepared.space.embedding.matrix(block.codes, block.points)
    halves = [hash_rows(block.codes, derive_seed(seed, split)) % np.uint64(2) == 0 for split in range(_SPLITS)]
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
    """Cluster some rows, and return the nearest centre of each row."""
    some = CodedRows(block.codes[chosen], block.points[chosen], block.weights[chosen], int(chosen.sum()), 1)
    found = kmeans(some, space, some, whole=True, n_clusters=number, n_init=_RUNS, seed=seed)
    return np.asarray(space.distances(block, found.centers).argmin(axis=1))
