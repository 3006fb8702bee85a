"""What every explainer returns for one segment a row, and explaining many rows in threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xseg.core.tables import Table

__all__ = ["NO_RIVAL", "Contributions", "Explainer", "run_in_chunks"]

NO_RIVAL = -1


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Contributions to one segment for each row.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        The Shapley values.
    segments : ndarray of shape (n_rows,)
        The segments explained.
    rivals : ndarray of shape (n_rows,)
        The segments they are compared with; -1 where a membership or a score stands for itself.
    base : ndarray of shape (n_rows,)
        The base value; with the values it adds up to what is explained.
    """

    values: NDArray[np.float64]
    segments: NDArray[np.int64]
    rivals: NDArray[np.int64]
    base: NDArray[np.float64]


class Explainer(Protocol):
    """Explains the rows of one fitted model; each family of models has one."""

    def base_values(self) -> NDArray[np.float64]:
        """Return the base values, shape (n_segments,)."""
        ...

    def explain_targets(self, table: Table, targets: NDArray[np.int64] | None, n_workers: int) -> Contributions:
        """Explain one segment for each row, by default its own."""
        ...

    def explain_all(self, table: Table, n_workers: int) -> NDArray[np.float64]:
        """Explain every segment, shape (n_rows, n_columns, n_segments)."""
        ...

    def explain_pairs(
        self, table: Table, first: NDArray[np.int64], second: NDArray[np.int64], n_workers: int
    ) -> Contributions:
        """Explain one segment less another for each row."""
        ...


CHUNK_ROWS = 4_096


def run_in_chunks(work: Callable[[slice], None], n_rows: int, n_workers: int) -> None:
    """Call `work` for slices that together cover the rows; each writes to places of its own."""
    chunks = [slice(start, min(start + CHUNK_ROWS, n_rows)) for start in range(0, n_rows, CHUNK_ROWS)]
    if n_workers == 1 or len(chunks) < 2:
        for rows in chunks:
            work(rows)
        return
    with ThreadPoolExecutor(n_workers) as pool:
        for _ in pool.map(work, chunks):
            pass
