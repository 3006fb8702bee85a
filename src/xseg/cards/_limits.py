"""Conditions as facts of a card."""

from collections.abc import Set as AbstractSet

import numpy as np

from xseg.cards._fact_types import Limits
from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition
from xseg.core.profiles import Profile
from xseg.core.schema import Kind
from xseg.ink import other_categories

__all__ = ["limits_of", "rare_categories"]


def rare_categories(profile: Profile, feature: int, least: float) -> frozenset[str]:
    """Return the categories that too few people have to be named on the cards of others.

    The steps of a scale are no secret, however few stand on one.
    """
    bins = profile.bins[feature]
    if bins.feature.kind is not Kind.CATEGORY:
        return frozenset()
    counts = profile.population[feature, : len(bins.categories)] / profile.unit
    return frozenset(name for name, count in zip(bins.categories, counts.tolist(), strict=True) if count < least)


def limits_of(condition: Condition, bins: FeatureBins, rare: AbstractSet[str] = frozenset()) -> Limits | None:
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
    Limits or None
        None where nothing is left to name.
    """
    upper, allowed = condition.upper, condition.categories
    others = other_categories(condition, bins) if allowed is not None else ()
    named = None if allowed is None else tuple(name for name in allowed if name not in rare)
    named_others = tuple(name for name in others if name not in rare)
    if allowed and not named and not named_others:
        return None
    return Limits(
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
