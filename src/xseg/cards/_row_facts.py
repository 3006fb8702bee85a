"""Gathering the facts of cards from a model, a row and a policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.cards._alternatives import ChangePair, NeighbourFinder, allocate_points
from xseg.cards._card_record import Card
from xseg.cards._consent_facts import ConsentLookup, ConsentQuestion
from xseg.cards._fact_types import Comparison, ConditionFact, OriginalAgrees, Reason
from xseg.cards._interactive import WhatIf
from xseg.cards._shared_facts import CardLabels, CardSettings, build_condition_fact, collect_model_facts
from xseg.core.bins import MISSING
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table
from xseg.explanations import NO_RIVAL, Contributions, GroupDescription, describe_groups
from xseg.i18n import Language
from xseg.segmenters import FittedSegmenter

__all__ = ["CardBuilder"]


_NEGLIGIBLE = 1e-12
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Some rows that follow each other, from `first` on: their codes, what can be said of them, the ways out."""

    first: int
    codes: NDArray[np.uint8]
    descriptions: list[GroupDescription]
    changes: list[ChangePair]

    def place(self, row: int) -> int:
        """Return the place of a row, and never that of another: a negative place would count from the end."""
        place = row - self.first
        if not 0 <= place < len(self.descriptions):
            message = f"row {row} is not among rows {self.first} to {self.first + len(self.descriptions) - 1}"
            raise IndexError(message)
        return place


class CardBuilder:
    """Builder of the card of any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    table : Table
        The rows.
    explained : Contributions
        Exact contributions to each row's own segment.
    settings : CardSettings
        What the cards have in common.
    agreement : sequence of {"yes", "no", "not known"} or None
        For a stand-in: whether the original agrees, by row.
    question : ConsentQuestion or None
        The ledger to ask, and whom about.
    """

    def __init__(
        self,
        segmenter: FittedSegmenter,
        table: Table,
        explained: Contributions,
        settings: CardSettings,
        agreement: Sequence[OriginalAgrees] | None = None,
        question: ConsentQuestion | None = None,
    ) -> None:
        self.table = table
        self.explained = explained
        self.policy = settings.policy
        self.agreement = agreement
        self.segmenter = segmenter
        self.profile = segmenter.profile_
        self.describer = describe_groups(segmenter)
        self.naming = CardLabels(segmenter, table.names, settings.policy, settings.language)
        self.neighbours = NeighbourFinder(segmenter, self.naming)
        self._languages: dict[Language, Language] = {}
        self._latest: _Block | None = None
        self._limits = cache(self._find_limits)
        self._compared = cache(self._compare)
        model_facts = collect_model_facts(segmenter, self.naming)
        self._consents = None if question is None else ConsentLookup(question, model_facts.purposes)
        self._same: dict[str, Any] = {
            **settings.facts(model_facts),
            "used": model_facts.used,
            "unnamed": model_facts.unnamed,
            "not_used": model_facts.not_used,
            "minimum_group_size": settings.policy.minimum_group_size,
        }

    def card(self, row: int, reference: str | None) -> Card:
        """Gather the facts of one row."""
        block = self._block(row)
        place = block.place(row)
        values, base = self.explained.values[row], float(self.explained.base[row])
        segment, rival = int(self.explained.segments[row]), int(self.explained.rivals[row])
        codes, description = block.codes[place], block.descriptions[place]
        points = allocate_points(values, base, self.naming.hidden, compared=rival != NO_RIVAL)
        surroundings = self.neighbours.collect_facts(block.changes[place], segment, rival, points)
        card = Card(
            segment=self.naming.segments[segment],
            rival=None if rival in (NO_RIVAL, segment) else self.naming.segments[rival].name,
            base_value=base,
            total_value=points.total_value,
            base_points=points.base,
            reasons=tuple(
                self._reason(j, description, segment, int(codes[j]), row, float(values[j]), whole)
                for j, whole in zip(points.shown, points.reasons, strict=True)
            ),
            rest_points=points.rest,
            hidden=points.hidden,
            total_points=points.total,
            alternative=surroundings.alternative,
            counterfactual=surroundings.counterfactual,
            certainty=surroundings.certainty,
            unknown=tuple(self._unknown(description, codes)),
            unknown_matters=bool((np.abs(values[codes == MISSING]) > _NEGLIGIBLE).any()),
            original_agrees=None if self.agreement is None else self.agreement[row],
            reference=reference,
            consent=None if self._consents is None else self._consents.facts(row),
            **self._same,
        )
        card._source, card._languages = (self, row), self._languages
        return card

    def what_if(self, row: int) -> dict[str, Any]:
        """Return what an interactive card of a row carries."""
        values = {j: _value(column, row) for j, column in enumerate(self.table.columns)}
        return WhatIf(self.segmenter, self.naming).facts(values, self.naming.language)

    def _block(self, row: int) -> _Block:
        """Return the block of rows around a row, prepared together."""
        first = row - row % _ROWS_AT_ONCE
        # Another thread may replace the latest block at any time, so it is read once, and never changed.
        latest = self._latest
        if latest is not None and latest.first == first:
            return latest
        rows = self.table.rows(first, min(first + _ROWS_AT_ONCE, len(self.table)))
        block = _Block(
            first,
            self.profile.bins.encode(rows),
            self.describer.describe_rows(rows, self.explained.segments[first : first + len(rows)]),
            self.neighbours.find_changes(rows),
        )
        self._latest = block
        return block

    def _unknown(self, description: GroupDescription, codes: NDArray[np.uint8]) -> Iterator[str]:
        named = self.naming
        return (named.labels[j] for j in description.asked if codes[j] == MISSING and not named.hidden[j])

    def _reason(
        self, j: int, description: GroupDescription, segment: int, code: int, row: int, contribution: float, points: int
    ) -> Reason:
        naming, value = self.naming, _value(self.table.columns[j], row)
        return Reason(
            feature=naming.names[j],
            label=naming.labels[j],
            value=value,
            unit=naming.units[j],
            number_format=naming.features[j].number_format,
            integral=self.profile.bins[j].feature.integral,
            limits=self._limits(j, description.rule.get(j), self._find_rare_value(j, value)),
            typical=self._typical(j, description.typical.get(j), segment),
            comparison=self._compared(j, code),
            contribution=contribution,
            points=points,
            origin=naming.origins[j],
        )

    def _typical(self, j: int, condition: Condition | None, segment: int) -> ConditionFact | None:
        """Return what is typical of the group, if it is large enough to hide in."""
        return None if self.naming.segments[segment].size is None else self._limits(j, condition, None)

    def _find_rare_value(self, j: int, value: Any) -> str | None:
        """Return a value that only its owner may read, if it is one."""
        return value if isinstance(value, str) and value in self.naming.rare[j] else None

    def _find_limits(self, j: int, condition: Condition | None, own: str | None) -> ConditionFact | None:
        """Return what is asked of a feature, if anything is; a rare value is named to its owner only."""
        if condition is None:
            return None
        return build_condition_fact(condition, self.describer.bins[j], self.naming.rare[j] - {own})

    def _compare(self, j: int, code: int) -> Comparison | None:
        """Compare with everyone whose value is known, if they are enough people to hide in."""
        known = self.profile.get_known_weight(j)
        if code == MISSING or known < self.policy.minimum_group_size:
            return None
        below, same = self.profile.window_shares(j, code)
        if self.profile.bins[j].feature.kind is Kind.NUMBER:
            return Comparison(share_below=below, share_same=same, group_size=known)
        if same * known < self.policy.minimum_group_size:
            return None
        return Comparison(share_below=None, share_same=same, group_size=known)


def _value(column: Column, row: int) -> bool | float | str | None:
    if not column.kind.is_numeric:
        code = int(column.values[row])
        return column.categories[code] if code >= 0 else None
    number = float(column.values[row])
    if isnan(number):
        return None
    return bool(number) if column.kind is Kind.BOOLEAN else number
