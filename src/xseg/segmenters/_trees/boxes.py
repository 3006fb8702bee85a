"""What segmenters share whose boxes are the leaves of one tree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xseg.backends.base import CodedBackend
from xseg.core.boxes import BoxModel, PatternCounts
from xseg.core.profiles import Profile, ProfileCounts
from xseg.core.tables import Table
from xseg.core.tree import ThresholdTree
from xseg.segmenters._base import BoxSegmenter

__all__ = ["PeopleInTree", "TreeBoxes", "count_people"]


class TreeBoxes(BoxSegmenter):
    """Base of the segmenters whose boxes are the leaves of one tree."""

    tree_: ThresholdTree
    mean_depth_: float

    def _predict_table(self, table: Table) -> NDArray[np.int32]:
        tree = self.tree_
        return tree.predict(tree.bins.encode(table, tree.used_features.tolist()))


@dataclass(frozen=True, eq=False)
class PeopleInTree:
    """A tree over the thresholds it uses, and the population as its leaves see it."""

    tree: ThresholdTree
    model: BoxModel
    profile: Profile


def count_people(backend: CodedBackend, tree: ThresholdTree, n_segments: int, weight_unit: float) -> PeopleInTree:
    """Count the population of a tree by sums: what a fitted segmenter keeps of it."""
    counted = backend.sum(ProfileCounts(tree, n_segments))
    patterns = backend.sum(PatternCounts(tree.boxes().merged().tests()))
    reduced = tree.reduced()
    model = BoxModel(reduced.boxes().merged(), n_segments, tuple(patterns.boxes))
    return PeopleInTree(reduced, model, Profile(tree.bins, counted.counts, weight_unit))
