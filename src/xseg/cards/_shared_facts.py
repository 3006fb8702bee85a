"""Facts that cards made together share: labels, what the policy and the model state, day, language and approval."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from xseg.cards._content_checks import check_words, hints_at_a_special_category
from xseg.cards._fact_types import (
    ConditionFact,
    ControllerFact,
    FeatureRequirement,
    Origin,
    PurposeFact,
    RightFact,
    SegmentFact,
    UsedFeature,
)
from xseg.cards._group_names import name_segments
from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition
from xseg.core.schema import Kind
from xseg.core.segments import Segment, SegmentProfile
from xseg.exceptions import DefinitionError, UntranslatedTextsWarning, warn_caller
from xseg.export import Approval, get_approval
from xseg.i18n import Language, Message, load_language, one_line, other_categories
from xseg.policy import STATEMENTS, FeaturePolicy, Policy, derive_rights
from xseg.segmenters import FittedSegmenter

__all__ = [
    "CardLabels",
    "CardSettings",
    "ModelFacts",
    "build_condition_fact",
    "build_origin",
    "collect_model_facts",
    "prepare_settings",
    "rare_categories",
    "resolve_moment",
]


def rare_categories(profile: SegmentProfile, feature: int, least: float) -> frozenset[str]:
    """Return the categories that too few people have to be named on the cards of others.

    The steps of a scale are no secret, however few stand on one.
    """
    bins = profile.bins[feature]
    if bins.feature.kind is not Kind.CATEGORY:
        return frozenset()
    counts = profile.population[feature, : len(bins.categories)] / profile.unit
    return frozenset(name for name, count in zip(bins.categories, counts.tolist(), strict=True) if count < least)


def build_condition_fact(
    condition: Condition, bins: FeatureBins, rare: AbstractSet[str] = frozenset()
) -> ConditionFact | None:
    """Write a condition down as a fact.

    Parameters
    ----------
    condition : Condition
        What is asked of a feature.
    bins : FeatureBins
        The feature.
    rare : set of str
        Categories that are counted and not named.

    Returns
    -------
    ConditionFact or None
        None where nothing is left to name.
    """
    upper, allowed = condition.upper, condition.categories
    others = other_categories(condition, bins) if allowed is not None else ()
    named = None if allowed is None else tuple(name for name in allowed if name not in rare)
    named_others = tuple(name for name in others if name not in rare)
    if allowed and not named and not named_others:
        return None
    return ConditionFact(
        kind=condition.kind,
        lower=condition.lower,
        upper=None if upper is None or not np.isfinite(upper) else upper,
        categories=named,
        others=named_others,
        unnamed=len(allowed or ()) - len(named or ()),
        unnamed_others=len(others) - len(named_others),
        known=upper != -np.inf and allowed != (),
        missing=condition.missing,
        says_missing=condition.says_missing,
    )


class CardLabels:
    """The labels of the features of a table, and of the segments of a model.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    names : sequence of str
        Its columns.
    policy : Policy
        What people may be told, in their language.
    language : Language
        The language of the cards.
    """

    def __init__(self, segmenter: FittedSegmenter, names: Sequence[str], policy: Policy, language: Language) -> None:
        self.policy = policy
        self.language = language
        self.names = names
        self.features: list[FeaturePolicy] = [policy.feature(name) for name in names]
        self.labels = [one_line(feature.label or name) for feature, name in zip(self.features, names, strict=True)]
        self.origins = [build_origin(feature) for feature in self.features]
        self.units = [
            dict(feature.unit) if feature.unit is not None and not isinstance(feature.unit, str) else feature.unit
            for feature in self.features
        ]
        self.hidden = [feature.sensitive or not feature.shown for feature in self.features]
        least = policy.minimum_group_size
        self.rare = [rare_categories(segmenter.profile_, j, least) for j in range(len(names))]
        self._secrets = [_normalise_name(name) for name, secret in zip(names, self.hidden, strict=True) if secret]
        self._bins = segmenter.profile_.bins
        self.groups = name_segments(segmenter, policy, language, features=self.features, is_secret=self._is_secret)
        self.segments = [self._segment(segment) for segment in segmenter.segments_]

    def _segment(self, segment: Segment) -> SegmentFact:
        stated = self.policy.segment(segment.index, segment.name)
        large_enough = segment.size >= self.policy.minimum_group_size
        return SegmentFact(
            index=segment.index,
            name=self.groups.names[segment.index],
            size=float(segment.size) if large_enough else None,
            share=float(segment.share) if large_enough else None,
            sentence=stated.sentence,
            consequence=stated.consequence,
            requirements=self._list_requirements(segment) if large_enough and stated.sentence is None else (),
        )

    def _list_requirements(self, segment: Segment) -> tuple[FeatureRequirement, ...]:
        """Return what the one rule of a segment asks; nothing if there are several, or if not all may be named."""
        if len(segment.rules) != 1:
            return ()
        conditions = segment.rules[0].conditions
        nameable = tuple(asked for condition in conditions if (asked := self.build_requirement(condition)) is not None)
        return nameable if len(nameable) == len(conditions) else ()

    def build_requirement(self, condition: Condition) -> FeatureRequirement | None:
        """Write a condition as facts; None if the feature, or all that is asked of it, is not to be named."""
        j = self._bins.schema.index(condition.feature)
        limits = build_condition_fact(condition, self._bins[j], self.rare[j])
        if self.hidden[j] or limits is None:
            return None
        return FeatureRequirement(
            feature=condition.feature,
            label=self.labels[j],
            unit=self.units[j],
            number_format=self.features[j].number_format,
            integral=self._bins[j].feature.integral,
            limits=limits,
        )

    def _is_secret(self, name: str) -> bool:
        """Return whether a name gives away a feature that is not to be named, or hints at a special category."""
        return any(secret in _normalise_name(name) for secret in self._secrets) or any(
            hints_at_a_special_category(name, locale) for locale in (self.policy.locale, self.language.tag)
        )


def build_origin(feature: FeaturePolicy) -> Origin:
    """Return where the values of a feature came from."""
    return Origin(source=feature.source, vendor=feature.vendor, collected_from=feature.collected_from)


def _normalise_name(name: str) -> str:
    return name.replace("_", " ").strip().casefold()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts that do not depend on the person."""

    controller: ControllerFact | None
    purposes: tuple[PurposeFact, ...]
    used: tuple[UsedFeature, ...]
    unnamed: int
    not_used: tuple[str, ...]
    rights: tuple[RightFact, ...]


def collect_model_facts(segmenter: FittedSegmenter, naming: CardLabels) -> ModelFacts:
    """Gather what a policy and a model say to everybody."""
    policy = naming.policy
    used = set(segmenter.model_.used_features.tolist())
    columns = range(len(naming.names))
    served = policy.purpose_ids(naming.names[j] for j in sorted(used))
    return ModelFacts(
        controller=_controller_fact(policy),
        purposes=tuple(_purpose_fact(policy, purpose) for purpose in served),
        used=tuple(
            UsedFeature(
                feature=naming.names[j],
                label=naming.labels[j],
                origin=naming.origins[j],
                purposes=naming.features[j].purposes,
            )
            for j in sorted(used)
            if not naming.hidden[j]
        ),
        unnamed=sum(naming.hidden[j] for j in used),
        not_used=tuple(naming.labels[j] for j in columns if j not in used and naming.features[j].shown),
        rights=_right_facts(policy, served),
    )


def _controller_fact(policy: Policy) -> ControllerFact | None:
    who = policy.controller
    if who is None:
        return None
    return ControllerFact(name=who.name, contact=who.contact, authority=who.authority, officer=who.officer)


def _purpose_fact(policy: Policy, name: str) -> PurposeFact:
    purpose = policy.purposes[name]
    return PurposeFact(
        purpose=name,
        label=one_line(purpose.label),
        legal_basis=purpose.legal_basis,
        interest=purpose.interest,
        retention_days=purpose.retention_days,
        obligatory=purpose.obligatory,
    )


def _right_facts(policy: Policy, served: list[str]) -> tuple[RightFact, ...]:
    """Return what the policy links to, and then what follows from the legal bases and has no link."""
    linked = (
        RightFact(right=right, label=None if link.label is None else one_line(link.label), url=link.url)
        for right, link in policy.rights.items()
    )
    derived = derive_rights(policy.purposes[name] for name in served)
    unlinked = (RightFact(right=right, label=None, url=None) for right in derived if right not in policy.rights)
    return (*linked, *unlinked)


@dataclass(frozen=True, slots=True, eq=False)
class CardSettings:
    """What cards that are made together have in common.

    Attributes
    ----------
    policy : Policy
        What people may be told, in their language.
    language : Language
        The language.
    tone : str
        How people are spoken to.
    issued : date
        The date on the cards.
    approval : Approval
        Which model it is, and whether it is approved.
    """

    policy: Policy
    language: Language
    tone: str
    issued: date
    approval: Approval

    def facts(self, model_facts: "ModelFacts") -> dict[str, Any]:
        """Return the facts that every kind of card states."""
        policy, language = self.policy, self.language
        return {
            "locale": language.locale,
            "tone": self.tone,
            "wording": {key: _plain(message) for key, message in policy.wording.get(language.tag, {}).items()},
            "issued": self.issued,
            "model": self.approval.fingerprint,
            "approval": self.approval.state,
            "purposes": model_facts.purposes,
            "controller": model_facts.controller,
            "rights": model_facts.rights,
            "recipients": policy.recipients,
            **{name: getattr(policy, name) for name in STATEMENTS},
            "translated": policy.has_language(language.locale),
        }


def prepare_settings(
    segmenter: FittedSegmenter, policy: Policy, locale: str | None, tone: str, at: datetime, *, strict: bool = False
) -> CardSettings:
    """Prepare to make cards; `strict` refuses a policy whose words are not all in their language.

    Raises
    ------
    ParameterError
        There are no cards in this language, or no such tone.
    DefinitionError
        The policy has words that are not fit for a card, or words a sentence anew without its facts.
    """
    tag = policy.locale if locale is None else locale
    catalogue = load_language(tag, tone).tag
    check_words(policy, policy.locale)
    check_words(policy, tag)
    language = load_language(tag, tone, policy.wording.get(catalogue))
    if untranslated := policy.list_untranslated(tag):
        _tell_of_untranslated(untranslated, tag, strict=strict)
    issued = at.date()
    return CardSettings(policy.translate(tag), language, tone, issued, get_approval(segmenter, at=issued))


_MAX_PLACES = 5


def _tell_of_untranslated(places: Sequence[str], locale: str, *, strict: bool) -> None:
    some = ", ".join(places[:_MAX_PLACES])
    others = f" and {len(places) - _MAX_PLACES} more" if len(places) > _MAX_PLACES else ""
    message = (
        f"the policy must have its words in {locale!r} for cards in one language, and does not translate {len(places)} "
        f"of them: {some}{others}. Add them under translations.{locale} in the policy"
    )
    if strict:
        raise DefinitionError(message)
    warn_caller(UntranslatedTextsWarning(message))


def resolve_moment(at: datetime | None) -> datetime:
    """Return the time of cards; one without a zone is taken as UTC, as the dates on cards are."""
    if at is None:
        return datetime.now(UTC)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _plain(message: Message) -> str | dict[str, str]:
    return message if isinstance(message, str) else dict(message)
