"""Customers summed from their transactions, against a slow and obvious twin."""

import datetime as dt
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg.datasets import rfm_table
from xseg.exceptions import (
    DataError,
    ParameterError,
    UnsupportedTypeError,
    XsegWarning,
)

NAMES = {"customer": "who", "date": "day", "amount": "paid", "order": "order"}


def naive_rfm(transactions, today, order):
    rows = {}
    for who, lines in transactions.groupby("who"):
        day = lines["day"].dt.normalize()
        bought = lines["paid"] > 0
        days = sorted(set(day[bought]))
        gross, returned = lines["paid"][bought].sum(), -lines["paid"][~bought].sum()
        frequency = len(set((lines["order"] if order else day)[bought]))
        gaps = [(later - earlier).days for earlier, later in pairwise(days)]
        rows[who] = {
            "recency_days": (today - days[-1]).days if days else np.nan,
            "frequency": frequency,
            "monetary": gross - returned,
            "mean_basket": gross / frequency if frequency else np.nan,
            "tenure_days": (today - day.min()).days,
            "interpurchase_days": np.mean(gaps) if gaps else np.nan,
            "returns_share": min(1, returned / gross) if gross else float(returned > 0),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("who")


lines = st.tuples(
    st.sampled_from(["ann", "bob", "cid"]),
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 3, 1)),
    st.integers(-5000, 5000).map(lambda cents: cents / 100),
    st.integers(1, 4),
)
tables = st.lists(lines, min_size=1, max_size=25).map(
    lambda rows: pd.DataFrame(rows, columns=["who", "day", "paid", "order"])
)


@pytest.fixture
def shop():
    return pd.DataFrame(
        {
            "who": [7, 7, 7, 8],
            "day": pd.to_datetime(["2026-01-01 10:00", "2026-01-11 23:59", "2026-01-12 00:00", "2026-01-20 00:00"]),
            "paid": [10.0, 30.0, -20.0, 5.0],
            "order": ["a", "b", "c", "d"],
        }
    )


@pytest.mark.slow
@settings(deadline=None)
@given(tables, st.booleans())
def test_agrees_with_the_naive_twin(transactions, order):
    table = rfm_table(transactions, **(NAMES if order else NAMES | {"order": None}))
    today = transactions["day"].max().normalize() + pd.Timedelta(days=1)
    pd.testing.assert_frame_equal(table, naive_rfm(transactions, today, order), check_dtype=False)


@pytest.mark.slow
@settings(deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(transactions, random):
    order = list(range(len(transactions)))
    random.shuffle(order)
    shuffled = transactions.iloc[order]
    pd.testing.assert_frame_equal(rfm_table(transactions, **NAMES), rfm_table(shuffled, **NAMES), check_exact=True)


@settings(deadline=None)
@given(tables)
def test_identities(transactions):
    table = rfm_table(transactions, **NAMES)
    assert table["monetary"].sum() == pytest.approx(transactions["paid"].sum(), abs=1e-8)
    bought = (table["mean_basket"] * table["frequency"]).fillna(0)
    assert bought.sum() == pytest.approx(transactions["paid"].clip(lower=0).sum(), abs=1e-8)
    assert table["returns_share"].between(0, 1).all()
    assert (table["recency_days"].fillna(0) <= table["tenure_days"]).all()
    assert (table["recency_days"].isna() == (table["frequency"] == 0)).all()


@settings(deadline=None)
@given(tables, st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2026, 3, 2)))
def test_the_future_is_unknown(transactions, as_of):
    past = transactions[transactions["day"] <= as_of]
    if past.empty:
        with pytest.raises(DataError, match="after at="):
            rfm_table(transactions, **NAMES, at=as_of)
    else:
        pd.testing.assert_frame_equal(rfm_table(transactions, **NAMES, at=as_of), rfm_table(past, **NAMES, at=as_of))


@pytest.mark.slow
@settings(deadline=None)
@given(tables)
def test_who_you_are_beside_does_not_matter(transactions):
    as_of = dt.date(2026, 3, 2)
    table = rfm_table(transactions, **NAMES, at=as_of)
    for who, alone in transactions.groupby("who"):
        pd.testing.assert_frame_equal(rfm_table(alone, **NAMES, at=as_of), table.loc[[who]])


def test_a_worked_example(shop):
    table = rfm_table(shop, **NAMES)
    assert table.loc[7].tolist() == [10, 2, 20, 20, 20, 10, 0.5]
    np.testing.assert_array_equal(table.loc[8], [1, 1, 5, 5, 1, np.nan, 0])
    assert table.index.name == "who"


@pytest.mark.parametrize(
    "convert",
    [
        pl.from_pandas,
        pa.Table.from_pandas,
        lambda shop: shop.convert_dtypes(dtype_backend="pyarrow"),
        lambda shop: shop.assign(day=shop["day"].astype(str)),
        lambda shop: shop.assign(day=shop["day"].dt.tz_localize("Europe/Dublin")),
        lambda shop: shop.set_index(pd.Index([3, 3, 3, 3])),
    ],
)
def test_every_kind_of_table_gives_the_same(shop, convert):
    pd.testing.assert_frame_equal(rfm_table(convert(shop), **NAMES), rfm_table(shop, **NAMES))


def test_dates_without_a_time(shop):
    days = shop.assign(day=shop["day"].dt.date)
    for table in (days, pl.from_pandas(shop).with_columns(pl.col("day").dt.date())):
        pd.testing.assert_frame_equal(rfm_table(table, **NAMES), rfm_table(shop, **NAMES))


@pytest.mark.parametrize("kind", [lambda t: t, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize("dtype", ["float64", "Int64"])
def test_rows_without_customer_are_dropped_aloud(shop, kind, dtype):
    both = pd.concat([shop, shop.iloc[[0, 0]]], ignore_index=True).astype({"who": dtype})
    both.loc[4:, "who"] = pd.NA if dtype == "Int64" else np.nan
    with pytest.warns(XsegWarning, match="dropped 2 of 6 transactions") as caught:
        table = rfm_table(kind(both), **NAMES)
    assert caught[0].filename == __file__
    pd.testing.assert_frame_equal(table, rfm_table(shop, **NAMES))


@pytest.mark.parametrize("kind", [lambda t: t, pl.from_pandas])
def test_amounts_by_column_function_and_values(shop, kind):
    table = kind(shop.assign(quantity=[1, 3, -2, 1], price=[10.0, 10.0, 10.0, 5.0]))
    expected = rfm_table(shop, **NAMES)
    for amount in (
        "paid",
        lambda t: t["quantity"] * t["price"],
        table["paid"],
        shop["paid"].to_numpy(),
        [10, 30, -20, 5],
    ):
        pd.testing.assert_frame_equal(rfm_table(table, **NAMES | {"amount": amount}), expected)


@pytest.mark.parametrize(
    ("change", "error", "found"),
    [
        ({"customer": "whoo"}, DataError, "customer='whoo'.*did you mean 'who'"),
        ({"amount": "zzz"}, DataError, "amount='zzz'.*columns: who, day, paid, order"),
        ({"date": "order"}, DataError, "'order'.*first 'a'.*ISO 8601"),
        ({"date": "paid"}, DataError, "must hold dates; it holds Float64, first 10.0"),
        ({"amount": "order"}, DataError, "not numbers"),
        ({"amount": ["x"] * 4}, DataError, "not numbers"),
        ({"amount": [1.0]}, ParameterError, "one value for each row"),
        ({"amount": [1, np.inf, 2, 3]}, DataError, "row 1 is infinite"),
        ({"amount": [1, 1, np.nan, 3]}, DataError, "row 2 is missing"),
        ({"at": "2025-12-31"}, DataError, "no transaction is left"),
        ({"at": "31/12/2026"}, ParameterError, "not a date"),
        ({"at": 2026}, ParameterError, "at is 2026"),
        ({"at": pd.NaT}, ParameterError, "at is"),
    ],
)
def test_errors_say_what_to_do(shop, change, error, found):
    with pytest.raises(error, match=found):
        rfm_table(shop, **NAMES | change)


def test_rows_that_cannot_be_used(shop):
    with pytest.raises(DataError, match="no date in row 2"):
        rfm_table(shop.assign(day=shop["day"].mask([False, False, True, False])), **NAMES)
    with pytest.raises(DataError, match="no date in row 0"):
        rfm_table(shop.assign(day=["", "2026-01-01", "2026-01-01", "2026-01-01"]), **NAMES)
    with pytest.raises(DataError, match="'order' is empty in row 1"):
        rfm_table(shop.assign(order=["a", None, "b", "c"]), **NAMES)
    with pytest.raises(DataError, match="03/04/2026"):
        rfm_table(shop.assign(day="03/04/2026"), **NAMES)
    with pytest.warns(XsegWarning), pytest.raises(DataError, match="no row has a customer"):
        rfm_table(shop.assign(who=np.nan), **NAMES)
    with pytest.raises(DataError, match="no row has a customer"):
        rfm_table(shop.iloc[:0], **NAMES)


def test_tables_that_cannot_be_used(shop):
    with pytest.raises(UnsupportedTypeError, match="list"):
        rfm_table([1, 2], **NAMES)
    with pytest.raises(UnsupportedTypeError, match="collect"):
        rfm_table(pl.from_pandas(shop).lazy(), **NAMES)
    with pytest.raises(DataError, match="alike"):
        rfm_table(shop.set_axis(["who", "day", "paid", "paid"], axis=1), **NAMES)


@pytest.mark.realdata
def test_a_year_of_a_real_shop(shared_data):
    retail = pd.read_parquet(shared_data / "online_retail.parquet")
    names = {"customer": "CustomerID", "date": "InvoiceDate", "order": "InvoiceNo"}
    value = retail["Quantity"] * retail["UnitPrice"]
    with pytest.warns(XsegWarning, match="dropped 135,080 of 541,909"):
        table = rfm_table(retail, **names, amount=lambda t: t["Quantity"] * t["UnitPrice"])
    known = retail["CustomerID"].notna()
    assert len(table) == retail["CustomerID"].nunique()
    assert table["monetary"].sum() == pytest.approx(value[known].sum(), rel=1e-12)

    shuffled = retail[known].sample(frac=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = rfm_table(pl.from_pandas(shuffled), **names, amount=value[known].loc[shuffled.index])
    pd.testing.assert_frame_equal(table, again, check_exact=True)

    twin_input = (
        retail[known]
        .assign(paid=value)
        .rename(columns={"CustomerID": "who", "InvoiceDate": "day", "InvoiceNo": "order"})
    )
    some = twin_input["who"] % 20 == 0
    twin = naive_rfm(twin_input[some], pd.Timestamp("2011-12-10"), order=True)
    pd.testing.assert_frame_equal(
        table.loc[twin.index], twin, check_dtype=False, check_index_type=False, check_names=False
    )
