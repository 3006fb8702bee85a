"""Cards: proven true, how short, how complete, and how many a second; on real tables where a folder is given."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from harness import show, timed

import xseg
from xseg.cards import WriteOptions, write_cards
from xseg.cards._wording import build_card_words
from xseg.explanations import comprehensiveness

N_CARDS = 10_000
DROPPED = {
    "marketing_campaign.csv": ["ID", "Dt_Customer"],
    "bank_full.csv.gz": ["y"],
    "telco_churn.csv": ["customerID", "Churn"],
    "wholesale_customers.csv": [],
    "cc_general.csv": ["CUST_ID"],
    "so2025_ai.csv.gz": [],
    "avila.parquet": [],
    "mice_protein.csv.gz": ["MouseID"],
}


def tables() -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each table with at most ten thousand people."""
    yield "made-up shop", xseg.make_customers(N_CARDS, random_state=0)
    for folder in sys.argv[1:2]:
        for name, dropped in DROPPED.items():
            yield name, xseg.load_table(Path(folder) / name).drop(columns=dropped).head(N_CARDS)


def truth() -> None:
    """Prove every card, and measure what it says."""
    rows = []
    for name, table in tables():
        for segmenter in (
            xseg.TreeSegmenter(5, max_leaves=8, effort="fast", random_state=0),
            xseg.PrototypeSegmenter(5, random_state=0),
        ):
            segmenter.fit(table)
            cards = list(xseg.make_cards(segmenter, table))
            checks = xseg.verify_cards(segmenter, table, cards=cards)
            lengths = [sum(len(said.split()) for said in build_card_words(card).body()) for card in cards]
            rows.append(
                (
                    f"{name}, {type(segmenter).__name__}",
                    f"{len(cards):,}",
                    f"{sum(check.holds for check in checks) / len(checks):.2%}",
                    f"{max(lengths)}",
                    f"{sum(length <= 120 for length in lengths) / len(lengths):.1%}",
                    f"{comprehensiveness(segmenter, table):.1%}",
                )
            )
    heading = ("table and model", "cards", "proven", "most words", "at most 120", "reasons that matter")
    show(
        "Every card is proven anew; reasons matter where setting them to what is typical of others moves", rows, heading
    )


def speed(form: str, n_cards: int) -> tuple[str, ...]:
    """Write many cards on two processes, and say how many a second are done."""
    customers = xseg.make_customers(n_cards, random_state=0)
    segmenter = xseg.TreeSegmenter(5, effort="fast", random_state=0).fit(customers)
    policy = xseg.datasets.customers_policy()
    ids = list(customers.index)
    with tempfile.TemporaryDirectory() as warm:
        write_cards(
            segmenter,
            customers.head(20_000),
            folder=warm,
            ids=ids[:20_000],
            forms=["jsonl"],
            policy=policy,
            options=WriteOptions(n_jobs=2),
        )
    with tempfile.TemporaryDirectory() as folder:
        taken = timed(
            lambda: write_cards(
                segmenter,
                customers,
                folder=folder,
                ids=ids,
                forms=[form],
                policy=policy,
                options=WriteOptions(n_jobs=2),
            )
        )
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return form, f"{n_cards:,}", f"{n_cards / taken:,.0f}", f"{size / n_cards:,.0f}"


def main() -> None:
    truth()
    heading = ("form", "cards", "cards a second", "bytes a card")
    show("Cards written on two processes", [speed("jsonl", 200_000), speed("html", 30_000)], heading)


if __name__ == "__main__":
    main()
