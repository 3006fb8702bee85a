"""Growing the tree on large tables: CPU seconds and price beside ExKMC, with twice as many leaves as segments.

The tree part of a fit is what is left without bins, codes and reference; for ExKMC it is all of its fit, which is given
the centres. Costs are to the means of the segments, over those of KMeans(n_init=1). ExKMC bounds no depth and weighs no
questions, so neither do we here.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import cpu_seconds, inside, mixture, show
from peers import PeerMissingError, exkmc
from sklearn.cluster import KMeans

import xseg
from xseg.segmenters import _tree as stages

PEER = """
import resource, sys, time
import numpy as np
from ExKMC.Tree import Tree
from sklearn.cluster import KMeans

folder = sys.argv[1]
X, centers = np.load(folder + "/X.npy"), np.load(folder + "/centers.npy")
kmeans = KMeans(len(centers), init=centers, n_init=1, max_iter=1).fit(X)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
tree = Tree(k=len(centers), max_leaves=2 * len(centers)).fit(X, kmeans)
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
np.save(folder + "/labels.npy", tree.predict(X))
"""


def cost(X: np.ndarray, labels: np.ndarray) -> float:
    """Give the summed squared distance to the means of the segments."""
    members = (X[labels == label] for label in np.unique(labels))
    return float(sum(((rows - rows.mean(axis=0)) ** 2).sum() for rows in members))


def peer(X: np.ndarray, centers: np.ndarray) -> tuple[float, float]:
    """Give the CPU seconds and the cost of ExKMC."""
    python = exkmc()
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "X.npy", X)
        np.save(Path(folder) / "centers.npy", centers)
        done = subprocess.run([python, "-c", PEER, folder], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0]), cost(X, np.load(Path(folder) / "labels.npy"))


def ours(X: np.ndarray, k: int, effort: str) -> tuple[float, float, float]:
    """Give the CPU seconds of the fit, those of its tree part, and the cost."""
    segmenter = xseg.TreeSegmenter(
        k,
        max_leaves=2 * k,
        max_depth=20,
        depth_weight=0,
        effort=effort,
        scaling="none",
        min_segment_size=1,
        random_state=0,
    )
    with inside(stages, "prepare", "reference_partition") as spent:
        whole = cpu_seconds(lambda: segmenter.fit(X))
    return whole, whole - sum(spent.values()), cost(X, segmenter.labels_)


def main() -> None:
    xseg.TreeSegmenter(3, max_leaves=6, effort="fast", random_state=0).fit(mixture(70_000, 20, 3))
    for n_rows, k in ((100_000, 10), (1_000_000, 20)):
        X = mixture(n_rows, 20, k)
        reference = KMeans(k, n_init=1, random_state=0)
        once = cpu_seconds(lambda X=X, reference=reference: reference.fit(X))
        try:
            theirs = peer(X, reference.cluster_centers_)
        except PeerMissingError as error:
            print(f"ExKMC was not measured: {error}", file=sys.stderr)
            theirs = None
        rows = []
        for effort in ("fast", "balanced"):
            whole, tree, price = ours(X, k, effort)
            rows.append((f"{effort}: whole fit, sklearn KMeans(n_init=1)", whole, once, once / whole))
            if theirs is not None:
                rows.append((f"{effort}: tree part, ExKMC", tree, theirs[0], theirs[0] / tree))
                prices = price / reference.inertia_, theirs[1] / reference.inertia_
                rows.append((f"{effort}: cost over k-means, ExKMC", *prices, prices[0] / prices[1]))
        shown = [(name, *(f"{number:.3g}" for number in numbers)) for name, *numbers in rows]
        show(f"Growing {2 * k} leaves on {n_rows:,} x 20, CPU seconds", shown)


if __name__ == "__main__":
    main()
