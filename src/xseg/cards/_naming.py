"""What a card may call features and groups, and what it must not name."""

from collections.abc import Sequence
from typing import Any

from xseg.cards._fact_types import Origin, SegmentFact
from xseg.cards._limits import rare_categories
from xseg.cards._lint import hints_at_a_special_category
from xseg.ink import Language, one_line
from xseg.policy import FeaturePolicy, Policy

__all__ = ["Naming", "origin_of"]


class Naming:
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
        Names the groups whose own names may not be shown.
    """

    def __init__(self, segmenter: Any, names: Sequence[str], policy: Policy, language: Language) -> None:
        self.policy = policy
        self.language = language
        self.names = names
        self.features: list[FeaturePolicy] = [policy.feature(name) for name in names]
        self.labels = [one_line(feature.label or name) for feature, name in zip(self.features, names, strict=True)]
        self.origins = [origin_of(feature) for feature in self.features]
        self.units = [
            dict(feature.unit) if feature.unit is not None and not isinstance(feature.unit, str) else feature.unit
            for feature in self.features
        ]
        self.hidden = [feature.sensitive or not feature.shown for feature in self.features]
        least = policy.minimum_group_size
        self.rare = [rare_categories(segmenter.profile_, j, least) for j in range(len(names))]
        self._secrets = [_words(name) for name, secret in zip(names, self.hidden, strict=True) if secret]
        self.segments = [self._segment(segment) for segment in segmenter.segments_]

    def _segment(self, segment: Any) -> SegmentFact:
        told = self.policy.segments.get(segment.name)
        large_enough = segment.size >= self.policy.minimum_group_size
        return SegmentFact(
            index=segment.index,
            name=self._name(segment.index, segment.name),
            size=float(segment.size) if large_enough else None,
            share=float(segment.share) if large_enough else None,
            sentence=told.sentence if told else None,
            consequence=told.consequence if told else None,
        )

    def _name(self, index: int, name: str) -> str:
        told = self.policy.segments.get(name)
        if told is not None and told.shown_name is not None and told.name_shown:
            return told.shown_name
        # A proposed name is made of features, and must not give away one that is not to be named.
        secret = (
            (told is not None and not told.name_shown)
            or any(secret in _words(name) for secret in self._secrets)
            or any(hints_at_a_special_category(name, locale) for locale in (self.policy.locale, self.language.tag))
        )
        return self.language.say("card.group", number=str(index + 1)) if secret else name


def origin_of(feature: FeaturePolicy) -> Origin:
    """Return where the values of a feature came from."""
    return Origin(source=feature.source, vendor=feature.vendor, collected_from=feature.collected_from)


def _words(name: str) -> str:
    return name.replace("_", " ").strip().casefold()
