"""Rows with the original's label as one more column, of which cuts know nothing: all that disagreement is about.

In the space of that column alone, the groups are points one apart. So the squared distance of a row to a group's
point is 0 or 1, a leaf's distance to its nearest point is what it gets wrong, and everything that was made for
distances to centres serves for disagreement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from xseg.backends import MemoryBackend
from xseg.backends.base import CodedBackend
from xseg.backends.coded import CodedRows
from xseg.core.binning import choose_bins
from xseg.core.bins import N_CODES, Bins, FeatureBins
from xseg.core.embedding import Coding, Embedding
from xseg.core.schema import Feature, Kind, Schema
from xseg.core.summaries import TableSummary
from xseg.core.tables import Column, Table
from xseg.segmenters._learning.preparation import SAMPLE_CAPACITY
from xseg.segmenters._learning.sample import RowSample
from xseg.segmenters._learning.space import Space
from xseg.segmenters._surrogates.originals import Partition
from xseg.segmenters._trees.problem import Problem

__all__ = ["Labelled", "label_rows"]

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
        """Say what is searched for; a leaf holds at least this share of the people."""
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


def label_rows(
    table: Table,
    partition: Partition,
    sample_weight: object,
    *,
    max_bins: int,
    forbid: Sequence[str],
    seed: int,
    n_jobs: int | None,
) -> Labelled:
    """Choose bins by sums, code rows and labels, and draw the sample."""
    names = tuple(f"{place:03d}" for place in range(len(partition.labels)))
    column = Column(_COLUMN, Kind.CATEGORY, partition.places, names)
    rows = MemoryBackend(Table((*table.columns, column), len(table), table.named), sample_weight, n_jobs=n_jobs)
    summary = rows.sum(TableSummary(max_bins))
    schema = Schema(summary.schema().features[:-1])
    kept_out = {schema.index(name) for name in forbid}
    bins = choose_bins(summary, schema, max_bins, rows.sum)
    label = FeatureBins(Feature(_COLUMN, Kind.CATEGORY, names), np.empty(0), names)
    with_label, embedding = Bins((*bins.features, label)), _space_of_labels(len(bins), len(names))
    coded = rows.encode(Coding(with_label, embedding))
    sample = coded.sum(RowSample(SAMPLE_CAPACITY, seed))
    can_cut = [one.n_codes > 1 or one.feature.has_missing for one in bins.features]
    allowed = [j for j, can in enumerate(can_cut) if can and j not in kept_out]
    return Labelled(
        backend=coded,
        bins=with_label,
        space=Space.of(embedding, summary.total_weight),
        sample=sample.coded(rows.n_workers),
        whole=sample.is_everything,
        features=np.array(allowed, dtype=np.int64),
        n_groups=len(names),
        weight_unit=rows.weight_unit,
    )


def _space_of_labels(column: int, n_groups: int) -> Embedding:
    """Give the space in which only the label counts, and different labels are one apart."""
    vectors = np.zeros((N_CODES, n_groups))
    vectors[:n_groups] = np.eye(n_groups) / np.sqrt(2)
    nothing = np.empty(0)
    return Embedding(np.empty(0, dtype=np.int64), nothing, nothing, nothing, np.array([column]), (vectors,))
