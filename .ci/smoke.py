"""The main job from end to end, as a script: run it in an environment to see that xseg works there."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import xseg
from xseg.cards import write_cards


def smoke(folder: Path) -> None:
    customers = xseg.make_customers(600, random_state=0)
    policy = xseg.datasets.customers_policy()
    numbers = customers[["orders_90d", "spend_year", "recency_days"]]
    segmenters = [
        xseg.TreeSegmenter(4, random_state=0).fit(customers),
        xseg.PrototypeSegmenter(4, random_state=0).fit(customers),
        xseg.MixtureSegmenter(4, random_state=0).fit(numbers),
        xseg.RuleSegmenter({"Regulars": "orders_90d >= 3"}).fit(customers),
        xseg.OutcomeSegmenter(3, random_state=0).fit(numbers.drop(columns="spend_year"), numbers["spend_year"]),
        xseg.SurrogateSegmenter(random_state=0).fit(numbers, np.where(numbers["spend_year"] > 300, "high", "low")),
    ]
    for place, segmenter in enumerate(segmenters):
        rows = customers[list(segmenter.feature_names_in_)]
        explanation = xseg.explain(segmenter, rows.head(50))
        assert np.isfinite(explanation.values).all()
        assert xseg.make_cards(segmenter, rows.head(3))[0].text()
        path = folder / f"model-{place}.json"
        xseg.save(segmenter, path)
        assert (xseg.load(path).predict(rows) == segmenter.predict(rows)).all()
    tree = segmenters[0]
    card = xseg.make_cards(tree, customers.head(1), policy=policy)[0]
    assert xseg.verify_card(tree, customers.head(1), card=card, policy=policy).holds
    write_cards(tree, customers.head(5), folder=folder / "cards", ids=range(5), forms=["html", "json", "svg"])
    assert xseg.make_report(tree, customers, policy=policy).html()
    assert xseg.counterfactual(tree, customers.head(5)) is not None
    assert xseg.inspect(customers.assign(customer_id=range(600))).excluded_columns == ("customer_id",)

    customers.to_csv(folder / "customers.csv", index_label="customer_id")
    customers.to_parquet(folder / "customers.parquet")
    pd.testing.assert_frame_equal(
        xseg.load_table(folder / "customers.csv")[["spend_year"]],
        xseg.load_table(folder / "customers.parquet")[["spend_year"]].reset_index(drop=True),
    )
    command = str(Path(sys.executable).with_name("xseg"))
    table, model = folder / "customers.csv", folder / "model.json"
    for words in (
        ["--help"],
        ["fit", "--help"],
        ["demo", "--out", folder / "demo", "--rows", "300"],
        ["inspect", table],
        ["fit", table, "--segments", "3", "--out", model],
        ["explain", model, table, "--row", "3"],
        ["cards", model, table, "--out", folder / "more", "--id-column", "customer_id", "--form", "text"],
    ):
        subprocess.run([command, *map(str, words)], check=True, capture_output=True, text=True)
    wrong = subprocess.run([command, "fit"], check=False, capture_output=True, text=True)
    assert wrong.returncode == 2, wrong.stderr
    assert "Missing argument" in wrong.stderr, wrong.stderr


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        smoke(Path(name))
    print(f"smoke test passed on Python {sys.version.split()[0]}")
