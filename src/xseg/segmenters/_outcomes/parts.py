"""Sharing people out among the three parts of an honest fit, whatever their order."""

import numpy as np
from numpy.typing import NDArray

from xseg.segmenters._learning.sample import hash_numbers, hash_rows

__all__ = ["ESTIMATE", "GROW", "PRUNE", "share_out_people"]

GROW, PRUNE, ESTIMATE = range(3)
_GROW_SHARE = 2 / 3


def share_out_people(
    codes: NDArray[np.uint8],
    outcomes: NDArray[np.float64],
    weights: NDArray[np.int64],
    unit: float,
    estimate_share: float,
    seed: int,
) -> NDArray[np.int64]:
    """Return the weight of each row in each part, shape (n_rows, 3).

    A part of the people is kept for estimating; of the others, two thirds grow the tree and a third prunes it. Equal
    rows take turns, from a start that is a hash of what they say: so they are spread over the parts, and the parts hold
    the same people in whatever order these come. Where weights are whole (`unit` is 1), a weight of 2 is two people,
    who may go to two parts; other weights belong to one person.
    """
    said = np.ascontiguousarray(outcomes) + 0.0
    hashes = hash_numbers(hash_rows(codes, seed), said.view(np.uint64))
    order = np.lexsort((weights, hashes))
    people = (weights if unit == 1 else np.minimum(weights, 1))[order]
    ranked = hashes[order]
    starts = np.concatenate([[True], ranked[1:] != ranked[:-1]])
    before = np.cumsum(people) - people
    before -= np.repeat(before[starts], np.diff(np.append(np.flatnonzero(starts), len(order))))
    first, second = (_fraction(ranked, salt) for salt in (1, 2))
    others = [np.floor(first + at * (1 - estimate_share)) for at in (before, before + people)]
    grown = [np.floor(second + at * _GROW_SHARE) for at in others]
    n_others, n_grown = others[1] - others[0], grown[1] - grown[0]
    shared = np.empty((len(order), 3), dtype=np.int64)
    shared[order] = np.column_stack([n_grown, n_others - n_grown, people - n_others]).astype(np.int64)
    return shared if unit == 1 else shared * weights[:, None]


def _fraction(hashes: NDArray[np.uint64], salt: int) -> NDArray[np.float64]:
    mixed = hash_numbers(hashes, np.full((1, 1), salt, dtype=np.uint64))
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2.0**53)
