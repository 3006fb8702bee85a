"""Finding centres: spread-out starts and exchanges on the sample, then moves on all rows.

Centres move to the best place for their people and people to the nearest centre (Lloyd's alternation, with medians
and modes). Between such runs a centre may be exchanged for a row drawn in proportion to its distance, the exchange
being scored for all centres at once (Lattanzi and Sohler, 2019; Schubert and Rousseeuw, 2021).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.additive import best_two
from xseg._kernels.prototypes import swap_costs
from xseg.backends.base import CodedBackend
from xseg.backends.coded import CodedRows
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning.sample import draw_rows, hash_block
from xseg.segmenters._prototypes.space import Centres, PrototypeSpace
from xseg.segmenters._prototypes.sums import NearestCounts

__all__ = ["Found", "alternate", "find", "settle"]

_N_CANDIDATES = 8
_MAX_FAILURES = 10
_N_TRIES = 6
_START_ROUNDS = 12
_EXCHANGES_PER_CENTRE = 8
_WORTH_IT = 1e-4
_SHORT = 3
_MIN_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class Found:
    """Centres, the summed distance of the rows to the nearest of them, and how much weight each has."""

    centres: Centres
    cost: float
    mass: NDArray[np.int64]
    n_rounds: int = 0

    def holds(self, min_weight: int) -> bool:
        """Whether every centre has enough people."""
        return int(self.mass.min()) >= min_weight


def find(
    space: PrototypeSpace, sample: CodedRows, *, n_centres: int, n_init: int, max_iter: int, min_weight: int, seed: int
) -> Found:
    """Return the best centres that several starts and exchanges lead to on the sample."""
    hunt = _Hunt(space, sample, max_iter, min_weight, seed)
    with ThreadPoolExecutor(sample.n_workers) as pool:
        starts = list(pool.map(lambda start: hunt.start(n_centres, start), range(n_init)))
    best = min(starts, key=lambda found: (-len(found.centres), found.cost))
    return hunt.exchange(best)


def alternate(backend: CodedBackend, space: PrototypeSpace, centres: Centres, max_iter: int, tolerance: float) -> Found:
    """Move centres and people in turn until the cost stops falling."""
    best: Found | None = None
    for n_rounds in range(1, max_iter + 1):
        counted = backend.sum(NearestCounts(space, centres))
        gained = np.inf if best is None else best.cost - counted.cost
        if gained > 0:
            best = Found(centres, counted.cost, counted.mass, n_rounds)
        if best is None or gained <= tolerance * best.cost:
            break
        centres = counted.moved()
    assert best is not None
    return best


def settle(
    backend: CodedBackend, space: PrototypeSpace, found: Found, max_iter: int, tolerance: float, min_weight: int
) -> Found:
    """Alternate on all rows; a centre with too few people goes, and its people go to the next nearest."""
    settled = _largest_first(backend, space, alternate(backend, space, found.centres, max_iter, tolerance))
    while not settled.holds(min_weight) and len(settled.centres) > 1:
        kept = np.delete(np.arange(len(settled.centres)), settled.mass.argmin())
        moved = alternate(backend, space, settled.centres[kept], max_iter, tolerance)
        settled = _largest_first(backend, space, moved)
    return settled


def _largest_first(backend: CodedBackend, space: PrototypeSpace, found: Found) -> Found:
    """Order the centres by how many people they have; people as near to two are with the first, so count again."""
    for _ in range(len(found.centres)):
        order = np.argsort(-found.mass, kind="stable")
        if (order == np.arange(len(order))).all():
            break
        counted = backend.sum(NearestCounts(space, found.centres[order]))
        found = Found(counted.centres, counted.cost, counted.mass, found.n_rounds)
    return found


class _Hunt:
    """A search on the sample, whose order and sums are the same everywhere."""

    def __init__(self, space: PrototypeSpace, sample: CodedRows, max_iter: int, min_weight: int, seed: int) -> None:
        everything = slice(0, sample.n_rows)
        self.block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
        self.rows = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        self.space = space.scaled_to(int(self.block.weights.sum()))
        self.weights = self.block.weights.astype(np.float64)
        self.max_iter = max_iter
        share = min_weight / space.total_weight
        self.min_weight = max(1, int(np.ceil(share * self.space.total_weight - 1e-9)))
        self.seed = seed * 1_000_003
        self.hashes = hash_block(self.block, seed)

    def start(self, n_centres: int, start: int) -> Found:
        """Spread centres out, alternate, and return a centre with too few people another place."""
        seed = self.seed + 7_919 * start
        n_rounds = min(self.max_iter, _START_ROUNDS)
        found = self._alternate(self._spread(n_centres, seed), n_rounds)
        for attempt in range(1, _N_TRIES + 1):
            if found.holds(self.min_weight):
                break
            large = found.centres[np.flatnonzero(found.mass >= self.min_weight)]
            found = self._alternate(self._filled(large, n_centres, seed + 31 * attempt, near=True), n_rounds)
        return settle(self.rows, self.space, found, n_rounds, _MIN_GAIN, self.min_weight)

    def exchange(self, best: Found) -> Found:
        """Exchange centres for rows as long as that helps."""
        failures = 0
        for attempt in range(_EXCHANGES_PER_CENTRE * len(best.centres)):
            tried = self._best_exchange(best, self.seed + 104_729 * attempt)
            helps = tried.cost < best.cost * (1 - _WORTH_IT) and tried.holds(self.min_weight)
            best, failures = (tried, 0) if helps else (best, failures + 1)
            if failures == _MAX_FAILURES:
                break
        return self._alternate(best.centres, self.max_iter)

    def _best_exchange(self, found: Found, seed: int) -> Found:
        distances = self.space.distances(self.block, found.centres)
        nearest, second = np.empty(len(distances), dtype=np.int64), np.empty(len(distances), dtype=np.int64)
        best_two(-distances, nearest, second)
        row = np.arange(len(distances))
        to_nearest = distances[row, nearest]
        to_second = distances[row, second] if len(found.centres) > 1 else np.full(len(distances), np.inf)
        candidates = self.space.at(self.block, draw_rows(self.hashes, self.weights * to_nearest, seed, _N_CANDIDATES))
        costs = np.empty((_N_CANDIDATES, len(found.centres)))
        to_candidates = self.space.distances(self.block, candidates)
        swap_costs(to_candidates, nearest, to_nearest, to_second, self.weights, costs)
        candidate, place = divmod(int(costs.argmin()), len(found.centres))
        return self._alternate(found.centres.with_one(place, candidates, candidate), _SHORT)

    def _spread(self, n_centres: int, seed: int) -> Centres:
        """Choose rows far from each other."""
        first = draw_rows(self.hashes, self.weights, seed, 1)
        return self._filled(self.space.at(self.block, first), n_centres, seed, near=False)

    def _filled(self, centres: Centres, n_centres: int, seed: int, *, near: bool) -> Centres:
        """Add rows until there are enough centres; `near` looks among people like others, who gather more of them.

        Each is the best of a few drawn at random, otherwise in proportion to their distance (Arthur and
        Vassilvitskii, 2007).
        """
        if not len(centres):
            return self._spread(n_centres, seed)
        n_draws = 2 + int(np.log(n_centres))
        closest = self.space.distances(self.block, centres).min(axis=1)
        while len(centres) < n_centres:
            odds = self.weights if near else self.weights * closest
            candidates = self.space.at(self.block, draw_rows(self.hashes, odds, seed + len(centres), n_draws))
            left = np.minimum(self.space.distances(self.block, candidates), closest[:, None])
            chosen = int((left * self.weights[:, None]).sum(axis=0).argmin())
            centres, closest = centres.and_one(candidates, chosen), left[:, chosen]
        return centres

    def _alternate(self, centres: Centres, max_iter: int) -> Found:
        return alternate(self.rows, self.space, centres, max_iter, _MIN_GAIN)
