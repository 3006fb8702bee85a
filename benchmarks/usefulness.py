"""How much segments tell about what was not used to make them, on real tables, beside k-means and other peers.

Each table's columns are split at random into two halves. Segments are found on one half of the columns in a random half
of the rows; then, on the other rows, the columns that were not used are predicted by the mean of the segment in the
first rows. Reported is the share of their variance that this explains, mean over columns, splits and tables, for ranks
(a column's place among the first rows, 0 to 1) and for raw values; the smallest segment; and how alike the segments of
both halves of the rows are (adjusted Rand index on the rows that were not used for the first). Peers are given
standardised numbers, with the mean for what is missing, and categories as one-hot columns.

    python usefulness.py FOLDER [--segments 5] [--splits 4]
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import show
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import xseg

MAX_ROWS = 6_000


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Give the real tables, without identifiers and constant columns."""
    retail = pd.read_parquet(folder / "online_retail.parquet").dropna(subset="CustomerID")
    found = {
        "marketing": xseg.load_table(folder / "marketing_campaign.csv").drop(columns=["ID", "Dt_Customer"]),
        "bank": xseg.load_table(folder / "bank_full.csv.gz"),
        "telco": xseg.load_table(folder / "telco_churn.csv").drop(columns="customerID"),
        "wholesale": xseg.load_table(folder / "wholesale_customers.csv"),
        "credit card": xseg.load_table(folder / "cc_general.csv").drop(columns="CUST_ID"),
        "developers": xseg.load_table(folder / "so2025_ai.csv.gz"),
        "mice": xseg.load_table(folder / "mice_protein.csv.gz").drop(columns="MouseID"),
        "avila": pd.read_parquet(folder / "avila.parquet"),
        "retail": describe_buyers(retail),
        "wine": load_wine(as_frame=True).data,
        "breast cancer": load_breast_cancer(as_frame=True).data,
    }
    rng = np.random.default_rng(0)
    for name, table in found.items():
        some = table.iloc[np.sort(rng.permutation(len(table))[:MAX_ROWS])].reset_index(drop=True)
        found[name] = some.loc[:, some.nunique() > 1]
    return found


def describe_buyers(lines: pd.DataFrame) -> pd.DataFrame:
    """Give one row a customer of the retailer."""
    lines = lines.assign(amount=lines["Quantity"] * lines["UnitPrice"], bought=lines["Quantity"] > 0)
    by = lines.groupby("CustomerID")
    hour, day = lines["InvoiceDate"].dt.hour, lines["InvoiceDate"].dt.dayofweek
    return pd.DataFrame(
        {
            "recency": (lines["InvoiceDate"].max() - by["InvoiceDate"].max()).dt.days,
            "tenure": (lines["InvoiceDate"].max() - by["InvoiceDate"].min()).dt.days,
            "orders": by["InvoiceNo"].nunique(),
            "spend": by["amount"].sum(),
            "lines": by.size(),
            "products": by["StockCode"].nunique(),
            "mean price": by["UnitPrice"].mean(),
            "mean quantity": by["Quantity"].mean(),
            "returned": 1 - by["bought"].mean(),
            "hour": hour.groupby(lines["CustomerID"]).mean(),
            "weekday": day.groupby(lines["CustomerID"]).mean(),
            "abroad": by["Country"].first() != "United Kingdom",
        }
    ).reset_index(drop=True)


def encoded(estimator: Any) -> Any:
    """Give a peer on standardised numbers and one-hot categories."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include=["number", "bool"])),
        (
            OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )
    return make_pipeline(columns, estimator)


MAKERS: dict[str, Callable[[int, int], Any]] = {
    "TreeSegmenter": lambda k, seed: xseg.TreeSegmenter(k, random_state=seed),
    "TreeSegmenter, standard": lambda k, seed: xseg.TreeSegmenter(k, scaling="standard", random_state=seed),
    "TreeSegmenter, robust": lambda k, seed: xseg.TreeSegmenter(k, scaling="robust", random_state=seed),
    "TreeSegmenter, quantile": lambda k, seed: xseg.TreeSegmenter(k, scaling="quantile", random_state=seed),
    "PrototypeSegmenter": lambda k, seed: xseg.PrototypeSegmenter(k, random_state=seed),
    "PrototypeSegmenter, squared": lambda k, seed: xseg.PrototypeSegmenter(k, metric="squared", random_state=seed),
    "MixtureSegmenter": lambda k, seed: xseg.MixtureSegmenter(k, random_state=seed),
    "KMeans(n_init=10)": lambda k, seed: encoded(KMeans(k, n_init=10, random_state=seed)),
    "GaussianMixture(diag)": lambda k, seed: encoded(GaussianMixture(k, covariance_type="diag", random_state=seed)),
}


def targets(table: pd.DataFrame) -> pd.DataFrame:
    """Give columns of numbers: categories as one column for each of the commonest 10 values."""
    numbers = table.select_dtypes(["number", "bool"]).astype(float)
    others = table.select_dtypes(exclude=["number", "bool"]).astype(str)
    common = [
        (others[name] == value).astype(float).rename(f"{name} is {value}")
        for name in others
        for value in others[name].value_counts().index[:10]
    ]
    return pd.concat([numbers, *common], axis=1)


def explained(labels: np.ndarray, told: np.ndarray, values: np.ndarray, tested: np.ndarray) -> float:
    """Give the share of the variance of values in other rows that the segment means of the first rows explain."""
    keep, kept = ~np.isnan(values), ~np.isnan(tested)
    if not keep.any() or not kept.any() or np.ptp(tested[kept]) == 0:
        return np.nan
    base = values[keep].mean()
    means = pd.Series(values[keep]).groupby(labels[keep]).mean()
    predicted = pd.Series(told[kept]).map(means).fillna(base).to_numpy(dtype=float)
    rest = ((tested[kept] - predicted) ** 2).sum()
    return float(1 - rest / ((tested[kept] - tested[kept].mean()) ** 2).sum())


def measure(table: pd.DataFrame, make: Callable[[int, int], Any], k: int, split: int) -> tuple[float, ...]:
    """Give what one split tells: ranks, raw values, the smallest segment, agreement of both halves."""
    rng = np.random.default_rng(split)
    columns = rng.permutation(table.shape[1])
    used = table.iloc[:, np.sort(columns[: max(1, table.shape[1] // 2)])]
    hidden = targets(table.iloc[:, np.sort(columns[table.shape[1] // 2 :])])
    order = rng.permutation(len(table))
    first, other = np.sort(order[: len(table) // 2]), np.sort(order[len(table) // 2 :])
    one = make(k, split).fit(used.iloc[first])
    two = make(k, split).fit(used.iloc[other])
    labels, told = np.asarray(one.predict(used.iloc[first])), np.asarray(one.predict(used.iloc[other]))
    ranks, raw = [], []
    for name in hidden:
        values, tested = hidden[name].to_numpy()[first], hidden[name].to_numpy()[other]
        raw.append(explained(labels, told, values, tested))
        known = np.sort(values[~np.isnan(values)])
        if not len(known):
            continue

        def place(x: np.ndarray, known: np.ndarray = known) -> np.ndarray:
            middle = (np.searchsorted(known, x, "left") + np.searchsorted(known, x, "right")) / (2 * len(known))
            return np.where(np.isnan(x), np.nan, middle)

        ranks.append(explained(labels, told, place(values), place(tested)))
    shares = np.bincount(told, minlength=k) / len(told)
    agreement = adjusted_rand_score(told, np.asarray(two.predict(used.iloc[other])))
    return float(np.nanmean(ranks)), float(np.nanmean(raw)), float(shares[shares > 0].min()), agreement


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--segments", type=int, nargs="+", default=[3, 5, 8])
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=list(MAKERS))
    parser.add_argument("--by-table", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    found = tables(asked.folder)
    for k in asked.segments:
        rows = []
        for name in asked.only:
            by_table = {
                title: np.mean([measure(table, MAKERS[name], k, split) for split in range(asked.splits)], axis=0)
                for title, table in found.items()
            }
            means = np.mean(list(by_table.values()), axis=0)
            rows.append((name, f"{means[0]:.3f}", f"{means[1]:.3f}", f"{means[2]:.3f}, ARI {means[3]:.2f}"))
            if asked.by_table:
                rows.extend(
                    (f"  {title}", f"{v[0]:.3f}", f"{v[1]:.3f}", f"{v[2]:.3f}, ARI {v[3]:.2f}")
                    for title, v in by_table.items()
                )
        show(
            f"Variance of unused columns that {k} segments explain ({len(found)} tables, {asked.splits} splits)",
            rows,
            ("segmenter", "ranks", "raw values", "smallest segment, agreement of halves"),
        )


if __name__ == "__main__":
    main()
