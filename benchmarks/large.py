"""Millions of rows from Parquet through `BatchBackend`, beside scikit-learn's k-means on rows in memory.

    python benchmarks/large.py FOLDER [--rows 1e6 3e6 1e7] [--effort fast] [--plot FILE.svg]

Files are written to FOLDER once and used again; `--rows 1e8` needs 4 GB there and 5 GB for temporary files.
"""

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
from harness import peak_mib, resident_mib, show

N_COLUMNS, N_GROUPS, PEER_ROWS = 10, 10, 10_000_000
CHUNK_ROWS = 1_000_000


def groups(n_rows: int, seed: int) -> np.ndarray:
    """Draw rows around the same ten centres, whatever the seed of the rows."""
    centers = np.random.default_rng(0).normal(scale=1.5, size=(N_GROUPS, N_COLUMNS)).astype(np.float32)
    rng = np.random.default_rng([1, seed])
    return rng.standard_normal((n_rows, N_COLUMNS), np.float32) + centers[rng.integers(0, N_GROUPS, n_rows)]


def chunks(n_rows: int) -> list[int]:
    return [min(CHUNK_ROWS, n_rows - start) for start in range(0, n_rows, CHUNK_ROWS)]


def written(folder: Path, n_rows: int) -> Path:
    """Give the Parquet file of so many rows, written if it is not there yet."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / f"groups_{n_rows}.parquet"
    if path.exists():
        return path
    unfinished = path.with_suffix(".part")
    schema = pa.schema([(f"column_{j}", pa.float32()) for j in range(N_COLUMNS)])
    with parquet.ParquetWriter(unfinished, schema, use_dictionary=False) as writer:
        for seed, count in enumerate(chunks(n_rows)):
            rows = groups(count, seed)
            writer.write_table(pa.table(list(rows.T.copy()), schema=schema), row_group_size=CHUNK_ROWS // 4)
    unfinished.rename(path)
    return path


def cpu_seconds_so_far() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(**figures: object) -> None:
    print(json.dumps(figures))


def fit_batches(path: str, effort: str, temporary: str) -> None:
    """Fit from a file, and print what it took."""
    import tempfile

    import xseg

    tempfile.tempdir = temporary
    warm = [groups(40_000, 0), groups(40_000, 1)]
    segmenter = xseg.TreeSegmenter(N_GROUPS, effort=effort, scaling="standard", random_state=0)
    segmenter.fit(xseg.backends.BatchBackend(warm))
    before, cpu, start = resident_mib(), cpu_seconds_so_far(), time.perf_counter()
    backend = xseg.backends.BatchBackend(path)
    segmenter.fit(backend)
    wall = time.perf_counter() - start
    report(
        wall=wall,
        cpu=cpu_seconds_so_far() - cpu,
        peak=peak_mib(),
        beyond=peak_mib() - before,
        passes=str(getattr(backend, "passes", "")),
        price=segmenter.relative_cost_,
    )


def fit_peer(n_rows: str) -> None:
    """Fit scikit-learn's k-means on rows in memory, and print what it took."""
    from sklearn.cluster import KMeans

    X = np.concatenate([groups(count, seed) for seed, count in enumerate(chunks(int(n_rows)))])
    KMeans(N_GROUPS, n_init=1, random_state=0).fit(X[:10_000])
    cpu, start = cpu_seconds_so_far(), time.perf_counter()
    KMeans(N_GROUPS, n_init=1, random_state=0).fit(X)
    report(wall=time.perf_counter() - start, cpu=cpu_seconds_so_far() - cpu, peak=peak_mib())


def in_subprocess(*arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 3e6, 1e7])
    parser.add_argument("--effort", default="fast", choices=["fast", "balanced", "thorough"])
    parser.add_argument("--plot", type=Path, help="where to draw time against rows, as SVG")
    options = parser.parse_args()
    sizes = [int(rows) for rows in options.rows]
    ours = {}
    for n_rows in sizes:
        path = written(options.folder, n_rows)
        ours[n_rows] = in_subprocess("batches", str(path), options.effort, str(options.folder))
        print(f"{n_rows:,} rows: {ours[n_rows]}", flush=True)
    peer = in_subprocess("peer", str(PEER_ROWS))
    print(f"scikit-learn, {PEER_ROWS:,} rows in memory: {peer}", flush=True)
    show_ratios(ours, peer, options.effort)
    if options.plot:
        draw(ours, peer, options.plot)


def show_ratios(ours: dict[int, dict[str, float]], peer: dict[str, float], effort: str) -> None:
    rows = []
    for n_rows, took in ours.items():
        for clock in ("wall", "cpu"):
            theirs = peer[clock] * n_rows / PEER_ROWS
            workload = f"{n_rows:,} rows, {clock}, peak {took['peak']:.0f} MiB"
            rows.append((workload, f"{took[clock]:.1f} s", f"{theirs:.1f} s", f"{took[clock] / theirs:.2f}"))
    show(f"TreeSegmenter({N_GROUPS}, effort={effort!r}) from Parquet, beside KMeans(n_init=1), linear from 10M", rows)


def draw(ours: dict[int, dict[str, float]], peer: dict[str, float], path: Path) -> None:
    """Draw CPU seconds against rows, both on logarithmic axes: linear growth is a slope of 1."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "xseg", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot as plt

    sizes = np.array(sorted(ours))
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    axes.plot(sizes, [ours[n]["cpu"] for n in sizes], "o-", color="#1f5f8b", label="TreeSegmenter, from Parquet")
    axes.plot(sizes, peer["cpu"] * sizes / PEER_ROWS, "--", color="#8a8a8a", label="k-means in memory, linear from 10M")
    axes.plot([PEER_ROWS], [peer["cpu"]], "s", color="#8a8a8a")
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="CPU seconds")
    axes.grid(visible=True, which="major", color="#e6e6e6")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata=dict.fromkeys(["Creator", "Date", "Format", "Type"]))


if __name__ == "__main__":
    {"batches": fit_batches, "peer": fit_peer}.get(sys.argv[1], lambda *_: main())(*sys.argv[2:])
