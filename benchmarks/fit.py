"""Fitting 1,000,000 x 20 rows in memory: the tree beside its reference k-means, and peak memory beside the table.

And 10,000 x 21 with names, cities and free text of thousands of distinct values, beside the numbers alone.
"""

import subprocess
import sys

import numpy as np
import pandas as pd
from harness import cpu_seconds, inside, mixture, peak_mib, resident_mib, show

import xseg
from xseg.segmenters import _tree as stages

N_ROWS, N_COLUMNS = 1_000_000, 20


def measure() -> None:
    """Fit once, and print the CPU seconds of the fit, those of the reference in it, and memory before and after."""
    xseg.TreeSegmenter(3, random_state=0).fit(mixture(70_000, 5, 3))
    before = resident_mib()
    X = mixture(N_ROWS, N_COLUMNS, 20)
    segmenter = xseg.TreeSegmenter(20, max_leaves=40, max_depth=10, scaling="standard", random_state=0)
    with inside(stages, "reference_partition") as spent:
        total = cpu_seconds(lambda: segmenter.fit(X))
    print(total, *spent.values(), before, peak_mib(), segmenter.relative_cost_)


def sklearn_seconds() -> None:
    """Print the CPU seconds of scikit-learn's k-means on the same rows, once and as often as the reference tries."""
    from sklearn.cluster import KMeans

    X = mixture(N_ROWS, N_COLUMNS, 20)
    KMeans(3, n_init=1, random_state=0).fit(X[:1000])
    for n_init in (1, 10):
        print(cpu_seconds(lambda n_init=n_init: KMeans(20, n_init=n_init, random_state=0).fit(X)))


def make_texts(n_rows: int) -> pd.DataFrame:
    """Make 11 numbers, 7 columns of names and cities, some much more frequent than others, and 3 of free text."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((n_rows, 11))).add_prefix("number")
    syllables = ["ba", "co", "di", "fu", "ge", "ha", "jo", "ki", "lu", "me", "no", "pa", "qui", "ro", "se", "ta"]
    words = np.array(["".join(rng.choice(syllables, 4)).title() for _ in range(5_000)])
    for j in range(7):
        table[f"name{j}"] = words[(rng.zipf(1.25, n_rows) - 1) % len(words)]
    for j in range(3):
        table[f"text{j}"] = [" ".join(words[some]) for some in rng.integers(0, 800, (n_rows, 6))]
    return table


def measure_texts() -> None:
    table = make_texts(10_000)
    numbers = table.select_dtypes("number")
    rows = []
    for kind in (xseg.TreeSegmenter, xseg.PrototypeSegmenter):
        times = []
        for X in (table, numbers):
            kind(5, random_state=0).fit(X)
            times.append(cpu_seconds(lambda kind=kind, X=X: kind(5, random_state=0).fit(X)))
        rows.append((kind.__name__, *(f"{time:.2f} s" for time in times), f"{times[0] / times[1]:.1f}"))
    heading = ("", "with texts", "numbers alone", "ratio")
    show("Fitting 10,000 x 21 with texts of thousands of values, CPU seconds", rows, heading)


def main() -> None:
    measure_texts()
    ours = subprocess.run([sys.executable, __file__, "measure"], capture_output=True, text=True, check=True).stdout
    total, reference, before, peak, cost = map(float, ours.split())
    theirs = subprocess.run([sys.executable, __file__, "sklearn"], capture_output=True, text=True, check=True).stdout
    once, ten, table = *map(float, theirs.split()), N_ROWS * N_COLUMNS * 8 / 2**20
    rest, used = total - reference, peak - before
    rows = [
        ("fit without reference, reference k-means", f"{rest:.1f} s", f"{reference:.1f} s", f"{rest / reference:.2f}"),
        ("fit without reference, sklearn KMeans(n_init=1)", f"{rest:.1f} s", f"{once:.1f} s", f"{rest / once:.2f}"),
        ("fit without reference, sklearn KMeans(n_init=10)", f"{rest:.1f} s", f"{ten:.1f} s", f"{rest / ten:.2f}"),
        ("peak memory, table included, over the table", f"{used:.0f} MiB", f"{table:.0f} MiB", f"{used / table:.2f}"),
    ]
    show(f"Fitting 1,000,000 x 20, 20 segments, 40 leaves, CPU seconds; relative cost {cost:.3f}", rows)


if __name__ == "__main__":
    {"measure": measure, "sklearn": sklearn_seconds}.get(sys.argv[-1], main)()
