"""How much segments tell about columns that were not used to find them, beside k-means and other peers.

Each table's columns are split at random into two halves. Segments are found on one half of the columns in a random half
of the rows. In the other rows, each column of the other half is predicted by its mean in the segment, taken from the
first rows. Reported are means over columns, splits and tables: the share of the variance of ranks (the share of the
first rows below a value, 0 to 1) and of raw values that this explains; the share of rows in the smallest segment; and
how well segments found in either half of the rows agree on the second (adjusted Rand index).

    python usefulness.py [FOLDER] [--segments 3 5 8] [--splits 2] [--rows 4000] [--only NAME ...] [--by-table]

Tables other than scikit-learn's are read from the folder. Peers are given standardised numbers, with the mean for
missing values; k-means and the Gaussian mixture are given categories as one-hot columns. `pip install kmodes` adds
k-prototypes. A line is printed as soon as it is measured.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import show
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import xseg

Maker = Callable[[int, int], Any]
MAX_CATEGORIES = 10


def tables(folder: Path | None, max_rows: int) -> dict[str, pd.DataFrame]:
    """Return the real tables without identifiers and constant columns, and at most so many rows of each."""
    found = {
        "wine": load_wine(as_frame=True).data,
        "breast cancer": load_breast_cancer(as_frame=True).data,
        "diabetes": load_diabetes(as_frame=True, scaled=False).data,
    }
    if folder is not None:
        retail = pd.read_parquet(folder / "online_retail.parquet").dropna(subset="CustomerID")
        found |= {
            "marketing": xseg.load_table(folder / "marketing_campaign.csv").drop(columns=["ID", "Dt_Customer"]),
            "bank": xseg.load_table(folder / "bank_full.csv.gz"),
            "telco": xseg.load_table(folder / "telco_churn.csv").drop(columns="customerID"),
            "wholesale": xseg.load_table(folder / "wholesale_customers.csv"),
            "credit card": xseg.load_table(folder / "cc_general.csv").drop(columns="CUST_ID"),
            "developers": xseg.load_table(folder / "so2025_ai.csv.gz"),
            "mice": xseg.load_table(folder / "mice_protein.csv.gz").drop(columns="MouseID"),
            "avila": pd.read_parquet(folder / "avila.parquet"),
            "retail": describe_buyers(retail),
        }
    rng = np.random.default_rng(0)
    for name, table in found.items():
        some = table.iloc[np.sort(rng.permutation(len(table))[:max_rows])].reset_index(drop=True)
        found[name] = some.loc[:, some.nunique() > 1]
    return found


def describe_buyers(lines: pd.DataFrame) -> pd.DataFrame:
    """Return one row per customer of the retailer."""
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


def numbers_and_others() -> tuple[Any, Any]:
    """Return selectors of the columns of numbers, flags included, and of the others."""
    return make_column_selector(dtype_include=["number", "bool"]), make_column_selector(
        dtype_exclude=["number", "bool"]
    )


def one_hot(estimator: BaseEstimator) -> Any:
    """Return a peer on standardised numbers and one-hot categories."""
    numbers, others = numbers_and_others()
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", min_frequency=10, sparse_output=False), others),
    )
    return make_pipeline(columns, estimator)


class KPrototypesPeer:
    """k-prototypes of kmodes on standardised numbers and categories; k-means or k-modes where there are only either."""

    def __init__(self, n_segments: int, seed: int) -> None:
        self.n_segments, self.seed = n_segments, seed
        self.scale = make_pipeline(SimpleImputer(), StandardScaler())

    def _arrays(self, table: pd.DataFrame, *, fits: bool) -> tuple[NDArray[np.object_], list[int]]:
        numbers, others = (selector(table) for selector in numbers_and_others())
        parts = [table[others].astype(str).to_numpy(dtype=object)]
        if numbers:
            scaled = self.scale.fit_transform(table[numbers]) if fits else self.scale.transform(table[numbers])
            parts.insert(0, scaled.astype(object))
        return np.hstack(parts), list(range(len(numbers), len(numbers) + len(others)))

    def fit(self, table: pd.DataFrame) -> "KPrototypesPeer":
        """Fit to a table."""
        from kmodes.kmodes import KModes
        from kmodes.kprototypes import KPrototypes

        values, categories = self._arrays(table, fits=True)
        if not categories:
            self.model = KMeans(self.n_segments, n_init=10, random_state=self.seed).fit(values.astype(float))
        elif len(categories) == values.shape[1]:
            self.model = KModes(self.n_segments, n_init=2, random_state=self.seed).fit(values)
        else:
            self.model = KPrototypes(self.n_segments, n_init=2, max_iter=20, random_state=self.seed)
            self.model.fit(values, categorical=categories)
        return self

    def predict(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Predict the segment index of each row."""
        values, categories = self._arrays(table, fits=False)
        mixed = 0 < len(categories) < values.shape[1]
        return np.asarray(
            self.model.predict(values, categorical=categories)
            if mixed
            else self.model.predict(values if categories else values.astype(float))
        )


MAKERS: dict[str, Maker] = {
    "TreeSegmenter": lambda k, seed: xseg.TreeSegmenter(k, random_state=seed),
    "TreeSegmenter(scaling=standard)": lambda k, seed: xseg.TreeSegmenter(k, scaling="standard", random_state=seed),
    "TreeSegmenter(scaling=robust)": lambda k, seed: xseg.TreeSegmenter(k, scaling="robust", random_state=seed),
    "MixtureSegmenter": lambda k, seed: xseg.MixtureSegmenter(k, random_state=seed),
    "PrototypeSegmenter": lambda k, seed: xseg.PrototypeSegmenter(k, random_state=seed),
    "PrototypeSegmenter(metric=gower)": lambda k, seed: xseg.PrototypeSegmenter(k, metric="gower", random_state=seed),
    "KMeans(n_init=10)": lambda k, seed: one_hot(KMeans(k, n_init=10, random_state=seed)),
    "GaussianMixture(diag)": lambda k, seed: one_hot(GaussianMixture(k, covariance_type="diag", random_state=seed)),
    "KPrototypes": KPrototypesPeer,
}


def targets(table: pd.DataFrame) -> pd.DataFrame:
    """Return columns of numbers: categories as one column for each of the most frequent values."""
    numbers = table.select_dtypes(["number", "bool"]).astype(float)
    others = table.select_dtypes(exclude=["number", "bool"]).astype(str)
    common = [
        (others[name] == value).astype(float).rename(f"{name} is {value}")
        for name in others
        for value in others[name].value_counts().index[:MAX_CATEGORIES]
    ]
    return pd.concat([numbers, *common], axis=1)


def explained(
    labels: NDArray[np.int64],
    values: NDArray[np.float64],
    held_out_labels: NDArray[np.int64],
    held_out: NDArray[np.float64],
) -> float:
    """Return the share of the variance of held-out values that the segment means of the others explain."""
    known, tested = ~np.isnan(values), ~np.isnan(held_out)
    if not known.any() or not tested.any() or np.ptp(held_out[tested]) == 0:
        return np.nan
    means = pd.Series(values[known]).groupby(labels[known]).mean()
    predicted = pd.Series(held_out_labels[tested]).map(means).fillna(values[known].mean()).to_numpy(dtype=float)
    left = ((held_out[tested] - predicted) ** 2).sum()
    return float(1 - left / ((held_out[tested] - held_out[tested].mean()) ** 2).sum())


def ranks(values: NDArray[np.float64], population: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mid-rank of each value in a population, 0 to 1; NaN for missing values."""
    known = np.sort(population[~np.isnan(population)])
    below = (np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")) / 2
    return np.where(np.isnan(values), np.nan, below / max(len(known), 1))


def measure(table: pd.DataFrame, make: Maker, k: int, split: int) -> tuple[float, ...]:
    """Return the variance explained of ranks and raw values, the smallest share, and the agreement of both halves."""
    rng = np.random.default_rng(split)
    columns = rng.permutation(table.shape[1])
    middle = table.shape[1] // 2
    used, unused = table.iloc[:, np.sort(columns[:middle])], targets(table.iloc[:, np.sort(columns[middle:])])
    rows = rng.permutation(len(table))
    first, second = np.sort(rows[: len(table) // 2]), np.sort(rows[len(table) // 2 :])
    segmenters = [make(k, split).fit(used.iloc[half]) for half in (first, second)]
    labels, held_out_labels = (np.asarray(segmenters[0].predict(used.iloc[half])) for half in (first, second))
    of_ranks, of_values = [], []
    for name in unused:
        values, held_out = (unused[name].to_numpy()[half] for half in (first, second))
        of_values.append(explained(labels, values, held_out_labels, held_out))
        of_ranks.append(explained(labels, ranks(values, values), held_out_labels, ranks(held_out, values)))
    sizes = np.bincount(held_out_labels)
    agreement = adjusted_rand_score(held_out_labels, np.asarray(segmenters[1].predict(used.iloc[second])))
    smallest = float(sizes[sizes > 0].min() / len(second))
    return float(np.nanmean(of_ranks)), float(np.nanmean(of_values)), smallest, agreement


def line(title: str, figures: NDArray[np.float64], seconds: float) -> tuple[str, ...]:
    """Return one line of the table, and print it."""
    of_ranks, of_values, smallest, agreement = figures
    cells = (title, f"{of_ranks:.3f}", f"{of_values:.3f}", f"{smallest:.1%}", f"{agreement:.2f}", f"{seconds:.0f} s")
    print("  ".join(cells), file=sys.stderr, flush=True)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--segments", type=int, nargs="+", default=[3, 5, 8])
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--only", nargs="+", default=list(MAKERS), choices=list(MAKERS))
    parser.add_argument("--by-table", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    found = tables(asked.folder, asked.rows)
    for k in asked.segments:
        rows = []
        for name in asked.only:
            if name == "KPrototypes" and find_spec("kmodes") is None:
                print("KPrototypes is not measured: kmodes is not installed", file=sys.stderr)
                continue
            start = time.perf_counter()
            by_table = {}
            for title, table in found.items():
                splits = [measure(table, MAKERS[name], k, split) for split in range(asked.splits)]
                by_table[title] = np.mean(splits, axis=0)
                if asked.by_table:
                    rows.append(line(f"  {title}", by_table[title], time.perf_counter() - start))
            rows.append(line(name, np.mean(list(by_table.values()), axis=0), time.perf_counter() - start))
        show(
            f"Variance of unused columns that {k} segments explain ({len(found)} tables, {asked.splits} splits)",
            rows,
            ("segmenter", "ranks", "raw values", "smallest segment", "agreement", "time"),
        )


if __name__ == "__main__":
    main()
