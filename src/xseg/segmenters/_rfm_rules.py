"""The common segments of recency, frequency and monetary value, as rules.

Scores of 1 to 5 by fifths of the customers are those of Hughes, "Strategic database marketing", 1994. Names and ranges
of scores are those in common use, as the R package ``rfm`` documents them for ``rfm_segment`` (version 0.2). The ranges
overlap, and in the order printed there "New customers" and "Promising" can never be reached; here a narrower range
stands before a wider one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xseg.core.numbers import find_roundest
from xseg.core.schema import Kind, suggest_name
from xseg.core.tables import Column, Table, select_columns
from xseg.exceptions import DataError, ParameterError, XsegWarning, warn_caller
from xseg.segmenters._rule_definitions import NamedRule, read_rules
from xseg.segmenters._rule_geometry import infer_schema, make_axes
from xseg.segmenters._rule_language import write_column, write_literal

__all__ = ["RFM_SEGMENTS", "rfm_rules"]


_FIFTHS = (0.2, 0.4, 0.6, 0.8)
_ROOM = 0.01


@dataclass(frozen=True, slots=True)
class _Scores:
    """Ranges of the scores for recency (5: most recent), and for frequency and monetary value alike (5: most)."""

    recency: tuple[int, int]
    value: tuple[int, int]


RFM_SEGMENTS = {
    "Champions": _Scores((4, 5), (4, 5)),
    "Cannot lose them": _Scores((1, 1), (4, 5)),
    "Loyal customers": _Scores((2, 5), (3, 5)),
    "New customers": _Scores((4, 5), (1, 1)),
    "Promising": _Scores((3, 4), (1, 1)),
    "Potential loyalists": _Scores((3, 5), (1, 3)),
    "Need attention": _Scores((2, 3), (2, 3)),
    "About to sleep": _Scores((2, 3), (1, 2)),
    "At risk": _Scores((1, 2), (2, 5)),
    "Lost": _Scores((1, 2), (1, 2)),
}


def rfm_rules(table: Table, recency: str, frequency: str, monetary: str) -> dict[str, str]:
    """Write the segments as rules over raw columns, with the fifths of a table as round numbers.

    Where ties leave scores that no row can have, segments that only such scores could reach are left out.
    """
    fifths = {name: _find_fifths(_column(table, name)) for name in dict.fromkeys((recency, frequency, monetary))}
    rules = {}
    for segment, scores in RFM_SEGMENTS.items():
        low, high = scores.recency
        # The most recent fifth has the highest score.
        asked = [_range(recency, fifths[recency], 6 - high, 6 - low)]
        asked += [_range(name, fifths[name], *scores.value) for name in (frequency, monetary)]
        rules[segment] = " and ".join(asked)
    reachable = _drop_unreachable(rules)
    _warn_of_ties(table, fifths, reachable)
    return reachable


def _warn_of_ties(table: Table, fifths: Mapping[str, Sequence[float]], rules: Mapping[str, str]) -> None:
    """Warn where so many customers have the same value that some scores cannot be given."""
    tied = {
        name: sorted({end for end, following in pairwise(ends) if end == following}) for name, ends in fifths.items()
    }
    found = [
        f"column {name!r} ({', '.join(write_literal(end) for end in ends)})" for name, ends in tied.items() if ends
    ]
    if not found:
        return
    named = read_rules(rules)
    axes = make_axes(named, infer_schema(named))
    codes = axes.bins.encode(select_columns(table, axes.bins.schema.names))
    has_name = np.zeros(len(table), dtype=bool)
    for rule in named:
        has_name |= axes.holds(rule.expression, codes)
    n_without = int((~has_name).sum())
    consequence = (
        f"{n_without:,} of {len(table):,} customers ({n_without / len(table):.0%}) get no named segment. Write rules "
        "of your own for them, or change these"
        if n_without
        else "every customer still gets a named segment, but segments that ask for those scores are missing"
    )
    message = (
        f"many customers share the same value of {' and of '.join(found)}, so not all scores of 1 to 5 can be given; "
        f"{consequence}"
    )
    warn_caller(XsegWarning(message))


def _column(table: Table, name: str) -> Column:
    if name not in table.names:
        message = f"there is no column {name!r} in the table{suggest_name(name, table.names)}"
        raise DataError(message)
    return table.columns[table.names.index(name)]


def _find_fifths(column: Column) -> list[float]:
    """Return the ends of the first four fifths: round numbers within one percent of the rows around each."""
    if column.kind not in {Kind.NUMBER, Kind.BOOLEAN}:
        message = (
            f"column {column.name!r} must hold numbers, as recency, frequency and monetary value are; it holds values "
            f"of kind {column.kind}"
        )
        raise ParameterError(message)
    values = np.sort(column.numbers())
    values = values[~np.isnan(values)]
    if not len(values):
        message = f"no value of column {column.name!r} is known; scores need some"
        raise DataError(message)
    return [_end(values, level) for level in _FIFTHS]


def _end(values: NDArray[np.float64], level: float) -> float:
    low, high = np.quantile(values, [level - _ROOM, level + _ROOM], method="inverted_cdf").tolist()
    return float(low) if low == high else find_roundest(low, high)


def _range(name: str, ends: Sequence[float], lowest: int, highest: int) -> str:
    """Write the condition that a value lies in some of the fifths, which are numbered from 1."""
    column = write_column(name)
    above = f"{write_literal(ends[lowest - 2])} < " if lowest > 1 else ""
    most = f" <= {write_literal(ends[highest - 1])}" if highest < 5 else ""
    if above and not most:
        return f"{column} > {write_literal(ends[lowest - 2])}"
    return f"{above}{column}{most}" if above or most else f"{column} is known"


def _drop_unreachable(rules: dict[str, str]) -> dict[str, str]:
    """Return the rules that some row can satisfy."""
    named = read_rules(rules)
    axes = make_axes(named, infer_schema(named))
    kept: list[NamedRule] = []
    for rule in named:
        earlier = [box for before in kept for box in axes.region(before.expression)]
        if not axes.regions.covers(earlier, axes.region(rule.expression)):
            kept.append(rule)
    return {rule.name: rule.source.text for rule in kept}
