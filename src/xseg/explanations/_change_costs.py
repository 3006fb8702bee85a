"""Which changes of a row are allowed, what a change costs, and the protocol of the search for the cheapest one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, Bins, FeatureBins, as_kind
from xseg.core.conditions import number_below
from xseg.core.numbers import find_roundest
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.segments import SegmentProfile
from xseg.core.tables import Table
from xseg.exceptions import ParameterError

__all__ = [
    "CATEGORY_COST",
    "RESOLUTION",
    "UNSEEN",
    "AllowedChanges",
    "Bounds",
    "ChangeSearch",
    "CheapestChanges",
    "Obstacle",
    "compute_scale",
    "encode_values",
]

CATEGORY_COST = 1.0
RESOLUTION = 1e-3
UNSEEN = float(MISSING)
_QUARTERS = (0.25, 0.75)
_DIRECTIONS = ("up", "down")

Bounds = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True, eq=False)
class AllowedChanges:
    """Which changes are allowed, by feature.

    Attributes
    ----------
    schema : Schema
        The features.
    scale : ndarray of shape (n_features,)
        The cost of a change of a number is its size over this; 1 for categories and booleans.
    frozen, rises, falls : ndarray of shape (n_features,)
        Whether a feature must stay as it is, may rise, may fall.
    lowest, highest : ndarray of shape (n_features,)
        The closed interval in which a changed number must lie.
    """

    schema: Schema
    scale: NDArray[np.float64]
    frozen: NDArray[np.bool_]
    rises: NDArray[np.bool_]
    falls: NDArray[np.bool_]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    @classmethod
    def from_options(
        cls,
        profile: SegmentProfile,
        frozen: Iterable[str] = (),
        bounds: Bounds | None = None,
        direction: Mapping[str, str] | None = None,
    ) -> "AllowedChanges":
        """Return the allowed changes for the options of `counterfactual`, with scales from the population."""
        schema = profile.bins.schema
        size = len(schema)
        moves = cls(
            schema,
            np.array(
                [
                    compute_scale(bins, counts)
                    for bins, counts in zip(profile.bins.features, profile.population, strict=True)
                ]
            ),
            np.zeros(size, dtype=bool),
            np.ones(size, dtype=bool),
            np.ones(size, dtype=bool),
            np.full(size, -np.inf),
            np.full(size, np.inf),
        )
        if isinstance(frozen, str):
            message = f"frozen must be a list of column names, got the string {frozen!r}; pass frozen=[{frozen!r}]"
            raise ParameterError(message)
        for name in frozen:
            moves.frozen[schema.index(name)] = True
        for name, limits in (bounds or {}).items():
            j = schema.index(name)
            moves.lowest[j], moves.highest[j] = _limits(schema[j], limits)
        for name, given in (direction or {}).items():
            j = schema.index(name)
            _check_direction(schema[j], given)
            moves.rises[j], moves.falls[j] = given == "up", given == "down"
        return moves

    def ends(self, j: int, low: float, high: float) -> tuple[float, float]:
        """Return the values at which a number that rises, and one that falls, first lies in ``[low, high)``.

        Parameters
        ----------
        j : int
            The feature.
        low, high : float
            The range.

        Returns
        -------
        tuple of (float, float)
            Infinity where it may not rise into the range, minus infinity where it may not fall into it.
        """
        first, last = self.inside(j, low, high)
        if self.frozen[j] or first > last:
            return np.inf, -np.inf
        up, down = first, last
        if not self._whole(j):
            step = RESOLUTION * float(self.scale[j])
            up, down = _readable_first(first, last, step), _readable_last(first, last, high, step)
        return up if self.rises[j] else np.inf, down if self.falls[j] else -np.inf

    def describe_obstacle(self, j: int, value: float, low: float, high: float) -> str:
        """Return the reason why a number cannot be changed to lie in ``[low, high)``."""
        if np.isnan(value):
            return "missing"
        if self.frozen[j]:
            return "frozen"
        if not (self.rises[j] if value < low else self.falls[j]):
            return "direction"
        open_ended = np.full(len(self.schema), np.inf)
        first, last = replace(self, lowest=-open_ended, highest=open_ended).inside(j, low, high)
        return "bounds" if first <= last else "no value"

    def select_allowed(self, j: int, own: float, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of the codes of a categorical feature that a row with code `own` may change to."""
        if self.frozen[j] or np.isnan(own):
            return codes[:0]
        if self.rises[j] and self.falls[j]:
            return codes
        if own == UNSEEN:
            return codes[:0]
        return codes[codes > own] if self.rises[j] else codes[codes < own]

    def _whole(self, j: int) -> bool:
        return self.schema[j].integral or self.schema[j].kind is Kind.BOOLEAN

    def find_reachable_ranges(self, j: int, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the indices of the ranges between `edges` that hold an allowed value, in order."""
        first = np.maximum(edges[:-1], self.lowest[j])
        last = np.minimum(np.nextafter(edges[1:], -np.inf), self.highest[j])
        first, last = (np.ceil(first), np.floor(last)) if self._whole(j) else (first, last)
        return np.flatnonzero(first <= last)

    def inside(self, j: int, low: float, high: float) -> tuple[float, float]:
        """Return the first and the last value that a number may take in ``[low, high)``."""
        first = max(low, float(self.lowest[j]))
        last = min(_find_previous_number(high), float(self.highest[j]))
        return (float(np.ceil(first)), float(np.floor(last))) if self._whole(j) else (first, last)


@dataclass(frozen=True, slots=True, eq=False)
class CheapestChanges:
    """The cheapest change of each row.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_features)
        Numbers, and codes of categories, after the change; rows for which there is none stay as they are.
    target : ndarray of shape (n_rows,)
        The segment each row is in after the change; -1 where there is no change.
    cost : ndarray of shape (n_rows,)
        Cost of the change; infinity where there is none.
    proven : ndarray of shape (n_rows,)
        Whether it is proven that no change is cheaper.
    place : ndarray of shape (n_rows,)
        The box each row is in after the change; -1 where there is none, or the model has no boxes.
    """

    values: NDArray[np.float64]
    target: NDArray[np.int64]
    cost: NDArray[np.float64]
    proven: NDArray[np.bool_]
    place: NDArray[np.int64]


class ChangeSearch(Protocol):
    """Search for the cheapest changes under one fitted model; each family of models implements it.

    Rows are arrays of numbers and codes of categories, as `encode_values` returns them.
    """

    bins: Bins

    def predict_segments(self, table: Table) -> NDArray[np.int64]:
        """Return the segment each row is in."""
        ...

    def solve(
        self,
        values: NDArray[np.float64],
        own: NDArray[np.int64],
        targets: NDArray[np.int64],
        n_workers: int,
    ) -> CheapestChanges:
        """Return the cheapest change of each row into its target (-1: any segment but its own)."""
        ...

    def find_threshold(self, place: int, j: int, rises: bool) -> tuple[str, float] | None:
        """Return the relation and threshold that a changed number must satisfy in a box; None if there is none."""
        ...

    def obstacles(self, values: NDArray[np.float64], own: int, target: int) -> "tuple[Obstacle, ...]":
        """Return for one row what blocks a change into each box of the target."""
        ...


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The features that make it impossible to change a row so that it lies in a box.

    Attributes
    ----------
    box : int
        Index of the box in the model.
    rule : str
        The box as a rule.
    features : tuple of (str, str)
        Each blocking feature and the reason: "frozen", "bounds", "direction", "missing" (its value is not known) or
        "no value" (no whole number, or known value, lies in the box).
    """

    box: int
    rule: str
    features: tuple[tuple[str, str], ...]


def compute_scale(bins: FeatureBins, counts: NDArray[np.int64]) -> float:
    """Return the scale of a feature: the interquartile range of the population.

    Where half of the rows share a value, it is the standard deviation of the midpoints of the codes instead. It is 1
    for categories, booleans and columns with one code.
    """
    known = counts[: bins.n_codes].astype(np.float64)
    thresholds = bins.thresholds
    if bins.feature.kind is not Kind.NUMBER or not len(thresholds) or not known.sum():
        return CATEGORY_COST
    share = known / known.sum()
    lower, upper = np.interp(_QUARTERS, np.cumsum(share)[:-1], thresholds)
    if upper > lower:
        return float(upper - lower)
    places = np.concatenate([thresholds[:1], thresholds[:-1] / 2 + thresholds[1:] / 2, thresholds[-1:]])
    return float(np.sqrt(share @ (places - share @ places) ** 2)) or 1.0


def encode_values(bins: Bins, table: Table) -> NDArray[np.float64]:
    """Return the rows as raw numbers and codes of categories, shape (n_rows, n_features).

    NaN is missing; a category without a code of its own is `UNSEEN`.
    """
    values = np.empty((len(table), len(bins)))
    codes = np.empty(len(table), dtype=np.uint8)
    for j, feature_bins in enumerate(bins.features):
        column = as_kind(table.columns[j], feature_bins.feature)
        if feature_bins.feature.kind.is_numeric:
            values[:, j] = column.numbers()
        else:
            feature_bins.encode(column, codes)
            values[:, j] = np.where(np.asarray(column.values) < 0, np.nan, codes)
    return values


def _limits(feature: Feature, limits: Any) -> tuple[float, float]:
    if feature.kind is not Kind.NUMBER:
        message = (
            f"bounds must name columns of numbers, and {feature.name!r} is of kind {feature.kind}; use frozen or "
            "direction"
        )
        raise ParameterError(message)
    try:
        low, high = limits
        ends = -np.inf if low is None else float(low), np.inf if high is None else float(high)
    except (TypeError, ValueError):
        message = (
            f"bounds[{feature.name!r}] must be a pair (low, high) of numbers, got {limits!r}; None leaves a side open"
        )
        raise ParameterError(message) from None
    if not ends[0] <= ends[1]:
        message = f"bounds[{feature.name!r}] must have low <= high, got {limits!r}; pass (low, high)"
        raise ParameterError(message)
    return ends


def _check_direction(feature: Feature, given: Any) -> None:
    if given not in _DIRECTIONS:
        message = f"direction[{feature.name!r}] must be 'up' or 'down', got {given!r}"
        raise ParameterError(message)
    if feature.kind is Kind.CATEGORY:
        message = (
            f"direction must name columns whose values have an order, and {feature.name!r} is of kind {feature.kind}; "
            "use frozen"
        )
        raise ParameterError(message)


def _find_previous_number(value: float) -> float:
    """Return the largest number below a value; infinities stay as they are."""
    return float(np.nextafter(value, -np.inf)) if np.isfinite(value) else value


def _readable_first(first: float, last: float, step: float) -> float:
    if not np.isfinite(first) or number_below(first) is None:
        return first
    return _rounder(first, min(first + step, last))


def _readable_last(first: float, last: float, high: float, step: float) -> float:
    if not np.isfinite(last) or last < _find_previous_number(high) or number_below(high) is not None:
        return last
    return _rounder(max(first, last - step), last)


def _rounder(first: float, last: float) -> float:
    """Return the roundest number of ``[first, last]``."""
    return find_roundest(_find_previous_number(first), last)
