"""Gathering the facts of cards from a model, a row and a policy."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.cards._record import Card, Comparison, Limits, OriginalAgrees, Reason, RightLink, SegmentFact, WhoToAsk
from xseg.core.bins import MISSING
from xseg.core.conditions import condition_of
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.export import fingerprint
from xseg.ink import Quantity, condition_words, one_line, other_categories
from xseg.policy import Policy

__all__ = ["FactFinder", "whole_points"]

MOST_REASONS = 4
_NEGLIGIBLE = 1e-12


class FactFinder:
    """Gives the card of any row of a table.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    table : Table
        The rows.
    values : ndarray of shape (n_rows, n_features)
        Exact contributions to each row's own segment.
    labels : ndarray of shape (n_rows,)
        The segments.
    base : ndarray of shape (n_rows,)
        The share of everyone in each row's segment.
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
        values: NDArray[np.float64],
        labels: NDArray[np.int64],
        base: NDArray[np.float64],
        policy: Policy,
        issued: date,
        agreement: Sequence[OriginalAgrees] | None = None,
    ) -> None:
        self.table = table
        self.values = values
        self.labels = labels
        self.base = base
        self.policy = policy
        self.issued = issued
        self.agreement = agreement
        self.profile = segmenter.profile_
        self.boxes = segmenter.model_.boxes
        self.tests = self.boxes.tests()
        self.model = fingerprint(segmenter)
        names = table.names
        self.features = [policy.feature(name) for name in names]
        self.labels_of = [one_line(feature.label or name) for feature, name in zip(self.features, names, strict=True)]
        self.quantities = [Quantity(feature.unit, feature.number_format) for feature in self.features]
        self.hidden = np.array([feature.sensitive or not feature.shown for feature in self.features])
        self.secrets = [_words(name) for name, secret in zip(names, self.hidden, strict=True) if secret]
        self.segments = [self._segment(segment) for segment in segmenter.segments_]
        used = set(self.boxes.used_features.tolist())
        may_name = [feature.shown for feature in self.features]
        self.not_used = [self.labels_of[j] for j in range(len(names)) if j not in used and may_name[j]]
        self.who = self._who()
        self.rights = [
            RightLink(right=right, label=one_line(link.label or right.replace("_", " ")), url=link.url)
            for right, link in policy.rights.items()
        ]

    def card(self, row: int, reference: str | None) -> Card:
        """Gather the facts of one row."""
        values, one = self.values[row], self.table.rows(row, row + 1)
        used = self.boxes.bins.encode(one, self.boxes.used_features.tolist())
        box = int((self.tests.patterns(used)[0] == 0).argmax())
        full = self.profile.bins.encode(one)[0]
        order = np.lexsort((np.arange(len(values)), -np.abs(values)))
        shown = [int(j) for j in order if abs(values[j]) > _NEGLIGIBLE and not self.hidden[j]][:MOST_REASONS]
        hidden = float(values[self.hidden].sum())
        has_hidden = bool((np.abs(values[self.hidden]) > _NEGLIGIBLE).any())
        rest = 1.0 - float(self.base[row]) - float(values[shown].sum()) - hidden
        points = whole_points([float(self.base[row]), *values[shown].tolist(), rest, hidden])
        return Card(
            segment=self.segments[self.labels[row]],
            base_value=float(self.base[row]),
            base_points=points[0],
            reasons=[
                self._reason(j, box, int(full[j]), one, float(values[j]), whole)
                for j, whole in zip(shown, points[1:-2], strict=True)
            ],
            rest_points=points[-2],
            hidden_points=points[-1] if has_hidden else None,
            not_used=self.not_used,
            unknown=self._unknown(box, full),
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

    def _reason(self, j: int, box: int, code: int, one: Table, contribution: float, points: int) -> Reason:
        feature, limits = self.features[j], self._limits(j, box)
        value = _value(one, j)
        return Reason(
            feature=one.names[j],
            label=self.labels_of[j],
            value=value,
            value_words=self._value_words(j, value, limits),
            limits=limits,
            comparison=self._comparison(j, code),
            contribution=contribution,
            points=points,
            origin=feature.origin,
            source=feature.source,
        )

    def _limits(self, j: int, box: int) -> Limits | None:
        """Give what the person's own rule asks of a feature, if it asks anything."""
        inside = self.boxes.inside[box, j]
        if inside.all():
            return None
        bins = self.boxes.bins[j]
        condition = condition_of(bins, inside)
        lower, upper = condition.lower, condition.upper
        return Limits(
            lower=lower,
            upper=upper if upper is None or np.isfinite(upper) else None,
            categories=None if condition.categories is None else list(condition.categories),
            missing=condition.missing,
            words=condition_words(condition, self.quantities[j], other_categories(condition, bins)),
        )

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

    def _unknown(self, box: int, full: NDArray[np.uint8]) -> list[str]:
        tested = np.flatnonzero(~self.boxes.inside[box].all(axis=1))
        return [self.labels_of[j] for j in tested if full[j] == MISSING and not self.hidden[j]]


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


def whole_points(parts: Sequence[float]) -> list[int]:
    """Round parts of 1 to whole percentage points that add up to 100: largest remainders (Hamilton's method)."""
    exact = np.array(parts) * 100
    whole = np.floor(exact + 1e-9).astype(int)
    short = 100 - int(whole.sum())
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[:short]] += 1
    return [int(point) for point in whole]
