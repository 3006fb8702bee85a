"""Segments as people read them, counts of each feature over them, and the estimate of an outcome in a segment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Self, overload

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.center_kernels import add_code_counts
from xseg.core.bins import MISSING, N_CODES, Bins
from xseg.core.boxes import ThresholdTree
from xseg.core.conditions import Rule, make_condition
from xseg.core.schema import Kind, suggest_name
from xseg.core.statistics import CodedBlock
from xseg.exceptions import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Outcome", "ProfileCounts", "Segment", "SegmentNames", "SegmentProfile", "Segments"]

_MIN_CODES = 2
_TYPICAL_SHARE = 0.6
_MAX_TYPICAL_CATEGORIES = 3


@dataclass(frozen=True, eq=False)
class SegmentProfile:
    """Weights of the codes of each feature, by segment.

    Attributes
    ----------
    bins : Bins
        How columns become codes.
    counts : ndarray of shape (n_segments, n_features, 256)
        Integer weights; the last code is missing.
    unit : float
        Unit of the counts: ``counts / unit`` are numbers of rows (or sample weight).
    """

    bins: Bins
    counts: NDArray[np.int64]
    unit: float = 1.0

    @cached_property
    def sizes(self) -> NDArray[np.float64]:
        """The weight of each segment, shape (n_segments,)."""
        return np.asarray(self.counts[:, 0].sum(axis=1) / self.unit)

    @cached_property
    def population(self) -> NDArray[np.int64]:
        """Counts over all segments, shape (n_features, 256)."""
        return np.asarray(self.counts.sum(axis=0))

    def get_known_weight(self, feature: int) -> float:
        """Return the weight of the rows whose value of a feature is known."""
        return float(self.population[feature, :MISSING].sum() / self.unit)

    def window_shares(self, feature: int, code: int) -> tuple[float, float]:
        """Return the shares of the rows with a known value that have a lower code, and the same code."""
        counts = self.population[feature, :MISSING]
        total = counts.sum()
        return (float(counts[:code].sum() / total), float(counts[code] / total)) if total else (0.0, 0.0)

    def mean_ranks(self) -> NDArray[np.float64]:
        """Return the mean rank, 0 to 1, of each segment's rows in each feature, shape (n_segments, n_features)."""
        population = self.population[:, :MISSING].astype(np.float64)
        totals = np.maximum(population.sum(axis=1, keepdims=True), 1)
        ranks = (np.cumsum(population, axis=1) - population / 2) / totals
        known = self.counts[:, :, :MISSING]
        sums = np.einsum("sfc,fc->sf", known, ranks)
        return np.asarray(np.divide(sums, known.sum(axis=2), out=np.full(sums.shape, 0.5), where=known.sum(axis=2) > 0))

    def offsets(self) -> NDArray[np.float64]:
        """Return the difference of each segment from all rows in each feature, shape (n_segments, n_features).

        It lies between -0.5 and 0.5: for ordered values the mean rank minus a half, for categories half the largest
        excess of a share.
        """
        offsets = self.mean_ranks() - 0.5
        for j, bins in enumerate(self.bins.features):
            if not bins.is_ordered:
                known, everyone = self.counts[:, j, :MISSING], self.population[j, :MISSING]
                shares = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
                excess = (shares - everyone / max(int(everyone.sum()), 1)).max(axis=1)
                offsets[:, j] = np.where(known.any(axis=1), excess / 2, 0.0)
        return offsets

    def typical(self, feature: int, segment: int | None = None) -> int:
        """Return the code of the median row (for ordered values) or the most frequent code; 255 if none is known."""
        counts = self.population[feature] if segment is None else self.counts[segment, feature]
        known = counts[:MISSING]
        if not known.any():
            return int(MISSING)
        if not self.bins[feature].is_ordered:
            return int(known.argmax())
        return int(np.searchsorted(np.cumsum(known), known.sum() / 2))

    def middle_half(self, feature: int, segment: int) -> NDArray[np.bool_] | None:
        """Return the codes that are typical of a segment, shape (256,); None if none are.

        For ordered values these are the codes from the lower to the upper quartile; for categories the most frequent
        ones that together make up three fifths, if they are at most three and not all.
        """
        known = self.counts[segment, feature, :MISSING]
        total, bins = known.sum(), self.bins[feature]
        inside = np.zeros(N_CODES, dtype=bool)
        if total == 0 or bins.n_codes < _MIN_CODES:
            return None
        if bins.is_ordered and bins.feature.kind is not Kind.BOOLEAN:
            reached = np.cumsum(known)
            low, high = np.searchsorted(reached, total / 4), np.searchsorted(reached, total * 3 / 4)
            inside[low : high + 1] = True
        else:
            order = np.argsort(-known, kind="stable")
            needed = int(np.searchsorted(np.cumsum(known[order]), total * _TYPICAL_SHARE)) + 1
            if needed > _MAX_TYPICAL_CATEGORIES:
                return None
            inside[order[:needed]] = True
        return None if inside[: bins.n_codes].all() else inside


class ProfileCounts:
    """A statistic: the weight of every code of every feature in every segment of a tree."""

    def __init__(self, tree: ThresholdTree, n_segments: int) -> None:
        self.tree = tree
        self.counts = np.zeros((n_segments, len(tree.bins), N_CODES), dtype=np.int64)

    def empty(self) -> Self:
        return type(self)(self.tree, len(self.counts))

    def add(self, block: CodedBlock) -> None:
        add_code_counts(block.codes, self.tree.predict(block.codes), block.weights, self.counts)

    def merge(self, other: Self) -> None:
        self.counts += other.counts


@dataclass(frozen=True, slots=True)
class Outcome:
    """An estimate of an outcome in one segment, from rows that had no part in choosing the segment.

    Attributes
    ----------
    estimate : float
        The mean, or the share of rows with `value`.
    low, high : float
        Limits of its confidence interval.
    n : float
        Number of rows (or sample weight) it is estimated on.
    value : str or None
        The category whose share it is; None where the outcome is a number.
    """

    estimate: float
    low: float
    high: float
    n: float
    value: str | None = None

    def __str__(self) -> str:
        """Return the estimate and its interval in one line."""
        if self.value is None:
            return f"{self.estimate:.4g} ({self.low:.4g} to {self.high:.4g})"
        return f"{self.value} {self.estimate:.1%} ({self.low:.1%} to {self.high:.1%})"


_MIN_OFFSET = 0.03
_MAX_TYPICAL = 3
_CELL = "text-align:left;vertical-align:top;padding:0.3em 0.9em"


@dataclass(frozen=True, slots=True)
class SegmentNames:
    """The names of segments, and which of them a person gave.

    Attributes
    ----------
    names : tuple of str
        The names, in order.
    given : tuple of bool
        Whether a person gave each; a name that was proposed is for analysts, and never shown to a customer.
    """

    names: tuple[str, ...]
    given: tuple[bool, ...]

    @property
    def public(self) -> tuple[str | None, ...]:
        """The names that a person gave, and None for the others."""
        return tuple(name if given else None for name, given in zip(self.names, self.given, strict=True))


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment.

    Attributes
    ----------
    index : int
        Its index.
    name : str
        Its name.
    size : float
        Number of rows (or sample weight) of the fit in it.
    share : float
        Its share of all rows.
    rules : tuple of Rule
        Rules of the segment; each of its rows satisfies exactly one. Empty where segments are made of scores.
    profile : SegmentProfile
        Distribution of each feature over all segments; this one is row `index` of its counts.
    outcomes : tuple of Outcome
        Of an `OutcomeSegmenter`, the estimated mean, or the estimated share of each category; otherwise empty.
    public_name : str or None
        Its name, where a person gave it; None where it was proposed, and is not for customers.
    """

    index: int
    name: str
    size: float
    share: float
    rules: tuple[Rule, ...]
    profile: SegmentProfile = field(repr=False, compare=False)
    outcomes: tuple[Outcome, ...] = ()
    public_name: str | None = None

    @property
    def rule(self) -> str:
        """The rules of the segment, or where it has none its typical values, as one sentence."""
        if not self.rules:
            return self._typical()
        if len(self.rules) == 1:
            return str(self.rules[0])
        return "; or ".join(map(str, self.rules))

    def _typical(self) -> str:
        """Return the middle half of its rows in the features in which it differs most from all rows."""
        offsets = np.abs(self.profile.offsets()[self.index])
        conditions = []
        for j in np.argsort(-offsets, kind="stable"):
            inside = self.profile.middle_half(int(j), self.index)
            if inside is not None and offsets[j] > _MIN_OFFSET:
                conditions.append(str(make_condition(self.profile.bins[j], inside)))
        return f"typically {'; '.join(conditions[:_MAX_TYPICAL])}" if conditions else "close to everyone"


class Segments(Sequence[Segment]):
    """The segments of a segmenter, in its order; prints as a table.

    Parameters
    ----------
    segments : sequence of Segment
        The segments.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = tuple(segments)

    @overload
    def __getitem__(self, key: int | str) -> Segment: ...
    @overload
    def __getitem__(self, key: slice) -> "Segments": ...
    def __getitem__(self, key: int | str | slice) -> "Segment | Segments":
        if isinstance(key, slice):
            return Segments(self._segments[key])
        if isinstance(key, str):
            return self._segments[self.position(key)]
        return self._segments[key]

    def __len__(self) -> int:
        return len(self._segments)

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(segment.name for segment in self)

    def position(self, segment: int | str) -> int:
        """Return the index of a segment, named or numbered."""
        if isinstance(segment, str):
            if segment not in self.names:
                near = suggest_name(segment, self.names)
                message = f"a segment must be one of the {len(self)} names, got {segment!r}{near}"
                raise DataError(message)
            return self.names.index(segment)
        if not 0 <= segment < len(self):
            message = f"a segment index must be from 0 to {len(self) - 1}, got {segment}"
            raise ParameterError(message)
        return int(segment)

    def to_frame(self) -> "pd.DataFrame":
        """Return name, size, share, rule, and outcome with its interval if there is one, of each segment as a table."""
        import pandas as pd

        rows = [(s.name, s.size, s.share, s.rule) for s in self]
        table = pd.DataFrame(rows, columns=["name", "size", "share", "rule"])
        for place, outcome in enumerate(self[0].outcomes):
            what = "outcome" if outcome.value is None else outcome.value
            for name, part in ((what, "estimate"), (f"{what} low", "low"), (f"{what} high", "high")):
                table[name] = [getattr(s.outcomes[place], part) for s in self]
        return table

    @property
    def _titles(self) -> tuple[str, ...]:
        outcome = ("outcome",) if any(segment.outcomes for segment in self) else ()
        return "", "name", "size", "share", *outcome, "rule"

    def __repr__(self) -> str:
        cells = [self._titles, *(_cells(segment) for segment in self)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self._titles) - 1)]
        return "\n".join(
            "  ".join(
                [
                    f"{index:>{widths[0]}}",
                    f"{name:<{widths[1]}}",
                    *(f"{cell:>{width}}" for cell, width in zip(middle, widths[2:], strict=True)),
                    rule,
                ]
            ).rstrip()
            for index, name, *middle, rule in cells
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='{_CELL}'>{title}</th>" for title in self._titles)
        rows = "".join(
            "<tr>" + "".join(f"<td style='{_CELL}'>{escape(cell)}</td>" for cell in _cells(s)) + "</tr>" for s in self
        )
        return f"<table class='dataframe'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(segment: Segment) -> tuple[str, ...]:
    size, share = f"{segment.size:,.0f}", f"{segment.share:.0%}"
    outcome = ("; ".join(map(str, segment.outcomes)),) if segment.outcomes else ()
    return str(segment.index), segment.name, size, share, *outcome, segment.rule
