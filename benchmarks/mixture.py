"""Mixtures: mean log-likelihood and CPU seconds beside scikit-learn's GaussianMixture and stepmix, and a million rows.

stepmix is not installed by any extra. All have ten starts; the floor of variances is the one scikit-learn adds.
"""

import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
from harness import mixture, peak_mib, resident_mib, show
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

import xseg

FLOOR = 1e-6


def timed_fit(segmenter: object, X: object) -> float:
    start = time.process_time()
    segmenter.fit(X)
    return time.process_time() - start


def line(name: str, k: int, ours: tuple[float, float], theirs: tuple[float, float]) -> tuple[str, str, str, str]:
    return (
        f"{name}, k={k}",
        f"{ours[0]:.4f} in {ours[1]:.2f} s",
        f"{theirs[0]:.4f} in {theirs[1]:.2f} s",
        f"likelihood {ours[0] - theirs[0]:+.4f}, time {ours[1] / theirs[1]:.2f}",
    )


def numbers() -> list[tuple[str, str, str, str]]:
    rows = []
    tables = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
    drawn = {name: StandardScaler().fit_transform(load().data) for name, load in tables.items()}
    drawn["digits"] = drawn["digits"][:, np.ptp(drawn["digits"], axis=0) > 0]
    drawn["50,000 x 10"] = mixture(50_000, 10, 6)
    for name, X in drawn.items():
        for k in (2, 3, 5, 8):
            ours = xseg.MixtureSegmenter(k, variance_floor=FLOOR, min_members=1, random_state=0)
            theirs = GaussianMixture(k, covariance_type="diag", n_init=10, random_state=0)
            spent, their_spent = timed_fit(ours, X), timed_fit(theirs, X)
            rows.append(line(f"{name}, sklearn", k, (ours.score(X), spent), (theirs.score(X), their_spent)))
    return rows


def mixed() -> list[tuple[str, str, str, str]]:
    from stepmix import StepMix

    rows = []
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 2_000)
    table = pd.DataFrame(rng.normal(size=(2_000, 3)) + 2 * group[:, None], columns=list("abc"))
    for j in range(4):
        table[f"q{j}"] = (group + (rng.random(2_000) < 0.3) * rng.integers(0, 3, 2_000)) % 3
    holes = table.mask(rng.random(table.shape) < 0.1)
    kinds = {
        "numbers": {"model": "gaussian_diag_nan", "n_columns": 3},
        "answers": {"model": "categorical_nan", "n_columns": 4},
    }
    for name, some in (("mixed", table), ("mixed, 10 % missing", holes)):
        ours_table = some.assign(**{f"q{j}": some[f"q{j}"].map({0: "a", 1: "b", 2: "c"}) for j in range(4)})
        for k in (2, 3, 4):
            theirs = StepMix(k, measurement=kinds, n_init=10, random_state=0, progress_bar=0, verbose=0)
            ours = xseg.MixtureSegmenter(k, variance_floor=FLOOR, min_members=1, random_state=0)
            spent, their_spent = timed_fit(ours, ours_table), timed_fit(theirs, some)
            rows.append(line(f"{name}, stepmix", k, (ours.lower_bound_, spent), (theirs.score(some), their_spent)))
    return rows


def million() -> None:
    """Fit a million rows once, and print seconds, iterations, and memory before and after."""
    xseg.MixtureSegmenter(3, n_init=2, random_state=0).fit(mixture(70_000, 5, 3))
    X = mixture(1_000_000, 20, 20)
    before = resident_mib()
    start = time.perf_counter()
    segmenter = xseg.MixtureSegmenter(10, random_state=0).fit(X)
    print(time.perf_counter() - start, segmenter.n_iter_, before, peak_mib())


def main() -> None:
    warnings.simplefilter("ignore")
    out = subprocess.run([sys.executable, __file__, "million"], capture_output=True, text=True, check=True).stdout
    spent, n_iter, before, peak = map(float, out.split())
    table = 1_000_000 * 20 * 8 / 2**20
    beyond = f"{spent:.1f} s, {n_iter:.0f} iterations, {peak - before:.0f} MiB"
    rows = [("seconds, and memory beyond the table", beyond, f"{table:.0f} MiB", f"{(peak - before) / table:.2f}")]
    show("Mixtures: 1,000,000 x 20, 10 segments", rows)
    xseg.MixtureSegmenter(2, random_state=0).fit(mixture(500, 3, 2))
    show("Mixtures: mean log-likelihood and CPU seconds", [*numbers(), *mixed()])


if __name__ == "__main__":
    million() if sys.argv[-1] == "million" else main()
