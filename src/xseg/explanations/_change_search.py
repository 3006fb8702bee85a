"""Search for the cheapest change of each row: by projection on each box, and by branch and bound for scores."""

from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.box_kernels import box_costs, nearest_boxes
from xseg._kernels.nearest_change.nearest_scores import nearest_scores
from xseg._kernels.nearest_change.score_margins import Coding, Endpoints, Limits
from xseg._kernels.score_kernels import CURVATURE, KNOT, LEVEL, SLOPE
from xseg.core.additive import AdditiveModel
from xseg.core.bins import MISSING, N_CODES
from xseg.core.boxes import BoxModel, BoxTests
from xseg.core.conditions import Condition, make_condition, number_below
from xseg.core.schema import Kind
from xseg.core.segments import SegmentProfile
from xseg.core.tables import Table
from xseg.explanations._change_costs import CATEGORY_COST, RESOLUTION, UNSEEN, AllowedChanges, CheapestChanges, Obstacle
from xseg.explanations._shapley import run_in_chunks

__all__ = ["BoxChangeSearch", "ScoreChangeSearch"]


class BoxChangeSearch:
    """Exact search for the cheapest change of rows into boxes.

    The cost is a sum over features, and so is a box's condition. The cheapest change into one box therefore changes
    each tested feature on its own, and the cheapest of a segment is the minimum over its boxes.

    Parameters
    ----------
    model : BoxModel
        The boxes.
    profile : SegmentProfile
        Counts of the population: among categories of equal cost the most frequent one is chosen.
    moves : AllowedChanges
        The allowed changes.
    """

    def __init__(self, model: BoxModel, profile: SegmentProfile, moves: AllowedChanges) -> None:
        self.boxes = model.boxes
        self.bins = model.boxes.bins
        self.moves = moves
        self.profile = profile
        tests = [np.flatnonzero(~inside.all(axis=1)) for inside in self.boxes.inside]
        self.n_tested = np.array([len(features) for features in tests], dtype=np.int64)
        self.tested = np.zeros((len(tests), max(1, int(self.n_tested.max(initial=0)))), dtype=np.int64)
        for box, features in enumerate(tests):
            self.tested[box, : len(features)] = features
        self.missing = np.ascontiguousarray(self.boxes.inside[:, :, MISSING])
        self.place = np.full(len(self.boxes.bins), -1, dtype=np.int64)
        by_code = [j for j, bins in enumerate(self.boxes.bins.features) if not bins.feature.kind.is_numeric]
        self.place[by_code] = np.arange(len(by_code))
        self.ends = self._all_ends(tests)
        self.choices = self._all_choices(by_code)
        self._conditions = cache(self._find_conditions)
        self._tables = (
            self.tested,
            self.n_tested,
            self.place,
            self.ends,
            self.missing,
            moves.scale,
            self.choices,
            CATEGORY_COST,
        )

    def predict_segments(self, table: Table) -> NDArray[np.int64]:
        """Return the segment each row is in."""
        tests = self._tests
        codes = self.boxes.bins.encode(table, tests.features.tolist())
        return self.boxes.segment[tests.find(codes)].astype(np.int64)

    @cached_property
    def _tests(self) -> BoxTests:
        return self.boxes.tests()

    def solve(
        self,
        values: NDArray[np.float64],
        own: NDArray[np.int64],
        targets: NDArray[np.int64],
        n_workers: int,
    ) -> CheapestChanges:
        """Return the cheapest change of each row into its target (-1: any segment but its own)."""
        boxes, cost = self.find_nearest(values, own, targets, n_workers)
        reached = np.where(boxes >= 0, self.boxes.segment[boxes].astype(np.int64), -1)
        return CheapestChanges(self.move_rows(values, boxes), reached, cost, np.ones(len(values), dtype=bool), boxes)

    def find_nearest(
        self, values: NDArray[np.float64], own: NDArray[np.int64], targets: NDArray[np.int64], n_workers: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the cheapest box of each row's target (-1: any but its own) and its cost; -1 where there is none."""
        boxes, cost = np.empty(len(values), dtype=np.int64), np.empty(len(values))
        segment = self.boxes.segment.astype(np.int64)

        def work(rows: slice) -> None:
            nearest_boxes(values[rows], *self._tables, segment, own[rows], targets[rows], boxes[rows], cost[rows])

        run_in_chunks(work, len(values), n_workers)
        return boxes, cost

    def move_rows(self, values: NDArray[np.float64], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rows changed so that they lie in their boxes; rows without a box stay as they are."""
        out = values.copy()
        for box in np.unique(boxes[boxes >= 0]).tolist():
            rows = np.flatnonzero(boxes == box)
            for j in self.tested[box, : self.n_tested[box]].tolist():
                column = values[rows, j]
                known = ~np.isnan(column)
                if self.place[j] < 0:
                    low, high, up, down = self.ends[box, j]
                    out[rows[column < low], j] = up
                    out[rows[column >= high], j] = down
                else:
                    codes = column[known].astype(np.int64)
                    out[rows[known], j] = self.choices[box, self.place[j], codes]
        return out

    def find_threshold(self, place: int, j: int, rises: bool) -> tuple[str, float] | None:
        """Return the relation and threshold of the box side that a number crosses when it rises, or falls, into it."""
        if self.bins[j].feature.kind is not Kind.NUMBER:
            return None
        end = float(self.ends[place, j, 0 if rises else 1])
        named = number_below(end)
        if named is None or (self.bins[j].feature.integral and not named.is_integer()):
            return (">=" if rises else "<"), end
        return (">" if rises else "<="), named

    def obstacles(self, values: NDArray[np.float64], own: int, target: int) -> tuple[Obstacle, ...]:
        """Return for one row the features that block a change into each box of its target."""
        segment = self.boxes.segment
        wanted = np.flatnonzero(segment == target if target >= 0 else segment != own)
        return tuple(self._find_obstacle(values, int(box)) for box in wanted)

    def find_failed_conditions(
        self, values: NDArray[np.float64], boxes: NDArray[np.int64]
    ) -> list[tuple[Condition, ...]]:
        """Return the conditions of each row's box that the row does not meet; none for rows without a box."""
        failed = (self.move_rows(values, boxes) != values) & ~np.isnan(values)
        rows, features = np.nonzero(failed)
        ends = np.cumsum(np.bincount(rows, minlength=len(values))).tolist()
        listed = features.tolist()
        return [
            self._conditions(box, tuple(listed[first:last]))
            for box, first, last in zip(boxes.tolist(), [0, *ends], ends, strict=False)
        ]

    def _find_conditions(self, box: int, features: tuple[int, ...]) -> tuple[Condition, ...]:
        return tuple(make_condition(self.bins[j], self.boxes.inside[box, j]) for j in features)

    def _find_obstacle(self, values: NDArray[np.float64], box: int) -> Obstacle:
        costs = np.empty(self.tested.shape[1])
        box_costs(values, box, *self._tables, costs)
        blocked = self.tested[box, : self.n_tested[box]][np.isinf(costs[: self.n_tested[box]])].tolist()
        names = self.boxes.bins.schema.names
        return Obstacle(
            box, str(self.boxes.rule(box)), tuple((names[j], self._reason(values[j], box, j)) for j in blocked)
        )

    def _reason(self, value: float, box: int, j: int) -> str:
        if self.place[j] < 0:
            return self.moves.describe_obstacle(
                j, float(value), float(self.ends[box, j, 0]), float(self.ends[box, j, 1])
            )
        if np.isnan(value):
            return "missing"
        if self.moves.frozen[j]:
            return "frozen"
        known = self.boxes.inside[box, j, : self.boxes.bins[j].n_codes]
        return "direction" if known.any() else "no value"

    def _all_ends(self, tests: list[NDArray[np.int64]]) -> NDArray[np.float64]:
        """Return the sides of each box in each number, and where a rising and a falling number enter it.

        Returns
        -------
        ndarray of shape (n_boxes, n_features, 4)
            Lower side, upper side, first value from below, first value from above.
        """
        ends = np.zeros((len(tests), len(self.boxes.bins), 4))
        for box, features in enumerate(tests):
            for j in features[self.place[features] < 0].tolist():
                bins = self.boxes.bins[j]
                codes = np.flatnonzero(self.boxes.inside[box, j, : bins.n_codes])
                if not len(codes) or bins.feature.kind is Kind.EMPTY:
                    ends[box, j] = np.inf, np.inf, np.inf, -np.inf
                    continue
                edges = np.concatenate([[-np.inf], bins.thresholds, [np.inf]])
                low, high = float(edges[codes[0]]), float(edges[codes[-1] + 1])
                ends[box, j] = low, high, *self.moves.ends(j, low, high)
        return ends

    def _all_choices(self, by_code: list[int]) -> NDArray[np.int64]:
        """Return the code that each code of a category changes to, shape (n_boxes, n_categories, 256)."""
        choices = np.full((len(self.boxes), len(by_code), N_CODES), -1, dtype=np.int64)
        for box, inside in enumerate(self.boxes.inside):
            for place, j in enumerate(by_code):
                inside_codes = np.flatnonzero(inside[j, : self.boxes.bins[j].n_codes])
                for code in (*range(self.boxes.bins[j].n_codes), int(UNSEEN)):
                    choices[box, place, code] = code if inside[j, code] else self._choice(j, code, inside_codes)
        return choices

    def _choice(self, j: int, own: int, inside: NDArray[np.int64]) -> int:
        """Return the nearest code of an ordered category, the most frequent of another; -1 if none is allowed."""
        allowed = self.moves.select_allowed(j, own, inside)
        if not len(allowed):
            return -1
        if self.boxes.bins[j].is_ordered and own != UNSEEN:
            return int(allowed[np.abs(allowed - own).argmin()])
        names, counted = self.boxes.bins[j].categories, self.profile.bins[j].categories
        counts = [self.profile.population[j, counted.index(names[c])] if names[c] in counted else 0 for c in allowed]
        return int(allowed[int(np.argmax(counts))])


_STEPS = 32
_MAX_NODES = 300


class ScoreChangeSearch:
    """Search for the cheapest change of rows after which another score is the highest.

    Parameters
    ----------
    model : AdditiveModel
        The scores.
    moves : AllowedChanges
        The allowed changes.
    """

    def __init__(self, model: AdditiveModel, moves: AllowedChanges) -> None:
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
        self._endpoints = Endpoints(self.stops, self._all_parts(), ends)
        whole = np.array([kind.integral or kind.kind is Kind.BOOLEAN for kind in moves.schema], dtype=bool)
        places = -np.floor(np.log10(RESOLUTION * moves.scale)).astype(np.int64)
        self._limits = Limits(
            whole[self.used],
            self.flat,
            moves.scale[self.used],
            moves.rises[self.used],
            moves.falls[self.used],
            moves.lowest[self.used],
            moves.highest[self.used],
            places[self.used],
        )

    def predict_segments(self, table: Table) -> NDArray[np.int64]:
        """Return the segment each row is in."""
        return np.asarray(self.model.score(table).argmax(axis=1), dtype=np.int64)

    def solve(
        self,
        values: NDArray[np.float64],
        own: NDArray[np.int64],
        targets: NDArray[np.int64],
        n_workers: int,
    ) -> CheapestChanges:
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
                self._limits,
                self._endpoints,
                self.exact,
                CATEGORY_COST,
                own[rows],
                targets[rows],
                _MAX_NODES,
                (moved[rows], reached[rows], cost[rows], proven[rows]),
            )

        run_in_chunks(work, len(used), n_workers)
        after = values.copy()
        after[:, self.used] = moved
        return CheapestChanges(
            after,
            reached,
            np.where(np.isfinite(cost), self._costs(used, moved), np.inf),
            proven,
            np.full(len(used), -1),
        )

    def find_threshold(self, place: int, j: int, rises: bool) -> None:
        """Return None: with scores, the value that one feature needs depends on the other features."""
        del place, j, rises

    def obstacles(self, values: NDArray[np.float64], own: int, target: int) -> tuple[Obstacle, ...]:
        """Return an empty tuple: there are no boxes."""
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
        """Return the values that the search tries for each feature.

        Returns
        -------
        stops : ndarray of shape (n_used, 2, 255)
            For each code, the first value in it of a rising and of a falling number; infinity where not allowed.
        ends : ndarray of shape (n_used, 2)
            The largest and the smallest value that a number may take; minus infinity and infinity where it may not
            rise or fall.
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
            reachable = self.moves.find_reachable_ranges(j, edges)
            # Of many codes only every few are tried, but always the first and the last that bounds allow.
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
        """Set the largest and smallest value of a number: the outermost threshold, or the user's bound before it.

        A bound lies inside the value range of one code, so it is a candidate value besides the thresholds. It is
        stored at the next code, which the bound makes unreachable and whose slot is therefore free.
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
        """Return each feature's part of each score at its stops, shape (n_used, 2, 255, n_segments)."""
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
