"""Rows with the original's label as one more column, of which cuts know nothing: all that disagreement is about.

In the space of that column alone, the groups are points one apart. So the squared distance of a row to a group's
point is 0 or 1, a leaf's distance to its nearest point is what it gets wrong, and everything that was made for
distances to centres serves for disagreement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from xseg.backends import Backend
from xseg.backends.base import CodedBackend
from xseg.backends.coded import CodedRows
from xseg.backends.workers import count_workers
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.embedding import Coding, Embedding
from xseg.core.schema import Feature, Kind
from xseg.core.tables import Column, Table
from xseg.segmenters._learning.columns import learn_columns
from xseg.segmenters._learning.preparation import SAMPLE_CAPACITY
from xseg.segmenters._learning.sample import RowSample
from xseg.segmenters._learning.space import Space
from xseg.segmenters._surrogates.originals import Partition
from xseg.segmenters._trees.problem import Problem

__all__ = ["Labelled", "given_places", "label_rows", "with_places"]

_COLUMN = "group of the original"


@dataclass(frozen=True, eq=False)
class Labelled:
    """Coded rows whose last column is the label.

    `sample` holds some of the distinct rows, or all of them if it is `whole`; `features` are those that cuts may use.
    """

    backend: CodedBackend
    bins: Bins
    space: Space
    sample: CodedRows
    whole: bool
    features: NDArray[np.int64]
    n_groups: int
    weight_unit: float

    @property
    def own_bins(self) -> Bins:
        """The columns that the rows came with."""
        return Bins(self.bins.features[:-1])

    def problem(self, max_leaves: int, max_depth: int, share: float) -> Problem:
        """Return what is searched for; a leaf holds at least this share of the people."""
        return Problem(
            backend=self.backend,
            space=self.space,
            bins=self.bins,
            features=self.features,
            n_segments=self.n_groups,
            max_leaves=max_leaves,
            max_depth=max_depth,
            min_weight=max(1, ceil((share - 1e-9) * self.space.total_weight)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _LabelledCoding(Coding):
    """Turns raw rows into codes, with their group as the last one."""

    own: Bins
    places: Callable[[Table], NDArray[np.int64]]

    def code(self, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return codes and points of a table."""
        columns = Table(table.columns[: len(self.own)], len(table), table.named)
        codes = np.column_stack([self.own.encode(columns), self.places(table).astype(np.uint8)])
        return np.ascontiguousarray(codes), np.empty((len(table), 0), dtype=np.float32)


def with_places(table: Table, partition: Partition) -> Table:
    """Return a table whose last column is the place of each row's group."""
    names = _names(len(partition.groups))
    return Table((*table.columns, Column(_COLUMN, Kind.CATEGORY, partition.places, names)), len(table), table.named)


def given_places(table: Table) -> NDArray[np.int64]:
    """Read that column."""
    return np.asarray(table.columns[-1].values, dtype=np.int64)


def label_rows(
    rows: Backend,
    n_columns: int | None,
    n_groups: int,
    places: Callable[[Table], NDArray[np.int64]],
    *,
    max_bins: int,
    min_members: int,
    include: Sequence[str],
    forbid: Sequence[str],
    seed: int,
    n_jobs: int | None,
) -> Labelled:
    """Choose bins by sums, code rows and their groups, and draw the sample.

    Only the first `n_columns` of the rows are looked at, or all; `places` says of a block of rows which group each is
    in.
    """
    columns = learn_columns(
        rows,
        max_bins=max_bins,
        min_members=min_members,
        include=include,
        forbid=forbid,
        n_columns=n_columns,
    )
    bins = columns.bins
    kept_out = {columns.schema.index(name) for name in forbid}
    names = _names(n_groups)
    label = FeatureBins(Feature(_COLUMN, Kind.CATEGORY, names), np.empty(0), names)
    with_label, embedding = Bins((*bins.features, label)), _space_of_labels(len(bins), n_groups)
    coded = rows.encode(_LabelledCoding(with_label, embedding, bins, places))
    sample = coded.sum(RowSample(SAMPLE_CAPACITY, seed))
    can_cut = [one.n_codes > 1 or one.feature.has_missing for one in bins.features]
    allowed = [j for j, can in enumerate(can_cut) if can and j not in kept_out]
    return Labelled(
        backend=coded,
        bins=with_label,
        space=Space.of(embedding, columns.summary.total_weight),
        sample=sample.coded(count_workers(n_jobs)),
        whole=sample.is_everything,
        features=np.array(allowed, dtype=np.int64),
        n_groups=n_groups,
        weight_unit=rows.weight_unit,
    )


def _names(n_groups: int) -> tuple[str, ...]:
    return tuple(f"{place:03d}" for place in range(n_groups))


def _space_of_labels(column: int, n_groups: int) -> Embedding:
    """Return the space in which only the label counts, and different labels are one apart."""
    vectors = np.zeros((N_CODES, n_groups))
    vectors[:n_groups] = np.eye(n_groups) / np.sqrt(2)
    nothing = np.empty(0)
    return Embedding(np.empty(0, dtype=np.int64), nothing, nothing, nothing, np.array([column]), (vectors,))
