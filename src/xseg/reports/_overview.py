"""Pictures of a whole model, as data: where each group ranks, and what more rules would cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xseg.core.schema import Kind
from xseg.metrics import Tradeoff

__all__ = ["Curve", "Overview", "curve_of", "overview_of"]

_MAX_COLUMNS = 8
_MIN_SPREAD = 0.06
_WIDTH, _HEIGHT = 600.0, 220.0


@dataclass(frozen=True, slots=True)
class Overview:
    """Where the people of each group rank on average, 0 to 1, in the features that tell groups apart the most."""

    features: tuple[str, ...]
    ranks: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The price of explainability by the number of rules, drawn into 600 by 220 units."""

    points: tuple[tuple[float, float, int, float, bool], ...]
    line: str
    elbow: int


def overview_of(segmenter: Any, label: Callable[[str], str]) -> Overview | None:
    """Gather the map of a model; None where no number tells its groups apart."""
    profile = segmenter.profile_
    ranks = profile.mean_ranks()
    ordered = [j for j, bins in enumerate(profile.bins.features) if bins.feature.kind is not Kind.CATEGORY]
    spread = ranks.max(axis=0) - ranks.min(axis=0)
    chosen = [j for j in sorted(ordered, key=lambda j: -spread[j]) if spread[j] > _MIN_SPREAD][:_MAX_COLUMNS]
    if not chosen or len(ranks) < 2:
        return None
    return Overview(
        tuple(label(profile.bins[j].feature.name) for j in chosen),
        tuple(tuple(float(rank) for rank in line) for line in ranks[:, chosen]),
    )


def curve_of(tradeoff: Tradeoff) -> Curve:
    """Draw the curve of cost against rules."""
    leaves = np.array([point.leaves for point in tradeoff.points], dtype=np.float64)
    prices = np.array([point.price for point in tradeoff.points])
    x = _scaled(leaves) * _WIDTH
    y = (1 - _scaled(prices)) * _HEIGHT
    points = tuple(
        (float(left), float(top), point.leaves, point.price, point.leaves == tradeoff.elbow)
        for left, top, point in zip(x, y, tradeoff.points, strict=True)
    )
    return Curve(points, " ".join(f"{left:.1f},{top:.1f}" for left, top, *_ in points), tradeoff.elbow)


def _scaled(values: Any) -> Any:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(len(values), 0.5)
