"""Keeping the numbers and names of segments when they are learnt anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from xseg.backends import Backend
from xseg.core.profiles import Profile
from xseg.exceptions import NotFittedError, ParameterError, XsegError, XsegWarning
from xseg.segmenters._names import check_names, features_in_name, propose_names

__all__ = ["Alignment", "align", "choose_names", "warn_if_names_move"]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """An order of new segments in which they follow earlier ones.

    Attributes
    ----------
    order : ndarray of shape (n_segments,)
        Which new segment comes at each place.
    names : tuple of (str or None)
        The name that each inherits, if it follows one.
    """

    order: NDArray[np.intp]
    names: tuple[str | None, ...]


def align(previous: Any, backend: Backend, labels: NDArray[np.int32], n_segments: int) -> Alignment:
    """Match new segments with those of an earlier model so that as many people as possible stay where they are.

    The matched come first, in the order of the earlier segments; the others follow, the largest first.

    Parameters
    ----------
    previous : fitted segmenter
        The earlier model.
    backend : Backend
        The people.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        How many of those there are.

    Raises
    ------
    ParameterError
        `previous` is not a fitted segmenter.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.
    """
    try:
        previous._check_fitted()
    except (AttributeError, NotFittedError):
        message = f"align_to must be a fitted segmenter, got {previous!r}"
        raise ParameterError(message) from None
    earlier = backend.map(lambda block: previous._predict_table(block.table))
    shared = np.zeros((previous.n_segments_, n_segments))
    np.add.at(shared, (earlier, labels), 1)
    pairs = [(old, new) for old, new in zip(*linear_sum_assignment(-shared), strict=True) if shared[old, new]]
    matched = [new for _, new in pairs]
    sizes = shared.sum(axis=0)
    others = sorted(set(range(n_segments)) - set(matched), key=lambda new: (-sizes[new], new))
    names = [previous.segment_names_[old] for old, _ in pairs]
    return Alignment(np.array(matched + others, dtype=np.intp), (*names, *[None] * len(others)))


def choose_names(
    profile: Profile, used: NDArray[np.int64], given: Sequence[str] | None, inherited: Sequence[str | None] = ()
) -> tuple[str, ...]:
    """Choose the names a person gave, those that are inherited, or proposals that no other segment has.

    A proposal that is inherited and speaks of a feature that the model no longer uses is replaced.
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
        chosen.append(name if name is not None else _unused(proposal, kept | set(chosen)))
    return tuple(chosen)


def warn_if_names_move(
    segmenter: Any, backend: Backend, labels: NDArray[np.int32], n_segments: int, *, stacklevel: int
) -> None:
    """Warn if names that were given go to other people than they did when the segmenter was fitted before.

    Parameters
    ----------
    segmenter : segmenter
        Not fitted yet, or still holding its earlier model.
    backend : Backend
        The people.
    labels : ndarray of shape (n_rows,)
        Their new segments.
    n_segments : int
        How many of those there are.
    stacklevel : int
        As for `warnings.warn`, from here.

    Warns
    -----
    XsegWarning
        Most people of a name are now in a segment with another.
    """
    if segmenter.segment_names is None or not segmenter.__sklearn_is_fitted__():
        return
    try:
        aligned = align(segmenter, backend, labels, n_segments)
    except XsegError:
        # The earlier model was of other columns, so that nobody can be followed.
        return
    names = check_names(segmenter.segment_names, n_segments)
    followed = [(old, names[new]) for old, new in zip(aligned.names, aligned.order, strict=True) if old is not None]
    moved = [f"{old!r} are now in {new!r}" for old, new in followed if old != new and old in names]
    if moved:
        message = (
            f"segment_names go to the segments in their new order, and most people of {', '.join(moved)}. Fit with "
            "align_to=, the earlier model, so that names stay with their people; or clone the segmenter before "
            "fitting if the names are meant anew"
        )
        warn(message, XsegWarning, stacklevel=stacklevel)


def _unused(name: str, taken: set[str]) -> str:
    candidates = (name, *(f"{name} ({number})" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)
