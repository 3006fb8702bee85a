"""Timing in turn, and one table a claim: workload, ours, peer, ratio, with versions and machine."""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distributions, version
from pathlib import Path
from types import ModuleType

import numpy as np

PEERS = ("numpy", "scikit-learn", "shap", "numba", "pandas", "woodelf_explainer")


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Give the median wall time of a few runs, after one that is not counted."""
    work()
    return timed(work, repeats)


def timed(work: Callable[[], object], repeats: int = 1) -> float:
    """Give the median wall time of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def cpu_seconds(work: Callable[[], object]) -> float:
    """Give the CPU time of one run, over all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


@contextmanager
def inside(module: ModuleType, *names: str) -> Iterator[dict[str, float]]:
    """Collect the CPU time spent in functions that a module calls by these names."""
    spent = dict.fromkeys(names, 0.0)
    originals = {name: getattr(module, name) for name in names}

    def clocked(name: str) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            start = time.process_time()
            try:
                return originals[name](*args, **kwargs)
            finally:
                spent[name] += time.process_time() - start

        return call

    for name in names:
        setattr(module, name, clocked(name))
    try:
        yield spent
    finally:
        for name, original in originals.items():
            setattr(module, name, original)


def peak_mib() -> float:
    """Give the most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib() -> float:
    """Give the memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def show(
    claim: str,
    rows: Sequence[tuple[str, ...]],
    heading: tuple[str, ...] = ("workload", "ours", "peer", "ratio"),
) -> None:
    """Print one table."""
    table = [heading, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    print(f"\n{claim}")
    for row in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    installed = {found.name for found in distributions()}
    versions = ", ".join(f"{name} {version(name)}" for name in ("xseg", *PEERS) if name in installed)
    print(f"Python {sys.version.split()[0]}, {versions}; {platform.machine()}, {os.cpu_count()} cores")


def mixture(n_rows: int, n_columns: int, n_groups: int, seed: int = 0) -> np.ndarray:
    """Draw rows from round Gaussians around random centres."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(scale=1.5, size=(n_groups, n_columns))
    rows = rng.standard_normal((n_rows, n_columns))
    for start in range(0, n_rows, 10_000):
        some = rows[start : start + 10_000]
        some += centers[rng.integers(0, n_groups, len(some))]
    return rows
