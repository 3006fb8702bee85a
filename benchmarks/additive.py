"""Explaining scores that are sums over features: rows a second, against shap's model-agnostic explainers.

20 features, 10 segments, fitted on 200,000 rows. KernelExplainer and PermutationExplainer see the same scores, against
100 background rows; ours is exact and against all 200,000. Also: against the rate at which numpy fills the output.
"""

import warnings

import numpy as np
import shap
from harness import mixture, seconds, show, timed

import xseg

N_KERNEL, N_PERMUTATION = 3, 20


def main() -> None:
    warnings.simplefilter("ignore")
    X = mixture(200_000, 20, 10)
    rows = []
    for name, segmenter in (
        ("prototypes", xseg.PrototypeSegmenter(10, metric="squared", random_state=0)),
        ("mixture", xseg.MixtureSegmenter(10, n_init=4, random_state=0)),
    ):
        segmenter.fit(X)

        def scores(rows: np.ndarray, segmenter: object = segmenter) -> np.ndarray:
            return segmenter.model_.score(segmenter._read(rows))

        own = len(X) / seconds(lambda segmenter=segmenter: xseg.explain(segmenter, X))
        every = len(X) / seconds(lambda segmenter=segmenter: xseg.explain(segmenter, X, of="all"))
        kernel = shap.KernelExplainer(scores, X[:100])
        slow = N_KERNEL / timed(lambda kernel=kernel: kernel.shap_values(X[:N_KERNEL], silent=True))
        permutation = shap.PermutationExplainer(scores, shap.maskers.Independent(X[:100], max_samples=100))
        middling = N_PERMUTATION / timed(
            lambda permutation=permutation: permutation.shap_values(X[:N_PERMUTATION], silent=True)
        )
        rows += [
            (f"{name}, own margin, KernelExplainer", f"{own:,.0f}/s", f"{slow:.2f}/s", f"{own / slow:,.0f}x"),
            (f"{name}, all scores, KernelExplainer", f"{every:,.0f}/s", f"{slow:.2f}/s", f"{every / slow:,.0f}x"),
            (f"{name}, all scores, Permutation", f"{every:,.0f}/s", f"{middling:.1f}/s", f"{every / middling:,.0f}x"),
        ]
    fill = len(X) / seconds(lambda: np.full((len(X), 20, 10), 1.0))
    rows.append(
        ("mixture, all scores, filling the output", f"{every:,.0f}/s", f"{fill:,.0f}/s", f"{every / fill:.2f}x")
    )
    show("Explaining additive scores (20 features, 10 segments, population of 200,000)", rows)


if __name__ == "__main__":
    main()
