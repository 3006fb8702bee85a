"""How well proxies of a sensitive column are found: 200 made-up tables with planted ones, and with none.

Columns are independent of each other. The sensitive column follows none, one or two of them, by a step, by a band in
the middle, or by a category; the rest of its values are drawn by chance. A used column that was planted should be
flagged, a used column that was not should not be. Segments are made anew from one half of the people and tested on the
other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

import xseg

N_TABLES, N_ROWS = 200, 2_000
WEAKEST, STRONGEST = 0.25, 0.6


@dataclass
class Tally:
    """What was flagged of what should be, and of what should not be."""

    found: int = 0
    planted: int = 0
    flagged: int = 0
    innocent: int = 0
    segments_flagged: int = 0
    segments_innocent: int = 0

    @property
    def recall(self) -> float:
        return self.found / max(self.planted, 1)

    @property
    def false_flags(self) -> float:
        return self.flagged / max(self.innocent, 1)


def made_up(seed: int) -> tuple[pd.DataFrame, set[str]]:
    """Draw a table with a sensitive column, and say which columns it follows."""
    rng = np.random.default_rng(seed)
    columns = {
        f"x{j}": rng.normal(size=N_ROWS) + rng.uniform(3, 6) * (rng.random(N_ROWS) < rng.uniform(0.3, 0.7))
        for j in range(5)
    }
    columns["shop"] = rng.choice(["north", "south", "east", "west"], N_ROWS, p=[0.4, 0.3, 0.2, 0.1])
    table = pd.DataFrame(columns)
    table.loc[rng.random(N_ROWS) < 0.05, "x0"] = np.nan
    planted = set(rng.choice(list(table.columns), size=rng.integers(0, 3), replace=False).tolist())
    groups = rng.integers(0, rng.integers(2, 5), N_ROWS)
    free = np.ones(N_ROWS, dtype=bool)
    for name in sorted(planted):
        follows = free & (rng.random(N_ROWS) < rng.uniform(WEAKEST, STRONGEST))
        groups[follows] = _follow(table[name], rng)[follows] % (groups.max() + 1)
        free &= ~follows
    table["origin"] = pd.Categorical([f"group {group}" for group in groups])
    return table, planted


def _follow(column: pd.Series, rng: np.random.Generator) -> np.ndarray:
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        return column.isin(["north", "east"]).to_numpy(dtype=np.int64)
    low, high = column.quantile([0.25, 0.75])
    if rng.random() < 0.5:
        return (column > column.median()).to_numpy(dtype=np.int64)
    return column.between(low, high).to_numpy(dtype=np.int64)


def judge(seed: int, tally: Tally) -> None:
    """Review a model of one table, and count."""
    table, planted = made_up(seed)
    customers = table.drop(columns="origin")
    segmenter = xseg.TreeSegmenter(8, effort="fast", n_init=2, max_bins=32, random_state=0).fit(customers)
    review = xseg.governance.reviews.review(
        segmenter, table, policy={"features": {"origin": {"sensitive": True}}}, random_state=seed
    )
    flagged = {finding.location for finding in review.findings if finding.check == "proxy"}
    names = [segmenter.profile_.bins.schema.names[j] for j in segmenter.model_.used_features]
    for name in names:
        hit = f"features.{name} and origin" in flagged
        if name in planted:
            tally.planted += 1
            tally.found += hit
        else:
            tally.innocent += 1
            tally.flagged += hit
    if not planted:
        tally.segments_innocent += 1
        tally.segments_flagged += "segments and origin" in flagged


def main() -> None:
    from harness import show

    tally = Tally()
    for seed in range(N_TABLES):
        judge(seed, tally)
    show(
        f"Proxies in {N_TABLES} made-up tables of {N_ROWS:,} people, strengths {WEAKEST} to {STRONGEST}",
        [
            ("planted columns that are flagged", f"{tally.found} of {tally.planted}", f"{tally.recall:.1%}", ">= 95%"),
            (
                "other columns that are flagged",
                f"{tally.flagged} of {tally.innocent}",
                f"{tally.false_flags:.1%}",
                "<= 5%",
            ),
            (
                "segments flagged where nothing was planted",
                f"{tally.segments_flagged} of {tally.segments_innocent}",
                f"{tally.segments_flagged / max(tally.segments_innocent, 1):.1%}",
                "<= 5%",
            ),
        ],
        heading=("what", "count", "share", "asked for"),
    )


if __name__ == "__main__":
    main()
