"""The made-up customers of a bookshop called Harbour Books."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from xseg.exceptions import ParameterError
from xseg.policy import Policy

_Numbers = npt.NDArray[np.float64]

_CATEGORIES = ("art and design", "children", "cookery", "crime", "history", "travel")
_CHANNELS = ("store", "web", "app")
_AGE_BANDS = ("18-29", "30-44", "45-59", "60-74", "75+")
_DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class _Kind:
    """How the customers of one segment behave."""

    name: str
    share: float
    orders_a_year: float
    tenure_days: float
    basket: float
    returner: float
    visits_an_order: float
    newsletter: float
    income: float
    categories: tuple[float, ...]
    channels: tuple[float, ...]
    ages: tuple[float, ...]


_KINDS = (
    _Kind("Now and then", 0.38, 2.6, 1100, 21, 0.12, 1.6, 0.25, 31_000,
          (0.08, 0.20, 0.18, 0.27, 0.12, 0.15), (0.40, 0.45, 0.15), (0.20, 0.30, 0.25, 0.17, 0.08)),
    _Kind("Occasional gifts", 0.20, 2.2, 800, 62, 0.30, 2.2, 0.20, 36_000,
          (0.22, 0.40, 0.22, 0.04, 0.04, 0.08), (0.30, 0.58, 0.12), (0.22, 0.42, 0.24, 0.09, 0.03)),
    _Kind("Loyal readers", 0.17, 17, 1900, 24, 0.10, 0.9, 0.75, 34_000,
          (0.05, 0.08, 0.09, 0.52, 0.20, 0.06), (0.45, 0.30, 0.25), (0.06, 0.18, 0.30, 0.32, 0.14)),
    _Kind("New arrivals", 0.14, 9, 55, 19, 0.22, 3.0, 0.45, 29_000,
          (0.12, 0.14, 0.14, 0.28, 0.06, 0.26), (0.08, 0.37, 0.55), (0.46, 0.31, 0.15, 0.06, 0.02)),
    _Kind("Collectors", 0.11, 6, 1500, 118, 0.06, 1.2, 0.55, 46_000,
          (0.46, 0.02, 0.06, 0.04, 0.38, 0.04), (0.55, 0.39, 0.06), (0.03, 0.13, 0.33, 0.36, 0.15)),
)  # fmt: skip


@overload
def make_customers(
    n: int = ..., *, missing: float = ..., random_state: Any = ..., return_segments: Literal[False] = ...
) -> pd.DataFrame: ...
@overload
def make_customers(
    n: int = ..., *, missing: float = ..., random_state: Any = ..., return_segments: Literal[True]
) -> "tuple[pd.DataFrame, pd.Series[Any]]": ...
def make_customers(
    n: int = 5000,
    *,
    missing: float = 0.03,
    random_state: int | np.random.Generator | None = None,
    return_segments: bool = False,
) -> "pd.DataFrame | tuple[pd.DataFrame, pd.Series[Any]]":
    """Draw the customers of a made-up bookshop, in five known segments.

    Everyone in the table ordered at least once in the last year. The columns agree with each other: who did not
    order in the last 90 days has a recency of 90 days or more, the year's spend is a whole number of average
    baskets, and nobody's last order is older than their first.

    Parameters
    ----------
    n : int, default=5000
        Number of customers, at least 1.
    missing : float, default=0.03
        Typical share of missing values, at least 0 and below 1, in the columns that can lack them: favourite
        category, age band and web visits about this share, area income about four times as much. People without
        the newsletter and customers who use the shops lack more.
    random_state : int, numpy.random.Generator or None, default=None
        Seed; the same int gives the same table.
    return_segments : bool, default=False
        Whether to return the segment of every customer as well.

    Returns
    -------
    customers : pandas.DataFrame of shape (n, 12)
        Indexed by ``customer_id``: orders_90d (count), spend_year (EUR), recency_days, basket_mean (EUR per
        order of the last year), returns_share (0 to 1), web_visits_month (count), favourite_category, channel,
        newsletter (bool), age_band (ordered categorical), tenure_months, area_income (EUR a year).
    segments : pandas.Series of shape (n,)
        Categorical names of the segments; only with ``return_segments=True``.

    Raises
    ------
    ParameterError
        If `n` or `missing` is out of its range.

    Examples
    --------
    >>> from xseg.datasets import make_customers
    >>> customers, segments = make_customers(200, random_state=0, return_segments=True)
    >>> customers.shape
    (200, 12)
    >>> sorted(segments.cat.categories)
    ['Collectors', 'Loyal readers', 'New arrivals', 'Now and then', 'Occasional gifts']
    """
    _check_parameters(n, missing)
    rng = np.random.default_rng(random_state)
    kind = rng.choice(len(_KINDS), size=n, p=[k.share for k in _KINDS])
    columns = _orders(rng, kind) | _preferences(rng, kind)
    columns["web_visits_month"] = _web_visits(rng, kind, columns)
    columns["area_income"] = np.round(_get_choice(kind, "income") * rng.lognormal(0, 0.22, n), -2)
    width = max(6, len(str(n)))
    index = pd.Index([f"C{i:0{width}d}" for i in range(1, n + 1)], name="customer_id")
    customers = pd.DataFrame({name: columns[name] for name in _COLUMNS}, index=index)
    _blank_out(rng, customers, missing)
    if not return_segments:
        return customers
    names = pd.Categorical.from_codes(kind, categories=pd.Index([k.name for k in _KINDS]))
    return customers, pd.Series(names, index=index, name="segment")


_COLUMNS = (
    "orders_90d",
    "spend_year",
    "recency_days",
    "basket_mean",
    "returns_share",
    "web_visits_month",
    "favourite_category",
    "channel",
    "newsletter",
    "age_band",
    "tenure_months",
    "area_income",
)


def customers_policy(*, segments: bool = False) -> Policy:
    """Return the policy that fits the table of `make_customers`.

    Parameters
    ----------
    segments : bool, default=False
        Whether to describe the five groups that the customers were drawn from as well, for models whose segments have
        those names.

    Returns
    -------
    Policy
        Labels, units, sources, purposes and rights for each of the twelve columns.

    Examples
    --------
    >>> from xseg.datasets import customers_policy
    >>> customers_policy().feature("area_income").origin
    'from partner GeoStat Ltd'
    """
    resource = files("xseg.datasets").joinpath("customers-policy.yaml")
    policy = Policy.parse(resource.read_text(encoding="utf-8"), source="customers-policy.yaml")
    if segments:
        return policy
    translations = {locale: words.model_copy(update={"segments": {}}) for locale, words in policy.translations.items()}
    return policy.model_copy(update={"segments": {}, "translations": translations})


def _check_parameters(n: int, missing: float) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        message = f"n is {n!r}; make_customers needs a whole number of at least 1"
        raise ParameterError(message)
    if not 0 <= missing < 1:
        message = f"missing is {missing!r}; give a share of at least 0 and below 1, such as 0.03"
        raise ParameterError(message)


def _get_choice(kind: npt.NDArray[np.int64], field: str) -> Any:
    """Return `field` of every customer's kind, of shape (n,) or (n, n_choices)."""
    return np.array([getattr(k, field) for k in _KINDS], dtype=float)[kind]


def _orders(rng: np.random.Generator, kind: npt.NDArray[np.int64]) -> dict[str, Any]:
    n = len(kind)
    rate = _get_choice(kind, "orders_a_year") * rng.gamma(6, 1 / 6, n) / 365
    tenure = np.floor(10 + _get_choice(kind, "tenure_days") * rng.gamma(2.5, 1 / 2.5, n))
    is_new = tenure < 90
    # A new customer's first order is itself within the 90 days.
    orders_90d = rng.poisson(rate * np.minimum(tenure, 90)) + is_new
    recency = np.where(orders_90d > 0, _recent(rng, orders_90d, tenure), _draw_lapsed_days(rng, rate, tenure))
    before = _orders_before(rng, rate, orders_90d, tenure, recency)
    spend = (orders_90d + before) * _get_choice(kind, "basket") * rng.lognormal(0, 0.35, n)
    spend = np.round(np.maximum(spend, 3.0 * (orders_90d + before)), 2)
    returner = rng.random(n) < _get_choice(kind, "returner") * np.minimum(1, 0.5 + 0.1 * (orders_90d + before))
    return {
        "orders_90d": orders_90d.astype(np.int64),
        "spend_year": spend,
        "recency_days": recency.astype(np.int64),
        "basket_mean": np.round(spend / (orders_90d + before), 2),
        "returns_share": np.where(returner, np.round(rng.beta(1.6, 7, n), 2), 0.0),
        "tenure_months": (tenure / _DAYS_PER_MONTH).astype(np.int64),
    }


def _recent(rng: np.random.Generator, orders_90d: npt.NDArray[np.int64], tenure: _Numbers) -> _Numbers:
    """Days since the latest of `orders_90d` orders that fell evenly on the last 90 days."""
    is_new = tenure < 90
    free_orders = np.maximum(orders_90d - is_new, 1)
    days = np.floor(np.minimum(tenure, 90) * (1 - rng.random(len(tenure)) ** (1 / free_orders)))
    return np.where(is_new & (orders_90d == 1), tenure, days)


def _draw_lapsed_days(rng: np.random.Generator, rate: _Numbers, tenure: _Numbers) -> _Numbers:
    """Days since the last order of those without one in 90 days: exponential, cut off at the first order or a year."""
    longest = np.clip(tenure, 91, 365) - 90
    within = -np.expm1(-rate * longest)
    days = np.floor(-np.log1p(-rng.random(len(tenure)) * within) / rate)
    return 90 + np.minimum(days, longest - 1)


def _orders_before(
    rng: np.random.Generator,
    rate: _Numbers,
    orders_90d: npt.NDArray[np.int64],
    tenure: _Numbers,
    recency: _Numbers,
) -> npt.NDArray[np.int64]:
    """Orders of the last year that are older than 90 days."""
    since = np.where(orders_90d > 0, 90, recency)
    drawn = rng.poisson(rate * np.maximum(np.minimum(tenure, 365) - since, 0))
    has_known_order = (orders_90d == 0) | ((tenure >= 90) & (tenure < 365))
    orders: npt.NDArray[np.int64] = drawn + has_known_order
    return orders


def _preferences(rng: np.random.Generator, kind: npt.NDArray[np.int64]) -> dict[str, Any]:
    ages = _draw(rng, _get_choice(kind, "ages"))
    channels = _get_choice(kind, "channels")
    # Younger people lean to the app, older ones to the shops.
    channels *= np.array([[0.7, 1.0, 1.6], [0.9, 1.1, 1.2], [1.0, 1.0, 1.0], [1.2, 0.9, 0.5], [1.5, 0.7, 0.2]])[ages]
    return {
        "favourite_category": np.array(_CATEGORIES, dtype=object)[_draw(rng, _get_choice(kind, "categories"))],
        "channel": np.array(_CHANNELS, dtype=object)[_draw(rng, channels / channels.sum(axis=1, keepdims=True))],
        "newsletter": rng.random(len(kind)) < _get_choice(kind, "newsletter"),
        "age_band": pd.Categorical.from_codes(ages, categories=pd.Index(_AGE_BANDS), ordered=True),
    }


def _draw(rng: np.random.Generator, probabilities: _Numbers) -> npt.NDArray[np.int64]:
    """Draw one choice for each row of `probabilities`."""
    reached = probabilities.cumsum(axis=1)[:, :-1] <= rng.random((len(probabilities), 1))
    choices: npt.NDArray[np.int64] = reached.sum(axis=1)
    return choices


def _web_visits(rng: np.random.Generator, kind: npt.NDArray[np.int64], columns: dict[str, Any]) -> _Numbers:
    in_store = columns["channel"] == "store"
    mean = _get_choice(kind, "visits_an_order") * (0.6 + columns["orders_90d"] / 3) * np.where(in_store, 0.5, 1.4)
    visits = rng.poisson(mean * rng.gamma(2, 0.5, len(kind)))
    # Who orders through the site or the app within the month has visited it.
    at_least: npt.NDArray[np.bool_] = ~in_store & (columns["recency_days"] < 30)
    month: _Numbers = np.maximum(visits, at_least).astype(np.float64)
    return month


def _blank_out(rng: np.random.Generator, customers: pd.DataFrame, missing: float) -> None:
    store = customers["channel"].eq("store").to_numpy()
    newsletter = customers["newsletter"].to_numpy()
    recent = customers["tenure_months"].to_numpy() < 6
    weights = {
        "web_visits_month": np.where(store, 1.5, 0.7),
        "favourite_category": np.where(newsletter, 0.5, 1.3),
        "age_band": np.where(newsletter, 0.5, 1.3),
        "area_income": np.where(recent, 6.0, 3.6),
    }
    for name, weight in weights.items():
        is_missing = rng.random(len(customers)) < missing * weight
        customers[name] = customers[name].mask(is_missing)
