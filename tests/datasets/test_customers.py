"""The made-up customers could exist, and their policy fits them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg.datasets import customers_policy, make_customers
from xseg.exceptions import ParameterError

HAS_GAPS = {"web_visits_month", "favourite_category", "age_band", "area_income"}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 3000))
def test_no_impossible_customer(seed, n):
    customers = make_customers(n, missing=0, random_state=seed)
    assert not customers.isna().any(axis=None)
    assert customers.index.is_unique
    assert customers["recency_days"].between(0, 364).all()
    assert ((customers["orders_90d"] == 0) == (customers["recency_days"] >= 90)).all()
    assert (customers["recency_days"] < (customers["tenure_months"] + 1) * 365.25 / 12).all()
    assert customers["returns_share"].between(0, 1).all()
    visited_lately = customers["channel"].ne("store") & customers["recency_days"].lt(30)
    assert (customers.loc[visited_lately, "web_visits_month"] >= 1).all()


def test_spend_is_a_whole_number_of_baskets():
    customers = make_customers(20_000, random_state=3)
    orders = (customers["spend_year"] / customers["basket_mean"]).round()
    assert (orders >= customers["orders_90d"].clip(lower=1)).all()
    gap = (customers["spend_year"] - orders * customers["basket_mean"]).abs()
    assert (gap <= 0.005 * orders + 1e-6).all()
    assert (customers["spend_year"].round(2) == customers["spend_year"]).all()


def test_the_seed_decides():
    first, again = (make_customers(500, random_state=7) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    from_generator = make_customers(500, random_state=np.random.default_rng(7))
    pd.testing.assert_frame_equal(first, from_generator)
    assert not first.equals(make_customers(500, random_state=8))


def test_asking_for_the_segments_changes_no_customer():
    customers, segments = make_customers(500, random_state=1, return_segments=True)
    pd.testing.assert_frame_equal(customers, make_customers(500, random_state=1))
    assert segments.index.equals(customers.index)
    assert segments.nunique() == 5


def test_types():
    customers = make_customers(100, random_state=0)
    assert customers.index.name == "customer_id"
    assert customers["newsletter"].dtype == bool
    assert customers["age_band"].cat.ordered
    for name in ["orders_90d", "recency_days", "tenure_months"]:
        assert customers[name].dtype == np.int64


def test_missing_values_are_where_and_as_many_as_promised():
    customers = make_customers(100_000, missing=0.05, random_state=0)
    shares = customers.isna().mean()
    assert set(shares.index[shares > 0]) == HAS_GAPS
    assert shares[["web_visits_month", "favourite_category", "age_band"]].between(0.04, 0.06).all()
    assert 0.15 < shares["area_income"] < 0.25
    by_newsletter = customers["age_band"].isna().groupby(customers["newsletter"]).mean()
    assert by_newsletter[False] > by_newsletter[True]


def test_segments_drive_behaviour():
    customers, segments = make_customers(20_000, random_state=0, return_segments=True)
    means = customers.groupby(segments, observed=True)[["orders_90d", "basket_mean", "tenure_months"]].mean()
    assert means["orders_90d"].idxmax() == "Loyal readers"
    assert means["basket_mean"].idxmax() == "Collectors"
    assert means["tenure_months"].idxmin() == "New arrivals"
    skewness = customers["spend_year"].skew()
    assert isinstance(skewness, float)
    assert skewness > 1


@pytest.mark.parametrize("parameters", [{"n": 0}, {"n": 2.5}, {"n": True}, {"missing": 1}, {"missing": -0.1}])
def test_parameters_out_of_range(parameters):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        make_customers(**parameters)


def test_the_policy_names_every_column_and_segment():
    customers, segments = make_customers(50, random_state=0, return_segments=True)
    policy = customers_policy(segments=True)
    policy.check_columns(customers.columns)
    assert set(policy.features) == set(customers.columns)
    assert set(policy.segments) == set(segments.cat.categories)
    assert all(feature.label and feature.source and feature.purposes for feature in policy.features.values())
    assert policy.features["age_band"].mutable is False
    assert policy.features["area_income"].vendor == "GeoStat Ltd"
