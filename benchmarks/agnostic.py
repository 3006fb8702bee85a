"""Explaining k-means without an exact explanation: error against CPU time, beside shap's KernelExplainer.

The truth are the Shapley values over all coalitions of 12 features, against the same 100 background rows.
"""

from math import comb

import numpy as np
import shap
from harness import cpu_seconds, mixture, show
from sklearn.cluster import KMeans

import xseg

N_FEATURES, N_GROUPS, N_BACKGROUND, N_EXPLAINED = 12, 6, 100, 16
REPEATS, SAMPLES = (5, 10, 20, 40, 80), (50, 100, 200, 400, 800, 1600)


def enumerate_coalitions(model: KMeans, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return the exact Shapley values of each row's own membership."""
    masks = (np.arange(2**N_FEATURES)[:, None] >> np.arange(N_FEATURES) & 1) > 0
    weights = np.array([1 / (N_FEATURES * comb(N_FEATURES - 1, size)) for size in range(N_FEATURES)])
    values = np.empty(rows.shape)
    for row, own, out in zip(rows, model.predict(rows), values, strict=True):
        mixed = (np.where(some[:, None, :], row, background) for some in np.array_split(masks, 16))
        worth = np.concatenate(
            [(model.predict(some.reshape(-1, N_FEATURES)) == own).reshape(-1, N_BACKGROUND).mean(1) for some in mixed]
        )
        for feature in range(N_FEATURES):
            without = np.flatnonzero(~masks[:, feature])
            gains = worth[without | 1 << feature] - worth[without]
            out[feature] = weights[masks[without].sum(axis=1)] @ gains
    return values


def main() -> None:
    X = mixture(2_000, N_FEATURES, N_GROUPS)
    model = KMeans(N_GROUPS, n_init=2, random_state=0).fit(X)
    background, rows = X[:N_BACKGROUND], X[-N_EXPLAINED:]
    own, truth = model.predict(rows), enumerate_coalitions(model, rows, background)
    found = {}

    def ours(n_repeats: int) -> None:
        explained = xseg.explain_agnostic(
            model, rows, background=background, n_repeats=n_repeats, random_state=0, progress=False
        )
        found["ours"] = explained.values

    def peer(n_samples: int) -> None:
        np.random.seed(0)  # noqa: NPY002 - KernelExplainer draws from it
        explainer = shap.KernelExplainer(lambda some: np.eye(N_GROUPS)[model.predict(some)], background)
        values = np.asarray(explainer.shap_values(rows, nsamples=n_samples, silent=True, l1_reg=0))
        found["peer"] = values[np.arange(N_EXPLAINED), :, own]

    def measure(name: str, work: object, size: int) -> tuple[float, float]:
        taken = cpu_seconds(lambda: work(size))
        return float(np.sqrt(((found[name] - truth) ** 2).mean())), taken

    ours(2), peer(50)
    theirs = sorted(measure("peer", peer, size) for size in SAMPLES)
    errors, times = np.log(np.array(theirs)).T
    shown = []
    for n_repeats in REPEATS:
        error, taken = measure("ours", ours, n_repeats)
        equal = np.exp(np.interp(np.log(error), errors, times))
        shown.append(
            (f"n_repeats={n_repeats}, error {error:.4f}", f"{taken:.2f} s", f"{equal:.2f} s", f"{taken / equal:.2f}")
        )
    heading = ("at equal error, k-means with 12 features", "ours", "KernelExplainer (interpolated)", "ratio")
    show(f"Model-agnostic explanations of {N_EXPLAINED} rows, CPU time", shown, heading)


if __name__ == "__main__":
    main()
