"""Names of segments: proposals from their features, and alignment with the segments of an earlier fit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xseg.backends import Backend
from xseg.core.bins import MISSING, FeatureBins
from xseg.core.schema import Kind
from xseg.core.segments import SegmentProfile
from xseg.exceptions import ParameterError, XsegError, XsegWarning
from xseg.segmenters._protocols import FittedSegmenter

__all__ = [
    "Alignment",
    "align",
    "check_names",
    "choose_names",
    "features_in_name",
    "propose_names",
    "warn_if_names_move",
]


_SLIGHT = 0.04
_NOTABLE = 0.12
_STRONG = 0.3
_MAX_TRAITS = 2
_LISTED = 4


def propose_names(profile: SegmentProfile, used: NDArray[np.int64]) -> tuple[str, ...]:
    """Propose a name for each segment, made of the features in which it differs most from all rows.

    Parameters
    ----------
    profile : SegmentProfile
        Distribution of the values in each segment.
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


def features_in_name(name: str, profile: SegmentProfile) -> frozenset[str]:
    """Return the features that a proposed name is made of; none for a name that was given."""
    features = {
        trait.casefold(): bins.feature.name for bins in profile.bins.features for trait in _possible_traits(bins)
    }
    pieces = re.sub(r" \(\d+\)$", "", name).casefold().split(", ")
    return frozenset(features[piece] for piece in pieces) if features.keys() >= set(pieces) else frozenset()


def _possible_traits(bins: FeatureBins) -> list[str]:
    name = make_readable(bins.feature.name)
    if bins.feature.kind is Kind.CATEGORY:
        return [f"{name} {category}" for category in bins.categories]
    if bins.feature.kind is Kind.BOOLEAN:
        return [name, f"no {name}"]
    return [f"{degree}{way} {name}" for degree in ("", "very ") for way in ("high", "low")]


def _traits(profile: SegmentProfile, segment: int, used: Sequence[int]) -> list[str]:
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


def make_readable(name: str) -> str:
    """Convert a column name to words."""
    return name.replace("_", " ").strip()


def _number_trait(name: str, offset: float) -> tuple[float, str]:
    degree = "very " if abs(offset) > _STRONG else ""
    return abs(offset), f"{degree}{'high' if offset > 0 else 'low'} {make_readable(name)}"


def _category_trait(profile: SegmentProfile, segment: int, feature: int) -> tuple[float, str]:
    known, everyone = profile.counts[segment, feature, :MISSING], profile.population[feature, :MISSING]
    if not known.any():
        return 0.0, ""
    excess = known / known.sum() - everyone / everyone.sum()
    code = int(np.argmax(excess))
    name = profile.bins[feature]
    return float(excess[code]) / 2, f"{make_readable(name.feature.name)} {name.categories[code]}"


def _boolean_trait(profile: SegmentProfile, segment: int, feature: int) -> tuple[float, str]:
    known, everyone = profile.counts[segment, feature, :2], profile.population[feature, :2]
    if not known.any() or profile.bins[feature].n_codes < 2:
        return 0.0, ""
    excess = float(known[1] / known.sum() - everyone[1] / everyone.sum())
    name = make_readable(profile.bins[feature].feature.name)
    return abs(excess) / 2, name if excess > 0 else f"no {name}"


def check_names(names: Sequence[str], n_segments: int) -> tuple[str, ...]:
    """Check the names given for segments."""
    chosen = tuple(names)
    if len(chosen) < n_segments or len(set(chosen)) < len(chosen) or not all(isinstance(n, str) and n for n in chosen):
        message = (
            f"segment_names must be at least {n_segments} different, non-empty strings, in the order of the segments; "
            f"got {list(chosen)}"
        )
        raise ParameterError(message)
    return chosen[:n_segments]


class NamedSegmenter(FittedSegmenter, Protocol):
    """A segmenter with a parameter `segment_names`, fitted or not."""

    @property
    def segment_names(self) -> Sequence[str] | None:
        """Names given by the user, if any."""
        ...

    def __sklearn_is_fitted__(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """An order of new segments in which they follow the earlier ones they match.

    Attributes
    ----------
    order : ndarray of shape (n_segments,)
        The new segments, in order.
    names : tuple of (str or None)
        The name of the earlier segment that each matches; None if there is none.
    """

    order: NDArray[np.intp]
    names: tuple[str | None, ...]


def align(previous: FittedSegmenter, backend: Backend, labels: NDArray[np.int32], n_segments: int) -> Alignment:
    """Match new segments with those of an earlier model so that as many rows as possible keep their segment.

    Matched segments come first, in the order of the earlier ones; the others follow, the largest first.

    Parameters
    ----------
    previous : fitted segmenter
        The earlier model.
    backend : Backend
        The rows.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        Number of new segments.

    Raises
    ------
    ParameterError
        `previous` is not a fitted segmenter.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.
    """
    if not isinstance(previous, FittedSegmenter):
        message = f"align_to must be a fitted segmenter, got {previous!r}"
        raise ParameterError(message)
    earlier = previous.predict(backend)
    shared = np.zeros((previous.n_segments_, n_segments))
    np.add.at(shared, (earlier, labels), 1)
    pairs = [(old, new) for old, new in zip(*linear_sum_assignment(-shared), strict=True) if shared[old, new]]
    matched = [new for _, new in pairs]
    sizes = shared.sum(axis=0)
    others = sorted(set(range(n_segments)) - set(matched), key=lambda new: (-sizes[new], new))
    names = [previous.segment_names_[old] for old, _ in pairs]
    return Alignment(np.array(matched + others, dtype=np.intp), (*names, *[None] * len(others)))


def choose_names(
    profile: SegmentProfile, used: NDArray[np.int64], given: Sequence[str] | None, inherited: Sequence[str | None] = ()
) -> tuple[str, ...]:
    """Choose names: the given ones, else those inherited from an earlier model, else unique proposals.

    An inherited proposal that names a feature which the model no longer uses is replaced.
    """
    if given is not None:
        return check_names(given, len(profile.counts))
    proposed = propose_names(profile, used)
    known = {profile.bins[j].feature.name for j in used.tolist()}
    inherited = [None if name is None or features_in_name(name, profile) - known else name for name in inherited]
    kept = {name for name in inherited if name is not None}
    chosen: list[str] = []
    for place, proposal in enumerate(proposed):
        name = inherited[place] if place < len(inherited) else None
        chosen.append(name if name is not None else _make_unique(proposal, kept | set(chosen)))
    return tuple(chosen)


def warn_if_names_move(
    segmenter: NamedSegmenter, backend: Backend, labels: NDArray[np.int32], n_segments: int, *, stacklevel: int
) -> None:
    """Warn if a refit moves given names to segments with mostly other rows.

    Parameters
    ----------
    segmenter : segmenter
        Not fitted yet, or still holding its earlier model.
    backend : Backend
        The rows.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        Number of new segments.
    stacklevel : int
        As for `warnings.warn`, from here.

    Warns
    -----
    XsegWarning
        Most rows of a name are now in a segment with another.
    """
    if segmenter.segment_names is None or not segmenter.__sklearn_is_fitted__():
        return
    try:
        aligned = align(segmenter, backend, labels, n_segments)
    except XsegError:
        # The earlier model has other columns, so rows cannot be matched.
        return
    names = check_names(segmenter.segment_names, n_segments)
    followed = [(old, names[new]) for old, new in zip(aligned.names, aligned.order, strict=True) if old is not None]
    moved = [f"{old!r} are now in {new!r}" for old, new in followed if old != new and old in names]
    if moved:
        message = (
            f"segment_names are assigned to segments in their new order, and most rows of {', '.join(moved)}. Fit with "
            "align_to=, the earlier model, so that names stay with their rows; or clone the segmenter before fitting "
            "if the names are new"
        )
        warn(message, XsegWarning, stacklevel=stacklevel)


def _make_unique(name: str, taken: set[str]) -> str:
    candidates = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)
