"""What a policy permits, compared part by part."""

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from xseg.policy._features import FeaturePolicy
from xseg.policy._rights import is_marketing

if TYPE_CHECKING:
    from xseg.policy._policy import Policy

__all__ = ["has_no_more"]


def has_no_more(one: "Policy", other: "Policy") -> bool:
    """Return whether every permission of one policy is a permission of the other."""
    return (
        set(_permissions(one)) <= set(_permissions(other))
        and one.minimum_group_size >= other.minimum_group_size
        and other.real_people >= one.real_people
        and all(_at_most(p.retention_days, other.purposes[name].retention_days) for name, p in one.purposes.items())
        and all(_within(feature, other.features[name]) for name, feature in one.features.items())
        and all(_name_shown(one, name) <= _name_shown(other, name) for name in {*one.segments, *other.segments})
    )


def _permissions(policy: "Policy") -> Iterator[Hashable]:
    """Return the permissions that are there or not; those with a number are compared by it."""
    for name, purpose in policy.purposes.items():
        yield "pursue", name, purpose.legal_basis, purpose.concept, is_marketing(purpose)
    for name, feature in policy.features.items():
        yield from (("feature", name, *permission) for permission in _of_feature(feature))
    for recipient in policy.recipients:
        yield "pass on", recipient


def _of_feature(feature: FeaturePolicy) -> Iterator[tuple[Hashable, ...]]:
    yield ("name",)
    for purpose in feature.purposes:
        yield "use", purpose
    if feature.shown:
        yield ("show",)
    if not feature.sensitive:
        yield ("treat as ordinary",)


def _within(one: FeaturePolicy, other: FeaturePolicy) -> bool:
    """Compare where values may come from and how far back they look; what is not stated is not limited."""
    return (
        (other.source is None or one.source == other.source)
        and (other.vendor is None or one.vendor == other.vendor)
        and _at_most(one.window_days, other.window_days)
    )


def _at_most(days: int | None, limit: int | None) -> bool:
    """Compare limits in days, of which None is no limit."""
    return limit is None or (days is not None and days <= limit)


def _name_shown(policy: "Policy", segment: str) -> bool:
    said = policy.segments.get(segment)
    return said is None or said.name_shown
