"""The partition that a readable model is measured against."""

from typing import Any

import numpy as np
from sklearn.base import clone

from xseg.exceptions import ParameterError
from xseg.segmenters._learning.kmeans import Partition, kmeans
from xseg.segmenters._learning.preparation import Prepared
from xseg.segmenters._learning.space import NearestSums

__all__ = ["reference_partition"]


def reference_partition(
    reference: Any, prepared: Prepared, *, n_clusters: int, n_init: int, n_rows: int, seed: int
) -> Partition:
    """Return the centres that the tree should follow.

    Parameters
    ----------
    reference : "kmeans" or clusterer
        A clusterer is cloned and fitted on the metric space; its centres are the means of its clusters.
    n_rows : int
        How many rows of the sample k-means starts on.
    """
    space, backend = prepared.space, prepared.backend
    if isinstance(reference, str):
        some = prepared.sample.first(n_rows)
        whole = prepared.whole and some.n_rows == prepared.sample.n_rows
        return kmeans(backend, space, some, whole=whole, n_clusters=n_clusters, n_init=n_init, seed=seed)
    if not hasattr(reference, "fit_predict"):
        message = f"reference must be 'kmeans' or a clusterer with fit_predict, got {reference!r}"
        raise ParameterError(message)
    matrix = backend.map(lambda block: space.embedding.matrix(block.codes, block.points))
    labels = np.asarray(clone(reference).fit_predict(matrix))
    found = [label for label in np.unique(labels) if label >= 0]
    if not found:
        message = f"the reference {reference!r} put every row into noise; choose other parameters for it"
        raise ParameterError(message)
    centers = space.embedding.centers(np.array([matrix[labels == label].mean(axis=0) for label in found]))
    return Partition(centers, backend.sum(NearestSums(space, centers)).cost)
