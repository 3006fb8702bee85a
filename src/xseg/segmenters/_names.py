"""Proposed names: what sets a segment apart, in two or three words."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xseg.core.bins import MISSING, FeatureBins
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.exceptions import ParameterError

__all__ = ["check_names", "features_in_name", "propose_names"]

_SLIGHT = 0.04
_NOTABLE = 0.12
_STRONG = 0.3
_MAX_TRAITS = 2
_LISTED = 4


def propose_names(profile: Profile, used: NDArray[np.int64]) -> tuple[str, ...]:
    """Propose a name for each segment, made of the features in which it differs most from everyone.

    Parameters
    ----------
    profile : Profile
        How the values are spread in each segment.
    used : ndarray of int
        The features that the model uses. No other feature may be in a name: it could be one that is forbidden.
    """
    traits = [_traits(profile, segment, used.tolist()) for segment in range(len(profile.counts))]
    names: list[str] = []
    for segment, found in enumerate(traits):
        names.append(_first_unused(found, names, segment))
    return tuple(names)


def _first_unused(traits: Sequence[str], taken: Sequence[str], segment: int) -> str:
    for count in range(_MAX_TRAITS, len(traits) + 1):
        name = _sentence(traits[:count])
        if name not in taken:
            return name
    base = _sentence(traits[:_MAX_TRAITS]) if traits else "In the middle"
    candidates = (base, *(f"{base} ({number})" for number in range(2, segment + 3)))
    return next(name for name in candidates if name not in taken)


def _sentence(traits: Sequence[str]) -> str:
    text = ", ".join(traits)
    return text[:1].upper() + text[1:]


def features_in_name(name: str, profile: Profile) -> frozenset[str]:
    """Return the features that a proposed name is made of; none for a name that a person chose."""
    features = {
        trait.casefold(): bins.feature.name for bins in profile.bins.features for trait in _possible_traits(bins)
    }
    pieces = re.sub(r" \(\d+\)$", "", name).casefold().split(", ")
    return frozenset(features[piece] for piece in pieces) if features.keys() >= set(pieces) else frozenset()


def _possible_traits(bins: FeatureBins) -> list[str]:
    name = readable(bins.feature.name)
    if bins.feature.kind is Kind.CATEGORY:
        return [f"{name} {category}" for category in bins.categories]
    if bins.feature.kind is Kind.BOOLEAN:
        return [name, f"no {name}"]
    return [f"{degree}{way} {name}" for degree in ("", "very ") for way in ("high", "low")]


def _traits(profile: Profile, segment: int, used: Sequence[int]) -> list[str]:
    found = []
    ranks = profile.mean_ranks()
    for feature in used:
        bins = profile.bins[feature]
        if bins.feature.kind is Kind.CATEGORY:
            found.append(_category_trait(profile, segment, feature))
        elif bins.feature.kind is Kind.BOOLEAN:
            found.append(_boolean_trait(profile, segment, feature))
        else:
            found.append(_number_trait(bins.feature.name, float(ranks[segment, feature]) - 0.5))
    found.sort(key=lambda trait: -trait[0])
    notable = [text for strength, text in found if strength >= _NOTABLE]
    slight = [text for strength, text in found[:_MAX_TRAITS] if strength >= _SLIGHT]
    return (notable or slight)[:_LISTED]


def readable(name: str) -> str:
    """Turn a column name into words."""
    return name.replace("_", " ").strip()


def _number_trait(name: str, offset: float) -> tuple[float, str]:
    degree = "very " if abs(offset) > _STRONG else ""
    return abs(offset), f"{degree}{'high' if offset > 0 else 'low'} {readable(name)}"


def _category_trait(profile: Profile, segment: int, feature: int) -> tuple[float, str]:
    known, everyone = profile.counts[segment, feature, :MISSING], profile.population[feature, :MISSING]
    if not known.any():
        return 0.0, ""
    excess = known / known.sum() - everyone / everyone.sum()
    code = int(np.argmax(excess))
    name = profile.bins[feature]
    return float(excess[code]) / 2, f"{readable(name.feature.name)} {name.categories[code]}"


def _boolean_trait(profile: Profile, segment: int, feature: int) -> tuple[float, str]:
    known, everyone = profile.counts[segment, feature, :2], profile.population[feature, :2]
    if not known.any() or profile.bins[feature].n_codes < 2:
        return 0.0, ""
    excess = float(known[1] / known.sum() - everyone[1] / everyone.sum())
    name = readable(profile.bins[feature].feature.name)
    return abs(excess) / 2, name if excess > 0 else f"no {name}"


def check_names(names: Sequence[str], n_segments: int) -> tuple[str, ...]:
    """Check names that people have chosen."""
    chosen = tuple(names)
    if len(chosen) < n_segments or len(set(chosen)) < len(chosen) or not all(isinstance(n, str) and n for n in chosen):
        message = (
            f"segment_names must be at least {n_segments} different, non-empty strings, in the order of the segments; "
            f"got {list(chosen)}"
        )
        raise ParameterError(message)
    return chosen[:n_segments]
