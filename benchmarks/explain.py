"""Explaining: rows a second, against shap's TreeExplainer and woodelf on a tree of the same size.

20 leaves, 20 features, 10 segments, fitted on 200,000 rows; peers explain scikit-learn's tree, as they cannot read
ours. Also: against the rate at which numpy fills an output of that shape in fresh memory. woodelf explains one output,
against the 200,000 rows.
"""

import numpy as np
import pandas as pd
import shap
from harness import mixture, seconds, show, timed
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import xseg

MANY, POPULATION, THOUSAND, FEW, HUNDRED = 1_000_000, 200_000, 1_000, 2_000, 200


def main() -> None:
    X = mixture(MANY, 20, 10)
    population = X[:POPULATION]
    segmenter = xseg.TreeSegmenter(10, max_leaves=20, max_depth=10, effort="fast", random_state=0).fit(population)
    tree = DecisionTreeClassifier(max_leaf_nodes=20, random_state=0).fit(population, segmenter.labels_)
    every = MANY / seconds(lambda: xseg.explain(segmenter, X, of="all"))
    fill = MANY / seconds(lambda: np.full((MANY, 20, 10), 1.0))
    own = MANY / seconds(lambda: xseg.explain(segmenter, X))
    own_thousand = THOUSAND / seconds(lambda: xseg.explain(segmenter, X[:THOUSAND]), 50)
    dependent = shap.TreeExplainer(tree, feature_perturbation="tree_path_dependent")
    path = FEW / seconds(lambda: dependent.shap_values(X[:FEW], check_additivity=False))
    interventional = shap.TreeExplainer(tree, shap.maskers.Independent(X[:100], max_samples=100))
    hundred = HUNDRED / timed(lambda: interventional.shap_values(X[:HUNDRED], check_additivity=False))
    rows = [
        ("all segments, shap path-dependent", every, path),
        ("all segments, shap interventional, 100 rows", every, hundred),
        ("all segments, filling the output", every, fill),
        ("own segment, all segments", own, every),
        *woodelf(X, segmenter.labels_, own, own_thousand),
        ("predict, DecisionTreeClassifier.predict", *predicting(X, segmenter, tree)),
    ]
    shown = [(name, f"{ours:,.0f}/s", f"{peer:,.0f}/s", f"{ours / peer:.3g}x") for name, ours, peer in rows]
    show(f"Explaining ({segmenter.tree_.n_leaves} leaves, population of {POPULATION:,})", shown)


def woodelf(X: np.ndarray, labels: np.ndarray, own: float, own_thousand: float) -> list[tuple[str, float, float]]:
    """Give the rows of the table that need woodelf, if it is installed."""
    try:
        from woodelf.explainer import WoodelfExplainer
    except ImportError:
        return []
    table = pd.DataFrame(X).add_prefix("x")
    population = table.head(POPULATION)
    tree = DecisionTreeRegressor(max_leaf_nodes=20, random_state=0).fit(population, labels == 0)
    explainer = WoodelfExplainer(tree, population)
    many = MANY / seconds(lambda: explainer.shap_values(table, verbose=False))
    thousand = THOUSAND / seconds(lambda: explainer.shap_values(table.head(THOUSAND), verbose=False), 20)
    return [("own segment, woodelf", own, many), ("own segment, woodelf, 1,000 rows", own_thousand, thousand)]


def predicting(X: np.ndarray, segmenter: object, tree: object) -> tuple[float, float]:
    """Give rows a second of our predict and of scikit-learn's."""
    return MANY / seconds(lambda: segmenter.predict(X), 5), MANY / seconds(lambda: tree.predict(X), 5)


if __name__ == "__main__":
    main()
