"""A correction is a value that can be kept, inside the range that was declared or confirmed by a human."""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import xseg
from xseg import Policy
from xseg.exceptions import ConsentError, DataError, DefinitionError, ParameterError, XsegError
from xseg.governance.consent import Ledger
from xseg.governance.rights import ActionLog, SegmentBasis, UnchangedReason, make_entry_link, make_profile_app
from xseg.governance.rights._action_log import INTENT

SECRET = "correct horse battery staple " * 2


@pytest.fixture(scope="module")
def shop():
    customers = xseg.make_customers(600, random_state=0)
    return customers, xseg.TreeSegmenter(4, max_leaves=6, random_state=0).fit(customers)


def opened(shop, log=None, policy=None, ledger=None):
    customers, segmenter = shop
    if ledger is None:
        ledger = Ledger()
        ledger.append("ann", "offers", "given", source="account")
    policy = xseg.datasets.customers_policy() if policy is None else policy
    return xseg.governance.rights.Profile(
        segmenter, customers.head(1), policy=policy, ledger=ledger, subject="ann", purpose="offers", log=log
    )


def with_range(feature, **bounds):
    policy = xseg.datasets.customers_policy()
    stated = policy.feature(feature).model_copy(update=bounds)
    return Policy.coerce(
        policy.model_dump() | {"features": {**policy.model_dump()["features"], feature: stated.model_dump()}}
    )


def page(profile):
    app = make_profile_app({"ann": profile}.get, secret=SECRET, https=False)
    client = TestClient(app)
    client.get(make_entry_link("ann", SECRET))
    return client


# ------------------------------------------------------------------------------------------ what cannot be kept

UNFIT = [
    float("inf"),
    -float("inf"),
    np.float64("inf"),
    np.float32("-inf"),
    10.0**308 * 10,
    complex(1, 2),
    Decimal("Infinity"),
    Decimal(1),
    [1],
    {"a": 1},
    (1, 2),
    b"x",
    datetime(2026, 1, 1, tzinfo=UTC),
    pd.Timestamp("2026-01-01"),
    object(),
    np.array([1, 2]),
]


@pytest.mark.slow
@pytest.mark.parametrize("value", UNFIT, ids=[f"{place}-{type(one).__name__}" for place, one in enumerate(UNFIT)])
@pytest.mark.parametrize("switched_off", [False, True])
def test_what_json_cannot_hold_is_no_correction(shop, tmp_path, value, switched_off):
    profile = opened(shop, ActionLog(tmp_path / "log.jsonl"))
    if switched_off:
        profile.withhold("orders_90d")
    before = (tmp_path / "log.jsonl").read_bytes() if switched_off else None
    for feature in ("orders_90d", "favourite_category"):
        with pytest.raises(DataError, match=feature):
            profile.correct(feature, value)
    assert not switched_off or (tmp_path / "log.jsonl").read_bytes() == before
    json.dumps(profile.export(), allow_nan=False)


def test_what_the_model_cannot_read_is_refused_also_while_it_is_switched_off(shop):
    profile = opened(shop)
    profile.withhold("orders_90d")
    with pytest.raises(XsegError):
        profile.correct("orders_90d", "many")
    profile.allow("orders_90d")
    assert profile.basis is SegmentBasis.MODEL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal(1), {1, 2}, b"x"], ids=repr)
@pytest.mark.parametrize("part", ["facts", "private"])
def test_a_log_takes_only_what_json_can_hold(value, part):
    log = ActionLog()
    with pytest.raises(ConsentError, match="JSON"):
        log.append(
            {"action": "x", **({"v": value} if part == "facts" else {})}, {"v": value} if part == "private" else {}
        )
    assert len(log) == 0


def test_a_log_whose_denials_have_another_name_is_not_read_as_one_without():
    log = ActionLog()
    denial = ["offers", "denied", None, "2026-11-24T12:00:00+00:00"]
    begun = {"action": "withdraw", "details": {"said": [denial]}}
    log.append({"action": INTENT, "subject": "ann", "details": {"action": begun}}, {})
    with pytest.raises(ConsentError, match="earlier version"):
        log.is_excluded(["ann"], "offers")


def sealed(line):
    """The line with the hashes of what it holds now."""

    def digest(told):
        return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    line = dict(line)
    if "private" in line:
        line["private_sha256"] = digest(line["private"])
    line["hash"] = digest({name: told for name, told in line.items() if name not in {"hash", "private"}})
    return line


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_a_page_recovers_from_a_log_that_holds_an_infinity(shop, tmp_path, value):
    path = tmp_path / "log.jsonl"
    first = opened(shop, ActionLog(path))
    first.correct("orders_90d", 2)
    lines, previous = [], "0" * 64
    for text in path.read_text().splitlines():
        line = json.loads(text) | {"previous": previous}
        if "value" in line.get("private", {}):
            line["private"]["value"] = value
        line = sealed(line)
        previous = line["hash"]
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")
    profile = opened(shop, ActionLog(path), ledger=first.ledger)
    client = page(profile)
    for place in ("/", "/data.json", "/port.json"):
        assert client.get(place).status_code == 200
    assert profile.segment is not None
    token = client.get("/").text.partition('name="token" value="')[2].partition('"')[0]
    form = {"token": token, "action": "correct", "feature": "orders_90d", "value": "3"}
    assert client.post("/act", data=form).status_code == 200
    assert profile.data()["orders_90d"].iloc[0] == 3
    assert client.get("/data.json").json()["corrections"] == {"orders_90d": 3.0}
    profile.erase()
    assert client.get("/data.json").status_code == 200


def test_whatever_is_held_can_be_exported(shop):
    customers, segmenter = shop
    row = customers.head(1).astype(object)
    row["since"], row["rate"], row["big"] = [pd.Timestamp("2026-01-01")], [Decimal("1.5")], [float("inf")]
    row["list"] = [[1, float("nan")]]
    ledger = Ledger()
    ledger.append("ann", "offers", "given", source="account")
    profile = xseg.governance.rights.Profile(
        segmenter, row, policy=xseg.datasets.customers_policy(), ledger=ledger, subject="ann", purpose="offers"
    )
    client = page(profile)
    for place in ("/data.json", "/port.json"):
        assert client.get(place).status_code == 200
    assert profile.export()["data"]["big"] == "inf"


# ------------------------------------------------------------------------------------------------------- ranges


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [{"minimum": 0, "maximum": 50}, {"minimum": 0}, {"maximum": 50}])
@settings(max_examples=20, deadline=None)
@given(value=st.integers(-100, 150) | st.floats(-100, 150, allow_nan=False))
def test_a_declared_range_is_kept(shop, bounds, value):
    profile = opened(shop, policy=with_range("orders_90d", **bounds))
    inside = bounds.get("minimum", value) <= value <= bounds.get("maximum", value)
    if inside:
        answer = profile.correct("orders_90d", value)
        assert profile.data()["orders_90d"].iloc[0] == value
        assert "pending" not in answer.receipt["details"]
    else:
        with pytest.raises(DataError, match="orders_90d"):
            profile.correct("orders_90d", value)
        assert len(profile.log) == 0


def test_bounds_are_finite_numbers_in_order():
    policy = xseg.datasets.customers_policy().to_yaml()
    for bounds, words in [
        ("minimum: 5\n    maximum: 4", "at least minimum"),
        ("minimum: .inf", "minimum"),
        ("maximum: .nan", "maximum"),
        ("minimum: yes", "minimum"),
        ("minimum: 'ten'", "minimum"),
    ]:
        with pytest.raises(DefinitionError, match=words):
            Policy.parse(policy.replace("  orders_90d:\n", f"  orders_90d:\n    {bounds}\n", 1))
    good = Policy.parse(policy.replace("  orders_90d:\n", "  orders_90d:\n    minimum: 0\n    maximum: 99.5\n", 1))
    assert (good.feature("orders_90d").minimum, good.feature("orders_90d").maximum) == (0, 99.5)
    assert Policy.parse(good.to_yaml()) == good


@pytest.mark.parametrize(("feature", "value"), [("spend_year", 1e9), ("orders_90d", -5), ("orders_90d", 1e300)])
def test_what_nobody_has_waits_for_a_human(shop, feature, value):
    profile = opened(shop)
    own, held = profile.segment, profile.data()[feature].iloc[0]
    answer = profile.correct(feature, value)
    assert answer.effect.unchanged_reason is UnchangedReason.PENDING
    assert (profile.segment, profile.data()[feature].iloc[0]) == (own, held)
    (case,) = profile.cases()
    assert (case.kind, case.text) == ("correct", f"{feature}: {value}")
    assert case.due > date.today()
    assert profile.export()["pending"] == [{"case": case.number, "feature": feature, "value": value}]
    with pytest.raises(ParameterError, match="upheld=True or False"):
        profile.decide(case.number, by="Kim Doe", decision="It is so.")
    profile.decide(case.number, by="Kim Doe", decision="We looked it up.", upheld=True)
    assert profile.data()[feature].iloc[0] == value
    assert profile.cases() == []


def test_what_a_human_does_not_confirm_is_not_used_and_a_later_word_ends_the_waiting(shop):
    profile = opened(shop)
    held = profile.data()["orders_90d"].iloc[0]
    profile.correct("orders_90d", -5)
    profile.decide(profile.cases()[0].number, by="Kim Doe", decision="Orders are counted.", upheld=False)
    assert profile.data()["orders_90d"].iloc[0] == held
    profile.correct("orders_90d", -6)
    case = profile.cases()[0]
    profile.correct("orders_90d", 4)
    profile.decide(case.number, by="Kim Doe", decision="Late.", upheld=True)
    assert profile.data()["orders_90d"].iloc[0] == 4


@pytest.mark.slow
def test_values_that_people_have_count_at_once(shop):
    customers, _ = shop
    for feature in ("orders_90d", "spend_year", "favourite_category"):
        values = customers[feature].dropna()
        usual = 0
        for value in values.sample(30, random_state=1):
            answer = opened(shop).correct(feature, value)
            usual += "pending" not in answer.receipt["details"]
        assert usual >= 28


# ---------------------------------------------------------------------------------------------------- provenance


@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_corrected_value_is_the_persons_own_word(shop, locale):
    feature = "spend_year"
    policy = xseg.datasets.customers_policy()
    stated = policy.feature(feature).model_copy(
        update={"source": "third-party", "vendor": "GeoStat Ltd", "collected_from": None}
    )
    policy = policy.model_copy(update={"features": {**policy.features, feature: stated}})
    profile = opened(shop, policy=policy)
    assert "GeoStat" in profile.card(locale).text()
    answer = profile.correct(feature, 120.5)
    for card in (answer.card, profile.card(locale)):
        assert "GeoStat" not in card.text()
        assert {one.origin.source for one in card.reasons if one.feature == feature} <= {"zero-party"}
    known = {"policy": profile.card_policy, "ledger": profile.ledger}
    assert xseg.verify_card(profile.segmenter, profile.data(), card=profile.card(), **known).holds
    assert profile.port()["data"][feature] == 120.5
