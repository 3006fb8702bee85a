"""Explaining: rows a second, against shap's TreeExplainer on the same tree.

20 leaves, 20 features, 10 segments, fitted on 200,000 rows; shap explains sklearn's tree of the same size, as it
cannot read ours. Also: against the rate at which numpy fills an output of that shape in fresh memory.
"""

import numpy as np
import shap
from harness import mixture, seconds, show, timed
from sklearn.tree import DecisionTreeClassifier

import xseg

FEW, HUNDRED = 2_000, 200


def main() -> None:
    X = mixture(200_000, 20, 10)
    segmenter = xseg.TreeSegmenter(10, max_leaves=20, max_depth=10, random_state=0).fit(X)
    tree = DecisionTreeClassifier(max_leaf_nodes=20, random_state=0).fit(X, segmenter.labels_)
    every = len(X) / seconds(lambda: xseg.explain(segmenter, X, of="all"))
    own = len(X) / seconds(lambda: xseg.explain(segmenter, X))
    fill = len(X) / seconds(lambda: np.full((len(X), 20, 10), 1.0))
    dependent = shap.TreeExplainer(tree, feature_perturbation="tree_path_dependent")
    path = FEW / seconds(lambda: dependent.shap_values(X[:FEW], check_additivity=False))
    interventional = shap.TreeExplainer(tree, shap.maskers.Independent(X[:100], max_samples=100))
    hundred = HUNDRED / timed(lambda: interventional.shap_values(X[:HUNDRED], check_additivity=False))
    rows = [
        ("all segments, shap path-dependent", f"{every:,.0f}/s", f"{path:,.0f}/s", f"{every / path:.0f}x"),
        (
            "all segments, shap interventional, 100 rows",
            f"{every:,.0f}/s",
            f"{hundred:,.0f}/s",
            f"{every / hundred:.0f}x",
        ),
        ("all segments, filling the output", f"{every:,.0f}/s", f"{fill:,.0f}/s", f"{every / fill:.2f}x"),
        ("own segment, all segments", f"{own:,.0f}/s", f"{every:,.0f}/s", f"{own / every:.1f}x"),
    ]
    show(f"Explaining ({segmenter.tree_.n_leaves} leaves, population of 200,000)", rows)


if __name__ == "__main__":
    main()
