"""Preparation of a fit: the codes of columns, the metric space, a sample of rows, and sums over groups of rows.

The sample consists of distinct coded rows and depends neither on where the rows are nor on their order.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xseg._kernels.center_kernels import add_group_sums, find_nearest, squared_distances
from xseg._kernels.encode_kernels import mix_columns
from xseg.backends.base import Backend, CodedBackend, CodedRows, count_workers
from xseg.core.bins import N_CODES, Bins, choose_bins, read_as
from xseg.core.embedding import Centers, Coding, Embedding, choose_embedding
from xseg.core.reading import has_own_names, read_columns
from xseg.core.schema import Schema
from xseg.core.statistics import CodedBlock, fixed_unit
from xseg.core.summaries import TableSummary
from xseg.exceptions import DataError, ParameterError

__all__ = [
    "MIN_MEMBERS",
    "Columns",
    "GroupSums",
    "NearestSums",
    "Prepared",
    "RowSample",
    "Space",
    "derive_seed",
    "draw_rows",
    "hash_block",
    "hash_numbers",
    "hash_rows",
    "learn_columns",
    "names_given",
    "prepare",
]


MIN_MEMBERS = 10
"""The default of `min_members`: the rows behind any value of a category that a fitted object keeps."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of the rows to fit, and their codes.

    Attributes
    ----------
    backend : Backend
        The rows as they are read: texts that state numbers as numbers.
    summary : TableSummary
        The counts of the columns as they are read.
    schema : Schema
        Their features.
    bins : Bins
        How they become codes.
    """

    backend: Backend
    summary: TableSummary
    schema: Schema
    bins: Bins


def learn_columns(
    backend: Backend,
    *,
    max_bins: int,
    min_members: int,
    include: Sequence[str] = (),
    asked: Collection[str] = (),
    forbid: Sequence[str] = (),
    as_numbers: Collection[str] = (),
    as_texts: Collection[str] = (),
    categories: Mapping[str, Collection[str]] | None = None,
    round_thresholds: bool = True,
    n_columns: int | None = None,
    warns: bool = True,
) -> Columns:
    """Choose by sums over the rows which columns are used, and their codes.

    Parameters
    ----------
    backend : Backend
        The rows.
    max_bins : int
        The largest number of codes of a column.
    min_members : int
        The smallest number of rows of a category that is kept.
    include : sequence of str, default=()
        Columns to use although they look like identifiers.
    asked : collection of str, default=()
        Columns that the user has named and that are therefore used, if the table has them.
    forbid : sequence of str, default=()
        Columns that the model does not use.
    as_numbers : collection of str, default=()
        Columns of 0 and 1 to read as numbers.
    as_texts : collection of str, default=()
        Columns of texts to read as texts, even if those state numbers.
    categories : mapping of str to collection of str, default=None
        Categories of columns that are kept however few rows have them, because the user has named them.
    round_thresholds : bool, default=True
        Whether thresholds are round numbers.
    n_columns : int, default=None
        Number of columns to read, from the first on; None means all.
    warns : bool, default=True
        Whether to warn of columns that are not used or need attention.

    Raises
    ------
    DataError
        There are no rows, or no column is left to use.
    """
    summary = backend.sum(TableSummary(max_bins))
    if summary.total_weight == 0:
        message = "at least one row must have a positive weight, and there are no rows with one; pass more rows"
        raise DataError(message)
    if n_columns is not None:
        summary = summary.take_first(n_columns)
    names = summary.names or ()
    reading = read_columns(
        summary,
        named=has_own_names(names),
        include=(*include, *(name for name in names if name in asked)),
        forbid=forbid,
        as_numbers=as_numbers,
        as_texts=as_texts,
    )
    if warns:
        reading.warn(quiet=forbid)
    if reading.reads_texts:
        backend = backend.convert_tables(partial(read_as, features=reading.schema.features))
    bins = choose_bins(
        reading.summary,
        reading.schema,
        max_bins,
        backend.sum,
        rounded=round_thresholds,
        min_members=min_members,
        named=categories,
        warns=warns,
    )
    return Columns(backend, reading.summary, bins.schema, bins)


def names_given(feature_weights: Any) -> tuple[str, ...]:
    """Return the columns that `feature_weights` names with a positive weight."""
    if not isinstance(feature_weights, Mapping):
        return ()
    return tuple(name for name, weight in feature_weights.items() if weight)


@dataclass(frozen=True, eq=False)
class Space:
    """The metric space, with the units in which sums over all rows fit into 62 bits."""

    embedding: Embedding
    total_weight: int
    units: NDArray[np.float64]
    cost_unit: float

    @classmethod
    def from_embedding(cls, embedding: Embedding, total_weight: int) -> Self:
        """Choose the units for rows of this total weight."""
        units = np.array([fixed_unit(float(bound), total_weight) for bound in embedding.bound])
        return cls(embedding, total_weight, units, fixed_unit(embedding.largest_distance, total_weight))

    def distances(self, block: CodedBlock, centers: Centers) -> NDArray[np.float64]:
        """Return the squared distance of each row to each centre."""
        out = np.empty((len(block.codes), len(centers)))
        looked_up = self.embedding.looked_up
        squared_distances(block.points, block.codes, looked_up, centers.transposed, centers.tables, out)
        return out


class GroupSums:
    """Sums over rows in groups: weight, coordinates, and counts of looked-up codes."""

    def __init__(self, space: Space, n_groups: int) -> None:
        embedding = space.embedding
        self.space = space
        self.mass = np.zeros(n_groups, dtype=np.int64)
        self.sums = np.zeros((n_groups, len(embedding.coordinates)), dtype=np.int64)
        self.counts = np.zeros((n_groups, len(embedding.looked_up), N_CODES), dtype=np.int64)

    def add_rows(self, block: CodedBlock, groups: NDArray[np.int32]) -> None:
        """Add each row of a block to its group."""
        looked_up, units = self.space.embedding.looked_up, self.space.units
        add_group_sums(
            block.points, block.codes, looked_up, groups, block.weights, units, self.sums, self.counts, self.mass
        )

    def merge(self, other: Self) -> None:
        """Add the other sums."""
        self.mass += other.mass
        self.sums += other.sums
        self.counts += other.counts

    def means(self) -> NDArray[np.float64]:
        """Return the mean of each group, shape (n_groups, n_dimensions)."""
        return self.space.embedding.means(self.sums, self.space.units, self.counts, self.mass)


class NearestSums:
    """A statistic: the sums of the rows nearest to each centre, and their cost."""

    def __init__(self, space: Space, centers: Centers) -> None:
        self.space = space
        self.centers = centers
        self.groups = GroupSums(space, len(centers))
        self.fixed_cost = 0

    def empty(self) -> Self:
        return type(self)(self.space, self.centers)

    def add(self, block: CodedBlock) -> None:
        labels = np.empty(len(block.codes), dtype=np.int32)
        best = np.empty(len(block.codes))
        find_nearest(self.space.distances(block, self.centers), labels, best)
        self.groups.add_rows(block, labels)
        self.fixed_cost += int(np.rint(best * self.space.cost_unit).astype(np.int64) @ block.weights)

    def merge(self, other: Self) -> None:
        self.groups.merge(other.groups)
        self.fixed_cost += other.fixed_cost

    @property
    def cost(self) -> float:
        """The summed squared distance of the rows to their nearest centre."""
        return self.fixed_cost / self.space.cost_unit


_ONE_ROW = np.zeros((1, 1), dtype=np.uint8)


def hash_rows(codes: NDArray[np.uint8], seed: int) -> NDArray[np.uint64]:
    """Return a seeded 64-bit hash of each row of codes, which replaces random numbers in a fit."""
    start = hash_numbers(np.full(1, seed % 2**64, dtype=np.uint64), _ONE_ROW)
    return hash_numbers(np.full(len(codes), start[0]), codes)


def hash_numbers(hashes: NDArray[np.uint64], numbers: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.uint64]:
    """Mix the columns of `numbers`, shape (n_rows or 1, n_columns), into the hashes of the rows."""
    mixed = hashes.copy()
    # One type and layout, for which the kernel is compiled once.
    mix_columns(mixed, np.ascontiguousarray(numbers, dtype=np.uint64))
    return mixed


def hash_block(block: CodedBlock, seed: int) -> NDArray[np.uint64]:
    """Return a seeded hash of the codes and points of each row."""
    return hash_numbers(hash_rows(block.codes, seed), block.points.view(np.uint32))


def derive_seed(seed: int, *key: int) -> int:
    """Return the seed of one part of a search, such as a start or a step, independent of those of all others."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0])


def draw_rows(hashes: NDArray[np.uint64], odds: NDArray[np.float64], seed: int, n_draws: int) -> NDArray[np.intp]:
    """Draw rows with probability proportional to `odds`.

    With u uniform, -log(u) / odds is exponential with rate `odds`, and the row with the smallest value has the required
    probability; u is a hash of the row, so that the draw does not depend on the order of the rows.
    """
    drawn = np.empty(n_draws, dtype=np.intp)
    keys = np.random.SeedSequence(seed).generate_state(n_draws, np.uint64)
    with np.errstate(divide="ignore"):
        for draw in range(n_draws):
            mixed = hash_numbers(hashes, keys[draw : draw + 1, None])
            uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
            drawn[draw] = np.argmin(-np.log(uniform) / odds)
    return drawn


# Five standard deviations of the weight of a sample of 2**18 rows that each weigh one.
_MAX_DEVIATION = 0.01


class RowSample:
    """A statistic: distinct rows whose hash is small, with their weights; at most `capacity` of them.

    Whenever there are too many, the bound on the hash is halved, so the sample depends only on the set of rows
    (distinct sampling, Gibbons, 2001). If there are no more than `capacity` distinct rows it holds them all. The codes
    of the features in `ignored` are 0 in the sample, so that nothing depends on them.
    """

    def __init__(self, capacity: int, seed: int, ignored: Sequence[int] = ()) -> None:
        self.capacity = capacity
        self.seed = seed
        self.ignored = ignored
        self.halvings = 0
        self._parts: list[_Rows] = []

    def empty(self) -> Self:
        return type(self)(self.capacity, self.seed, self.ignored)

    def add(self, block: CodedBlock) -> None:
        codes = block.codes
        if len(self.ignored):
            codes = codes.copy()
            codes[:, self.ignored] = 0
        hashes = hash_rows(codes, self.seed)
        taken = (hashes <= self._bound) & (block.weights > 0)
        # Adding zero turns -0.0 into 0.0, so that equal rows have equal bytes.
        points = block.points[taken] + np.float32(0)
        self._parts.append(_Rows(codes[taken], points, block.weights[taken], hashes[taken]))
        if sum(len(part.hashes) for part in self._parts) > 2 * self.capacity:
            self._thin_out()

    def merge(self, other: Self) -> None:
        self.halvings = max(self.halvings, other.halvings)
        self._parts += other._parts
        self._thin_out()

    @property
    def is_everything(self) -> bool:
        """Whether no distinct row was left out."""
        return self.halvings == 0

    @property
    def _bound(self) -> np.uint64:
        return np.uint64((2**64 - 1) >> self.halvings)

    def _thin_out(self) -> None:
        rows = _distinct(_join_parts(self._parts))
        within = np.searchsorted(rows.hashes, self._bound, side="right")
        while within > self.capacity:
            self.halvings += 1
            within = np.searchsorted(rows.hashes, self._bound, side="right")
        self._parts = [rows.take_first(int(within))]

    def is_representative(self, total_weight: int) -> bool:
        """Return whether the sample weighs what its share of the distinct rows should, given the weight of all rows.

        It does not where a few distinct rows stand for many: these are either all in the sample or all left out.
        """
        self._thin_out()
        expected = total_weight / 2.0**self.halvings
        return bool(abs(float(self._parts[0].weights.sum()) - expected) <= _MAX_DEVIATION * expected)

    def to_rows(self, n_workers: int) -> CodedRows:
        """Return the sample as rows to learn from."""
        self._thin_out()
        rows = self._parts[0]
        return CodedRows(rows.codes, rows.points, rows.weights, len(rows.codes), n_workers)


@dataclass(frozen=True, slots=True)
class _Rows:
    codes: NDArray[np.uint8]
    points: NDArray[np.float32]
    weights: NDArray[np.int64]
    hashes: NDArray[np.uint64]

    def take_first(self, count: int) -> "_Rows":
        return _Rows(self.codes[:count], self.points[:count], self.weights[:count], self.hashes[:count])


def _join_parts(parts: list[_Rows]) -> _Rows:
    names = ("codes", "points", "weights", "hashes")
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _distinct(rows: _Rows) -> _Rows:
    """Sort rows by hash and add up the weights of equal ones."""
    point_hashes = hash_numbers(np.zeros(len(rows.hashes), dtype=np.uint64), rows.points.view(np.uint32))
    order = np.lexsort((point_hashes, rows.hashes))
    codes, points, weights = rows.codes[order], rows.points[order], rows.weights[order]
    if not len(codes):
        return rows
    differs = (codes[1:] != codes[:-1]).any(axis=1) | (points[1:] != points[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], differs]))
    return _Rows(codes[starts], points[starts], np.add.reduceat(weights, starts), rows.hashes[order][starts])


SAMPLE_CAPACITY = 32_768


@dataclass(frozen=True, eq=False)
class Prepared:
    """Coded rows, a sample of them, and the space they lie in.

    `features` are those that splits may use; `whole` says that the sample holds every distinct row.
    """

    summary: TableSummary
    bins: Bins
    space: Space
    backend: CodedBackend
    sample: CodedRows
    whole: bool
    features: NDArray[np.int64]
    n_rows: int


def prepare(
    backend: Backend,
    *,
    max_bins: int,
    round_thresholds: bool = True,
    scaling: str,
    feature_weights: Mapping[str, float] | ArrayLike | None,
    forbid: Sequence[str],
    seed: int,
    n_jobs: int | None,
    power: int = 2,
    include: Sequence[str] = (),
    min_members: int = MIN_MEMBERS,
    warns: bool = True,
) -> Prepared:
    """Choose columns, bins and metric space by sums, code the rows, and draw the sample."""
    columns = learn_columns(
        backend,
        max_bins=max_bins,
        min_members=min_members,
        include=include,
        asked=names_given(feature_weights),
        forbid=forbid,
        round_thresholds=round_thresholds,
        warns=warns,
    )
    summary, schema, bins = columns.summary, columns.schema, columns.bins
    weights = check_feature_weights(feature_weights, forbid, schema)
    min_weight = max(1, round(min_members * backend.weight_unit))
    embedding = choose_embedding(summary, bins, scaling, weights, columns.backend.sum, power, min_weight)
    coded = columns.backend.encode(Coding(bins, embedding))
    allowed = [name not in set(forbid) for name in schema.names]
    sample = coded.sum(RowSample(SAMPLE_CAPACITY, seed, np.flatnonzero(np.invert(allowed)).tolist()))
    can_cut = [feature.n_codes > 1 or feature.feature.has_missing for feature in bins.features]
    return Prepared(
        summary=summary,
        bins=bins,
        space=Space.from_embedding(embedding, summary.total_weight),
        backend=coded,
        sample=sample.to_rows(count_workers(n_jobs)),
        whole=sample.is_everything,
        features=np.flatnonzero(np.array(can_cut) & np.array(allowed)).astype(np.int64),
        n_rows=summary.n_rows,
    )


def check_feature_weights(
    given: Mapping[str, float] | ArrayLike | None, forbid: Sequence[str], schema: Schema
) -> NDArray[np.float64]:
    """Return the weight of each feature in a distance; forbidden features have weight 0."""
    if given is None:
        weights = np.ones(len(schema))
    elif isinstance(given, Mapping):
        weights = np.ones(len(schema))
        for name, weight in given.items():
            weights[schema.index(name)] = weight
    else:
        weights = np.array(given, dtype=np.float64)
    if weights.shape != (len(schema),) or not np.isfinite(weights).all() or (weights < 0).any():
        message = (
            f"feature_weights must hold {len(schema)} finite numbers that are not negative, one for each column, "
            f"or be a dict of them by name; got {given!r}"
        )
        raise ParameterError(message)
    for name in forbid:
        weights[schema.index(name)] = 0.0
    weights[[not feature.kind.has_values for feature in schema]] = 0.0
    if not weights.any():
        message = "at least one feature must have a positive weight, and all are forbidden or have weight 0"
        raise ParameterError(message)
    return weights
