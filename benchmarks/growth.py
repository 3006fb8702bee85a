"""Growth of fitting times with rows, columns, segments and leaves, beside peers: writes the docs page of benchmarks.

    python benchmarks/growth.py [--page docs/user_guide/benchmarks.md] [--plots docs/_static] [--quick]

Every point is a fit in CPU seconds over all threads, after a first fit that compiles. Peers run in the same process on
the same arrays, right after each other, so that their ratios hold on other machines; the seconds do not.
"""

import argparse
import os
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from harness import cpu_seconds, mixture
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from sklearn.tree import DecisionTreeClassifier

import xseg

N_ROWS, N_COLUMNS, N_SEGMENTS = 10_000, 20, 5
SIZES = {
    "rows": (1_000, 10_000, 100_000, 1_000_000),
    "columns": (10, 30, 100, 300, 1_000),
    "segments": (2, 5, 10, 20),
    "leaves": (5, 10, 20, 40),
}
QUICK = {"rows": (1_000, 10_000), "columns": (10, 30), "segments": (2, 5), "leaves": (5, 10)}
# The widest table has fewer rows, so that it does not take all the time.
MAX_VALUES = 20_000_000
COLORS = ("#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#555555", "#999999", "#d55e00")
MARKERS = ("o", "s", "^", "D", "x", "+", "v")
VERSIONS = ("xseg", "numpy", "scikit-learn", "numba")


class Task(NamedTuple):
    """A table and what is asked of it."""

    X: np.ndarray
    n_segments: int
    n_leaves: int


def fit_tree(task: Task, effort: str) -> None:
    """Fit our tree."""
    xseg.TreeSegmenter(
        task.n_segments, max_leaves=task.n_leaves, max_depth=10, min_segment_size=0.005, effort=effort, random_state=0
    ).fit(task.X)


def fit_labelled_tree(task: Task) -> None:
    """Fit k-means and a classification tree on its labels."""
    labels = KMeans(task.n_segments, n_init=10, random_state=0).fit_predict(task.X)
    DecisionTreeClassifier(max_leaf_nodes=task.n_leaves, random_state=0).fit(task.X, labels)


METHODS: dict[str, Callable[[Task], object]] = {
    'TreeSegmenter(effort="balanced")': lambda task: fit_tree(task, "balanced"),
    'TreeSegmenter(effort="fast")': lambda task: fit_tree(task, "fast"),
    "PrototypeSegmenter": lambda task: xseg.PrototypeSegmenter(task.n_segments, random_state=0).fit(task.X),
    "MixtureSegmenter": lambda task: xseg.MixtureSegmenter(task.n_segments, random_state=0).fit(task.X),
    "KMeans(n_init=10)": lambda task: KMeans(task.n_segments, n_init=10, random_state=0).fit(task.X),
    "GaussianMixture, diagonal": lambda task: GaussianMixture(
        task.n_segments, covariance_type="diag", random_state=0
    ).fit(task.X),
    "KMeans(n_init=10), then DecisionTreeClassifier": fit_labelled_tree,
}


def make_task(what: str, size: int) -> Task:
    """Make the table of one point of a curve: all but `what` are as usual."""
    sizes = {"rows": N_ROWS, "columns": N_COLUMNS, "segments": N_SEGMENTS, "leaves": 0} | {what: size}
    n_rows = min(sizes["rows"], MAX_VALUES // sizes["columns"])
    n_segments = sizes["segments"]
    return Task(mixture(n_rows, sizes["columns"], 2 * n_segments), n_segments, max(sizes["leaves"], n_segments))


def measure(what: str, sizes: Sequence[int]) -> dict[str, list[float]]:
    """Return the CPU seconds of each method by size."""
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    for size in sizes:
        task = make_task(what, size)
        for name, fit in METHODS.items():
            found[name].append(cpu_seconds(lambda fit=fit, task=task: fit(task)))
            print(f"{what} {size:,}: {name} {found[name][-1]:.2f} CPU s", flush=True)
    return found


def plot(what: str, sizes: Sequence[int], found: dict[str, list[float]], file: Path) -> None:
    """Draw the curves of one quantity."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "xseg", "svg.fonttype": "none", "font.size": 10})
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for (name, spent), color, marker in zip(found.items(), COLORS, MARKERS, strict=True):
        axes.loglog(sizes, spent, color=color, marker=marker, label=name, linewidth=1.5, markersize=5)
    axes.set_xlabel(f"Number of {what}")
    axes.set_ylabel("CPU seconds of a fit")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.18), ncols=2)
    figure.savefig(file, metadata={"Date": None})


def tabulate(what: str, sizes: Sequence[int], found: dict[str, list[float]]) -> str:
    """Write a table of CPU seconds, with the ratio to k-means in brackets."""
    base = found["KMeans(n_init=10)"]
    lines = [f"| {what} | " + " | ".join(f"{size:,}" for size in sizes) + " |", "|---|" + "---:|" * len(sizes)]
    for name, spent in found.items():
        cells = [f"{own:.2f} ({own / peer:.1f})" for own, peer in zip(spent, base, strict=True)]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


USUAL = {
    "rows": f"{N_COLUMNS} columns, {N_SEGMENTS} segments",
    "columns": f"{N_ROWS:,} rows, {N_SEGMENTS} segments",
    "segments": f"{N_ROWS:,} rows, {N_COLUMNS} columns",
    "leaves": f"{N_ROWS:,} rows, {N_COLUMNS} columns, {N_SEGMENTS} segments",
}


def write_page(results: dict[str, tuple[Sequence[int], dict[str, list[float]]]], file: Path, plots: str) -> None:
    """Write the page of the documentation."""
    machine = f"Python {sys.version.split()[0]}, {platform.machine()}, {os.cpu_count()} cores"
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    parts = [
        "# Benchmarks",
        "CPU seconds of one fit on made-up tables of numbers, over all threads, after a first fit that compiles; in "
        "brackets, the ratio to k-means with ten starts on the same table. The methods of one size ran right after "
        "each other in one process. Seconds depend on the machine and on what else it does, ratios less so.",
        f"{versions}; {machine}. This page is made by:",
        "    python benchmarks/growth.py --page docs/user_guide/benchmarks.md --plots docs/_static",
    ]
    for what, (sizes, found) in results.items():
        parts += [
            f"## Growth with the number of {what}",
            f"{USUAL[what]}.",
            f"![CPU seconds of a fit by number of {what}, as in the table below]({plots}/growth_{what}.svg)",
            tabulate(what, sizes, found),
        ]
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, help="the page to write")
    parser.add_argument("--plots", type=Path, help="the folder of its plots")
    parser.add_argument("--quick", action="store_true", help="small tables alone, to try the program")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    warm = make_task("rows", 2_000)
    for fit in METHODS.values():
        fit(warm)
    fit_tree(make_task("rows", 40_000), "balanced")
    results = {what: (sizes, measure(what, sizes)) for what, sizes in (QUICK if chosen.quick else SIZES).items()}
    for what, (sizes, found) in results.items():
        print(f"\n{tabulate(what, sizes, found)}")
        if chosen.plots:
            plot(what, sizes, found, chosen.plots / f"growth_{what}.svg")
    if chosen.page:
        write_page(results, chosen.page, f"../{chosen.plots.name}" if chosen.plots else ".")


if __name__ == "__main__":
    main()
