"""One customer at a time, as a live page asks: from a dict to segment and reasons, beside predict and shap's tree."""

import time

import numpy as np
import pandas as pd
import shap
from harness import mixture, show
from sklearn.tree import DecisionTreeClassifier

import xseg

N_ROWS, N_CALLS, N_PEER_CALLS = 100_000, 5_000, 100


def microseconds(work: object, rows: list[object]) -> np.ndarray:
    """Give the time of each call, after a first round that is not counted."""
    times = np.empty(len(rows))
    for _ in range(2):
        for place, row in enumerate(rows):
            start = time.perf_counter_ns()
            work(row)
            times[place] = time.perf_counter_ns() - start
    return times / 1e3


def main() -> None:
    table = pd.DataFrame(mixture(N_ROWS, 20, 10), columns=[f"x{j}" for j in range(20)])
    segmenter = xseg.TreeSegmenter(10, max_leaves=20, max_depth=10, effort="fast", random_state=0).fit(table)
    scorer = xseg.Scorer(segmenter)
    ours = microseconds(scorer, table.head(N_CALLS).to_dict("records"))
    tree = DecisionTreeClassifier(max_leaf_nodes=20, random_state=0).fit(table.to_numpy(), segmenter.labels_)
    explainer = shap.TreeExplainer(tree, feature_perturbation="tree_path_dependent")

    def peer(row: object) -> None:
        frame = pd.DataFrame([row])
        segmenter.predict(frame)
        explainer.shap_values(frame.to_numpy(), check_additivity=False)

    theirs = microseconds(peer, table.head(N_PEER_CALLS).to_dict("records"))
    rows = [
        (
            f"{name}, predict and shap.TreeExplainer",
            f"{np.quantile(ours, level):.0f} us",
            f"{np.quantile(theirs, level):.0f} us",
            f"{np.quantile(theirs, level) / np.quantile(ours, level):.0f}x",
        )
        for name, level in (("median", 0.5), ("99 of 100 calls", 0.99))
    ]
    show("One customer from a dict (20 features, 20 leaves)", rows)


if __name__ == "__main__":
    main()
