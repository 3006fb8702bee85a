"""Gathering the facts of cards from a model, a row and a policy."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from xseg.cards._families import Told, family_of
from xseg.cards._record import Card, Comparison, Limits, OriginalAgrees, Reason, RightLink, SegmentFact, WhoToAsk
from xseg.core.bins import MISSING
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explanations import NO_RIVAL, Explained
from xseg.export import fingerprint
from xseg.ink import Quantity, condition_words, one_line, other_categories, range_words
from xseg.policy import Policy

__all__ = ["FactFinder", "whole_points"]

MOST_REASONS = 4
# No part of a card has more than this many times 100 points: where two groups fit almost equally well, the points by
# which one is ahead are fewer than 100 instead.
MOST_PER_POINT = 2.0
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
        What people may be told.
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
        issued: date,
        agreement: Sequence[OriginalAgrees] | None = None,
    ) -> None:
        self.table = table
        self.explained = explained
        self.policy = policy
        self.issued = issued
        self.agreement = agreement
        self.profile = segmenter.profile_
        self.family = family_of(segmenter)
        self.model = fingerprint(segmenter)
        names = table.names
        self.features = [policy.feature(name) for name in names]
        self.labels_of = [one_line(feature.label or name) for feature, name in zip(self.features, names, strict=True)]
        self.quantities = [Quantity(feature.unit, feature.number_format) for feature in self.features]
        self.hidden = np.array([feature.sensitive or not feature.shown for feature in self.features])
        self.secrets = [_words(name) for name, secret in zip(names, self.hidden, strict=True) if secret]
        self.segments = [self._segment(segment) for segment in segmenter.segments_]
        used = set(segmenter.model_.used_features.tolist())
        may_name = [feature.shown for feature in self.features]
        self.not_used = [self.labels_of[j] for j in range(len(names)) if j not in used and may_name[j]]
        self.who = self._who()
        self.rights = [
            RightLink(right=right, label=one_line(link.label or right.replace("_", " ")), url=link.url)
            for right, link in policy.rights.items()
        ]

    def card(self, row: int, reference: str | None) -> Card:
        """Gather the facts of one row."""
        values, one = self.explained.values[row], self.table.rows(row, row + 1)
        base, segment = float(self.explained.base[row]), int(self.explained.segments[row])
        told = self.family.told(one, segment)
        full = self.profile.bins.encode(one)[0]
        order = np.lexsort((np.arange(len(values)), -np.abs(values)))
        shown = [int(j) for j in order if abs(values[j]) > _NEGLIGIBLE and not self.hidden[j]][:MOST_REASONS]
        hidden = float(values[self.hidden].sum())
        has_hidden = bool((np.abs(values[self.hidden]) > _NEGLIGIBLE).any())
        rival = int(self.explained.rivals[row])
        total = 1.0 if rival == NO_RIVAL else max(base + float(values.sum()), 0.0)
        rest = total - base - float(values[shown].sum()) - hidden
        parts = [base, *values[shown].tolist(), rest, hidden]
        scale = 1.0 if rival == NO_RIVAL else max(total, max(map(abs, parts)) / MOST_PER_POINT)
        total_points = round(100 * total / scale) if scale > 0 else 0
        points = whole_points([part / (scale or 1.0) for part in parts], total_points)
        return Card(
            segment=self.segments[segment],
            rival=None if rival in (NO_RIVAL, segment) else self.segments[rival].name,
            base_value=base,
            total_value=total,
            base_points=points[0],
            reasons=[
                self._reason(j, told, segment, int(full[j]), one, float(values[j]), whole)
                for j, whole in zip(shown, points[1:-2], strict=True)
            ],
            rest_points=points[-2],
            hidden_points=points[-1] if has_hidden else None,
            total_points=total_points,
            not_used=self.not_used,
            unknown=[self.labels_of[j] for j in told.asked if full[j] == MISSING and not self.hidden[j]],
            original_agrees=None if self.agreement is None else self.agreement[row],
            issued=self.issued,
            model=self.model,
            reference=reference,
            who=self.who,
            rights=self.rights,
        )

    def _segment(self, segment: Any) -> SegmentFact:
        told = self.policy.segments.get(segment.name)
        large_enough = segment.size >= self.policy.minimum_group_size
        return SegmentFact(
            index=segment.index,
            # A proposed name is made of features, and must not give away one that is not to be named.
            name=f"Group {segment.index + 1}" if self._tells_a_secret(segment.name) else segment.name,
            size=float(segment.size) if large_enough else None,
            share=float(segment.share) if large_enough else None,
            sentence=told.sentence if told else None,
            consequence=told.consequence if told else None,
        )

    def _tells_a_secret(self, name: str) -> bool:
        return any(secret in _words(name) for secret in self.secrets)

    def _who(self) -> WhoToAsk | None:
        controller = self.policy.controller
        if controller is None:
            return None
        return WhoToAsk(name=controller.name, contact=controller.contact, authority=controller.authority)

    def _reason(
        self, j: int, told: Told, segment: int, code: int, one: Table, contribution: float, points: int
    ) -> Reason:
        feature, value = self.features[j], _value(one, j)
        limits, typical = self._limits(j, told.rule.get(j)), self._typical(j, told.typical.get(j), segment)
        return Reason(
            feature=one.names[j],
            label=self.labels_of[j],
            value=value,
            value_words=self._value_words(j, value, limits or typical),
            limits=limits,
            typical=typical,
            comparison=self._comparison(j, code),
            contribution=contribution,
            points=points,
            origin=feature.origin,
            source=feature.source,
        )

    def _limits(self, j: int, condition: Condition | None) -> Limits | None:
        """Give what the person's own rule asks of a feature, if it asks anything."""
        if condition is None:
            return None
        others = other_categories(condition, self.family.bins[j])
        return _as_limits(condition, condition_words(condition, self.quantities[j], others))

    def _typical(self, j: int, condition: Condition | None, segment: int) -> Limits | None:
        """Give what is typical of the group, if it is large enough to hide in."""
        if condition is None or self.segments[segment].size is None:
            return None
        return _as_limits(condition, range_words(condition, self.quantities[j], self.family.bins[j]))

    def _value_words(self, j: int, value: Any, limits: Limits | None) -> str:
        if value is None:
            return "not known"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return one_line(value)
        bounds = [bound for bound in (limits.lower, limits.upper) if bound is not None] if limits else []
        return self.quantities[j].with_unit(self.quantities[j].rounded(value, bounds), value)

    def _comparison(self, j: int, code: int) -> Comparison | None:
        """Compare with everyone whose value is known, if they are enough people to hide in."""
        known = self.profile.known(j)
        if code == MISSING or known < self.policy.minimum_group_size:
            return None
        bins = self.profile.bins[j]
        below, same = self.profile.shares_around(j, code)
        if bins.feature.kind is Kind.NUMBER:
            words = _rank_words(below, 1 - below - same)
            return Comparison(share_below=below, share_same=same, group_size=known, words=words)
        if same * known < self.policy.minimum_group_size:
            return None
        return Comparison(share_below=None, share_same=same, group_size=known, words=_same_words(same))


def _as_limits(condition: Condition, words: str) -> Limits:
    upper = condition.upper
    return Limits(
        lower=condition.lower,
        upper=upper if upper is None or np.isfinite(upper) else None,
        categories=None if condition.categories is None else list(condition.categories),
        missing=condition.missing,
        words=words,
    )


def _words(name: str) -> str:
    return name.replace("_", " ").strip().casefold()


def _value(one: Table, j: int) -> bool | float | str | None:
    column = one.columns[j]
    if not column.kind.is_numeric:
        return column.categories[column.values[0]] if column.values[0] >= 0 else None
    number = float(column.values[0])
    if np.isnan(number):
        return None
    return bool(number) if column.kind is Kind.BOOLEAN else number


def _rank_words(below: float, above: float) -> str | None:
    """Say it in tenths, rounded down so that it is true."""
    if below >= 0.5:
        return f"more than {min(int(below * 10 + 1e-9), 9)} in 10 customers"
    if above >= 0.5:
        return f"less than {min(int(above * 10 + 1e-9), 9)} in 10 customers"
    return "close to the middle of our customers"


def _same_words(same: float) -> str | None:
    tenths = min(int(same * 10 + 1e-9), 9)
    return f"the same as at least {tenths} in 10 customers" if tenths else None


def whole_points(parts: Sequence[float], total: int = 100) -> list[int]:
    """Round parts of 1 to whole percentage points that add up to `total`: largest remainders (Hamilton's method)."""
    exact = np.array(parts) * 100
    whole = np.floor(exact + 1e-9).astype(int)
    short = total - int(whole.sum())
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[:short]] += 1
    return [int(point) for point in whole]
