"""Counterfactual explanations: the cheapest change of each row that moves it into another segment."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import count_workers
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.exceptions import ParameterError
from xseg.explanations._change_costs import (
    AllowedChanges,
    Bounds,
    ChangeSearch,
    CheapestChanges,
    Obstacle,
    encode_values,
)
from xseg.explanations._changed_rows import FeatureChange, changed_table, list_changes
from xseg.explanations._families import NearestChange, find_family
from xseg.segmenters import FittedSegmenter, SegmenterOrPipeline, check_segmenter, fold

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANY_OTHER", "Counterfactuals", "NearestChange", "NearestChangeFinder", "Recourse", "counterfactual"]

ANY_OTHER = -1
_COSTS = ("scaled-l1",)


@dataclass(frozen=True, slots=True)
class Recourse:
    """Counterfactual of one row.

    Attributes
    ----------
    own, target : str
        The segment the row is in, and the one the change leads to; "" where no change leads into any.
    found : bool
        Whether a change was found.
    proven : bool
        Whether there is proof: that none is cheaper, or that there is none. "Nothing you can change" may be said only
        where `found` is false and `proven` is true.
    cost : float
        Cost of the change; infinity where there is none.
    changes : tuple of FeatureChange
        The changes of features.
    blocked_by : tuple of Obstacle
        Where there is no change, for each box of the target the features that block it; empty for segments that are
        not made of boxes.
    """

    own: str
    target: str
    found: bool
    proven: bool
    cost: float
    changes: tuple[FeatureChange, ...]
    blocked_by: tuple[Obstacle, ...]


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """The cheapest change of each row that moves it into another segment.

    Attributes
    ----------
    found : ndarray of shape (n_rows,)
        Whether a change was found.
    own : ndarray of shape (n_rows,)
        The segment each row is in.
    target : ndarray of shape (n_rows,)
        The segment it is in after the change; -1 where no change leads into any.
    cost : ndarray of shape (n_rows,)
        Cost of the change; infinity where there is none.
    proven : ndarray of shape (n_rows,)
        Whether it is proven that no change is cheaper, or that there is none; the Notes of `counterfactual` say among
        which changes. Where it is false, the change found is valid but a cheaper one may exist, and ``found=False``
        does not mean that there is none.
    changed : DataFrame of shape (n_rows, n_features)
        The rows after the change, in raw units; rows without a change are as they were.
    """

    found: NDArray[np.bool_]
    own: NDArray[np.int64]
    target: NDArray[np.int64]
    cost: NDArray[np.float64]
    proven: NDArray[np.bool_]
    changed: "pd.DataFrame"
    _table: Table = field(repr=False)
    _before: NDArray[np.float64] = field(repr=False)
    _after: NDArray[np.float64] = field(repr=False)
    _wanted: NDArray[np.int64] = field(repr=False)
    _place: NDArray[np.int64] = field(repr=False)
    _names: tuple[str, ...] = field(repr=False)
    _search: ChangeSearch = field(repr=False)

    def __len__(self) -> int:
        return len(self.found)

    @cached_property
    def changes(self) -> tuple[tuple[FeatureChange, ...], ...]:
        """The changes of each row; empty where there is none, or the row is in the target already."""

        def find_threshold(row: int, j: int, rises: bool) -> tuple[str, float] | None:
            return self._search.find_threshold(int(self._place[row]), j, rises)

        return list_changes(self._table, self._search.bins, self._before, self._after, find_threshold)

    @cached_property
    def blocked_by(self) -> tuple[tuple[Obstacle, ...], ...]:
        """For each row without a change, the features that block each box of the target.

        Empty where there is a change, and for segments that are not made of boxes.
        """
        blocked: list[tuple[Obstacle, ...]] = [()] * len(self)
        for i in np.flatnonzero(~self.found).tolist():
            blocked[i] = self._search.obstacles(self._before[i], int(self.own[i]), int(self._wanted[i]))
        return tuple(blocked)

    def recourse(self, row: int) -> Recourse:
        """Return the counterfactual of one row.

        Parameters
        ----------
        row : int
            The position of the row, from 0.

        Returns
        -------
        Recourse
            The two segments, what changes, what it costs, and what is proven.
        """
        found, target = bool(self.found[row]), int(self.target[row])
        return Recourse(
            self._names[self.own[row]],
            self._names[target] if target >= 0 else "",
            found,
            bool(self.proven[row]),
            float(self.cost[row]),
            self.changes[row],
            self.blocked_by[row],
        )


def counterfactual(
    segmenter: SegmenterOrPipeline,
    X: Any,
    *,
    target: str | int | None = None,
    frozen: Iterable[str] = (),
    bounds: Bounds | None = None,
    direction: Mapping[str, str] | None = None,
    cost: str = "scaled-l1",
) -> Counterfactuals:
    """Return the cheapest change of each row that moves it into another segment.

    A change of a number costs its size over the feature's scale, the interquartile range of the population the
    segmenter was fitted on (its standard deviation where half of the rows share a value). A category, ordered or
    not, or a boolean costs 1. A missing value stays missing, and a known one stays known.

    Segments made of boxes: the row is projected on every box of the target, and the cheapest box is the answer. A
    number that rises is set to the box's threshold. As boxes are half open, one that falls is set to a round number
    below the threshold, by at most a thousandth of the scale. Features of whole numbers are set to whole numbers.

    Segments made of scores: see Notes.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in a tree
        The model. A pipeline is folded to the same tree over raw columns, as `xseg.fold` does.
    X : table or array of shape (n_rows, n_features)
        The rows.
    target : segment name or index, default=None
        Target segment; None means the other segment with the cheapest change. A row that is in the target already does
        not change.
    frozen : iterable of str, default=()
        Features that must stay as they are.
    bounds : mapping of str to (low, high), default=None
        Closed intervals for the changed value of a number; None leaves a side open.
    direction : mapping of str to {"up", "down"}, default=None
        Features that may only rise or only fall: numbers, ordered categories, and booleans (up is yes).
    cost : {"scaled-l1"}, default="scaled-l1"
        Norm of the cost of a change.

    Returns
    -------
    Counterfactuals
        The changes, their costs, and where there is none, the reason.

    Raises
    ------
    NotFittedError, DataError
        As for `explain`.
    UnsupportedTypeError
        The model has no exact explanation, or a step of the pipeline would have to be undone.
    DataError, ParameterError
        There is no such segment or feature, or bounds or directions are not valid.

    Notes
    -----
    *Boxes* are exact, so `proven` is always true: no change is cheaper, but for a thousandth of the scale for each
    number that must end below a half-open threshold; where there is none, `blocked_by` is the proof.

    *Scores.* The target's score must exceed every other by 1e-9 of the largest part of one. A number may be changed to
    any value from the first to the last threshold of the fitted profile (so not beyond the population), a number
    looked up by code to any of its thresholds, a category to any that the profile knows. If only one feature changes,
    the least change is found in closed form for every score, so it is exact where only one feature may change.

    Prototypes, under any metric: margins are linear between the prototypes' own values, and branch and bound
    over linear programmes finds the least change of any number of features. `proven` says that it ended: no change
    within those ranges is cheaper, or there is none. It stops after 2,000 programmes for each target.

    Mixtures: margins are quadratic. Linear programmes over eight pieces per feature give a first solution, each number
    of which is moved back as far as the others allow; branch and bound over at most 64 thresholds per number and all
    categories then looks for a cheaper one, in at most 300 steps. `proven` says that the latter ended: no combination
    of those thresholds is cheaper (values between them may be). Where nothing is found, `proven` is true only if the
    target could not exceed some rival even with every feature at its most favourable value.

    Last, changed numbers are rounded to a power of ten of at most a thousandth of the scale, where the row then still
    is in the target; `proven` refers to the change before that.

    References
    ----------
    Carreira-Perpinan and Hada, "Counterfactual explanations for oblique decision trees: exact, efficient algorithms",
    2021. Ustun et al., "Actionable recourse in linear classification", 2019.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> answer = xseg.counterfactual(segmenter, customers.head(5))
    >>> bool((segmenter.predict(answer.changed) == answer.target).all())
    True
    """
    if cost not in _COSTS:
        message = f"cost must be 'scaled-l1', got {cost!r}"
        raise ParameterError(message)
    fitted = fold(segmenter)
    table = fitted.read_rows(X)
    search = find_family(fitted).make_change_search(
        AllowedChanges.from_options(fitted.profile_, frozen, bounds, direction)
    )
    position = ANY_OTHER if target is None else fitted.segments_.position(target)
    values, own = encode_values(search.bins, table), search.predict_segments(table)
    wanted = np.full(len(table), position, dtype=np.int64)
    answer = search.solve(values, own, wanted, count_workers(fitted.n_jobs))
    return _build_counterfactual(X, table, search, values, own, wanted, answer, fitted.segment_names_)


def _build_counterfactual(
    X: Any,
    table: Table,
    search: ChangeSearch,
    values: NDArray[np.float64],
    own: NDArray[np.int64],
    wanted: NDArray[np.int64],
    answer: CheapestChanges,
    names: tuple[str, ...],
) -> Counterfactuals:
    return Counterfactuals(
        np.isfinite(answer.cost),
        own,
        np.where(wanted >= 0, wanted, answer.target),
        answer.cost,
        answer.proven,
        changed_table(X, table, search.bins, values, answer.values),
        table,
        values,
        answer.values,
        wanted,
        answer.place,
        names,
        search,
    )


class NearestChangeFinder:
    """Finder of the cheapest change of rows into any other segment.

    Prepared once for a segmenter, it answers many tables without building the changed rows, as `counterfactual` does.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    frozen : iterable of str
        Features that must stay as they are.
    direction : mapping of str to {"up", "down"}
        Features that may only rise or only fall.

    Examples
    --------
    >>> import xseg
    >>> from xseg.core.tables import read_table
    >>> from xseg.explanations import NearestChangeFinder
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> [change.proven for change in NearestChangeFinder(segmenter).find(read_table(customers.head(2)))]
    [True, True]
    """

    def __init__(
        self, segmenter: FittedSegmenter, *, frozen: Iterable[str] = (), direction: Mapping[str, str] | None = None
    ) -> None:
        schema = check_segmenter(segmenter).profile_.bins.schema
        ordered = {
            name: given for name, given in (direction or {}).items() if _has_order(schema[schema.index(name)].kind)
        }
        moves = AllowedChanges.from_options(segmenter.profile_, frozen, None, ordered)
        self._search = find_family(segmenter).make_nearest_changes(moves)

    def find(self, table: Table, *, n_jobs: int | None = 1) -> list[NearestChange]:
        """Return the nearest change of each row of a table that has the columns the segmenter was fitted on."""
        return self._search.find(table, count_workers(n_jobs))


def _has_order(kind: Kind) -> bool:
    return kind is not Kind.CATEGORY
