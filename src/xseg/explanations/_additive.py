"""Exact Shapley values of scores that are sums over features.

The value function is interventional over the whole background, ``v(S) = E_z f(x_S, z_rest)``. Where f is
``bias + sum_f g_f(x_f)``, knowing a feature changes v by the same amount in every coalition, ``g_f(x_f) - E g_f(X_f)``,
which therefore is its Shapley value. Features derived from one raw column are one player, and their values add up.
"""

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.score_kernels import explain_margins, explain_scores
from xseg.core.additive import AdditiveModel, PartSums, Population
from xseg.core.statistics import CodedBlock
from xseg.core.tables import Table
from xseg.explanations._chunks import in_chunks
from xseg.explanations._explained import NO_RIVAL, Explained

__all__ = ["AdditiveExplainer", "population_of"]


class AdditiveExplainer:
    """Explains rows.

    Parameters
    ----------
    model : AdditiveModel
        The scores.
    background : Population
        What "not known" is averaged over.
    players : ndarray of shape (n_features,)
        The raw column each feature was derived from.
    n_columns : int
        How many raw columns there are.
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

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Explained:
        """Explain the score of one segment for each row; by default the margin of its own over the runner-up."""
        out = np.empty((len(table), self.n_columns))
        own = np.empty(len(table), dtype=np.int64) if targets is None else targets
        rivals = np.full(len(table), NO_RIVAL, dtype=np.int64)
        scores = self.model.scores

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            if targets is None:
                own[rows], rivals[rows] = self.model.two_best(scores.of(codes, points))
            explain_margins(points, codes, *self._parts, self.means, self.players, own[rows], rivals[rows], out[rows])

        in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Explained(out, own, rivals, base[own] - np.where(rivals == NO_RIVAL, 0.0, base[rivals]))

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Explained:
        """Explain the score of one segment less that of another for each row."""
        out = np.empty((len(table), self.n_columns))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_margins(points, codes, *self._parts, self.means, self.players, first[rows], second[rows], out[rows])

        in_chunks(work, len(table), n_workers)
        base = self.base_values()
        return Explained(out, first, second, base[first] - base[second])

    def explain_own(self, codes: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[list[float], int, int]:
        """Explain the margin of one coded row: contributions, its own segment and the runner-up."""
        out = np.empty((1, self.n_columns))
        own, rivals = self.model.two_best(self.model.scores.of(codes, points))
        explain_margins(points, codes, *self._parts, self.means, self.players, own, rivals, out)
        return out[0].tolist(), int(own[0]), int(rivals[0])

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain the score of every segment, shape (n_rows, n_columns, n_segments)."""
        out = np.empty((len(table), self.n_columns, self.model.n_segments))

        def work(rows: slice) -> None:
            codes, points = self.model.code(table.rows(rows.start, rows.stop))
            explain_scores(points, codes, *self._parts, self.means, self.players, out[rows])

        in_chunks(work, len(table), n_workers)
        return out


def population_of(model: AdditiveModel, table: Table, weights: NDArray[np.int64]) -> Population:
    """Add the parts of the scores over the rows of a table."""
    codes, points = model.code(table)
    bound = np.abs(points).max(axis=0, initial=0.0).astype(np.float64)
    sums = PartSums(model.scores, int(weights.sum()), bound)
    sums.add(CodedBlock(codes, points, weights))
    return sums.population()
