"""Rows as the original is shown them, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xseg.backends import Backend, MemoryBackend
from xseg.core.tables import Table
from xseg.exceptions import ParameterError
from xseg.segmenters._surrogates.frames import frame_of
from xseg.segmenters._surrogates.labelled import given_places, with_places
from xseg.segmenters._surrogates.originals import Label, Original, Partition, can_be_asked, original_of, predicted

__all__ = ["Shown", "said_of", "show_backend", "show_table"]


@dataclass(frozen=True, eq=False)
class Shown:
    """Rows, the original, and the groups it makes; `places` says of a block of rows which group each is in."""

    rows: Backend
    n_columns: int | None
    original: Original
    partition: Partition
    places: Callable[[Table], NDArray[np.int64]]


def show_table(
    estimator: Any, X: Any, table: Table, y: Any, sample_weight: Any, *, noise_label: Label, n_jobs: int | None
) -> Shown:
    """Show a table to the original, or take labels as they are."""
    original = original_of(estimator, X, y, len(table), sample_weight)
    partition = Partition.of(original.labels, len(table), noise_label)
    rows = MemoryBackend(with_places(table, partition), sample_weight, n_jobs=n_jobs)
    return Shown(rows, len(table.columns), original, partition, given_places)


def show_backend(estimator: Any, rows: Backend, *, noise_label: Label) -> Shown:
    """Show rows to a fitted original block by block, wherever they are.

    Raises
    ------
    ParameterError
        The original is not fitted, or cannot predict.
    """
    if not can_be_asked(estimator):
        message = (
            "a backend shows its rows block by block, so the original must be fitted and able to predict; "
            f"got {estimator!r}. Fit it on a sample first, or give the table itself"
        )
        raise ParameterError(message)
    labels = said_of(estimator, rows)
    partition = Partition.of(labels, len(labels), noise_label)

    def places(table: Table) -> NDArray[np.int64]:
        return partition.groups.place_of(predicted(estimator, frame_of(table)), noise_label)

    return Shown(rows, None, Original.of(labels, estimator), partition, places)


def said_of(estimator: Any, X: Any) -> NDArray[Any]:
    """Return what a fitted original says of a table or backend."""
    if isinstance(X, Backend):
        return X.map(lambda block: predicted(estimator, frame_of(block.table)))
    return predicted(estimator, X)
