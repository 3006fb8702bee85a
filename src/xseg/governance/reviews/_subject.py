"""Everything a review looks at: the model, the policy, and what people, consent and the public notice add."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from inspect import signature
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from xseg.backends import MemoryBackend
from xseg.core.tables import Column, Table, match_columns
from xseg.exceptions import XsegError, XsegWarning
from xseg.explanations import own_contributions
from xseg.governance.reviews._notice_text import NoticeText
from xseg.policy import FeaturePolicy, Policy, Purpose
from xseg.segmenters import OutcomeSegmenter, RuleSegmenter, SurrogateSegmenter

__all__ = ["ConsentLedger", "HeldOut", "Subject"]

MAX_ROWS = 5_000


class ConsentLedger(Protocol):
    """Whoever knows what people have agreed to."""

    def mask(self, subjects: Any, purpose: str, *, at: datetime | None = None) -> Any:
        """Return for each subject whether they agree to a purpose at a time, shape (n_subjects,)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """People who had no part in making the segments, and the segments they are in.

    Attributes
    ----------
    rows : Table
        Every column that is there, also those that the model does not use.
    labels : ndarray of shape (n_rows,)
        Their segments.
    names : tuple of str
        The names of the segments.
    how : str
        Where the segments come from, in words.
    """

    rows: Table
    labels: NDArray[np.int32]
    names: tuple[str, ...]
    how: str


@dataclass(frozen=True, eq=False)
class Subject:
    """What is reviewed.

    Attributes
    ----------
    segmenter : fitted segmenter
        The model over raw columns.
    policy : Policy
        What is declared.
    table : Table or None
        People, with every column that is known of them.
    held_out : bool
        Whether these people had no part in the fit.
    ledger : ConsentLedger or None
        Who has agreed.
    subjects : sequence or None
        How the ledger knows the people.
    notice : NoticeText or None
        What the public is told.
    now : datetime
        When the review is made.
    seed : int
        Seeds splits and permutations.
    n_permutations : int
        How often sensitive columns are shuffled.
    """

    segmenter: Any
    policy: Policy
    table: Table | None
    held_out: bool
    ledger: ConsentLedger | None
    subjects: Sequence[Any] | None
    notice: NoticeText | None
    now: datetime
    seed: int
    n_permutations: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of the model, asked about or not."""
        return tuple(self.segmenter.profile_.bins.schema.names)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """The columns that decide where people are placed."""
        return tuple(self.names[j] for j in sorted(self.segmenter.model_.used_features.tolist()))

    @cached_property
    def forbidden(self) -> frozenset[str]:
        """The columns that the fit was told to leave alone."""
        return frozenset(getattr(self.segmenter, "forbid", ()))

    @cached_property
    def served(self) -> dict[str, Purpose]:
        """The purposes that the used columns are used for, by id."""
        return {name: self.policy.purposes[name] for name in self.policy.purpose_ids(self.used)}

    def feature(self, name: str) -> FeaturePolicy:
        """Return what holds for a column."""
        return self.policy.feature(name)

    def label(self, name: str) -> str:
        """Return the label of a column, in quotation marks."""
        return f"“{self.policy.feature(name).label or name}”"

    @cached_property
    def rows(self) -> Table:
        """The people, with the columns of the model, at most a few thousand drawn by the seed."""
        assert self.table is not None
        return match_columns(self._some(self.table), self.names)

    def _some(self, table: Table) -> Table:
        if len(table) <= MAX_ROWS:
            return table
        return table.take(np.sort(np.random.default_rng(self.seed).permutation(len(table))[:MAX_ROWS]))

    @cached_property
    def shares(self) -> dict[str, float]:
        """The part of each used column in all that is weighed, by the mean size of exact contributions."""
        _, explained = own_contributions(self.segmenter, self.rows, 1)
        weight = np.abs(explained.values).mean(axis=0)
        total = float(weight.sum()) or 1.0
        return {name: float(weight[self.names.index(name)]) / total for name in self.used}

    @cached_property
    def sensitive(self) -> dict[str, Column]:
        """The columns of the table that the policy calls sensitive."""
        columns = () if self.table is None else self.table.columns
        return {column.name: column for column in columns if self.policy.feature(column.name).sensitive}

    def refitted(self, rows: Table, without: Sequence[str] = (), *, as_many: bool = False) -> Any:
        """Return the model made anew; None where that is not possible.

        A model of an outcome would need the outcome, a stand-in the original's labels, and rules that people wrote are
        not learnt. With `as_many`, the number of segments is not chosen anew.
        """
        if isinstance(self.segmenter, OutcomeSegmenter | RuleSegmenter | SurrogateSegmenter):
            return None
        fresh = clone(self.segmenter)
        if without:
            fresh.set_params(forbid=[*self.forbidden, *without])
        if as_many and fresh.n_segments == "auto":
            fresh.set_params(n_segments=self.segmenter.n_segments_)
        alike = {"align_to": self.segmenter} if "align_to" in signature(fresh.fit).parameters else {}
        with warnings.catch_warnings():
            # They are about a model that nobody asked for.
            warnings.simplefilter("ignore", XsegWarning)
            try:
                return fresh.fit(MemoryBackend(rows), **alike)
            except XsegError:
                return None

    @cached_property
    def unseen(self) -> HeldOut | None:
        """People who had no part in the segments: all of them, or one half while the other makes segments anew."""
        if self.table is None:
            return None
        some = self._some(self.table)
        if self.held_out or isinstance(self.segmenter, RuleSegmenter):
            how = "all people given, none of whom had a part in the segments"
            return self._seen_by(self.segmenter, some, how)
        order = np.random.default_rng(self.seed).permutation(len(some))
        half = len(some) // 2
        fitted = self.refitted(match_columns(some.take(np.sort(order[:half])), self.names)) if half else None
        if fitted is None:
            return None
        how = "half of the people, in segments made anew from the other half"
        return self._seen_by(fitted, some.take(np.sort(order[half:])), how)

    def _seen_by(self, segmenter: Any, rows: Table, how: str) -> HeldOut:
        labels = np.asarray(segmenter.predict(match_columns(rows, self.names)))
        return HeldOut(rows, labels, tuple(segmenter.segment_names_), how)
