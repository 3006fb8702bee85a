"""How well segments can be told from some columns: a tree over them that learns the segments of others."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from xseg.core.bins import MISSING
from xseg.governance.reviews._subject import Subject

__all__ = ["Imitation"]

_MAX_LEAVES: Final = 128


class Imitation:
    """A tree that learns the segments of one half of the people and is tried on the other half.

    Parameters
    ----------
    subject : Subject
        With people.
    """

    def __init__(self, subject: Subject) -> None:
        segmenter, rows = subject.segmenter, subject.rows
        bins = segmenter.profile_.bins
        positions = {name: subject.names.index(name) for name in subject.used}
        codes = bins.encode(rows, sorted(positions.values()))
        self._columns = {
            name: _readable(codes[:, j], ordered=bins[j].is_ordered, n_codes=bins[j].n_codes)
            for name, j in positions.items()
        }
        self._labels = np.asarray(segmenter.predict(rows))
        order = np.random.default_rng(subject.seed).permutation(len(rows))
        self._known, self._asked = order[: (len(rows) + 1) // 2], order[len(rows) // 2 :]

    def agreement(self, names: Sequence[str]) -> float:
        """Return the share of the people asked who are placed the same from some columns alone."""
        return float(self.same(names).mean())

    def least_missed(self, names: Sequence[str]) -> list[tuple[float, str]]:
        """Return the agreement without each column, and the column; the one that is missed least first."""
        ways = [(self.agreement([name for name in names if name != one]), one) for one in names]
        return sorted(ways, key=lambda way: -way[0])

    @property
    def asked(self) -> NDArray[np.int32]:
        """The segments of the people asked."""
        return self._labels[self._asked]

    def same(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return for each of the people asked whether they are placed the same from some columns alone."""
        values = np.hstack([self._columns[name] for name in names])
        tree = DecisionTreeClassifier(max_leaf_nodes=_MAX_LEAVES, min_samples_leaf=2, random_state=0)
        tree.fit(values[self._known], self._labels[self._known])
        return np.asarray(tree.predict(values[self._asked]) == self.asked)


def _readable(codes: NDArray[np.uint8], *, ordered: bool, n_codes: int) -> NDArray[np.float32]:
    """Return codes as numbers that a tree can cut: ordered ones as they are, categories one by one."""
    missing = (codes == MISSING)[:, None]
    if ordered:
        return np.hstack([codes[:, None], missing]).astype(np.float32)
    return np.hstack([codes[:, None] == np.arange(n_codes), missing]).astype(np.float32)
