"""How often is the number of segments found, and what does that cost?

Made-up tables with 2 to 8 groups, and tables without any. Peers see numbers in standard deviations and texts as columns
of 0 and 1: k-means by silhouette, by the gap statistic and by prediction strength, and Gaussian mixtures by BIC.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from harness import cpu_seconds, mixture, show
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

import xseg

N_ROWS = 1_200
# Kinds of groups, and how many standard deviations apart their centres lie at least.
GAPS = {"separated": 6.0, "overlapping": 3.6, "unequal": 5.0, "elongated": 6.0, "mixed types": 3.5}
NOISE = ("uniform", "one Gaussian", "independent")
MOST = 10


def place_centers(rng: np.random.Generator, n_groups: int, n_columns: int, gap: float) -> np.ndarray:
    """Draw centres that lie at least `gap` apart."""
    centers: list[np.ndarray] = []
    spread = 0.75 * gap
    while len(centers) < n_groups:
        center = rng.normal(scale=spread, size=n_columns)
        if all(np.linalg.norm(center - other) >= gap for other in centers):
            centers.append(center)
        else:
            spread *= 1.01
    return np.array(centers)


def make_groups(kind: str, n_groups: int, seed: int) -> pd.DataFrame:
    """Make a table with known groups."""
    rng = np.random.default_rng([seed, n_groups, list(GAPS).index(kind)])
    shares = np.geomspace(1, 8, n_groups) if kind == "unequal" else np.ones(n_groups)
    group = rng.choice(n_groups, N_ROWS, p=shares / shares.sum())
    centers = place_centers(rng, n_groups, 3 if kind == "mixed types" else 6, GAPS[kind])
    rows = rng.standard_normal((N_ROWS, centers.shape[1]))
    if kind == "unequal":
        rows *= rng.uniform(0.6, 1.4, (n_groups, 1))[group]
    if kind == "elongated":
        shapes = [np.eye(6) + 0.4 * rng.standard_normal((6, 6)) for _ in range(n_groups)]
        rows = np.einsum("nc,ncd->nd", rows, np.array(shapes)[group])
    table = pd.DataFrame(rows + centers[group]).add_prefix("number")
    if kind == "mixed types":
        for j in range(2):
            odds = rng.dirichlet(np.full(4, 0.4), n_groups)
            table[f"text{j}"] = ["abcd"[rng.choice(4, p=odds[own])] for own in group]
        table["flag"] = rng.random(N_ROWS) < rng.choice([0.1, 0.9], n_groups)[group]
        table["spend"] = np.exp(rng.normal(3, 1, n_groups)[group] + 0.4 * rng.standard_normal(N_ROWS)).round(2)
        table["orders"] = rng.poisson(np.exp(rng.normal(1, 0.8, n_groups))[group])
    return table


def make_noise(kind: str, seed: int) -> pd.DataFrame:
    """Make a table without groups."""
    rng = np.random.default_rng([seed, NOISE.index(kind)])
    if kind == "uniform":
        return pd.DataFrame(rng.random((N_ROWS, 6))).add_prefix("number")
    if kind == "one Gaussian":
        return pd.DataFrame(rng.standard_normal((N_ROWS, 6)) @ rng.normal(size=(6, 6))).add_prefix("number")
    return pd.DataFrame(
        {
            "age": rng.normal(45, 12, N_ROWS).round(),
            "position": rng.random(N_ROWS),
            "spend": np.exp(3 + rng.standard_normal(N_ROWS)).round(2),
            "orders": rng.poisson(2, N_ROWS),
            "flag": rng.random(N_ROWS) < 0.3,
            "plan": rng.choice(list("abcd"), N_ROWS, p=[0.5, 0.3, 0.1, 0.1]),
        }
    )


def make_tables(n_seeds: int) -> Iterator[tuple[str, int, pd.DataFrame]]:
    for kind in GAPS:
        for n_groups in range(2, 9):
            for seed in range(n_seeds):
                yield kind, n_groups, make_groups(kind, n_groups, seed)
    for kind in NOISE:
        for seed in range(2 * n_seeds):
            yield kind, 1, make_noise(kind, seed)


def run_kmeans(points: np.ndarray, number: int, n_init: int = 3) -> KMeans:
    return KMeans(number, n_init=n_init, random_state=0).fit(points)


def choose_by_silhouette(points: np.ndarray) -> int:
    return 2 + int(np.argmax([silhouette_score(points, run_kmeans(points, k).labels_) for k in range(2, MOST + 1)]))


def choose_by_gap(points: np.ndarray, n_references: int = 10) -> int:
    """Choose by the gap statistic (Tibshirani et al., 2001), with references along the main directions."""
    rng = np.random.default_rng(0)
    along = points @ np.linalg.svd(points, full_matrices=False)[2].T
    references = [rng.uniform(along.min(axis=0), along.max(axis=0), along.shape) for _ in range(n_references)]
    before = -np.inf
    for number in range(1, MOST + 1):
        logs = np.log([run_kmeans(reference, number, 1).inertia_ for reference in references])
        gap = float(logs.mean() - np.log(run_kmeans(along, number).inertia_))
        if before >= gap - logs.std() * np.sqrt(1 + 1 / n_references):
            return number - 1
        before = gap
    return MOST


def choose_by_bic(points: np.ndarray, covariance: str) -> int:
    models = [
        GaussianMixture(k, covariance_type=covariance, n_init=2, random_state=0, reg_covar=1e-3).fit(points)
        for k in range(1, MOST + 1)
    ]
    return 1 + int(np.argmin([model.bic(points) for model in models]))


def choose_by_prediction_strength(points: np.ndarray, n_splits: int = 3) -> int:
    """Choose the largest number whose prediction strength is at least 0.8 (Tibshirani and Walther, 2005)."""
    best = 1
    for number in range(2, MOST + 1):
        strengths = []
        for split in range(n_splits):
            half = np.random.default_rng(split).random(len(points)) < 0.5
            for one, other in ((points[half], points[~half]), (points[~half], points[half])):
                predicted = run_kmeans(one, number).predict(other)
                own = run_kmeans(other, number).labels_
                pairs = [np.bincount(predicted[own == k]) for k in range(number) if (own == k).sum() > 1]
                together = [float(n @ (n - 1)) / (n.sum() * (n.sum() - 1)) for n in pairs]
                strengths.append(min(together))
        if np.mean(strengths) >= 0.8:
            best = number
    return best


PEERS: dict[str, Callable[[np.ndarray], int]] = {
    "silhouette": choose_by_silhouette,
    "gap statistic": choose_by_gap,
    "BIC, full": lambda points: choose_by_bic(points, "full"),
    "BIC, diagonal": lambda points: choose_by_bic(points, "diag"),
    "prediction strength": choose_by_prediction_strength,
}


def measure_counts(n_seeds: int) -> None:
    found: Counter[tuple[str, str]] = Counter()
    n_tables: Counter[str] = Counter()
    for kind, n_groups, table in make_tables(n_seeds):
        n_tables[kind] += 1
        points = StandardScaler().fit_transform(pd.get_dummies(table, dtype=float))
        own = xseg.PrototypeSegmenter("auto", random_state=0).fit(table)
        found["xseg", kind] += own.selection_[n_groups - 1].chosen if len(own.selection_) >= n_groups else 0
        for name, choose in PEERS.items():
            found[name, kind] += choose(points) == n_groups
    rows = [
        (name, *(f"{found[name, kind]} of {n_tables[kind]}" for kind in n_tables),
         f"{sum(found[name, kind] for kind in GAPS)} of {sum(n_tables[kind] for kind in GAPS)}")
        for name in ("xseg", *PEERS)
    ]  # fmt: skip
    show("how often the number is found", rows, ("", *n_tables, "all groups"))


def measure_ratios() -> None:
    tables = {
        "1,200 x 6": make_groups("overlapping", 4, 0),
        "1,200 x 8, mixed types": make_groups("mixed types", 4, 0),
        "10,000 x 12, customers": xseg.make_customers(10_000, random_state=0),
        "10,000 x 20": pd.DataFrame(mixture(10_000, 20, 5)).add_prefix("number"),
    }
    rows = []
    for workload, table in tables.items():
        for kind in (xseg.TreeSegmenter, xseg.PrototypeSegmenter, xseg.MixtureSegmenter):
            number = kind("auto", random_state=0).fit(table).n_segments_
            chosen = cpu_seconds(lambda kind=kind, table=table: kind("auto", random_state=0).fit(table))
            given = cpu_seconds(lambda kind=kind, table=table, k=number: kind(k, random_state=0).fit(table))
            name = f"{workload}, {kind.__name__}"
            rows.append((name, f"{chosen:.2f} s", f"{given:.2f} s, {number} segments", f"{chosen / given:.1f}"))
    show('CPU time of n_segments="auto"', rows, ("workload", "auto", "number given", "ratio"))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    measure_ratios()
    measure_counts(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
