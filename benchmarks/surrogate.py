"""How faithful a stand-in is to a clusterer: ours beside scikit-learn's DecisionTreeClassifier of the same size.

Fidelity is the share of the rows that a tree of at most that many leaves puts where the original put them, on the rows
it was fitted on. Both may be as deep as the leaves allow and have leaves of one row; text is one-hot encoded for the
peer. The tables other than scikit-learn's own are read from the folder named on the command line.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from harness import show, timed
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import xseg

MAX_ROWS_OF_A_DISTANCE_MATRIX = 5_000
NUMBERS = (4, 8)


def tables(folder: Path | None) -> dict[str, pd.DataFrame]:
    """Give tables of numbers and of mixed columns."""
    found = {"wine": load_wine(as_frame=True).data, "digits": load_digits(as_frame=True).data}
    if folder is not None:
        found["wholesale"] = pd.read_csv(folder / "wholesale_customers.csv")
        credit = pd.read_csv(folder / "cc_general.csv").drop(columns="CUST_ID")
        found["credit card"] = credit.fillna(credit.median())
        found["avila"] = pd.read_parquet(folder / "avila.parquet").select_dtypes("number")
        found["bank"] = pd.read_csv(folder / "bank_full.csv.gz").drop(columns="y")
    return found


def originals(k: int, n_rows: int) -> dict[str, object]:
    """Give the clusterers to stand in for."""
    found = {
        "KMeans": KMeans(k, n_init=10, random_state=0),
        "GaussianMixture": GaussianMixture(k, covariance_type="diag", random_state=0),
    }
    if n_rows <= MAX_ROWS_OF_A_DISTANCE_MATRIX:
        found["AgglomerativeClustering"] = AgglomerativeClustering(k)
    if n_rows <= MAX_ROWS_OF_A_DISTANCE_MATRIX and k == NUMBERS[0]:
        # It finds its own number of groups.
        found["HDBSCAN"] = HDBSCAN(min_cluster_size=max(5, n_rows // 50), copy=True)
    return found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    effort = sys.argv[2] if len(sys.argv) > 2 else "balanced"
    warnings.simplefilter("ignore")
    rows = []
    for name, table in tables(folder).items():
        encoded = pd.get_dummies(table).astype(float)
        points = StandardScaler().fit_transform(encoded)
        for k in NUMBERS:
            for which, original in originals(k, len(table)).items():
                labels = clone(original).fit_predict(points)
                n_groups = len(np.unique(labels))
                for leaves in (n_groups, 2 * n_groups):
                    peer = DecisionTreeClassifier(max_leaf_nodes=max(2, leaves), random_state=0).fit(encoded, labels)
                    theirs = float((peer.predict(encoded) == labels).mean())
                    ours = xseg.SurrogateSegmenter(
                        max_leaves=leaves, max_depth=32, min_segment_size=1, effort=effort, random_state=0
                    )
                    seconds = timed(lambda ours=ours, table=table, labels=labels: ours.fit(table, labels))
                    rows.append(
                        (
                            f"{name}, {which} with {n_groups} groups, {leaves} leaves ({seconds:.1f} s)",
                            f"{ours.fidelity_:.4f}",
                            f"{theirs:.4f}",
                            f"{(1 - ours.fidelity_) / max(1 - theirs, 1e-9):.2f}",
                        )
                    )
    show(f"Fidelity, effort {effort!r}; the ratio is of mistakes", rows)


if __name__ == "__main__":
    main()
