"""How many of the columns that are asked about are needed."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from xseg.core.bins import MISSING
from xseg.reviews._findings import Found, percent
from xseg.reviews._subject import Subject

__all__ = ["minimisation"]

_ENOUGH: Final = 0.95
_MANY_NEEDLESS: Final = 1 / 3
_STILL_THERE: Final = 0.5
_MOST_LEAVES: Final = 128


def minimisation(subject: Subject) -> Iterator[Found]:
    """Find the fewest used columns from which people's segments can be told as well as from all.

    Columns are taken away one by one, each time the one that is missed least. What is left is judged by a tree over
    these columns alone, learnt from the segments of one half of the people and tried on the other half.
    """
    if len(subject.used) < 2:
        return
    readout = _Readout(subject)
    kept, agreement, dropped = list(subject.used), readout.agreement(subject.used), []
    while len(kept) > 1:
        ways = [(readout.agreement([name for name in kept if name != one]), -place) for place, one in enumerate(kept)]
        best, place = max(ways)
        if best < _ENOUGH:
            break
        agreement = best
        dropped.append({"column": kept.pop(-place), "agreement": round(best, 4)})
    k, d = len(kept), len(subject.used)
    segment, met = readout.met_least(kept)
    evidence: dict[str, Any] = {
        "needed": k,
        "of": d,
        "columns": kept,
        "dropped": dropped,
        "agreement": round(agreement, 4),
    }
    evidence["least"] = {"segment": segment, "agreement": round(met, 4)}
    message = (
        f"{k} of {d} columns needed: {percent(agreement)} of people are placed the same by {', '.join(kept)} (least of "
        f"{segment!r}: {percent(met)})."
    )
    if not dropped:
        message = (
            f"{d} of {d} columns needed: without any one of them fewer than {percent(_ENOUGH)} are placed the same."
        )
    # A few people make no difference to the whole, and all of it to their segment.
    grave = len(dropped) > _MANY_NEEDLESS * d and met >= _STILL_THERE
    gone = [step["column"] for step in dropped]
    yield Found(
        "warning" if grave else "note", "features", message, f"fit with forbid={gone}" if gone else "", evidence
    )


class _Readout:
    """Says how well segments can be told from some columns."""

    def __init__(self, subject: Subject) -> None:
        segmenter, rows = subject.segmenter, subject.rows
        bins = segmenter.profile_.bins
        positions = {name: subject.names.index(name) for name in subject.used}
        codes = bins.encode(rows, sorted(positions.values()))
        self._columns = {
            name: _readable(codes[:, j], ordered=bins[j].is_ordered, n_codes=bins[j].n_codes)
            for name, j in positions.items()
        }
        self._names = segmenter.segment_names_
        self._labels = np.asarray(segmenter.predict(rows))
        order = np.random.default_rng(subject.seed).permutation(len(rows))
        self._known, self._asked = order[: (len(rows) + 1) // 2], order[len(rows) // 2 :]

    def agreement(self, names: Sequence[str]) -> float:
        """Give the share of the people asked who are placed the same from some columns alone."""
        return float(self._same(names).mean())

    def met_least(self, names: Sequence[str]) -> tuple[str, float]:
        """Give the segment whose people are placed the same least often, and the share of them who are."""
        same, segments = self._same(names), self._labels[self._asked]
        shares = {int(segment): float(same[segments == segment].mean()) for segment in np.unique(segments)}
        least = min(shares, key=shares.__getitem__)
        return self._names[least], shares[least]

    def _same(self, names: Sequence[str]) -> NDArray[np.bool_]:
        values = np.hstack([self._columns[name] for name in names])
        tree = DecisionTreeClassifier(max_leaf_nodes=_MOST_LEAVES, min_samples_leaf=2, random_state=0)
        tree.fit(values[self._known], self._labels[self._known])
        return np.asarray(tree.predict(values[self._asked]) == self._labels[self._asked])


def _readable(codes: NDArray[np.uint8], *, ordered: bool, n_codes: int) -> NDArray[np.float32]:
    """Give codes as numbers that a tree can cut: ordered ones as they are, categories one by one."""
    missing = (codes == MISSING)[:, None]
    if ordered:
        return np.hstack([codes[:, None], missing]).astype(np.float32)
    return np.hstack([codes[:, None] == np.arange(n_codes), missing]).astype(np.float32)
