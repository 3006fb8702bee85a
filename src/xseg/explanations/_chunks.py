"""Explaining many rows in threads, a chunk at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["in_chunks"]

CHUNK_ROWS = 4_096


def in_chunks(work: Callable[[slice], None], n_rows: int, n_workers: int) -> None:
    """Call `work` for slices that together cover the rows; each writes to places of its own."""
    chunks = [slice(start, min(start + CHUNK_ROWS, n_rows)) for start in range(0, n_rows, CHUNK_ROWS)]
    if n_workers == 1 or len(chunks) < 2:
        for rows in chunks:
            work(rows)
        return
    with ThreadPoolExecutor(n_workers) as pool:
        for _ in pool.map(work, chunks):
            pass
