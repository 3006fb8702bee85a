"""Segments as people read them, and the estimate of an outcome in a segment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, overload

import numpy as np

from xseg.core.conditions import Rule, make_condition
from xseg.core.profiles import SegmentProfile
from xseg.core.schema import suggest_name
from xseg.exceptions import DataError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Outcome", "Segment", "Segments"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An estimate of an outcome in one segment, from rows that had no part in choosing the segment.

    Attributes
    ----------
    estimate : float
        The mean, or the share of rows with the value that is asked about.
    low, high : float
        The ends of its confidence interval.
    n : float
        Number of rows (or how much sample weight) it is estimated on.
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
class Segment:
    """One segment.

    Attributes
    ----------
    index : int
        Its number.
    name : str
        Its name.
    size : float
        Number of rows (or how much sample weight) it held when it was fitted.
    share : float
        That, as a share of all rows.
    rules : tuple of Rule
        Rules of the segment: its rows satisfy one of them. None where segments are made by scores.
    profile : SegmentProfile
        How the values of each feature are spread over all segments; this one is row `index` of its counts.
    outcomes : tuple of Outcome
        Where segments were made to differ in an outcome: its estimate, or that of the share of each category.
    """

    index: int
    name: str
    size: float
    share: float
    rules: tuple[Rule, ...]
    profile: SegmentProfile = field(repr=False, compare=False)
    outcomes: tuple[Outcome, ...] = ()

    @property
    def rule(self) -> str:
        """Who belongs to it, or is typical of it, as one sentence."""
        if not self.rules:
            return self._typical()
        if len(self.rules) == 1:
            return str(self.rules[0])
        return "; or ".join(map(str, self.rules))

    def _typical(self) -> str:
        """Return where the middle half of its rows are in the features in which it differs most."""
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
                message = f"there is no segment {segment!r}{suggest_name(segment, self.names)}"
                raise DataError(message)
            return self.names.index(segment)
        if not 0 <= segment < len(self):
            message = f"there is no segment {segment}; they are numbered 0 to {len(self) - 1}"
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
        told = ("outcome",) if any(segment.outcomes for segment in self) else ()
        return "", "name", "size", "share", *told, "rule"

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
    told = ("; ".join(map(str, segment.outcomes)),) if segment.outcomes else ()
    return str(segment.index), segment.name, size, share, *told, segment.rule
