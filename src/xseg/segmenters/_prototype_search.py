"""Search for prototypes: starts and exchanges on the sample, then updates on all rows.

Centres are updated to the optimum for their rows, and rows are assigned to the nearest centre (Lloyd's alternation,
with medians and modes). Between such runs a centre may be exchanged for a row drawn in proportion to its distance; the
exchange is evaluated for all centres at once (Lattanzi and Sohler, 2019; Schubert and Rousseeuw, 2021). Invariant: the
best solution is replaced only by one of lower cost whose centres all have at least `min_weight`. Distances are sums
over features, in which a missing value has no part.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import add_code_counts, add_group_sums, add_level_sums, find_nearest, swap_costs
from xseg._kernels.score_kernels import CURVATURE, KNOT, SLOPE, best_two
from xseg.backends.base import CodedBackend, CodedRows
from xseg.core.additive import Scores
from xseg.core.bins import MISSING, N_CODES
from xseg.core.embedding import Embedding
from xseg.core.progress import report_progress, run_in_threads
from xseg.core.statistics import CodedBlock, fixed_unit
from xseg.segmenters._learning import derive_seed, draw_rows, hash_block

__all__ = [
    "METRICS",
    "Levels",
    "NearestCounts",
    "PrototypePositions",
    "PrototypeSolution",
    "PrototypeSpace",
    "alternate",
    "converge",
    "search_prototypes",
]


METRICS = {"gower": 1, "manhattan": 1, "squared": 2}


@dataclass(frozen=True, eq=False)
class PrototypePositions:
    """Positions of prototypes (centres).

    Attributes
    ----------
    numbers : ndarray of shape (n_centres, n_points)
        Their coordinates.
    codes : ndarray of shape (n_centres, n_looked_up)
        Their codes of the features that are looked up.
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: NDArray[np.intp] | slice) -> "PrototypePositions":
        return PrototypePositions(self.numbers[which], self.codes[which])

    def replace_one(self, place: int, other: "PrototypePositions", which: int) -> "PrototypePositions":
        """Return the centres with one of them replaced by one of `other`."""
        numbers, codes = self.numbers.copy(), self.codes.copy()
        numbers[place], codes[place] = other.numbers[which], other.codes[which]
        return PrototypePositions(numbers, codes)

    def append_one(self, other: "PrototypePositions", which: int) -> "PrototypePositions":
        """Return the centres with one of `other` appended."""
        chosen = slice(which, which + 1)
        return PrototypePositions(
            np.vstack([self.numbers, other.numbers[chosen]]), np.vstack([self.codes, other.codes[chosen]])
        )


@dataclass(frozen=True, eq=False)
class PrototypeSpace:
    """A distance that adds weighted differences (or their squares) over the features whose value is known.

    Attributes
    ----------
    embedding : Embedding
        Coordinates and looked-up features, weights included.
    n_features : int
        Number of features, those without a part in the distance included.
    squared : bool
        Whether differences are squared.
    levels : ndarray of shape (n_points, 256)
        For each code of a coordinate, the mean coordinate of the rows that have it.
    overall : PrototypePositions
        The centre of all rows, which replaces missing values.
    pairs : tuple of ndarray of shape (256, 256)
        For each looked-up feature, the distance between any two codes; 0 to a missing one.
    total_weight : int
        The weight of the rows.
    units : ndarray of shape (n_points,)
        The fixed-point units of sums of coordinates.
    cost_unit : float
        That of sums of distances.
    """

    embedding: Embedding
    n_features: int
    squared: bool
    levels: NDArray[np.float64]
    overall: PrototypePositions
    pairs: tuple[NDArray[np.float64], ...]
    total_weight: int
    units: NDArray[np.float64]
    cost_unit: float

    @classmethod
    def from_embedding(
        cls,
        embedding: Embedding,
        *,
        n_features: int,
        squared: bool,
        levels: NDArray[np.float64],
        overall: PrototypePositions,
        total_weight: int,
    ) -> Self:
        """Choose the units for rows of this total weight."""
        reach = 2 * embedding.bound
        largest = float((reach**2 if squared else reach).sum())
        pairs = code_distances(embedding, squared=squared)
        largest += sum(float(pair.max()) for pair in pairs)
        units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        return cls(
            embedding,
            n_features,
            squared,
            levels,
            overall,
            pairs,
            total_weight,
            units,
            fixed_unit(largest, total_weight),
        )

    @cached_property
    def on_line(self) -> NDArray[np.bool_]:
        """Whether the codes of each looked-up feature lie on a line, as those with an order do."""
        return np.array([vectors.shape[1] == 1 for vectors in self.embedding.vectors], dtype=bool)

    @cached_property
    def line_positions(self) -> NDArray[np.float64]:
        """The places of the codes of these features, shape (n_features_on_line, 255)."""
        lines = [vectors[:MISSING, 0] for vectors in self.embedding.vectors if vectors.shape[1] == 1]
        return np.array(lines).reshape(-1, MISSING)

    def scaled_to(self, total_weight: int) -> "PrototypeSpace":
        """Return the same distance for other rows."""
        return PrototypeSpace.from_embedding(
            self.embedding,
            n_features=self.n_features,
            squared=self.squared,
            levels=self.levels,
            overall=self.overall,
            total_weight=total_weight,
        )

    def recentred_on(self, overall: PrototypePositions) -> "PrototypeSpace":
        """Return the same distance with another centre of all rows."""
        return replace(self, overall=overall)

    def scores(self, centres: PrototypePositions) -> Scores:
        """Return the negative distance to each centre as a sum over features."""
        scores = Scores.zeros(self.embedding, len(centres))
        scores.curves[:, KNOT] = centres.numbers.T
        scores.curves[:, CURVATURE if self.squared else SLOPE] = -1.0
        for f, pair in enumerate(self.pairs):
            scores.tables[f] = -pair[:, centres.codes[:, f]]
        return scores

    def distances(self, block: CodedBlock, centres: PrototypePositions) -> NDArray[np.float64]:
        """Return the distance of each row to each centre, shape (n_rows, n_centres)."""
        return -self.scores(centres).compute(block.codes, block.points)

    def at(self, block: CodedBlock, rows: NDArray[np.intp]) -> PrototypePositions:
        """Return centres at some rows; missing values are those of the centre of all rows."""
        coordinates, looked_up = self.embedding.coordinates, self.embedding.looked_up
        codes = block.codes[rows]
        numbers = np.where(codes[:, coordinates] == MISSING, self.overall.numbers, block.points[rows])
        return PrototypePositions(
            numbers.astype(np.float64),
            np.where(codes[:, looked_up] == MISSING, self.overall.codes, codes[:, looked_up]),
        )


def code_distances(embedding: Embedding, *, squared: bool) -> tuple[NDArray[np.float64], ...]:
    """Return, for each looked-up feature, the distance between any two codes, shape (256, 256)."""
    distances = []
    for vectors in embedding.vectors:
        between = np.sqrt(((vectors[:, None, :] - vectors[None, :, :]) ** 2).sum(axis=2))
        between[MISSING, :] = between[:, MISSING] = 0.0
        distances.append(between**2 if squared else between)
    return tuple(distances)


class Levels:
    """A statistic: the sum of the points that have each code of each coordinate, and their weight."""

    def __init__(self, embedding: Embedding, total_weight: int) -> None:
        self.embedding = embedding
        self.total_weight = total_weight
        self.units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        self.sums = np.zeros((len(embedding.coordinates), N_CODES), dtype=np.int64)
        self.counts = np.zeros_like(self.sums)

    def empty(self) -> Self:
        return type(self)(self.embedding, self.total_weight)

    def add(self, block: CodedBlock) -> None:
        coordinates = self.embedding.coordinates
        add_level_sums(block.points, block.codes, coordinates, block.weights, self.units, self.sums, self.counts)

    def merge(self, other: Self) -> None:
        self.sums += other.sums
        self.counts += other.counts

    def means(self) -> NDArray[np.float64]:
        """Return the mean coordinate of each code, rounded as coordinates are, so that equal ones are unchanged."""
        means = self.sums / self.units[:, None] / np.maximum(self.counts, 1)
        return np.asarray(means.astype(np.float32), dtype=np.float64)


_NONE = np.empty(0, dtype=np.int64)


class NearestCounts:
    """A statistic: counts of codes and sums of points of the rows nearest to each centre, and their distance."""

    def __init__(self, space: PrototypeSpace, centres: PrototypePositions) -> None:
        self.space = space
        self.centres = centres
        self.scores = space.scores(centres)
        self.counts = np.zeros((len(centres), space.n_features, N_CODES), dtype=np.int64)
        self.sums = np.zeros((len(centres), len(space.embedding.coordinates)), dtype=np.int64)
        self.mass = np.zeros(len(centres), dtype=np.int64)
        self.fixed_cost = 0

    def empty(self) -> Self:
        return type(self)(self.space, self.centres)

    def add(self, block: CodedBlock) -> None:
        space = self.space
        labels, best = np.empty(len(block.codes), dtype=np.int32), np.empty(len(block.codes))
        find_nearest(-self.scores.compute(block.codes, block.points), labels, best)
        add_code_counts(block.codes, labels, block.weights, self.counts)
        no_counts = self.counts[:, :0]
        add_group_sums(
            block.points, block.codes, _NONE, labels, block.weights, space.units, self.sums, no_counts, self.mass
        )
        self.fixed_cost += int(np.rint(best * space.cost_unit).astype(np.int64) @ block.weights)

    def merge(self, other: Self) -> None:
        self.counts += other.counts
        self.sums += other.sums
        self.mass += other.mass
        self.fixed_cost += other.fixed_cost

    @property
    def cost(self) -> float:
        """The summed distance of the rows to their nearest centre."""
        return self.fixed_cost / self.space.cost_unit

    def compute_centres(self) -> PrototypePositions:
        """Return the optimal centre of the rows of each centre: mean, median or mode, feature by feature."""
        embedding = self.space.embedding
        known = self.counts[:, embedding.coordinates, :MISSING]
        if self.space.squared:
            weight = known.sum(axis=2)
            numbers = self.sums / self.space.units / np.maximum(weight, 1)
            numbers = np.where(weight > 0, numbers, self.centres.numbers)
        else:
            numbers = _medians(known, self.space.levels, self.centres.numbers)
        codes = _middle_codes(self.counts[:, embedding.looked_up, :MISSING], self.space, self.centres.codes)
        return PrototypePositions(numbers, codes)


def _medians(
    known: NDArray[np.int64], levels: NDArray[np.float64], unknown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the level of the median row of each group in each coordinate, shape (n_groups, n_points)."""
    code, total = _median_codes(known)
    return np.where(total > 0, levels[np.arange(len(levels)), code], unknown)


def _median_codes(known: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return the code of the median row of each group in each feature, and the weight of the rows."""
    reached = np.cumsum(known, axis=2)
    total = reached[:, :, -1]
    return (2 * reached >= total[:, :, None]).argmax(axis=2), total


def _middle_codes(known: NDArray[np.int64], space: PrototypeSpace, unknown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the code nearest to the rows of each group: the most frequent category, or the middle of an order.

    The distance between any two categories is the same, so that the most frequent one is nearest to all rows. Codes of
    an order lie on a line: the summed distance is lowest at the median, and the squared one nearest to the mean.
    """
    middle = known.argmax(axis=2)
    on_line = space.on_line
    if on_line.any():
        if space.squared:
            middle[:, on_line] = _nearest_to_means(known[:, on_line], space.line_positions)
        else:
            middle[:, on_line] = _median_codes(known[:, on_line])[0]
    return np.where(known.any(axis=2), middle, unknown).astype(np.uint8)


def _nearest_to_means(known: NDArray[np.int64], positions: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return, of the codes that any row has, the one nearest to the mean position of each group."""
    total = np.maximum(known.sum(axis=2), 1)
    means = np.einsum("gfa,fa->gf", known, positions) / total
    offsets = np.where(known.any(axis=0), np.abs(positions - means[:, :, None]), np.inf)
    return np.asarray(offsets.argmin(axis=2))


_N_CANDIDATES = 8
_MAX_FAILURES = 10
_N_TRIES = 6
_START_ROUNDS = 12
# Keys of the seeds derived for each part of a search.
_STARTS, _EXCHANGES = range(2)
_EXCHANGES_PER_CENTRE = 8
_MIN_EXCHANGE_GAIN = 1e-4
_SHORT = 3
_MIN_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class PrototypeSolution:
    """Centres, the summed distance of the rows to the nearest of them, and the weight of the rows of each."""

    centres: PrototypePositions
    cost: float
    mass: NDArray[np.int64]
    n_rounds: int = 0

    def holds(self, min_weight: int) -> bool:
        """Return whether every centre has at least this weight of rows."""
        return int(self.mass.min()) >= min_weight


def search_prototypes(
    space: PrototypeSpace, sample: CodedRows, *, n_centres: int, n_init: int, max_iter: int, min_weight: int, seed: int
) -> PrototypeSolution:
    """Return the best centres found on the sample, by several starts and then exchanges."""
    search = _PrototypeSearch(space, sample, max_iter, min_weight, seed)
    starts = run_in_threads(
        lambda start: search.start(n_centres, start), range(n_init), sample.n_workers, "starting prototypes", n_init
    )
    best = min(starts, key=lambda found: (-len(found.centres), found.cost))
    return search.exchange(best)


def alternate(
    backend: CodedBackend, space: PrototypeSpace, centres: PrototypePositions, max_iter: int, tolerance: float
) -> PrototypeSolution:
    """Update centres and assign rows in turn until the cost falls by less than a share `tolerance`."""
    best: PrototypeSolution | None = None
    for n_rounds in range(1, max_iter + 1):
        report_progress("moving prototypes", n_rounds, max_iter)
        counted = backend.sum(NearestCounts(space, centres))
        gained = np.inf if best is None else best.cost - counted.cost
        if gained > 0:
            best = PrototypeSolution(centres, counted.cost, counted.mass, n_rounds)
        if best is None or gained <= tolerance * best.cost:
            break
        centres = counted.compute_centres()
    assert best is not None
    return best


def converge(
    backend: CodedBackend,
    space: PrototypeSpace,
    found: PrototypeSolution,
    max_iter: int,
    tolerance: float,
    min_weight: int,
) -> PrototypeSolution:
    """Alternate on all rows; remove centres with too few rows, one by one, and alternate again."""
    settled = _sort_by_size(backend, space, alternate(backend, space, found.centres, max_iter, tolerance))
    while not settled.holds(min_weight) and len(settled.centres) > 1:
        kept = np.delete(np.arange(len(settled.centres)), settled.mass.argmin())
        moved = alternate(backend, space, settled.centres[kept], max_iter, tolerance)
        settled = _sort_by_size(backend, space, moved)
    return settled


def _sort_by_size(backend: CodedBackend, space: PrototypeSpace, found: PrototypeSolution) -> PrototypeSolution:
    """Sort centres by weight; a row equally near to two belongs to the first, so rows are counted again."""
    for _ in range(len(found.centres)):
        order = np.argsort(-found.mass, kind="stable")
        if (order == np.arange(len(order))).all():
            break
        counted = backend.sum(NearestCounts(space, found.centres[order]))
        found = PrototypeSolution(counted.centres, counted.cost, counted.mass, found.n_rounds)
    return found


class _PrototypeSearch:
    """Search on the sample, whose order and sums do not depend on where the rows are."""

    def __init__(self, space: PrototypeSpace, sample: CodedRows, max_iter: int, min_weight: int, seed: int) -> None:
        everything = slice(0, sample.n_rows)
        self.block = CodedBlock(sample.codes[everything], sample.points[everything], sample.weights[everything])
        self.rows = CodedRows(sample.codes, sample.points, sample.weights, sample.n_rows, n_workers=1)
        self.space = space.scaled_to(int(self.block.weights.sum()))
        self.weights = self.block.weights.astype(np.float64)
        self.max_iter = max_iter
        share = min_weight / space.total_weight
        self.min_weight = max(1, int(np.ceil(share * self.space.total_weight - 1e-9)))
        self.seed = seed
        self.hashes = hash_block(self.block, seed)

    def start(self, n_centres: int, start: int) -> PrototypeSolution:
        """Choose centres far from each other and alternate; replace centres with too few rows and try again."""
        seed = derive_seed(self.seed, _STARTS, start)
        n_rounds = min(self.max_iter, _START_ROUNDS)
        found = self._alternate(self._choose_distant_rows(n_centres, seed), n_rounds)
        for attempt in range(1, _N_TRIES + 1):
            if found.holds(self.min_weight):
                break
            large = found.centres[np.flatnonzero(found.mass >= self.min_weight)]
            found = self._alternate(
                self._add_centres(large, n_centres, derive_seed(seed, attempt), near=True), n_rounds
            )
        return converge(self.rows, self.space, found, n_rounds, _MIN_GAIN, self.min_weight)

    def exchange(self, best: PrototypeSolution) -> PrototypeSolution:
        """Exchange centres for rows until ten exchanges in a row do not lower the cost enough."""
        failures = 0
        for attempt in range(_EXCHANGES_PER_CENTRE * len(best.centres)):
            tried = self._best_exchange(best, derive_seed(self.seed, _EXCHANGES, attempt))
            helps = tried.cost < best.cost * (1 - _MIN_EXCHANGE_GAIN) and tried.holds(self.min_weight)
            best, failures = (tried, 0) if helps else (best, failures + 1)
            if failures == _MAX_FAILURES:
                break
        return self._alternate(best.centres, self.max_iter)

    def _best_exchange(self, found: PrototypeSolution, seed: int) -> PrototypeSolution:
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
        return self._alternate(found.centres.replace_one(place, candidates, candidate), _SHORT)

    def _choose_distant_rows(self, n_centres: int, seed: int) -> PrototypePositions:
        """Choose rows far from each other."""
        first = draw_rows(self.hashes, self.weights, seed, 1)
        return self._add_centres(self.space.at(self.block, first), n_centres, seed, near=False)

    def _add_centres(self, centres: PrototypePositions, n_centres: int, seed: int, *, near: bool) -> PrototypePositions:
        """Add rows as centres until there are enough.

        Each is the best of a few candidates. They are drawn in proportion to weight times distance (k-means++, Arthur
        and Vassilvitskii, 2007), or with `near` in proportion to weight, which favours dense regions, whose centres get
        enough rows.
        """
        if not len(centres):
            return self._choose_distant_rows(n_centres, seed)
        n_draws = 2 + int(np.log(n_centres))
        closest = self.space.distances(self.block, centres).min(axis=1)
        while len(centres) < n_centres:
            odds = self.weights if near else self.weights * closest
            candidates = self.space.at(
                self.block, draw_rows(self.hashes, odds, derive_seed(seed, len(centres)), n_draws)
            )
            left = np.minimum(self.space.distances(self.block, candidates), closest[:, None])
            chosen = int((left * self.weights[:, None]).sum(axis=0).argmin())
            centres, closest = centres.append_one(candidates, chosen), left[:, chosen]
        return centres

    def _alternate(self, centres: PrototypePositions, max_iter: int) -> PrototypeSolution:
        return alternate(self.rows, self.space, centres, max_iter, _MIN_GAIN)
