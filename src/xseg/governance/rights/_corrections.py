"""Corrections: what a person may put in the place of a value, and what waits for a human first."""

from collections.abc import Collection
from typing import Any

from xseg.core.bins import FeatureBins
from xseg.exceptions import DataError
from xseg.policy import FeaturePolicy, Policy

__all__ = ["check_range", "is_usual", "with_own_words"]


def check_range(feature: str, value: Any, stated: FeaturePolicy) -> bool:
    """Raise if a value lies outside the range that the policy declares; return whether it declares one.

    Raises
    ------
    DataError
        The value is no number, or lies outside.
    """
    low, high = stated.minimum, stated.maximum
    if low is None and high is None:
        return False
    if value is None:
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (low is not None and value < low) or (high is not None and value > high):
        allowed = " and ".join(
            [*([f"at least {low:g}"] if low is not None else []), *([f"at most {high:g}"] if high is not None else [])]
        )
        message = f"{feature!r} must be a number of {allowed}, got {value!r}; give the value as it is"
        raise DataError(message)
    return True


def is_usual(value: Any, bins: FeatureBins) -> bool:
    """Return whether a value is one such as the model was fitted on.

    A number is usual if it lies no further beyond the outermost thresholds than the thresholds beside them do; a number
    below zero is unusual where no threshold is. A category is usual if the model knows it, and that nothing is known
    always is.
    """
    if value is None:
        return True
    if not bins.feature.kind.is_numeric:
        return str(value) in bins.categories
    if isinstance(value, bool) or not isinstance(value, int | float):
        return isinstance(value, bool)
    thresholds = bins.thresholds.tolist()
    if not thresholds:
        return False
    first, last = thresholds[0], thresholds[-1]
    if len(thresholds) == 1:
        below = above = max(abs(first), 1.0)
    else:
        below, above = thresholds[1] - first, last - thresholds[-2]
    lowest = max(first - below, 0.0) if first >= 0 else first - below
    return bool(lowest <= value <= last + above)


def with_own_words(policy: Policy, corrected: Collection[str]) -> Policy:
    """Return a policy by which corrected values are what the person said, and no longer what a vendor or we did."""
    if not corrected:
        return policy
    said = {"source": "zero-party", "vendor": None, "collected_from": None}
    features = {name: policy.feature(name).model_copy(update=said) for name in corrected}
    translations = {
        locale: translation.model_copy(
            update={
                "features": {
                    name: words.model_copy(update={"collected_from": None}) if name in corrected else words
                    for name, words in translation.features.items()
                }
            }
        )
        for locale, translation in policy.translations.items()
    }
    return policy.model_copy(update={"features": {**policy.features, **features}, "translations": translations})
