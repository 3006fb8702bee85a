"""From a fitted segmenter, a policy and rows to the facts of a card."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.cards._card import Card, Comparison, FeatureName, Group, Limit, Reason, Right, Way, Weight
from xseg.cards._points import whole_points
from xseg.core.bins import MISSING, as_kind
from xseg.core.boxes import BoxModel
from xseg.core.conditions import Condition
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.core.tables import Table
from xseg.explain._boxes import BoxExplainer
from xseg.ink import other_categories
from xseg.policy import FeaturePolicy, Policy

__all__ = ["CardMaker", "Rows"]

_MOST_REASONS = 4
_NOTHING = 1e-12
_LARGEST_EXACT_INTEGER = 2**53


@dataclass(frozen=True, eq=False)
class Rows:
    """The people cards are about.

    Attributes
    ----------
    table : Table
        Their raw values.
    model_codes, profile_codes : ndarray of shape (n_rows, n_features)
        The same in the codes of the model's boxes, and of the population's counts; only features the model asks for.
    """

    table: Table
    model_codes: NDArray[np.uint8]
    profile_codes: NDArray[np.uint8]


class CardMaker:
    """Makes cards of one segmenter under one policy.

    Parameters
    ----------
    segmenter : fitted segmenter
        Whose segments are boxes.
    explainer : BoxExplainer
        Its explainer.
    policy : Policy
        What may be told.
    """

    def __init__(self, segmenter: Any, explainer: BoxExplainer, policy: Policy) -> None:
        self.explainer = explainer
        self.policy = policy
        self.model: BoxModel = segmenter.model_
        self.profile: Profile = segmenter.profile_
        self.names: tuple[str, ...] = segmenter.segment_names_
        self.fingerprint: str | None = getattr(segmenter, "fingerprint_", None)
        self.bins = self.model.boxes.bins
        self.features: list[FeaturePolicy] = [policy.feature(name) for name in self.bins.schema.names]
        self.hidden = np.array([feature.sensitive or not feature.shown for feature in self.features])
        self.used = self.model.boxes.used_features
        self.tests = self.model.boxes.tests()
        self.base = explainer.base_values()

    def read(self, table: Table) -> Rows:
        """Code the rows; a column that has changed its type is refused here."""
        used = self.used.tolist()
        return Rows(table, self.bins.encode(table, used), self.profile.bins.encode(table, used))

    def card(self, rows: Rows, row: int, reference: str | None, issued_at: datetime) -> Card:
        """State the facts about one row."""
        codes = rows.model_codes[row : row + 1]
        box = int((self.tests.patterns(codes)[0] == 0).argmax())
        segment = int(self.model.boxes.segment[box])
        contributions = self.explainer.explain_targets(codes, np.array([segment]), 1)[0]
        reasons, weights = self._weigh(contributions, segment)
        others = self.others(contributions, reasons)
        return Card(
            issued_at=issued_at,
            model=self.fingerprint,
            reference=reference,
            group=self.groups[segment],
            base=weights[0],
            reasons=tuple(
                self._reason(rows, row, feature, box, weight)
                for feature, weight in zip(reasons, weights[1:-2], strict=True)
            ),
            everything_else=weights[-2] if others else None,
            other_information=weights[-1] if np.abs(contributions[self.hidden]).max(initial=0) > _NOTHING else None,
            not_known=self._not_known(codes[0], box),
            not_used=self.not_used,
            n_not_named=self.n_not_named,
            purposes=self.purposes,
            controller=self.policy.controller,
            rights=self.rights,
        )

    def others(self, contributions: NDArray[np.float64], reasons: Sequence[int]) -> list[int]:
        """Give the features that count and may be shown, but are not among the reasons."""
        counting = np.flatnonzero(~self.hidden & (np.abs(contributions) > _NOTHING))
        return [int(feature) for feature in counting if feature not in reasons]

    def _weigh(self, contributions: NDArray[np.float64], segment: int) -> tuple[list[int], list[Weight]]:
        """Choose the reasons; weigh the base, each of them, everything else and what is not shown."""
        shown = np.where(self.hidden, 0.0, contributions)
        ranked = np.argsort(-np.abs(shown), kind="stable")[:_MOST_REASONS]
        reasons = [int(feature) for feature in ranked if abs(shown[feature]) > _NOTHING]
        rest = float(sum(shown[feature] for feature in self.others(contributions, reasons)))
        parts = [
            float(self.base[segment]),
            *(float(shown[feature]) for feature in reasons),
            rest,
            float(contributions[self.hidden].sum()),
        ]
        # Exact numbers would give away the size of a group that is too small to be told.
        told = self.groups[segment].size is not None
        points = whole_points(parts)
        weights = [Weight(points=p, exact=part if told else None) for p, part in zip(points, parts, strict=True)]
        return reasons, weights

    def _reason(self, rows: Rows, row: int, feature: int, box: int, weight: Weight) -> Reason:
        stated = self.features[feature]
        value = self._value(rows.table, row, feature)
        is_known = rows.model_codes[row, feature] != MISSING
        towards = weight.points > 0 if weight.exact is None else weight.exact > 0
        return Reason(
            feature=self.bins[feature].feature.name,
            label=self._label(feature),
            kind=self.bins[feature].feature.kind,
            value=value,
            state="known" if is_known else "missing" if value is None else "unfamiliar",
            unit=stated.unit,
            number_format=stated.number_format,
            weight=weight,
            direction="towards" if towards else "away",
            limit=self._limits[box].get(feature),
            comparison=self._comparison(feature, int(rows.profile_codes[row, feature])),
            source=stated.source,
            origin=stated.origin,
        )

    def _value(self, table: Table, row: int, feature: int) -> bool | int | float | str | None:
        column = as_kind(table.rows(row, row + 1).columns[feature], self.bins[feature].feature)
        raw = column.values[0].item()
        if not column.kind.is_numeric:
            return column.categories[raw] if raw >= 0 else None
        if raw != raw:  # NaN
            return None
        if self.bins[feature].feature.kind is Kind.BOOLEAN and raw in {0, 1}:
            return bool(raw)
        return int(raw) if abs(raw) < _LARGEST_EXACT_INTEGER and raw == int(raw) else float(raw)

    def _comparison(self, feature: int, code: int) -> Comparison | None:
        """Compare with everyone, in integers, so that shares are rounded down without error."""
        known = self.profile.population[feature, :MISSING]
        total, minimum = int(known.sum()), self.policy.minimum_group_size * self.profile.unit
        if code == MISSING or total < minimum:
            return None
        people = _two_digits(total / self.profile.unit)
        if self.bins[feature].feature.kind in {Kind.NUMBER, Kind.EMPTY}:
            below, above = int(known[:code].sum()), int(known[code + 1 :].sum())
            told = {name: count for name, count in (("below", below), ("above", above)) if count >= minimum}
        else:
            told = {"same": int(known[code])} if known[code] >= minimum else {}
        shares = {name: count * 100 // total / 100 for name, count in told.items()}
        return Comparison(people=people, **shares) if shares else None

    def _not_known(self, codes: NDArray[np.uint8], box: int) -> tuple[FeatureName, ...]:
        return tuple(self._name(feature) for feature in self._limits[box] if codes[feature] == MISSING)

    @cached_property
    def _limits(self) -> list[dict[int, Limit]]:
        """For each box, the limits that may be shown, by feature."""
        place = {name: feature for feature, name in enumerate(self.bins.schema.names)}
        return [
            {
                place[condition.feature]: self._limit(condition, place[condition.feature])
                for condition in self.model.boxes.rule(box).conditions
                if not self.hidden[place[condition.feature]]
            }
            for box in range(len(self.model.boxes))
        ]

    def _limit(self, condition: Condition, feature: int) -> Limit:
        is_category = condition.categories is not None
        none_known = condition.upper == -np.inf or condition.categories == ()
        return Limit(
            feature=condition.feature,
            label=self._label(feature),
            kind=condition.kind,
            known=not none_known,
            lower=condition.lower,
            upper=None if none_known else condition.upper,
            categories=condition.categories,
            others=other_categories(condition, self.bins[feature]) if is_category else None,
            missing=condition.missing,
            says_missing=condition.says_missing,
            unit=self.features[feature].unit,
            number_format=self.features[feature].number_format,
        )

    @cached_property
    def groups(self) -> list[Group]:
        """The segments, as far as the policy allows to tell."""
        return [self._group(segment) for segment in range(self.model.n_segments)]

    def _group(self, segment: int) -> Group:
        size, share = float(self.profile.sizes[segment]), float(self.base[segment])
        told = size >= self.policy.minimum_group_size
        stated = self.policy.segments.get(self.names[segment])
        boxes = np.flatnonzero(self.model.boxes.segment == segment).tolist()
        tested = ~self.model.boxes.inside.all(axis=2)
        return Group(
            index=segment,
            name=self._segment_name(segment),
            size=_two_digits(size) if told else None,
            share=float(f"{share:.2g}") if told else None,
            minimum_size=self.policy.minimum_group_size,
            ways=tuple(
                Way(limits=tuple(self._limits[box].values()), other_information=bool((tested[box] & self.hidden).any()))
                for box in boxes
            ),
            sentence=stated.sentence if stated else None,
            consequence=stated.consequence if stated else None,
        )

    def _segment_name(self, segment: int) -> str:
        """Give the name, unless it gives away a feature that must not be named (proposed names are made of features)."""
        name = self.names[segment]
        for feature in np.flatnonzero(self.hidden):
            column = self.bins[int(feature)].feature.name
            for secret in {column, column.replace("_", " ").strip(), self._label(int(feature))}:
                if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", name, re.IGNORECASE):
                    return f"Group {segment + 1}"
        return name

    def _label(self, feature: int) -> str:
        return self.features[feature].label or self.bins[feature].feature.name

    def _name(self, feature: int) -> FeatureName:
        name = self.bins[feature].feature.name
        return FeatureName(feature=name, label=self._label(feature), sensitive=self.features[feature].sensitive)

    @cached_property
    def _unused(self) -> list[int]:
        used = set(self.used.tolist())
        return [feature for feature in range(len(self.bins)) if feature not in used]

    @cached_property
    def not_used(self) -> tuple[FeatureName, ...]:
        """The features never asked about, sensitive ones first; those whose value is not to be shown are not named."""
        named = [self._name(feature) for feature in self._unused if self.features[feature].shown]
        return tuple(sorted(named, key=lambda name: not name.sensitive))

    @cached_property
    def n_not_named(self) -> int:
        """How many features are never asked about and not named."""
        return len(self._unused) - len(self.not_used)

    @cached_property
    def purposes(self) -> tuple[str, ...]:
        """What the features that are asked about are used for."""
        stated = {purpose for feature in self.used for purpose in self.features[feature].purposes}
        return tuple(purpose.label for key, purpose in self.policy.purposes.items() if key in stated)

    @cached_property
    def rights(self) -> tuple[Right, ...]:
        """Where rights are exercised."""
        return tuple(Right(id=key, label=link.label, url=link.url) for key, link in self.policy.rights.items())


def _two_digits(count: float) -> int:
    return int(float(f"{count:.2g}"))
