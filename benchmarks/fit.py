"""Fitting 1,000,000 x 20 rows in memory: the tree beside its reference k-means, and peak memory beside the table."""

import subprocess
import sys

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


def main() -> None:
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
