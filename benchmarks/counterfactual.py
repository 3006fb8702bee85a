"""The cheapest change into another segment: rows a second, for segments made of boxes and of scores.

20 features, 10 segments, fitted on 100,000 rows. Boxes and squared distances are asked about all of them, other scores,
which take up to a millisecond a row, about the first 10,000. The time includes reading and the changed table. The peer
is one call of predict on as many rows. Shown too: how many answers are proven to be the cheapest, how many features
change, and whether predict agrees.
"""

import pandas as pd
from harness import mixture, seconds, show, timed

import xseg

ROWS = 100_000
SOME = 10_000
FAST = ("tree", "prototypes, squared")


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
        asked = X if name in FAST else X.head(SOME)
        predicting = seconds(lambda segmenter=segmenter, asked=asked: segmenter.predict(asked))
        xseg.counterfactual(segmenter, X.head(100))
        for target in (None, 0):
            answers = []
            taken = timed(
                lambda segmenter=segmenter, asked=asked, target=target, answers=answers: answers.append(
                    xseg.counterfactual(segmenter, asked, target=target)
                )
            )
            answer = answers[0]
            moved = (segmenter.predict(answer.changed) == answer.target)[answer.found].all()
            several = sum(map(len, answer.changes)) / len(asked)
            told = f"{len(asked):,} rows, {answer.proven.mean():.1%} proven, {several:.1f} features, all moved: {moved}"
            where = "the cheapest other" if target is None else "one segment"
            rows.append(
                (f"{name}, {where} ({told})", f"{taken:.2f} s", f"{predicting:.3f} s", f"{taken / predicting:.0f}x")
            )
    show("Cheapest changes (20 features, 10 segments)", rows)


if __name__ == "__main__":
    main()
