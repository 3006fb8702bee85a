"""Prototypes: cost and CPU seconds beside FasterPAM's on the same distances, and a million rows in bounded memory.

FasterPAM (package kmedoids, GPL-3, not installed by any extra) needs the matrix of all distances, which is worked out
beforehand (in numpy) and whose time is shown apart. Where values are missing, its centres have them filled by the
middle of everyone, as a row that lacks a value would otherwise be near to all.
"""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
from harness import mixture, peak_mib, resident_mib, show

import xseg
from xseg.core.tables import read_table
from xseg.segmenters._prototype_search import code_distances

METRICS = ("gower", "manhattan", "squared")


def mixed(n_rows: int, n_columns: int, n_groups: int, seed: int = 0, missing: float = 0.0) -> pd.DataFrame:
    """Draw a table of numbers, with a few categories and missing values."""
    rows = mixture(n_rows, n_columns, n_groups, seed)
    table = pd.DataFrame(rows, columns=[f"n{j}" for j in range(n_columns)])
    for j in range(4):
        table[f"n{j}"] = np.array(list("abcdef"))[np.digitize(rows[:, j], [-2, -1, 0, 1, 2])]
    return table.mask(np.random.default_rng(seed).random(table.shape) < missing)


def distances_between(segmenter: xseg.PrototypeSegmenter, X: object, Y: object) -> np.ndarray:
    """Give the distances of rows to others under the metric; Gower's divided by the weight of what is known of both."""
    coding = segmenter.model_.coding
    codes, points = coding.code(read_table(X))
    other_codes, other_points = coding.code(read_table(Y))
    embedding, squared = coding.embedding, segmenter.metric == "squared"
    pairs = code_distances(embedding, squared=squared)
    known, other_known = (codes != 255).astype(np.float32), (other_codes != 255).astype(np.float32)
    out = np.empty((len(codes), len(other_codes)), dtype=np.float32)
    for start in range(0, len(codes), 500):
        rows = slice(start, start + 500)
        total = np.zeros((len(codes[rows]), len(other_codes)), dtype=np.float32)
        for p, j in enumerate(embedding.coordinates):
            apart = np.abs(points[rows, p, None] - other_points[None, :, p])
            total += (apart * apart if squared else apart) * known[rows, j, None] * other_known[:, j]
        for j, pair in zip(embedding.looked_up, pairs, strict=True):
            total += pair.astype(np.float32)[codes[rows, j]][:, other_codes[:, j]]
        out[rows] = total / (known[rows] @ other_known.T) if segmenter.metric == "gower" else total
    return out


def filled(X: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Give some rows, values that are not known being filled by the median or the commonest one."""
    middle = {name: column.median() if column.dtype.kind == "f" else column.mode()[0] for name, column in X.items()}
    return X.iloc[rows].fillna(middle)


def compare(X: pd.DataFrame, name: str, metric: str, n_segments: int) -> tuple[str, str, str, str]:
    """Fit both, and give a line of the table."""
    import kmedoids

    xseg.PrototypeSegmenter(3, metric=metric, random_state=0).fit(mixed(500, 6, 3))
    start = time.process_time()
    ours = xseg.PrototypeSegmenter(n_segments, metric=metric, random_state=0).fit(X)
    spent = time.process_time() - start
    start = time.process_time()
    matrix = distances_between(ours, X, X)
    matrix_spent = time.process_time() - start
    start = time.process_time()
    theirs = kmedoids.fasterpam(matrix, ours.n_segments_, random_state=0, n_cpu=1)
    their_spent = time.process_time() - start
    their_cost = float(distances_between(ours, X, filled(X, np.asarray(theirs.medoids, dtype=int))).min(axis=1).sum())
    known = X.notna().sum(axis=1).to_numpy() if metric == "gower" else 1
    cost = float((ours.transform(X).min(axis=1) / known).sum())
    return (
        f"{name}, {metric}, k={ours.n_segments_}",
        f"{cost:,.1f} in {spent:.2f} s",
        f"{their_cost:,.1f} in {matrix_spent:.1f} + {their_spent:.2f} s",
        f"cost {cost / their_cost:.3f}, time {spent / (matrix_spent + their_spent):.3f}",
    )


def million() -> None:
    """Fit a million rows once, and print seconds and memory before and after."""
    xseg.PrototypeSegmenter(3, random_state=0).fit(mixture(70_000, 5, 3))
    X = mixture(1_000_000, 20, 20)
    before = resident_mib()
    start = time.perf_counter()
    xseg.PrototypeSegmenter(10, metric=sys.argv[-1], random_state=0).fit(X)
    print(time.perf_counter() - start, before, peak_mib())


def main() -> None:
    rows = []
    for metric in METRICS:
        out = subprocess.run([sys.executable, __file__, metric], capture_output=True, text=True, check=True).stdout
        spent, before, peak = map(float, out.split())
        table = 1_000_000 * 20 * 8 / 2**20
        line = (f"{metric}, seconds, and memory beyond the table", f"{spent:.1f} s, {peak - before:.0f} MiB")
        rows.append((*line, f"{table:.0f} MiB", f"{(peak - before) / table:.2f}"))
    show("Prototypes: 1,000,000 x 20, 10 segments", rows)
    rows = []
    for n_rows, ks in ((2_000, (3, 5, 10, 20)), (20_000, (10,))):
        X, holes = mixed(n_rows, 20, 10), mixed(n_rows, 20, 10, missing=0.05)
        rows += [compare(X, f"{n_rows:,} x 20 mixed", metric, k) for metric in METRICS for k in ks]
        rows += [compare(holes, f"{n_rows:,} x 20, 5 % missing", "gower", k) for k in ks]
    show("Prototypes: summed distance and CPU seconds; FasterPAM's with the matrix it needs", rows)


if __name__ == "__main__":
    million() if sys.argv[-1] in METRICS else main()
