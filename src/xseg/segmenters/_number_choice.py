"""Choice of the number of segments: what a mixture of so many components tells of rows, and not of rows without groups.

For 1, 2, ... components the log-likelihood of the best mixture found is compared with that of the same number of
components on reference rows. These have about the distribution of each column and the correlation of any two, and no
groups: a Gaussian copula, with the distribution of a number replaced by the nearest one with a single peak. The number
with the highest score is chosen,

    score(k) = n (L(k) - L(1) - mean of the references' L(k) - L(1)) - (p(k) - p(1)) log(n) / 2,

where L is the mean log-likelihood of n rows and p the number of parameters: BIC, less what skewed, rounded or
correlated columns gain without any group. As with the gap statistic, 1 can win: there is no structure.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from xseg.backends.base import CodedRows
from xseg.core.bins import MISSING
from xseg.core.embedding import Embedding
from xseg.core.progress import report_progress
from xseg.core.statistics import CodedBlock
from xseg.segmenters._kmeans import init_kmeans_plusplus
from xseg.segmenters._learning import Prepared, Space, derive_seed
from xseg.segmenters._mixture_search import MixtureEstimate, MixtureSearch, MixtureSpec

__all__ = ["MAX_NUMBER_OF_SEGMENTS", "NumberChoice", "choose_number"]


MAX_NUMBER_OF_SEGMENTS = 10
_MAX_ROWS = 2_048
_MAX_CATEGORIES = 32
_MIN_ROWS = 10
_VARIANCE_FLOOR = 0.01
_N_REFERENCES = 3
_N_MORE_REFERENCES = 6
_N_STARTS = 2
_SHORT, _LONG, _TOLERANCE = 5, 40, 1e-4
# Numbers that may score lower, one after another, before larger ones are not tried.
_PATIENCE = 2
# A score this many times its penalty is certain, and needs no further references.
_CERTAIN = 2.0
_STANDARD_DEVIATIONS = 3.0
_PEAK_CELLS = 24
_RIDGE = 1e-6
# Keys of the seeds derived for each part.
_STARTS, _REFERENCES = range(2)


@dataclass(frozen=True, slots=True)
class NumberChoice:
    """Scores of one number of segments.

    Attributes
    ----------
    n_segments : int
        The number.
    log_likelihood : float
        The mean log-likelihood of rows under a mixture of so many components, as far as it exceeds that of one.
    reference : float
        The same of rows without groups, whose columns are distributed and correlated alike.
    bic : float
        The Bayesian information criterion, less that of one component.
    score : float
        Minus half of `bic`, less what as many reference rows gain; the highest is chosen.
    chosen : bool
        Whether this number was chosen.
    """

    n_segments: int
    log_likelihood: float
    reference: float
    bic: float
    score: float
    chosen: bool


def choose_number(prepared: Prepared, most: int, weight_unit: float, seed: int) -> tuple[NumberChoice, ...]:
    """Score numbers of segments from 1 on by mixtures on a sample; the best is marked as chosen.

    Numbers are tried until two in a row score less than the best, or `most` is reached.

    References
    ----------
    Schwarz, "Estimating the dimension of a model", 1978.
    Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic", 2001.
    """
    sample = prepared.sample.take_first(_MAX_ROWS)
    everything = slice(0, sample.n_rows)
    block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
    people = float(block.weights.sum()) / weight_unit
    spec = _describe_mixtures(prepared)
    rows = _Candidates(spec, sample, weight_unit, most, _N_STARTS, derive_seed(seed, _STARTS))
    draw = _make_reference(spec.embedding, block, people)
    penalty = np.log(max(people, 2.0)) / 2

    def make_reference(turn: int) -> _Candidates:
        own = derive_seed(seed, _REFERENCES, turn)
        drawn = draw(np.random.default_rng(own))
        return _Candidates(spec, drawn, 1.0, most, 1, own)

    references = [make_reference(turn) for turn in range(_N_REFERENCES)]
    found: list[NumberChoice] = []
    best = 0
    for number in range(1, most + 1):
        report_progress("choosing the number of segments", number, most)
        gain, n_parameters = rows.gain(number)
        expected = float(np.mean([reference.gain(number)[0] for reference in references]))
        score = people * (gain - expected) - penalty * n_parameters
        bic = 2 * (penalty * n_parameters - people * gain)
        found.append(NumberChoice(number, gain, expected, bic, score, chosen=False))
        if score > found[best].score:
            best = number - 1
        if number - 1 - best >= _PATIENCE:
            break
    if best and found[best].score < _CERTAIN * penalty * rows.gain(best + 1)[1]:
        references += [make_reference(_N_REFERENCES + turn) for turn in range(_N_MORE_REFERENCES)]
        gains = np.array([reference.gain(best + 1)[0] for reference in references])
        if found[best].log_likelihood <= gains.mean() + _STANDARD_DEVIATIONS * gains.std(ddof=1):
            best = 0
    return tuple(replace(choice, chosen=place == best) for place, choice in enumerate(found))


def _describe_mixtures(prepared: Prepared) -> MixtureSpec:
    """Return the family of mixtures, without texts of many categories, whose parameters outnumber what they tell."""
    embedding, bins = prepared.space.embedding, prepared.bins
    few = [f for f, j in enumerate(embedding.looked_up.tolist()) if bins[j].n_codes <= _MAX_CATEGORIES]
    if few or len(embedding.coordinates):
        vectors = tuple(embedding.vectors[f] for f in few)
        embedding = replace(embedding, looked_up=embedding.looked_up[few], vectors=vectors)
    n_codes = tuple(bins[j].n_codes for j in embedding.looked_up.tolist())
    return MixtureSpec(embedding, n_codes, _VARIANCE_FLOOR)


class _Candidates:
    """Mixtures of some rows with 1, 2, ... components, whose starts are the first so many of common rows."""

    def __init__(
        self, spec: MixtureSpec, rows: CodedRows, weight_unit: float, most: int, n_starts: int, seed: int
    ) -> None:
        weight = int(rows.weights[: rows.n_rows].sum())
        space = Space.from_embedding(spec.embedding, weight)
        self._search = MixtureSearch(spec, space, rows, _MIN_ROWS * weight_unit, seed)
        most = min(most, rows.n_rows)
        self._starts = [init_kmeans_plusplus(rows, space, most, derive_seed(seed, start)) for start in range(n_starts)]
        self._found: dict[int, MixtureEstimate] = {}

    def gain(self, number: int) -> tuple[float, int]:
        """Return how much higher the mean log-likelihood is than for one component, and how many parameters more."""
        found, one = self._fit(number), self._fit(1)
        n_parameters = found.mixture.n_parameters - one.mixture.n_parameters
        return found.log_likelihood - one.log_likelihood, n_parameters

    def _fit(self, number: int) -> MixtureEstimate:
        if number not in self._found:
            starts = self._starts[: 1 if number == 1 else None]
            short = [self._search.run_from_centers(start[:number], _SHORT, 0.0) for start in starts]
            best = max(short, key=lambda found: (len(found.mixture), found.log_likelihood))
            self._found[number] = self._search.run_on(best, _LONG, _TOLERANCE)
        return self._found[number]


def _make_reference(
    embedding: Embedding, block: CodedBlock, people: float
) -> Callable[[np.random.Generator], CodedRows]:
    """Return a function that draws rows without groups: a Gaussian copula of the columns of some rows."""
    n_rows = max(min(round(people), _MAX_ROWS), len(block.codes))
    points = {int(j): p for p, j in enumerate(embedding.coordinates)}
    columns = [*points, *embedding.looked_up.tolist()]
    generator = np.random.default_rng(0)
    scores = np.empty((len(block.codes), len(columns)))
    orders, shares = [], []
    for c, j in enumerate(columns):
        values = np.where(block.codes[:, j] == MISSING, -np.inf, block.codes[:, j].astype(np.float64))
        if j in points:
            values = np.where(np.isinf(values), values, block.points[:, points[j]])
        # Equal values are ranked at random, so that a column of few values has normal scores too.
        order = np.lexsort((generator.random(len(values)), values))
        reached = np.cumsum(block.weights[order]) - block.weights[order] / 2
        scores[order, c] = norm.ppf(reached / block.weights.sum())
        share = block.weights[order].astype(np.float64)
        if j in points:
            known = np.isfinite(values[order])
            share[known] *= _single_peak_ratio(values[order][known], share[known])
        orders.append(order)
        shares.append(np.cumsum(share))
    weights = block.weights / block.weights.sum()
    offsets = (scores - weights @ scores) * np.sqrt(weights)[:, None]
    # einsum rather than matmul: BLAS may add in an order that depends on the number of threads.
    covariance = np.einsum("nc,nd->cd", offsets, offsets)
    deviations = np.sqrt(np.diag(covariance))
    root = np.linalg.cholesky(covariance / np.outer(deviations, deviations) + _RIDGE * np.eye(len(columns)))

    def draw(random: np.random.Generator) -> CodedRows:
        normal = np.einsum("nd,cd->nc", random.standard_normal((n_rows, len(columns))), root)
        ranks = norm.cdf(normal / np.sqrt(1 + _RIDGE))
        codes = np.zeros((n_rows, block.codes.shape[1]), dtype=np.uint8)
        drawn = np.zeros((n_rows, block.points.shape[1]), dtype=np.float32)
        for c, j in enumerate(columns):
            place = np.searchsorted(shares[c], ranks[:, c] * shares[c][-1])
            rows = orders[c][np.minimum(place, len(orders[c]) - 1)]
            codes[:, j] = block.codes[rows, j]
            if j in points:
                drawn[:, points[j]] = block.points[rows, points[j]]
        return CodedRows(codes, drawn, np.ones(n_rows, dtype=np.int64), n_rows, n_workers=1)

    return draw


def _single_peak_ratio(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much to reweight sorted values, so that their density rises up to one peak and falls after it."""
    distinct, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights)
    middle = np.cumsum(mass) - mass / 2
    cell = np.unique(np.minimum(middle * _PEAK_CELLS // mass.sum(), _PEAK_CELLS - 1), return_inverse=True)[1]
    if cell[-1] < 2:
        return np.ones(len(values))
    first = distinct[np.searchsorted(cell, np.arange(cell[-1] + 1))]
    last = distinct[np.searchsorted(cell, np.arange(cell[-1] + 1), side="right") - 1]
    inner = (last[:-1] + first[1:]) / 2
    # An outer cell of one value is as wide on the outside as on the inside.
    low = first[0] - (inner[0] - first[0] if first[0] == last[0] else 0)
    high = last[-1] + (last[-1] - inner[-1] if first[-1] == last[-1] else 0)
    width = np.diff(np.concatenate([[low], inner, [high]]))
    cell_mass = np.bincount(cell, mass)
    density = _fit_single_peak(cell_mass / width, width)
    ratio = density * width / cell_mass
    return np.asarray(ratio[cell][place])


def _fit_single_peak(density: NDArray[np.float64], width: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest function, in weighted squares, that rises up to a peak and falls after it."""
    best, smallest = density, np.inf
    for peak in range(len(density) + 1):
        rising = _fit_rising(density[:peak], width[:peak])
        falling = _fit_rising(density[peak:][::-1], width[peak:][::-1])[::-1]
        fitted = np.concatenate([rising, falling])
        error = float(width @ (fitted - density) ** 2)
        if error < smallest:
            best, smallest = fitted, error
    return best


def _fit_rising(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest rising sequence, by pooling neighbours that fall (pool adjacent violators)."""
    pools: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            last, before = pools.pop(), pools[-1]
            total = before[1] + last[1]
            pools[-1] = [(before[0] * before[1] + last[0] * last[1]) / total, total, before[2] + last[2]]
    return np.repeat([pool[0] for pool in pools], [int(pool[2]) for pool in pools]) if pools else values
