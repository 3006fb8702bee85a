"""k-means in the metric space by sums only: the reference partition of a tree."""

from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from xseg.backends.base import CodedBackend, CodedRows
from xseg.core.embedding import Centers, embed_block
from xseg.core.progress import report_progress, run_in_threads
from xseg.core.statistics import CodedBlock
from xseg.exceptions import ParameterError
from xseg.segmenters._learning import NearestSums, Prepared, Space, derive_seed, draw_rows, hash_block

__all__ = [
    "Partition",
    "init_kmeans_plusplus",
    "kmeans",
    "lloyd",
    "reference_partition",
]


_MAX_ROUNDS = 300
_FINE, _COARSE = 1e-7, 1e-4
# The best of the runs, which alone are taken to convergence.
_N_CONVERGED = 3


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
    alone = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)

    def run(start: int) -> Partition:
        means = init_kmeans_plusplus(sample, sample_space, n_clusters, derive_seed(seed, start))
        return lloyd(alone, sample_space, means, _COARSE)

    def converge(found: Partition) -> Partition:
        return lloyd(alone, sample_space, found.centers.means, _FINE)

    runs = run_in_threads(run, range(n_init), sample.n_workers, "running k-means", n_init)
    found = sorted(runs, key=lambda partition: partition.cost)[:_N_CONVERGED]
    if whole:
        found = list(run_in_threads(converge, found, sample.n_workers, "improving k-means", len(found)))
    best = min(found, key=lambda partition: partition.cost)
    return best if whole else lloyd(backend, space, best.centers.means, _COARSE)


def lloyd(backend: CodedBackend, space: Space, means: NDArray[np.float64], tolerance: float = _COARSE) -> Partition:
    """Run Lloyd's algorithm until the cost falls by less than a share `tolerance`."""
    best: Partition | None = None
    for n_rounds in range(_MAX_ROUNDS):
        report_progress("moving centres", n_rounds)
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
