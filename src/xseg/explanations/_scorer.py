"""Scoring of single rows, for a live service: the segment and the contributions of `explain`, in microseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xseg.core.bins import MISSING
from xseg.core.schema import suggest_name
from xseg.core.segments import SegmentProfile
from xseg.core.tables import is_missing
from xseg.exceptions import DataError
from xseg.explanations._families import find_family
from xseg.explanations._row_explainers import make_encoder
from xseg.segmenters import FittedSegmenter, check_segmenter

__all__ = ["ScoredReason", "ScoredRow", "Scorer"]


@dataclass(frozen=True, slots=True)
class ScoredReason:
    """One feature and its contribution to the segment of a row.

    Attributes
    ----------
    feature : str
        The column.
    value : object
        The row's value; None if it is missing.
    contribution : float
        The exact Shapley value.
    rule : str or None
        The condition of the row's rule on the feature; None if it has none, as always where segments are made of
        scores.
    share_below, share_same : float or None
        Shares of the rows with a known value that have a lower one, and the same one (to the nearest code); None where
        the row's own value is missing or, for `share_below`, where values have no order.
    """

    feature: str
    value: Any
    contribution: float
    rule: str | None
    share_below: float | None
    share_same: float | None


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """Segment of one row and the reasons for it.

    Attributes
    ----------
    segment : int
        Index of the segment.
    name : str
        Its name.
    base_value : float
        The share of all rows that are in the segment; base value and contributions add up to 1. Where segments are
        made of scores, the mean margin over the rival; base value and contributions add up to the row's margin.
    reasons : tuple of ScoredReason
        Every feature with a contribution, the strongest first.
    rival : int or None
        The segment with the second highest score, over which the margin is; None where membership is explained.
    """

    segment: int
    name: str
    base_value: float
    reasons: tuple[ScoredReason, ...]
    rival: int | None = None


class Scorer:
    """Fast scorer of single rows: the segment of a row, and the reasons for it, from a dict.

    Everything that does not depend on the row is computed once, at construction. A call finds the row's box and adds
    up precomputed Shapley values; where segments are made of scores, it evaluates them on the one row. Segments and
    contributions equal those of `predict` and `explain` bit for bit.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        The model has no exact explanation, or is a pipeline (whose steps take tables, not dicts).

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(2_000, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> scorer = xseg.Scorer(segmenter)
    >>> scored = scorer(customers.iloc[0].to_dict())
    >>> bool(scored.segment == segmenter.labels_[0])
    True
    """

    def __init__(self, segmenter: FittedSegmenter) -> None:
        check_segmenter(segmenter)
        profile = segmenter.profile_
        self._names: tuple[str, ...] = profile.bins.schema.names
        self._segment_names = segmenter.segment_names_
        self._explain = find_family(segmenter).make_row_explainer()
        self._readers = [make_encoder(bins) for bins in profile.bins.features]
        self._shares = [_shares(profile, j) for j in range(len(self._names))]

    def __call__(self, row: Mapping[str, Any]) -> ScoredRow:
        """Score one row.

        Parameters
        ----------
        row : mapping
            A value for each column the segmenter was fitted on; None or NaN where it is missing. Other keys are
            ignored.

        Returns
        -------
        ScoredRow
            Segment, name and reasons.

        Raises
        ------
        DataError
            A column is missing.
        DataError
            A value is of another type than it was when the segmenter was fitted, or infinite.
        """
        values = self._values(row)
        found = self._explain(values)
        contributions, rules = found.contributions, found.rules
        reasons = tuple(self._reason(j, values[j], contributions[j], rules[j]) for j in _strongest(contributions))
        return ScoredRow(found.segment, self._segment_names[found.segment], found.base, reasons, found.rival)

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        try:
            given = [row[name] for name in self._names]
        except KeyError as error:
            name = error.args[0]
            near = suggest_name(name, [str(key) for key in row])
            message = f"row must have a value for column {name!r}, and has none{near}; give None if it is not known"
            raise DataError(message) from None
        return [None if is_missing(value) else value for value in given]

    def _reason(self, j: int, value: Any, contribution: float, rule: str | None) -> ScoredReason:
        code = self._readers[j](value)
        below, same = self._shares[j][code] if code != MISSING else (None, None)
        return ScoredReason(self._names[j], value, contribution, rule, below, same)


def _strongest(contributions: list[float]) -> list[int]:
    """Return the features with a contribution, the strongest first."""
    found = [j for j, contribution in enumerate(contributions) if contribution]
    found.sort(key=lambda j: -abs(contributions[j]))
    return found


def _shares(profile: SegmentProfile, j: int) -> list[tuple[float | None, float]]:
    bins = profile.bins[j]
    around = [profile.window_shares(j, code) for code in range(bins.n_codes)]
    return [(below if bins.is_ordered else None, same) for below, same in around]
