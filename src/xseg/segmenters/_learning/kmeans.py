"""The reference: k-means in the metric space, by sums only."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedBackend
from xseg.backends.coded import CodedRows
from xseg.core.embedding import Centers
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning.sample import draw_rows, hash_block
from xseg.segmenters._learning.space import NearestSums, Space

__all__ = ["Partition", "kmeans", "lloyd", "seeded_means"]

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
    sample_space = Space.of(space.embedding, int(sample.weights[: sample.n_rows].sum()))
    tolerance = _FINE if whole else _COARSE

    def run(start: int) -> Partition:
        means = seeded_means(sample, sample_space, n_clusters, seed * 1_000_003 + start)
        alone = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        return lloyd(alone, sample_space, means, tolerance)

    with ThreadPoolExecutor(sample.n_workers) as pool:
        best = min(pool.map(run, range(n_init)), key=lambda partition: partition.cost)
    return best if whole else lloyd(backend, space, best.centers.means, tolerance)


def lloyd(backend: CodedBackend, space: Space, means: NDArray[np.float64], tolerance: float = _COARSE) -> Partition:
    """Move the centres to the means of the rows nearest to them until the cost stops falling."""
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


def seeded_means(sample: CodedRows, space: Space, n_clusters: int, seed: int) -> NDArray[np.float64]:
    """Choose rows far from each other, by races whose clocks are hashes of the rows."""
    everything = slice(0, sample.n_rows)
    block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
    matrix = space.embedding.matrix
    hashes = hash_block(block, seed)
    n_trials = 2 + int(log(n_clusters))
    chosen: list[int] = []
    closest = np.full(sample.n_rows, np.inf)
    for step in range(n_clusters):
        odds = block.weights * (closest if chosen else 1.0)
        trials = draw_rows(hashes, odds, seed + step, n_trials if chosen else 1)
        means = matrix(block.codes[trials], block.points[trials])
        distances = np.minimum(space.distances(block, space.embedding.centers(means)), closest[:, None])
        winner = int((block.weights @ distances).argmin())
        chosen.append(int(trials[winner]))
        closest = distances[:, winner]
    return matrix(block.codes[chosen], block.points[chosen])
