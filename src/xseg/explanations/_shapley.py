"""Exact Shapley values of many rows, by the boxes or by the scores of a model.

The value function is interventional over the whole background: ``v(S) = E_z f(x_S, z_rest)``. Features derived from one
raw column are one player.

*Boxes*: f is membership in a segment. It is the sum of the indicators of the segment's boxes, which are disjoint, so
their Shapley values add up. For one box, a row x and a background row z, only the tests that each of them fails matter:
(x_S, z_rest) is in the box if and only if S contains every test that z fails and none that x fails. So if some test
fails for both, all values are 0. Otherwise let a be the number of tests that only z fails and b the number that only x
fails: each of the former gets ``(a - 1)! b! / (a + b)!`` and each of the latter ``-a! (b - 1)! / (a + b)!`` (Lundberg
et al., 2020, give the same weights for the paths of trees). A row is thus described by its pattern of failed tests, one
bit each, and the background by the weight of each pattern.

*Scores*: where ``f(x) = bias + sum_j g_j(x_j)``, adding feature j to any coalition changes v by the same amount,
``g_j(x_j) - E g_j(X_j)``, which therefore is its Shapley value.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import explain_changes, explain_segments, explain_targets, shapley_table
from xseg._kernels.score_kernels import explain_margins, explain_scores
from xseg.core.additive import AdditiveModel, PartSums, Population
from xseg.core.boxes import BoxModel, BoxTests, Patterns
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table

__all__ = [
    "NO_RIVAL",
    "AdditiveExplainer",
    "BoxExplainer",
    "Contributions",
    "Explainer",
    "compute_population",
    "population_explainer",
    "run_in_chunks",
    "shapley_weights",
]

NO_RIVAL = -1


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Shapley values of one segment for each row.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The Shapley values.
    segments : ndarray of shape (n_rows,)
        The segment explained in each row.
    rivals : ndarray of shape (n_rows,)
        The segment it is compared with; `NO_RIVAL` where membership or a score is explained on its own.
    base : ndarray of shape (n_rows,)
        The base value; ``base + values.sum(axis=1)`` is the membership, score or margin of the row.
    """

    values: NDArray[np.float64]
    segments: NDArray[np.int64]
    rivals: NDArray[np.int64]
    base: NDArray[np.float64]


class Explainer(Protocol):
    """Exact Shapley values for the rows of one fitted model; each family of models implements it."""

    def base_values(self) -> NDArray[np.float64]:
        """Return the base values, shape (n_segments,)."""
        ...

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Contributions:
        """Explain one segment for each row, by default its own."""
        ...

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain every segment, shape (n_rows, n_columns, n_segments)."""
        ...

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Contributions:
        """Explain one segment minus another for each row."""
        ...


CHUNK_ROWS = 4_096


def run_in_chunks(work: Callable[[slice], None], n_rows: int, n_workers: int) -> None:
    """Call `work` for slices that together cover the rows, in threads; calls must write to disjoint outputs."""
    chunks = [slice(start, min(start + CHUNK_ROWS, n_rows)) for start in range(0, n_rows, CHUNK_ROWS)]
    if n_workers == 1 or len(chunks) < 2:
        for rows in chunks:
            work(rows)
        return
    with ThreadPoolExecutor(n_workers) as pool:
        for _ in pool.map(work, chunks):
            pass


_FEW_ROWS = 4
_DENSE_TESTS = 10


@dataclass(frozen=True, eq=False)
class _Tables:
    """The Shapley values of the tests of each box, for each pattern of failed tests that rows may have.

    The values of box b for its p-th pattern are ``values[starts[b] + p * widths[b] :][: widths[b]]``.
    """

    values: NDArray[np.float64]
    widths: NDArray[np.int64]
    starts: NDArray[np.int64]


class BoxExplainer:
    """Explainer of membership in unions of boxes.

    Parameters
    ----------
    model : BoxModel
        The boxes.
    tests : BoxTests
        Their tests, by raw column.
    background : sequence of Patterns
        For each box, the patterns of failed tests in the background.
    n_columns : int
        Number of raw columns.
    """

    def __init__(self, model: BoxModel, tests: BoxTests, background: Sequence[Patterns], n_columns: int) -> None:
        order = np.argsort(model.boxes.segment, kind="stable")
        self.bins = model.boxes.bins
        self.n_segments = model.n_segments
        self.n_columns = n_columns
        self.segment = model.boxes.segment[order].astype(np.int64)
        self.first = np.searchsorted(self.segment, np.arange(model.n_segments + 1)).astype(np.int64)
        self.tests = BoxTests(
            tests.features, np.ascontiguousarray(tests.failing[:, :, order]), tuple(tests.players[box] for box in order)
        )
        self.background = [background[box] for box in order]
        widths = [len(players) for players in self.tests.players]
        self.players = np.zeros((len(order), max([1, *widths])), dtype=np.int64)
        for box, players in enumerate(self.tests.players):
            self.players[box, : len(players)] = players
        self._sparse = [box for box, width in enumerate(widths) if width > _DENSE_TESTS]
        self._has_met_few = False

    @cached_property
    def _dense(self) -> _Tables:
        return self._tables([_list_patterns(len(players)) for players in self.tests.players])

    def base_values(self) -> NDArray[np.float64]:
        """Return the share of the background in each segment, shape (n_segments,)."""
        base = np.zeros(self.n_segments)
        for box, patterns in enumerate(self.background):
            base[self.segment[box]] += patterns.weight[patterns.pattern == 0].sum() / patterns.weight.sum()
        return base

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Contributions:
        """Explain membership in one segment for each row, by default its own."""
        out = np.empty((len(table), self.n_columns))
        explained = np.empty(len(table), dtype=np.int64) if targets is None else targets

        def work(rows: slice) -> None:
            codes = self._codes(table, rows)
            if targets is None:
                explained[rows] = self.segment[self.tests.find(codes)]
            places, tables = self._places(self.tests.target_patterns(codes, self.first, explained[rows]))
            explain_targets(
                places,
                self.first,
                tables.values,
                tables.widths,
                tables.starts,
                self.players,
                explained[rows],
                out[rows],
            )

        run_in_chunks(work, len(table), n_workers)
        rivals = np.full(len(table), NO_RIVAL, dtype=np.int64)
        return Contributions(out, explained, rivals, self.base_values()[explained])

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Contributions:
        """Explain membership in one segment minus that in another for each row."""
        one, other = (self.explain_targets(table, targets, n_workers) for targets in (first, second))
        return Contributions(one.values - other.values, first, second, one.base - other.base)

    def explain_changes(
        self, after: Table, before: Table, targets: NDArray[np.int64], n_workers: int
    ) -> NDArray[np.float64]:
        """Explain the change of membership in one segment for each row, shape (n_rows, n_columns).

        The row after the change plays x and the row before it z: a background of one row for each row.
        """
        out = np.empty((len(after), self.n_columns))
        widths = np.array([len(players) for players in self.tests.players])
        weights = shapley_weights(int(widths.max(initial=0)))

        def work(rows: slice) -> None:
            now, then = (
                self.tests.target_patterns(self._codes(table, rows), self.first, targets[rows])
                for table in (after, before)
            )
            explain_changes(now, then, self.first, targets[rows], widths, self.players, *weights, out[rows])

        run_in_chunks(work, len(after), n_workers)
        return out

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain membership in every segment, shape (n_rows, n_columns, n_segments)."""
        out = np.empty((len(table), self.n_columns, self.n_segments))

        def work(rows: slice) -> None:
            places, tables = self._places(self.tests.patterns(self._codes(table, rows)))
            explain_segments(places, self.segment, tables.values, tables.widths, tables.starts, self.players, out[rows])

        run_in_chunks(work, len(table), n_workers)
        return out

    def _codes(self, table: Table, rows: slice) -> NDArray[np.uint8]:
        return self.bins.encode(table.rows(rows.start, rows.stop), self.tests.features.tolist())

    def _places(self, places: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], _Tables]:
        """Replace the pattern of each row and box, in place, by the line of the tables that holds it."""
        # Whoever explains one row, as a command does, needs few of the lines; whoever does so twice will need more.
        few, self._has_met_few = len(places) <= _FEW_ROWS and not self._has_met_few, True
        # A dense box has a line for each of its 2**width patterns, in order, so that the pattern is the line.
        if not (few or self._sparse):
            return places, self._dense
        listed = [_list_patterns(len(players)) for players in self.tests.players]
        for box in range(len(listed)) if few else self._sparse:
            listed[box], places[:, box] = np.unique(places[:, box], return_inverse=True)
        return places, self._tables(listed)

    def _tables(self, listed: Sequence[NDArray[np.uint32]]) -> _Tables:
        values, starts, widths = [], [], []
        start = 0
        for patterns, players, background in zip(listed, self.tests.players, self.background, strict=True):
            table = np.zeros((len(patterns), len(players)))
            gain, loss = shapley_weights(len(players))
            share = background.weight / background.weight.sum()
            shapley_table(patterns, background.pattern, share, gain, loss, table)
            values.append(table.ravel())
            starts.append(start)
            widths.append(len(players))
            start += table.size
        return _Tables(np.concatenate(values), np.array(widths), np.array(starts))


_prepared: "WeakKeyDictionary[BoxModel, dict[tuple[bytes, int], BoxExplainer]]" = WeakKeyDictionary()


def population_explainer(model: BoxModel, sources: NDArray[np.int64] | None, n_columns: int) -> BoxExplainer:
    """Return the explainer against all rows of the fit; it is built once for each model and set of raw columns.

    Parameters
    ----------
    model : BoxModel
        The boxes, and the patterns of the population.
    sources : ndarray of shape (n_features,) or None
        The raw column of each feature; None if they are the raw columns.
    n_columns : int
        Number of raw columns.
    """
    known = _prepared.setdefault(model, {})
    key = (b"" if sources is None else sources.tobytes(), n_columns)
    found = known.get(key)
    if found is None:
        boxes, population = model.boxes, model.population
        background = population if sources is None else boxes.group_by_column(population, sources)
        # Two threads may build the same one; its tables follow from what it is built of.
        found = known.setdefault(key, BoxExplainer(model, boxes.tests(sources), background, n_columns))
    return found


def _list_patterns(width: int) -> NDArray[np.uint32]:
    """Return all patterns of a box with few tests, in order; none for a box with too many to list beforehand."""
    return np.arange(2**width if width <= _DENSE_TESTS else 0, dtype=np.uint32)


def shapley_weights(n_tests: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Shapley weights of one test, shape (n_tests + 1, n_tests + 1) each.

    Returns
    -------
    gain : ndarray
        ``gain[a, b] = (a - 1)! b! / (a + b)!``: of a test that only the background row fails, where a such tests and b
        tests that only the explained row fails decide.
    loss : ndarray
        ``loss[a, b] = a! (b - 1)! / (a + b)!``: of a test that only the explained row fails, to be subtracted.
    """
    gain, loss = np.zeros((n_tests + 1, n_tests + 1)), np.zeros((n_tests + 1, n_tests + 1))
    for a in range(n_tests + 1):
        for b in range(n_tests + 1 - a):
            if a:
                gain[a, b] = factorial(a - 1) * factorial(b) / factorial(a + b)
            if b:
                loss[a, b] = factorial(a) * factorial(b - 1) / factorial(a + b)
    return gain, loss


class AdditiveExplainer:
    """Explainer of scores that are sums over features.

    Parameters
    ----------
    model : AdditiveModel
        The scores.
    background : Population
        Background rows of the Shapley values.
    players : ndarray of shape (n_features,)
        The raw column each feature was derived from.
    n_columns : int
        Number of raw columns.
    """

    def __init__(
        self, model: AdditiveModel, background: Population, players: NDArray[np.int64], n_columns: int
    ) -> None:
        scores = model.scores
        self.model = model
        self.means = background.means
        self.n_columns = n_columns
        self.players = players[scores.used]
        self._parts = (scores.embedding.coordinates, scores.embedding.looked_up, scores.curves, scores.tables)

    def base_values(self) -> NDArray[np.float64]:
        """Return the mean score of the background in each segment, shape (n_segments,)."""
        return np.asarray(self.model.scores.bias + self.means.sum(axis=0))

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Contributions:
        """Explain the score of one segment for each row, by default the margin of its own over the runner-up's."""
        out = np.empty((len(table), self.n_columns))
        own = np.empty(len(table), dtype=np.int64) if targets is None else targets
        rivals = np.full(len(table), NO_RIVAL, dtype=np.int64)
        scores = self.model.scores

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            if targets is None:
                own[rows], rivals[rows] = self.model.two_best(scores.compute(codes, points))
            explain_margins(points, codes, *self._parts, self.means, self.players, own[rows], rivals[rows], out[rows])

        run_in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Contributions(out, own, rivals, base[own] - np.where(rivals == NO_RIVAL, 0.0, base[rivals]))

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Contributions:
        """Explain the score of one segment minus that of another for each row."""
        out = np.empty((len(table), self.n_columns))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_margins(points, codes, *self._parts, self.means, self.players, first[rows], second[rows], out[rows])

        run_in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Contributions(out, first, second, base[first] - base[second])

    def explain_own(self, codes: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[list[float], int, int]:
        """Explain the margin of one coded row: contributions, its own segment and the runner-up."""
        out = np.empty((1, self.n_columns))
        own, rivals = self.model.two_best(self.model.scores.compute(codes, points))
        explain_margins(points, codes, *self._parts, self.means, self.players, own, rivals, out)
        return out[0].tolist(), int(own[0]), int(rivals[0])

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain the score of every segment, shape (n_rows, n_columns, n_segments)."""
        out = np.empty((len(table), self.n_columns, self.model.n_segments))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_scores(points, codes, *self._parts, self.means, self.players, out[rows])

        run_in_chunks(work, len(table), n_workers)
        return out


def compute_population(model: AdditiveModel, table: Table, weights: NDArray[np.int64]) -> Population:
    """Compute the sums over a table that base values need: each feature's part of each score, by weight."""
    codes, points = model.code(table)
    bound = np.abs(points).max(axis=0, initial=0.0).astype(np.float64)
    sums = PartSums(model.scores, int(weights.sum()), bound)
    sums.add(CodedBlock(codes, points, weights))
    return sums.population()
