"""How well a stand-in stands in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.segmenters._surrogates.originals import Label

__all__ = ["SegmentFidelity", "fidelity_of", "overall_fidelity"]


@dataclass(frozen=True, slots=True)
class SegmentFidelity:
    """How well one group of the original is met.

    Attributes
    ----------
    label : object
        The original's label; None, or the noise label, for those without a group.
    segment : int or None
        The segment that stands for it; None if the stand-in has none, because no leaf holds mostly this group.
    size : float
        How many people (or how much sample weight) the original puts into the group.
    precision : float or None
        The share of the segment's people whom the original puts into this group; None without a segment.
    recall : float
        The share of the group's people whom the segment holds.
    """

    label: Label
    segment: int | None
    size: float
    precision: float | None
    recall: float


def overall_fidelity(confusion: NDArray[np.int64], groups: Sequence[int]) -> float:
    """Return the share of the people about whom both say the same.

    `confusion` has shape (n_segments, n_labels), and segment s stands for label ``groups[s]``.
    """
    agreed = sum(int(confusion[segment, group]) for segment, group in enumerate(groups))
    return agreed / int(confusion.sum())


def fidelity_of(
    confusion: NDArray[np.int64], groups: Sequence[int], labels: Sequence[Label], unit: float
) -> tuple[SegmentFidelity, ...]:
    """Return the fidelity of each group of the original, in the order of the labels."""
    found = []
    for group, label in enumerate(labels):
        size = int(confusion[:, group].sum())
        segment = groups.index(group) if group in groups else None
        agreed = 0 if segment is None else int(confusion[segment, group])
        precision = None if segment is None else agreed / int(confusion[segment].sum())
        found.append(SegmentFidelity(label, segment, size / unit, precision, agreed / size if size else 0.0))
    return tuple(found)
