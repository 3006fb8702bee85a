"""Segments made anew from fewer columns, and how many people they place the same."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Table, match_columns
from xseg.governance.reviews._subject import Subject

__all__ = ["Refits"]

_MAX_ROWS: Final = 6_000
_MIN_ROWS: Final = 150


class Refits:
    """Models made anew with the parameters of the one that is reviewed, and segments numbered as its.

    The people are parted in three. Models learn from the first third and are tried on the second; the set of columns
    that is chosen so is learnt from the second and tried on the third, where nobody had a part in choosing it.

    Parameters
    ----------
    subject : Subject
        With people.

    Attributes
    ----------
    people : int
        How many people a third has.
    made : int
        How many models were made.
    ended : bool
        Whether a search was ended before everything was tried.
    """

    def __init__(self, subject: Subject) -> None:
        assert subject.table is not None
        self._subject = subject
        table = match_columns(subject.table, subject.names)
        order = np.random.default_rng(subject.seed).permutation(len(table))[:_MAX_ROWS]
        size = len(order) // 3
        self._parts = [table.take(np.sort(order[start : start + size])) for start in range(0, 3 * size, max(size, 1))]
        self.people = size
        self.made, self.ended = 0, False

    @property
    def are_too_few(self) -> bool:
        """Whether nothing could be said of so few people."""
        return 3 * self.people < _MIN_ROWS

    def without(self, columns: Sequence[str], *, confirmed: bool = False) -> "Refit | None":
        """Make the model anew without some columns; None where that is not possible.

        Parameters
        ----------
        columns : sequence of str
            Those to leave out.
        confirmed : bool, default=False
            Whether to learn from and try on people who had no part in the search.
        """
        learnt, tried = self._parts[1:] if confirmed else self._parts[:2]
        self.made += 1
        fitted = self._subject.refitted(learnt, without=columns, as_many=True)
        return None if fitted is None else Refit(self._subject, fitted, tried)


class Refit:
    """A model made anew, and whom it places as the original does."""

    def __init__(self, subject: Subject, fitted: Any, tried: Table) -> None:
        self.asks_about = tuple(subject.names[j] for j in sorted(fitted.model_.used_features.tolist()))
        self.asked: NDArray[np.int32] = np.asarray(subject.segmenter.predict(tried))
        self.same: NDArray[np.bool_] = np.asarray(fitted.predict(tried)) == self.asked
        self.agreement = float(self.same.mean())
