"""Leaves as summaries: sharing them out among segments, and joining twins, without looking at rows again."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xseg.core.tree import LEAF, ThresholdTree

__all__ = ["merge_twins", "share_out"]

_MAX_ROUNDS = 100


def compact(tree: ThresholdTree, leaf: NDArray[np.bool_]) -> tuple[ThresholdTree, list[int]]:
    """Turn the nodes marked `leaf` into leaves and drop what lies below them; returns also which nodes were kept.

    Nodes are numbered in preorder.
    """
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if not leaf[node] and tree.feature[node] != LEAF:
            stack += [int(tree.right[node]), int(tree.left[node])]
    new = np.full(tree.n_nodes + 1, LEAF, dtype=np.int32)
    new[order] = np.arange(len(order))
    ends = leaf[order] | (tree.feature[order] == LEAF)
    goes_left = np.where(ends[:, None], False, tree.goes_left[order])
    segment = np.where(ends, np.where(tree.segment[order] >= 0, tree.segment[order], np.cumsum(ends) - 1), -1)
    kept = replace(
        tree,
        feature=np.where(ends, LEAF, tree.feature[order]).astype(np.int32),
        goes_left=goes_left,
        left=np.where(ends, LEAF, new[tree.left[order]]).astype(np.int32),
        right=np.where(ends, LEAF, new[tree.right[order]]).astype(np.int32),
        segment=segment.astype(np.int32),
    )
    return kept, order


def merge_twins(tree: ThresholdTree, mass: NDArray[np.int64]) -> tuple[ThresholdTree, NDArray[np.int64]]:
    """Drop cuts both of whose sides are one segment; returns also the weights of the leaves, which were `mass`."""
    segment, weight = tree.segment.copy(), np.zeros(tree.n_nodes, dtype=np.int64)
    weight[tree.leaves] = mass
    for node in reversed(range(tree.n_nodes)):
        if tree.feature[node] != LEAF:
            left, right = tree.left[node], tree.right[node]
            segment[node] = segment[left] if segment[left] == segment[right] else -1
            weight[node] = weight[left] + weight[right]
    merged, order = compact(replace(tree, segment=segment), segment >= 0)
    return merged, weight[order][merged.leaves]


def share_out(
    means: NDArray[np.float64], mass: NDArray[np.int64], n_segments: int, previous: NDArray[np.float64] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return each leaf to a segment so that leaves of a segment are alike: k-means over weighted leaf means.

    Starts from Ward's merging (Ward, 1963) and from where the segments were; the cheaper result wins.

    Returns
    -------
    segment : ndarray of shape (n_leaves,)
    segment_means : ndarray of shape (n_segments, n_dimensions)
    """
    n_leaves = len(mass)
    if n_leaves <= n_segments:
        return np.arange(n_leaves, dtype=np.int32), means
    starts = [_ward(means, mass, n_segments)]
    if previous is not None and len(previous) == n_segments:
        starts.append(_nearest(means, previous))
    results = [_lloyd(means, mass, labels, n_segments) for labels in starts]
    labels = min(results, key=lambda labels: _spread(means, mass, labels, n_segments))
    return labels.astype(np.int32), _group_means(means, mass, labels, n_segments)


def _ward(means: NDArray[np.float64], mass: NDArray[np.int64], n_groups: int) -> NDArray[np.intp]:
    labels = np.arange(len(mass))
    centers, weights = means.copy(), mass.astype(np.float64)
    alive = list(range(len(mass)))
    while len(alive) > n_groups:
        some, weight = centers[alive], weights[alive]
        apart = ((some[:, None] - some[None]) ** 2).sum(axis=2)
        dearness = apart * (weight[:, None] * weight[None]) / np.maximum(weight[:, None] + weight[None], 1)
        np.fill_diagonal(dearness, np.inf)
        first, second = sorted(np.unravel_index(int(dearness.argmin()), dearness.shape))
        a, b = alive[first], alive[second]
        total = max(weights[a] + weights[b], 1.0)
        centers[a] = (centers[a] * weights[a] + centers[b] * weights[b]) / total
        weights[a] += weights[b]
        labels[labels == b] = a
        alive.remove(b)
    return np.searchsorted(alive, labels)


def _lloyd(
    means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int
) -> NDArray[np.intp]:
    for _ in range(_MAX_ROUNDS):
        moved = _nearest(means, _group_means(means, mass, labels, n_groups))
        if len(np.unique(moved)) < n_groups or (moved == labels).all():
            return labels
        labels = moved
    return labels


def _nearest(means: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.asarray(((means[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1))


def _group_means(
    means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int
) -> NDArray[np.float64]:
    member = labels[:, None] == np.arange(n_groups)
    weight = member * mass[:, None]
    return np.asarray(weight.T @ means / np.maximum(weight.sum(axis=0), 1)[:, None])


def _spread(means: NDArray[np.float64], mass: NDArray[np.int64], labels: NDArray[np.intp], n_groups: int) -> float:
    if len(np.unique(labels)) < n_groups:
        return np.inf
    offsets = means - _group_means(means, mass, labels, n_groups)[labels]
    return float(mass @ np.einsum("ld,ld->l", offsets, offsets))
