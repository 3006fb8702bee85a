"""The cheapest change that makes another additive score the highest."""

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.score_changes import nearest_scores
from xseg._kernels.score_kernels import CURVATURE, KNOT, LEVEL, SLOPE
from xseg._kernels.score_margins import Asked, Coding, Ladder
from xseg.core.additive import AdditiveModel
from xseg.core.bins import MISSING, N_CODES
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explanations._chunks import in_chunks
from xseg.explanations._moves import CATEGORY_COST, RESOLUTION, Found, Moves, Obstacle

__all__ = ["AdditiveMoves"]

_STEPS = 32
_MAX_NODES = 300


class AdditiveMoves:
    """Finds the cheapest way of rows to another highest score.

    Parameters
    ----------
    model : AdditiveModel
        The scores.
    moves : Moves
        What may change.
    """

    def __init__(self, model: AdditiveModel, moves: Moves) -> None:
        self.model = model
        self.moves = moves
        self.bins = model.coding.bins
        scores = model.scores
        self.used = scores.used
        self.n_coordinates = len(scores.embedding.coordinates)
        kinds = [self.bins[j].feature.kind for j in self.used.tolist()]
        self.flat = np.array([not kind.is_numeric for kind in kinds], dtype=bool)
        curves = scores.curves
        self.exact = bool((curves[:, CURVATURE] == curves[:, CURVATURE, :1]).all())
        self.stops, ends = self._all_stops()
        self._ladder = Ladder(self.stops, self._all_parts(), ends)
        whole = np.array([kind.integral or kind.kind is Kind.BOOLEAN for kind in moves.schema], dtype=bool)
        places = -np.floor(np.log10(RESOLUTION * moves.scale)).astype(np.int64)
        self._asked = Asked(
            whole[self.used],
            self.flat,
            moves.scale[self.used],
            moves.rises[self.used],
            moves.falls[self.used],
            moves.lowest[self.used],
            moves.highest[self.used],
            places[self.used],
        )

    def own(self, table: Table) -> NDArray[np.int64]:
        """Return the segment each row is in."""
        return np.asarray(self.model.score(table).argmax(axis=1), dtype=np.int64)

    def solve(
        self,
        values: NDArray[np.float64],
        own: NDArray[np.int64],
        targets: NDArray[np.int64],
        n_workers: int,
    ) -> Found:
        """Return the cheapest change of each row into its target (-1: any segment but its own)."""
        used = np.ascontiguousarray(values[:, self.used])
        codes = self._codes(used)
        moved, reached = np.empty_like(used), np.empty(len(used), dtype=np.int64)
        cost, proven = np.empty(len(used)), np.empty(len(used), dtype=bool)
        scores, embedding = self.model.scores, self.model.scores.embedding
        coding = Coding(
            self.n_coordinates, embedding.shift, embedding.factor, scores.bias, scores.curves, scores.tables
        )

        def work(rows: slice) -> None:
            nearest_scores(
                used[rows],
                codes[rows],
                coding,
                self._asked,
                self._ladder,
                self.exact,
                CATEGORY_COST,
                own[rows],
                targets[rows],
                _MAX_NODES,
                (moved[rows], reached[rows], cost[rows], proven[rows]),
            )

        in_chunks(work, len(used), n_workers)
        after = values.copy()
        after[:, self.used] = moved
        return Found(
            after,
            reached,
            np.where(np.isfinite(cost), self._costs(used, moved), np.inf),
            proven,
            np.full(len(used), -1),
        )

    def asks(self, place: int, j: int, rises: bool) -> None:
        """Return nothing: how far one feature must go depends on the others."""
        del place, j, rises

    def obstacles(self, values: NDArray[np.float64], own: int, target: int) -> tuple[Obstacle, ...]:
        """Return nothing: there is no box to be kept out of."""
        del values, own, target
        return ()

    def _codes(self, used: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the codes of values of the used features."""
        codes = np.empty(used.shape, dtype=np.uint8)
        for f, j in enumerate(self.used.tolist()):
            column = used[:, f]
            known = ~np.isnan(column)
            codes[~known, f] = MISSING
            if self.flat[f]:
                codes[known, f] = column[known].astype(np.uint8)
            else:
                codes[known, f] = np.searchsorted(self.bins[j].thresholds, column[known], side="right")
        return codes

    def _costs(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        size = np.abs(np.nan_to_num(after) - np.nan_to_num(before)) / self.moves.scale[self.used]
        size[:, self.flat] = np.where(size[:, self.flat] > 0, CATEGORY_COST, 0.0)
        return np.asarray(size.sum(axis=1))

    def _all_stops(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where a feature may end from below and from above.

        Returns
        -------
        stops : ndarray of shape (n_used, 2, 255)
            By code; infinity where that is not allowed.
        ends : ndarray of shape (n_used, 2)
            The farthest of all; minus infinity and infinity where that way is closed.
        """
        stops = np.full((len(self.used), 2, N_CODES - 1), np.inf)
        ends = np.tile([-np.inf, np.inf], (len(self.used), 1))
        for f, j in enumerate(self.used.tolist()):
            bins = self.bins[j]
            if self.flat[f]:
                if not self.moves.frozen[j]:
                    stops[f, 0, : bins.n_codes] = np.arange(bins.n_codes)
                continue
            edges = np.concatenate([[-np.inf], bins.thresholds, [np.inf]])
            every = max(1, bins.n_codes // _STEPS) if f < self.n_coordinates else 1
            reachable = self.moves.reachable(j, edges)
            # Of many codes only some are tried, but always the first and the last of those that bounds leave open.
            for code in {*reachable[::every].tolist(), *reachable[-1:].tolist()}:
                up, down = self.moves.ends(j, float(edges[code]), float(edges[code + 1]))
                stops[f, 0, code] = up if np.isfinite(up) else np.inf
                stops[f, 1, code] = down if np.isfinite(down) else np.inf
            if f < self.n_coordinates and len(reachable) and not self.moves.frozen[j]:
                self._close(f, edges, reachable, stops[f], ends[f])
        return stops, ends

    def _close(
        self,
        f: int,
        edges: NDArray[np.float64],
        reachable: NDArray[np.int64],
        stops: NDArray[np.float64],
        ends: NDArray[np.float64],
    ) -> None:
        """Write where a number's ways up and down end: at the last threshold, or before it at the bound.

        A bound lies within a range of values of one code, all of which it may take; so the bound is a stop of its own.
        It is kept at the next code, which nobody can reach.
        """
        j, first, last = int(self.used[f]), int(reachable[0]), int(reachable[-1])
        if self.moves.rises[j]:
            ends[0] = stops[0, last]
            if last < len(edges) - 2:
                ends[0] = self.moves.inside(j, float(edges[last]), float(edges[last + 1]))[1]
                stops[0, last + 1] = ends[0]
        if self.moves.falls[j]:
            ends[1] = stops[1, first]
            if first > 0:
                ends[1] = self.moves.inside(j, float(edges[first]), float(edges[first + 1]))[0]
                stops[1, first - 1] = ends[1]

    def _all_parts(self) -> NDArray[np.float64]:
        """Return what each feature adds to each score where it may end, shape (n_used, 2, 255, n_segments)."""
        scores, n = self.model.scores, self.n_coordinates
        parts = np.zeros((*self.stops.shape, len(scores)))
        embedding = scores.embedding
        for f in range(len(self.used)):
            if f >= n:
                parts[f] = scores.tables[f - n, : N_CODES - 1]
                continue
            known = np.where(np.isinf(self.stops[f]), 0.0, self.stops[f])
            points = ((known - embedding.shift[f]) * embedding.factor[f]).astype(np.float32).astype(np.float64)
            curve = scores.curves[f]
            offset = points[..., None] - curve[KNOT]
            parts[f] = curve[LEVEL] + curve[SLOPE] * np.abs(offset) + curve[CURVATURE] * offset**2
        return parts
