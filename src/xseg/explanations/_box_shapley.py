"""Exact Shapley values of membership in segments made of boxes.

The value function is interventional over the whole background: ``v(S) = E_z f(x_S, z_rest)`` with f the membership.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import explain_changes, explain_segments, explain_targets, shapley_table
from xseg.core.boxes import BoxModel, BoxTests, Patterns
from xseg.core.tables import Table
from xseg.explanations._explainer import NO_RIVAL, Contributions, run_in_chunks

__all__ = ["BoxExplainer", "population_explainer", "shapley_weights"]

_DENSE_TESTS = 10


@dataclass(frozen=True, eq=False)
class _Tables:
    """For each box, the Shapley values of its tests for the patterns a chunk may hold, one after another."""

    values: NDArray[np.float64]
    widths: NDArray[np.int64]
    starts: NDArray[np.int64]


class BoxExplainer:
    """Explains rows.

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
        self._dense = self._tables([_list_patterns(width) for width in widths])

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
        """Explain membership in one segment less that in another for each row."""
        one, other = (self.explain_targets(table, targets, n_workers) for targets in (first, second))
        return Contributions(one.values - other.values, first, second, one.base - other.base)

    def explain_changes(
        self, after: Table, before: Table, targets: NDArray[np.int64], n_workers: int
    ) -> NDArray[np.float64]:
        """Explain membership in one segment for each row after, less membership before, shape (n_rows, n_columns)."""
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
        """Turn the pattern of each row and box into the line of the tables that holds it, in place."""
        if not self._sparse:
            return places, self._dense
        listed = [_list_patterns(len(players)) for players in self.tests.players]
        for box in self._sparse:
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
    """Prepare the explainer against all rows the model was fitted on, once for each model and way to it.

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
        # Two threads may prepare the same; an explainer is only put in when it is whole, and is never changed.
        found = known.setdefault(key, BoxExplainer(model, boxes.tests(sources), background, n_columns))
    return found


def _list_patterns(width: int) -> NDArray[np.uint32]:
    """Return the patterns of a box that are worth listing beforehand; none for a box with many tests."""
    return np.arange(2**width if width <= _DENSE_TESTS else 0, dtype=np.uint32)


def shapley_weights(n_tests: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Shapley weights by how many tests the background alone and the row alone fail."""
    gain, loss = np.zeros((n_tests + 1, n_tests + 1)), np.zeros((n_tests + 1, n_tests + 1))
    for a in range(n_tests + 1):
        for b in range(n_tests + 1 - a):
            if a:
                gain[a, b] = factorial(a - 1) * factorial(b) / factorial(a + b)
            if b:
                loss[a, b] = factorial(a) * factorial(b - 1) / factorial(a + b)
    return gain, loss
