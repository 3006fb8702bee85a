"""Expectation-maximisation: many short runs on the sample, a few long ones, and the best of them on all rows.

Short runs from many starts before long ones follow Biernacki, Celeux and Govaert (2003).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedBackend
from xseg.backends.coded import CodedRows
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning.kmeans import lloyd, seeded_means
from xseg.segmenters._learning.sample import draw_rows, hash_block
from xseg.segmenters._learning.space import Space
from xseg.segmenters._mixtures.mixture import Mixture, NearestCentre, SoftSums, Spread

__all__ = ["Estimate", "estimate_on", "find_start"]

_SHORT = 20
_LONG = 1_000
_SAMPLE_TOLERANCE = 1e-7
_KEPT = 10
_LLOYD_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mixture, the mean log-likelihood of the rows under it, and how it was reached."""

    mixture: Mixture
    log_likelihood: float
    masses: NDArray[np.float64]
    n_iter: int
    converged: bool


def run(backend: CodedBackend, total_weight: int, mixture: Mixture, max_iter: int, tolerance: float) -> Estimate:
    """Iterate until the mean log-likelihood rises by less than the tolerance."""
    before = -np.inf
    for n_iter in range(1, max_iter + 1):
        sums = backend.sum(SoftSums(mixture.spread, total_weight, mixture))
        converged = sums.log_likelihood - before < tolerance
        if converged or n_iter == max_iter:
            return Estimate(mixture, sums.log_likelihood, sums.masses(), n_iter, converged)
        before, mixture = sums.log_likelihood, sums.mixture()
    raise AssertionError


def estimate_on(
    backend: CodedBackend, total_weight: int, mixture: Mixture, *, max_iter: int, tolerance: float, min_weight: float
) -> Estimate:
    """Iterate on these rows; a component with too few people goes, and its people are shared out anew."""
    found = run(backend, total_weight, mixture, max_iter, tolerance)
    while len(found.mixture) > 1 and found.masses.min() < min_weight:
        kept = np.delete(np.arange(len(found.mixture)), found.masses.argmin())
        found = run(backend, total_weight, found.mixture.keeping(kept), max_iter, tolerance)
    return found


def find_start(
    spread: Spread, space: Space, sample: CodedRows, *, n_components: int, n_init: int, min_weight: float, seed: int
) -> Estimate:
    """Return the best mixture found on the sample."""
    search = _Search(spread, space, sample, min_weight, seed)
    n_starts = 1 if n_components == 1 else n_init
    with ThreadPoolExecutor(sample.n_workers) as pool:
        short = list(pool.map(lambda start: search.short(n_components, start), range(n_starts)))
        short.sort(key=_rank)
        long = list(pool.map(search.long, short[:_KEPT]))
    return min(long, key=_rank)


def _rank(found: Estimate) -> tuple[int, float]:
    return -len(found.mixture), -found.log_likelihood


class _Search:
    """Runs on the sample, whose order and sums are the same everywhere."""

    def __init__(self, spread: Spread, space: Space, sample: CodedRows, min_weight: float, seed: int) -> None:
        everything = slice(0, sample.n_rows)
        self.block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
        self.rows = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        self.total_weight = int(self.block.weights.sum())
        self.spread = spread
        self.space = Space.of(space.embedding, self.total_weight)
        self.min_weight = min_weight * self.total_weight / space.total_weight
        self.hashes = hash_block(self.block, seed)
        self.seed = seed * 1_000_003

    def short(self, n_components: int, start: int) -> Estimate:
        """Run for a few iterations; starts take turns between clusters and single rows."""
        seed = self.seed + 7_919 * start
        mixture = self._around_rows(n_components, seed) if start % 2 else self._clusters(n_components, seed)
        return self._estimate(mixture, _SHORT, 0.0)

    def long(self, found: Estimate) -> Estimate:
        """Run until nothing changes."""
        return self._estimate(found.mixture, _LONG, _SAMPLE_TOLERANCE)

    def _estimate(self, mixture: Mixture, max_iter: int, tolerance: float) -> Estimate:
        return estimate_on(
            self.rows, self.total_weight, mixture, max_iter=max_iter, tolerance=tolerance, min_weight=self.min_weight
        )

    def _clusters(self, n_components: int, seed: int) -> Mixture:
        """Start from clusters of k-means."""
        means = seeded_means(self.rows, self.space, n_components, seed)
        centers = lloyd(self.rows, self.space, means, _LLOYD_TOLERANCE).centers
        return self._after(NearestCentre(self.space, centers))

    def _around_rows(self, n_components: int, seed: int) -> Mixture:
        """Start from the people nearest to each of a few rows drawn at random."""
        rows = draw_rows(self.hashes, self.block.weights.astype(np.float64), seed, n_components)
        embedding = self.spread.embedding
        centers = embedding.centers(embedding.matrix(self.block.codes[rows], self.block.points[rows]))
        return self._after(NearestCentre(self.space, centers))

    def _after(self, judge: NearestCentre) -> Mixture:
        return self.rows.sum(SoftSums(self.spread, self.total_weight, judge)).mixture()
