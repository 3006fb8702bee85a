"""Conditions as facts of a card."""

import numpy as np

from xseg.cards._record import Limits
from xseg.core.bins import FeatureBins
from xseg.core.conditions import Condition
from xseg.ink import other_categories

__all__ = ["limits_of"]


def limits_of(condition: Condition, bins: FeatureBins) -> Limits:
    """Write a condition down as a fact.

    Parameters
    ----------
    condition : Condition
        What is asked of a feature.
    bins : FeatureBins
        The feature.
    """
    upper = condition.upper
    return Limits(
        kind=condition.kind,
        lower=condition.lower,
        upper=None if upper is None or not np.isfinite(upper) else upper,
        categories=condition.categories,
        others=other_categories(condition, bins) if condition.categories is not None else (),
        known=upper != -np.inf and condition.categories != (),
        missing=condition.missing,
        says_missing=condition.says_missing,
    )
