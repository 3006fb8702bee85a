"""Names of groups as customers read them: what a person wrote, or words of the policy, and never a column name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_uppercase

import numpy as np

from xseg.core.bins import reduce_codes
from xseg.core.boxes import Boxes
from xseg.core.conditions import make_condition
from xseg.core.segments import Segment, SegmentProfile
from xseg.exceptions import UnnamedSegmentsWarning
from xseg.i18n import Language, one_line
from xseg.policy import FeaturePolicy, Policy, SegmentPolicy
from xseg.segmenters import FittedSegmenter

__all__ = ["GroupNames", "name_segments"]

_MAX_TRAITS = 2


@dataclass(frozen=True, slots=True)
class GroupNames:
    """What customers read as the names of groups.

    Attributes
    ----------
    names : tuple of str
        The names, by segment.
    unnamed : tuple of int
        The segments that are called by a letter because nobody has named them.
    """

    names: tuple[str, ...]
    unnamed: tuple[int, ...]

    def describe_unnamed(self) -> UnnamedSegmentsWarning | None:
        """Return the warning that segments have no public name; None if all have one."""
        if not self.unnamed:
            return None
        letters = [_write_letter(index) for index in self.unnamed]
        is_one = len(letters) == 1
        message = (
            f"{len(letters)} of {len(self.names)} segments {'has' if is_one else 'have'} no public name; "
            f"cards call {'it' if is_one else 'them'} Group {_list_letters(self.unnamed, letters)}."
        )
        return UnnamedSegmentsWarning(
            message,
            in_python="Write segments.<name>.shown_name in the policy, or pass segment_names=.",
            on_command_line="Write segments.<name>.shown_name in the policy.",
        )


def _list_letters(indices: Sequence[int], letters: Sequence[str]) -> str:
    if len(letters) > 1 and indices[-1] - indices[0] == len(indices) - 1:
        return f"{letters[0]} to {letters[-1]}"
    return " and ".join(filter(None, [", ".join(letters[:-1]), letters[-1]]))


def name_segments(
    segmenter: FittedSegmenter,
    policy: Policy,
    language: Language,
    *,
    features: Sequence[FeaturePolicy],
    is_secret: Callable[[str], bool],
) -> GroupNames:
    """Name the segments of a model for customers.

    The name that the policy states comes first, then the one that a person gave to the segment, then one made of the
    policy's words for the features that the segment's rule tests. Where there is none of them, the group is called by
    a letter.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.
    policy : Policy
        What people may be told, in their language.
    language : Language
        The language of the names.
    features : sequence of FeaturePolicy
        What the policy says of each column.
    is_secret : callable
        Whether a name gives away what is not to be named.
    """
    profile, boxes = segmenter.profile_, segmenter.model_.boxes
    composed = [
        ""
        if boxes is None or segment.size < policy.minimum_group_size
        else _compose_name(boxes, profile, segment.index, features, language)
        for segment in segmenter.segments_
    ]
    names, unnamed = [], []
    for segment in segmenter.segments_:
        stated = policy.segment(segment.index, segment.name)
        name = _find_name(segment, stated, is_secret)
        # Names that several segments would share tell none of them.
        if name is None and stated.name_shown and composed.count(composed[segment.index]) == 1:
            name = composed[segment.index] or None
        if name is None and stated.name_shown and segment.public_name is None:
            unnamed.append(segment.index)
        names.append(name)
    return GroupNames(
        tuple(
            language.say("card.group", letter=_write_letter(index)) if name is None else name
            for index, name in enumerate(names)
        ),
        tuple(unnamed),
    )


def _find_name(segment: Segment, stated: SegmentPolicy, is_secret: Callable[[str], bool]) -> str | None:
    """Return the name that a person wrote for a segment, if it may be shown."""
    if not stated.name_shown:
        return None
    if stated.shown_name is not None:
        return stated.shown_name
    return None if segment.public_name is None or is_secret(segment.public_name) else segment.public_name


def _compose_name(
    boxes: Boxes, profile: SegmentProfile, segment: int, features: Sequence[FeaturePolicy], language: Language
) -> str:
    """Return the policy's words for what all members of a segment have in common; "" if it has none.

    Words for high values fit where the rule has a lower bound alone, so that they are true of every member.
    """
    inside = np.asarray(boxes.inside[boxes.segment == segment].any(axis=0))
    found = []
    for j in boxes.used_features.tolist():
        condition, traits = make_condition(boxes.bins[j], inside[j]), features[j].traits
        is_bound = (condition.lower is None) != (condition.upper is None) and not condition.allows_nothing_known
        has_unknown = condition.missing and condition.says_missing
        if traits is None or not is_bound or has_unknown or features[j].sensitive or not features[j].shown:
            continue
        words = traits.low if condition.lower is None else traits.high
        if words is not None:
            holds = inside[j][reduce_codes(profile.bins[j], boxes.bins[j])]
            found.append((profile.counts[:, j, holds].sum(axis=1), one_line(words)))
    if not found:
        return ""
    others = np.arange(len(profile.counts)) != segment
    # The tests that the fewest people of other segments can pass tell most.
    chosen = min(
        combinations(found, min(_MAX_TRAITS, len(found))),
        key=lambda tests: float(np.min([passing[others] for passing, _ in tests], axis=0).sum()),
    )
    return language.capitalise(language.join_items([words for _, words in chosen]))


def _write_letter(index: int) -> str:
    """Return A to Z for the first segments, then AA, AB, ..."""
    rest, place = divmod(index, len(ascii_uppercase))
    return (_write_letter(rest - 1) if rest else "") + ascii_uppercase[place]
