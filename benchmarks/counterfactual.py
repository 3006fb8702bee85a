"""The cheapest change into another segment: rows a second, for segments made of boxes and of scores.

100,000 rows, 20 features, 10 segments, fitted on the same rows; the time includes reading, the changed table and the
check that predict agrees. The peer is one call of predict. How much of the search was exhausted is shown too.
"""

import pandas as pd
from harness import mixture, seconds, show, timed

import xseg

ROWS = 100_000


def main() -> None:
    X = pd.DataFrame(mixture(ROWS, 20, 10)).add_prefix("x")
    rows = []
    for name, segmenter in (
        ("tree", xseg.TreeSegmenter(10, max_leaves=20, max_depth=10, effort="fast", random_state=0)),
        ("prototypes, Gower", xseg.PrototypeSegmenter(10, random_state=0)),
        ("prototypes, squared", xseg.PrototypeSegmenter(10, metric="squared", random_state=0)),
        ("mixture", xseg.MixtureSegmenter(10, n_init=4, random_state=0)),
    ):
        segmenter.fit(X)
        predicting = seconds(lambda segmenter=segmenter: segmenter.predict(X))
        xseg.counterfactual(segmenter, X.head(100))
        for target in (None, 0):
            answer = xseg.counterfactual(segmenter, X, target)
            taken = timed(lambda segmenter=segmenter, target=target: xseg.counterfactual(segmenter, X, target))
            moved = (segmenter.predict(answer.changed) == answer.target)[answer.found].all()
            told = f"{answer.found.mean():.1%} found, {answer.proven.mean():.1%} exhausted, all moved: {moved}"
            where = "the cheapest other" if target is None else "one segment"
            rows.append(
                (f"{name}, {where} ({told})", f"{taken:.2f} s", f"{predicting:.3f} s", f"{taken / predicting:.0f}x")
            )
    show(f"Cheapest changes of {ROWS:,} rows (20 features, 10 segments)", rows)


if __name__ == "__main__":
    main()
