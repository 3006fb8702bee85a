"""Gathering the facts of cards from a model, a row and a policy."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.cards._families import Told, family_of
from xseg.cards._limits import limits_of
from xseg.cards._naming import Naming
from xseg.cards._points import shared_out
from xseg.cards._record import Card, Comparison, Limits, OriginalAgrees, Reason
from xseg.cards._standing import standing_of
from xseg.cards._ways import Paths
from xseg.core.bins import MISSING
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explanations import NO_RIVAL, Explained
from xseg.export import fingerprint
from xseg.ink import Language, Message
from xseg.policy import Policy

__all__ = ["FactFinder"]

_NEGLIGIBLE = 1e-12


class FactFinder:
    """Gives the card of any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    table : Table
        The rows.
    explained : Explained
        Exact contributions to each row's own segment.
    policy : Policy
        What people may be told, in their language.
    language : Language
        The language.
    tone : str
        How people are spoken to.
    issued : date
        The date on the cards.
    agreement : sequence of {"yes", "no", "not known"} or None
        For a stand-in: whether the original agrees, by row.
    """

    def __init__(
        self,
        segmenter: Any,
        table: Table,
        explained: Explained,
        policy: Policy,
        language: Language,
        tone: str,
        issued: date,
        agreement: Sequence[OriginalAgrees] | None = None,
    ) -> None:
        self.table = table
        self.explained = explained
        self.policy = policy
        self.agreement = agreement
        self.profile = segmenter.profile_
        self.family = family_of(segmenter)
        self.naming = Naming(segmenter, table.names, policy, language)
        self.paths = Paths(segmenter, table, self.naming)
        standing = standing_of(segmenter, self.naming)
        self._same: dict[str, Any] = {
            "locale": language.locale,
            "tone": tone,
            "wording": {key: _plain(message) for key, message in policy.wording.get(language.tag, {}).items()},
            "purposes": standing.purposes,
            "used": standing.used,
            "unnamed": standing.unnamed,
            "not_used": standing.not_used,
            "issued": issued,
            "model": fingerprint(segmenter),
            "who": standing.who,
            "rights": standing.rights,
            "recipients": list(policy.recipients),
            "transfers": policy.transfers,
            "automation": policy.automation,
            "special_categories": policy.special_categories,
            "human_review": policy.human_review,
            "minimum_group_size": policy.minimum_group_size,
            "translated": policy.speaks(language.locale),
        }

    def card(self, row: int, reference: str | None) -> Card:
        """Gather the facts of one row."""
        values, one = self.explained.values[row], self.table.rows(row, row + 1)
        base, segment = float(self.explained.base[row]), int(self.explained.segments[row])
        told = self.family.told(one, segment)
        codes = self.profile.bins.encode(one)[0]
        rival = int(self.explained.rivals[row])
        points = shared_out(values, base, self.naming.hidden, compared=rival != NO_RIVAL)
        path = self.paths.of(row, segment, rival, points)
        return Card(
            segment=self.naming.segments[segment],
            rival=None if rival in (NO_RIVAL, segment) else self.naming.segments[rival].name,
            base_value=base,
            total_value=points.total_value,
            base_points=points.base,
            reasons=[
                self._reason(j, told, segment, int(codes[j]), one, float(values[j]), whole)
                for j, whole in zip(points.shown, points.reasons, strict=True)
            ],
            rest_points=points.rest,
            hidden=points.hidden,
            total_points=points.total,
            alternative=path.alternative,
            way_out=path.way_out,
            certainty=path.certainty,
            unknown=self._unknown(told, codes),
            unknown_matters=self._unknown_matters(codes, values),
            original_agrees=None if self.agreement is None else self.agreement[row],
            reference=reference,
            **self._same,
        )

    def _unknown(self, told: Told, codes: NDArray[np.uint8]) -> list[str]:
        named = self.naming
        return [named.labels[j] for j in told.asked if codes[j] == MISSING and not named.hidden[j]]

    def _unknown_matters(self, codes: NDArray[np.uint8], values: NDArray[np.float64]) -> bool:
        return bool((np.abs(values[codes == MISSING]) > _NEGLIGIBLE).any())

    def _reason(
        self, j: int, told: Told, segment: int, code: int, one: Table, contribution: float, points: int
    ) -> Reason:
        naming = self.naming
        return Reason(
            feature=naming.names[j],
            label=naming.labels[j],
            value=_value(one, j),
            unit=naming.units[j],
            number_format=naming.features[j].number_format,
            integral=self.profile.bins[j].feature.integral,
            limits=self._limits(j, told.rule.get(j)),
            typical=self._typical(j, told.typical.get(j), segment),
            comparison=self._comparison(j, code),
            contribution=contribution,
            points=points,
            origin=naming.origins[j],
        )

    def _limits(self, j: int, condition: Condition | None) -> Limits | None:
        """Give what the person's own rule asks of a feature, if it asks anything."""
        return None if condition is None else limits_of(condition, self.family.bins[j])

    def _typical(self, j: int, condition: Condition | None, segment: int) -> Limits | None:
        """Give what is typical of the group, if it is large enough to hide in."""
        return None if self.naming.segments[segment].size is None else self._limits(j, condition)

    def _comparison(self, j: int, code: int) -> Comparison | None:
        """Compare with everyone whose value is known, if they are enough people to hide in."""
        known = self.profile.known(j)
        if code == MISSING or known < self.policy.minimum_group_size:
            return None
        below, same = self.profile.shares_around(j, code)
        if self.profile.bins[j].feature.kind is Kind.NUMBER:
            return Comparison(share_below=below, share_same=same, group_size=known)
        if same * known < self.policy.minimum_group_size:
            return None
        return Comparison(share_below=None, share_same=same, group_size=known)


def _plain(message: Message) -> str | dict[str, str]:
    return message if isinstance(message, str) else dict(message)


def _value(one: Table, j: int) -> bool | float | str | None:
    column = one.columns[j]
    if not column.kind.is_numeric:
        return column.categories[column.values[0]] if column.values[0] >= 0 else None
    number = float(column.values[0])
    if np.isnan(number):
        return None
    return bool(number) if column.kind is Kind.BOOLEAN else number
