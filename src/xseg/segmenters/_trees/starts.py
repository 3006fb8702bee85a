"""Trees to start the search from: the algorithms of the field, each a shape with one leaf per segment.

IMM is that of Moshkovitz et al. (2020), growth on the cost of the centres that of ExKMC (Frost et al., 2020), growth on
how much leaves vary that of regression trees and, on the k-means cost, of ExGreedy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from xseg._kernels.search import ENTROPY, NEAREST, SQUARES
from xseg.core.bins import N_CODES
from xseg.core.embedding import Centers
from xseg.core.schema import Kind
from xseg.core.statistics import CodedBlock
from xseg.segmenters._learning.space import Space
from xseg.segmenters._trees.cells import Cells, Cut, Values
from xseg.segmenters._trees.moves import grow, prune
from xseg.segmenters._trees.nodes import Node, Sample, Shape, shape_of

__all__ = ["STARTS", "Reference", "Start"]


@dataclass(frozen=True, eq=False)
class Reference:
    """The reference partition as the starts see it.

    Attributes
    ----------
    centers : Centers
        Its centres.
    distances : ndarray of shape (n_rows, n_centers)
        The squared distance of each row to each of them.
    points : ndarray of shape (n_rows, n_dimensions)
        The rows in the metric space.
    weights : ndarray of shape (n_rows,)
        Their weights.
    """

    centers: Centers
    distances: NDArray[np.float64]
    points: NDArray[np.float64]
    weights: NDArray[np.int64]

    @classmethod
    def of(cls, space: Space, block: CodedBlock, centers: Centers) -> "Reference":
        """Measure some rows against centres."""
        points = space.embedding.matrix(block.codes, block.points)
        return cls(centers, space.distances(block, centers), points, block.weights)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The nearest centre of each row."""
        return np.asarray(self.distances.argmin(axis=1))

    @property
    def squares(self) -> Values:
        """Groups cost what they vary about their mean."""
        return Values.weighted(self.points, self.weights, SQUARES)

    @property
    def nearest(self) -> Values:
        """Groups cost what they cost at the cheapest centre."""
        return Values.weighted(self.distances, self.weights, NEAREST)

    @property
    def disagreement(self) -> Values:
        """Groups cost the entropy of their labels."""
        return Values.weighted(np.eye(len(self.centers))[self.labels], self.weights, ENTROPY)


def _grown(sample: Sample, values: Values, n_leaves: int) -> Shape:
    own = Sample(sample.cells, values, sample.minimum, sample.max_depth)
    root = own.root()
    grow(own, root, 3 * n_leaves)
    prune(own, root, n_leaves)
    return shape_of(root)


def follow_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by the cost of giving each leaf to one of the centres."""
    return _grown(sample, reference.nearest, n_leaves)


def tight_leaves(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow by how much the rows of a leaf vary about their own mean: the real cost."""
    return _grown(sample, reference.squares, n_leaves)


def follow_labels(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a classification tree on the labels."""
    return _grown(sample, reference.disagreement, n_leaves)


def part_centers(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Grow a tree on the centres alone, each as heavy as its cluster, until each has its leaf."""
    del n_leaves
    mass = np.bincount(reference.labels, reference.weights, len(reference.centers)).astype(np.int64)
    places = _center_codes(sample, reference)
    cells = Cells.of(sample.cells.bins, _numbers(sample), places)
    values = Values.weighted(reference.centers.means, np.maximum(mass, 1), SQUARES)
    own = Sample(cells, values, 1, sample.max_depth)
    root = own.root()
    grow(own, root, len(places))
    return shape_of(root)


def fewest_mistakes(sample: Sample, reference: Reference, n_leaves: int) -> Shape:
    """Part the centres by cuts that part the fewest rows from their own centre: IMM."""
    del n_leaves
    places = _center_codes(sample, reference)
    return _parted(sample, reference, places, sample.root(), np.arange(len(places)))


def _parted(
    sample: Sample, reference: Reference, places: NDArray[np.uint8], node: Node, alive: NDArray[np.int64]
) -> Shape:
    labels = reference.labels
    mistaken = np.isin(labels[node.rows], alive)
    rows = node.rows[mistaken]
    cut = _least_mistaken(sample, reference, places, rows, labels[rows], alive) if len(alive) > 1 else None
    if cut is None or node.depth >= sample.max_depth:
        return None
    left, right = sample.divide(node, cut)
    goes_left = cut.goes_left[places[alive, cut.feature]]
    return (
        cut,
        _parted(sample, reference, places, left, alive[goes_left]),
        _parted(sample, reference, places, right, alive[~goes_left]),
    )


def _least_mistaken(
    sample: Sample,
    reference: Reference,
    places: NDArray[np.uint8],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    alive: NDArray[np.int64],
) -> Cut | None:
    best, chosen = np.inf, None
    weights = reference.weights[rows]
    for j in _numbers(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        lowest, highest = int(places[alive, j].min()), int(places[alive, j].max())
        if lowest == highest:
            continue
        codes = sample.cells.cells[f, rows] - sample.cells.offsets[f]
        known = codes < sample.cells.bins[j].n_codes
        own = places[labels, j].astype(np.int64)
        start, stop = np.minimum(codes, own)[known], np.maximum(codes, own)[known]
        opened = np.bincount(start, weights[known], N_CODES + 1) - np.bincount(stop, weights[known], N_CODES + 1)
        mistakes = np.cumsum(opened)[lowest:highest]
        place = int(mistakes.argmin())
        if mistakes[place] < best:
            best, chosen = float(mistakes[place]), Cut(int(j), np.arange(N_CODES) <= lowest + place)
    return chosen


def _numbers(sample: Sample) -> NDArray[np.int64]:
    """Return the features in which a centre has a place."""
    kinds = [sample.cells.bins[j].feature.kind for j in sample.cells.features]
    return sample.cells.features[[kind in {Kind.NUMBER, Kind.BOOLEAN, Kind.ORDERED} for kind in kinds]]


def _center_codes(sample: Sample, reference: Reference) -> NDArray[np.uint8]:
    """Return the code of each centre in each feature: that of the middle one of its rows."""
    places = np.zeros((len(reference.centers), len(sample.cells.bins)), dtype=np.uint8)
    labels = reference.labels
    for j in _numbers(sample):
        f = int(np.searchsorted(sample.cells.features, j))
        width = sample.cells.bins[j].n_codes
        codes = sample.cells.cells[f] - sample.cells.offsets[f]
        known = codes < width
        counts = np.zeros((len(places), width))
        np.add.at(counts, (labels[known], codes[known]), reference.weights[known])
        reached = np.cumsum(counts, axis=1)
        places[:, j] = (reached < reached[:, -1:] / 2).sum(axis=1)
    return places


Start: TypeAlias = Callable[[Sample, Reference, int], Shape]

STARTS: dict[str, Start] = {
    "IMM": fewest_mistakes,
    "centres": follow_centers,
    "real cost": tight_leaves,
    "labels": follow_labels,
    "tree of centres": part_centers,
}
