"""The cheapest change into another segment: rows a second, for segments made of boxes and of scores.

20 features, 10 segments, fitted on 100,000 rows. Boxes and squared distances are asked about all of them, other scores,
which take up to a millisecond a row, about the first 10,000. The time includes reading and the changed table. The peer
is one call of predict on as many rows. Shown too: how many answers are proven to be the cheapest, how many features
change, and whether predict agrees. A second table puts the search for scores beside HiGHS, which is given the same
mixed-integer programme.
"""

import sys
from pathlib import Path

import pandas as pd
from harness import mixture, seconds, show, timed

import xseg
from xseg.explanations._change_costs import AllowedChanges

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from reference_changes import solve_by_highs

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
    compare_with_highs()


def compare_with_highs() -> None:
    rows = [measure_beside_highs(*size) for size in ((4, 3, 100), (10, 6, 60), (20, 10, 30))]
    show("Cheapest changes of scores beside HiGHS, a row", rows)


def measure_beside_highs(n_features: int, n_segments: int, n_rows: int) -> tuple[str, str, str, str]:
    X = pd.DataFrame(mixture(5_000, n_features, n_segments)).add_prefix("x")
    segmenter = xseg.PrototypeSegmenter(n_segments, random_state=0).fit(X)
    bounds = {name: (float(X[name].min()), float(X[name].max())) for name in X}
    asked = X[segmenter.labels_ != 0].head(n_rows)
    scale = AllowedChanges.from_options(segmenter.profile_).scale
    own, theirs = [], []
    xseg.counterfactual(segmenter, asked.head(2), target=0, bounds=bounds)
    own_time = timed(lambda: own.append(xseg.counterfactual(segmenter, asked, target=0, bounds=bounds)))
    limits = list(bounds.values())
    highs_time = timed(
        lambda: theirs.extend(solve_by_highs(segmenter, row, 0, scale, limits) for row in asked.to_numpy())
    )
    costs, proofs = zip(*theirs, strict=True)
    return (
        f"{n_features} features, {n_segments} segments: proven {own[0].proven.mean():.0%} and "
        f"{sum(proofs) / n_rows:.0%}, cost {own[0].cost.sum() / sum(costs):.4f} of HiGHS",
        f"{own_time / n_rows * 1e3:.2f} ms",
        f"{highs_time / n_rows * 1e3:.1f} ms",
        f"{own_time / highs_time:.3f}x",
    )


if __name__ == "__main__":
    main()
