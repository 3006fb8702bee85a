"""Mixtures of products of univariate distributions, estimated by expectation-maximisation.

Numbers have normal distributions and categories tables of probabilities. Many short runs on the sample are followed by
a few long ones (Biernacki, Celeux and Govaert, 2003), and the best of them by a run on all rows.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import add_soft_sums, compute_responsibilities, find_nearest
from xseg._kernels.score_kernels import CURVATURE, KNOT, LEVEL
from xseg.backends.base import CodedBackend, CodedRows
from xseg.core.additive import Scores
from xseg.core.bins import MISSING, N_CODES
from xseg.core.embedding import Centers, Embedding
from xseg.core.progress import report_progress, run_in_threads
from xseg.core.statistics import CodedBlock, fixed_unit
from xseg.segmenters._kmeans import init_kmeans_plusplus, lloyd
from xseg.segmenters._learning import Space, derive_seed, draw_rows, hash_block

__all__ = [
    "Mixture",
    "MixtureEstimate",
    "MixtureSearch",
    "MixtureSpec",
    "NearestCenterModel",
    "ResponsibilityModel",
    "ResponsibilitySums",
    "estimate_on",
    "find_start",
]


_MIN_PROBABILITY = 1e-6
# Log-likelihoods of rows are clipped to this absolute value, so that their fixed-point sums cannot overflow.
_FARTHEST = 2.0**20
_LOW_BITS = 28
LOG_UNIT = 2.0**_LOW_BITS


class ResponsibilityModel(Protocol):
    """Model that computes responsibilities (the E-step): the share of each row that belongs to each component."""

    def __len__(self) -> int:
        """Return the number of components."""
        ...

    def estimate_responsibilities(self, block: CodedBlock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the responsibilities, shape (n_rows, n_components), and the log-likelihood of each row."""
        ...


@dataclass(frozen=True, eq=False)
class MixtureSpec:
    """The family of distributions: their features and the constraints on their parameters.

    Attributes
    ----------
    embedding : Embedding
        Numbers are coordinates, centred and scaled; the other features are looked up.
    n_codes : tuple of int
        Number of categories of each looked-up feature.
    variance_floor : float
        The smallest variance of a coordinate.
    """

    embedding: Embedding
    n_codes: tuple[int, ...]
    variance_floor: float


@dataclass(frozen=True, eq=False)
class Mixture:
    """The parameters of a mixture.

    Attributes
    ----------
    spec : MixtureSpec
        The family of distributions.
    weights : ndarray of shape (n_components,)
        The share of all rows in each component.
    means, variances : ndarray of shape (n_components, n_points)
        Mean and variance of each coordinate.
    probabilities : ndarray of shape (n_components, n_looked_up, 256)
        Probability of each code; 0 for numbers that are no code.
    """

    spec: MixtureSpec
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weights)

    def select_components(self, kept: NDArray[np.intp]) -> "Mixture":
        """Return the mixture of some of the components, in the order given."""
        weights = self.weights[kept]
        return replace(
            self,
            weights=weights / weights.sum(),
            means=self.means[kept],
            variances=self.variances[kept],
            probabilities=self.probabilities[kept],
        )

    @property
    def n_parameters(self) -> int:
        """Number of free parameters."""
        free = 2 * len(self.spec.embedding.coordinates) + sum(count - 1 for count in self.spec.n_codes)
        return len(self) - 1 + len(self) * free

    def scores(self) -> Scores:
        """Return log(weight * density) of each component as a sum over features, in raw units.

        ``log w_s + sum_j log N(z_j; mean_sj, var_sj) + log factor_j``, and log p_sj(code) for looked-up features. A
        missing value is integrated out, so that its part is 0.
        """
        embedding = self.spec.embedding
        scores = Scores.zeros(embedding, len(self))
        scores.bias[:] = np.log(self.weights)
        scores.curves[:, KNOT] = self.means.T
        scores.curves[:, CURVATURE] = -0.5 / self.variances.T
        scores.curves[:, LEVEL] = np.log(embedding.factor)[:, None] - 0.5 * np.log(2 * np.pi * self.variances.T)
        for f, count in enumerate(self.spec.n_codes):
            scores.tables[f, :count] = np.log(self.probabilities[:, f, :count].T)
        return scores

    def estimate_responsibilities(self, block: CodedBlock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the posterior probability of each component for each row, and the log-likelihoods."""
        scores = self.scores().compute(block.codes, block.points)
        shares, logs = np.empty_like(scores), np.empty(len(scores))
        compute_responsibilities(scores, shares, logs)
        return shares, logs


@dataclass(frozen=True, eq=False)
class NearestCenterModel:
    """Model that assigns each row entirely to the nearest of some centres (hard responsibilities)."""

    space: Space
    centers: Centers

    def __len__(self) -> int:
        return len(self.centers)

    def estimate_responsibilities(self, block: CodedBlock) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return 1 for the nearest centre and 0 for the others, and log-likelihoods of 0."""
        labels, best = np.empty(len(block.codes), dtype=np.int32), np.empty(len(block.codes))
        find_nearest(self.space.distances(block, self.centers), labels, best)
        return np.eye(len(self))[labels], np.zeros(len(labels))


class ResponsibilitySums:
    """A statistic: sums over rows weighted by their responsibilities, from which the M-step follows."""

    def __init__(self, spec: MixtureSpec, total_weight: int, model: ResponsibilityModel) -> None:
        embedding, n_components = spec.embedding, len(model)
        shape = (n_components, len(embedding.coordinates))
        self.spec = spec
        self.total_weight = total_weight
        self.model = model
        self.unit = fixed_unit(1.0, total_weight)
        self.units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        self.square_units = np.array([fixed_unit(float(bound) ** 2, total_weight) for bound in embedding.bound])
        self.mass = np.zeros(n_components, dtype=np.int64)
        self.known, self.sums, self.squares = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        self.counts = np.zeros((n_components, len(embedding.looked_up), N_CODES), dtype=np.int64)
        self.fixed_log_likelihood = 0

    def empty(self) -> Self:
        return type(self)(self.spec, self.total_weight, self.model)

    def add(self, block: CodedBlock) -> None:
        embedding = self.spec.embedding
        shares, logs = self.model.estimate_responsibilities(block)
        add_soft_sums(
            block.points,
            block.codes,
            embedding.coordinates,
            embedding.looked_up,
            shares,
            block.weights,
            self.unit,
            self.units,
            self.square_units,
            self.mass,
            self.known,
            self.sums,
            self.squares,
            self.counts,
        )
        self.fixed_log_likelihood += exact_sum(logs, block.weights)

    def merge(self, other: Self) -> None:
        self.mass += other.mass
        self.known += other.known
        self.sums += other.sums
        self.squares += other.squares
        self.counts += other.counts
        self.fixed_log_likelihood += other.fixed_log_likelihood

    @property
    def log_likelihood(self) -> float:
        """The mean log-likelihood of the rows under the model, if that is a mixture."""
        return self.fixed_log_likelihood / LOG_UNIT / self.total_weight

    def masses(self) -> NDArray[np.float64]:
        """Return the weight of each component, shape (n_components,)."""
        return self.mass / self.unit

    def mixture(self) -> Mixture:
        """Return the maximum-likelihood parameters for these responsibilities (the M-step)."""
        # Guards: a component without weight keeps a positive share, so that its logarithm is finite; a coordinate that
        # is missing in all rows of a component has mean 0 and variance 1, those of all rows; and no variance falls
        # below the floor, without which the likelihood is unbounded where a component shrinks to equal rows.
        mass = np.maximum(self.masses(), np.finfo(float).tiny)
        known = self.known / self.unit
        seen = np.maximum(known, np.finfo(float).tiny)
        means = np.where(known > 0, self.sums / self.units / seen, 0.0)
        variances = np.where(known > 0, self.squares / self.square_units / seen - means**2, 1.0)
        return Mixture(
            self.spec,
            mass / mass.sum(),
            means,
            np.maximum(variances, self.spec.variance_floor),
            self._probabilities(),
        )

    def _probabilities(self) -> NDArray[np.float64]:
        probabilities = np.zeros(self.counts.shape)
        for f, count in enumerate(self.spec.n_codes):
            found = self.counts[:, f, :count].astype(np.float64)
            total = found.sum(axis=1, keepdims=True)
            # A component in which no row has a known value gets the frequencies of all rows. No probability falls below
            # a minimum, so that a category unseen in a component does not exclude a row from it.
            found = np.where(total > 0, found, found.sum(axis=0))
            shares = np.maximum(found / found.sum(axis=1, keepdims=True), _MIN_PROBABILITY)
            probabilities[:, f, :count] = shares / shares.sum(axis=1, keepdims=True)
        assert not probabilities[:, :, MISSING].any()
        return probabilities


def exact_sum(logs: NDArray[np.float64], weights: NDArray[np.int64]) -> int:
    """Add log-likelihoods, each rounded once to a multiple of 1 / LOG_UNIT, times their weights."""
    fixed = np.rint(np.clip(logs, -_FARTHEST, _FARTHEST) * LOG_UNIT).astype(np.int64)
    # Split into high and low bits, so that neither product with a weight overflows int64.
    high, low = fixed >> _LOW_BITS, fixed & (2**_LOW_BITS - 1)
    return (int(high @ weights) << _LOW_BITS) + int(low @ weights)


_SHORT = 20
_LONG = 1_000
_SAMPLE_TOLERANCE = 1e-7
_KEPT = 10
_LLOYD_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class MixtureEstimate:
    """A fitted mixture, the mean log-likelihood of the rows under it, and the convergence of its fit."""

    mixture: Mixture
    log_likelihood: float
    masses: NDArray[np.float64]
    n_iter: int
    converged: bool


def run(backend: CodedBackend, total_weight: int, mixture: Mixture, max_iter: int, tolerance: float) -> MixtureEstimate:
    """Iterate E- and M-steps until the mean log-likelihood rises by less than the tolerance."""
    before = -np.inf
    for n_iter in range(1, max_iter + 1):
        report_progress("estimating the mixture", n_iter, max_iter)
        sums = backend.sum(ResponsibilitySums(mixture.spec, total_weight, mixture))
        converged = sums.log_likelihood - before < tolerance
        if converged or n_iter == max_iter:
            return MixtureEstimate(mixture, sums.log_likelihood, sums.masses(), n_iter, converged)
        before, mixture = sums.log_likelihood, sums.mixture()
    raise AssertionError


def estimate_on(
    backend: CodedBackend, total_weight: int, mixture: Mixture, *, max_iter: int, tolerance: float, min_weight: float
) -> MixtureEstimate:
    """Iterate on these rows; remove components with too few rows, one by one, and iterate again."""
    found = run(backend, total_weight, mixture, max_iter, tolerance)
    while len(found.mixture) > 1 and found.masses.min() < min_weight:
        kept = np.delete(np.arange(len(found.mixture)), found.masses.argmin())
        found = run(backend, total_weight, found.mixture.select_components(kept), max_iter, tolerance)
    return found


def find_start(
    spec: MixtureSpec, space: Space, sample: CodedRows, *, n_components: int, n_init: int, min_weight: float, seed: int
) -> MixtureEstimate:
    """Return the best mixture found on the sample."""
    search = MixtureSearch(spec, space, sample, min_weight, seed)
    n_starts = 1 if n_components == 1 else n_init
    workers = sample.n_workers
    short = run_in_threads(
        lambda start: search.run_short(n_components, start), range(n_starts), workers, "starting mixtures", n_starts
    )
    kept = sorted(short, key=_rank)[:_KEPT]
    long = run_in_threads(search.run_to_convergence, kept, workers, "improving mixtures", len(kept))
    return min(long, key=_rank)


def _rank(found: MixtureEstimate) -> tuple[int, float]:
    return -len(found.mixture), -found.log_likelihood


class MixtureSearch:
    """Expectation-maximisation on the sample, whose order and sums do not depend on where the rows are."""

    def __init__(self, spec: MixtureSpec, space: Space, sample: CodedRows, min_weight: float, seed: int) -> None:
        everything = slice(0, sample.n_rows)
        self.block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
        self.rows = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        self.total_weight = int(self.block.weights.sum())
        self.spec = spec
        self.space = Space.from_embedding(space.embedding, self.total_weight)
        self.min_weight = min_weight * self.total_weight / space.total_weight
        self.hashes = hash_block(self.block, seed)
        self.seed = seed

    def run_short(self, n_components: int, start: int) -> MixtureEstimate:
        """Run a few iterations; even starts are clusters of k-means, odd ones single rows."""
        seed = derive_seed(self.seed, start)
        mixture = self._start_at_rows(n_components, seed) if start % 2 else self._clusters(n_components, seed)
        return self._estimate(mixture, _SHORT, 0.0)

    def run_from_centers(self, means: NDArray[np.float64], max_iter: int, tolerance: float) -> MixtureEstimate:
        """Run from the clusters of k-means that starts at some centres."""
        return self._estimate(self._cluster(means), max_iter, tolerance)

    def run_to_convergence(self, found: MixtureEstimate) -> MixtureEstimate:
        """Run until the log-likelihood converges."""
        return self.run_on(found, _LONG, _SAMPLE_TOLERANCE)

    def run_on(self, found: MixtureEstimate, max_iter: int, tolerance: float) -> MixtureEstimate:
        """Run on from what an earlier run ended with."""
        return self._estimate(found.mixture, max_iter, tolerance)

    def _estimate(self, mixture: Mixture, max_iter: int, tolerance: float) -> MixtureEstimate:
        return estimate_on(
            self.rows, self.total_weight, mixture, max_iter=max_iter, tolerance=tolerance, min_weight=self.min_weight
        )

    def _clusters(self, n_components: int, seed: int) -> Mixture:
        """Start from clusters of k-means."""
        return self._cluster(init_kmeans_plusplus(self.rows, self.space, n_components, seed))

    def _cluster(self, means: NDArray[np.float64]) -> Mixture:
        centers = lloyd(self.rows, self.space, means, _LLOYD_TOLERANCE).centers
        return self._estimate_mixture(NearestCenterModel(self.space, centers))

    def _start_at_rows(self, n_components: int, seed: int) -> Mixture:
        """Start from the rows nearest to each of a few rows drawn at random."""
        rows = draw_rows(self.hashes, self.block.weights.astype(np.float64), seed, n_components)
        embedding = self.spec.embedding
        centers = embedding.centers(embedding.matrix(self.block.codes[rows], self.block.points[rows]))
        return self._estimate_mixture(NearestCenterModel(self.space, centers))

    def _estimate_mixture(self, model: NearestCenterModel) -> Mixture:
        return self.rows.sum(ResponsibilitySums(self.spec, self.total_weight, model)).mixture()
