"""What `inspect` reports is what `fit` does."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import xseg
from xseg.exceptions import ColumnWarning, DataError, IdentifierWarning


def people(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "spend": rng.gamma(2, 50, n_rows).round(2),
            "visits": rng.poisson(5, n_rows),
            "channel": rng.choice(["app", "web", "store"], n_rows),
        }
    )


IDENTIFIERS = {
    "customer": lambda n: [f"Person {i:03d}" for i in range(n)],
    "contact": lambda n: [f"someone{i}@mail.example" for i in range(n)],
    "Row ID": lambda n: np.arange(n) * 7 + 3,
    "id_cliente": lambda n: np.random.default_rng(1).permutation(9 * n)[:n] + 1_000,
    "CUST_ID": lambda n: [f"C{10_000 + i}" for i in range(n)],
    "customerNumber": lambda n: np.arange(n) * 11,
    "position": lambda n: np.random.default_rng(2).permutation(n),
    "CLIENTNUM": lambda n: 708_082_083 + np.random.default_rng(3).permutation(10**6)[:n],
    "reach": lambda n: 70_808_208 + np.random.default_rng(3).permutation(10**6)[:n],
    "stamp": lambda n: [f"ref-{i * 37 % 1009:04d}-{i:05d}" for i in range(n)],
}


@pytest.mark.parametrize("n_rows", [60, 250, 3_000])
@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifiers_are_found_in_small_and_large_tables(name, n_rows):
    table = people(n_rows).assign(**{name: IDENTIFIERS[name](n_rows)})
    inspection = xseg.inspect(table)
    assert inspection[name].kind == "identifier"
    assert inspection.excluded_columns == (name,)
    assert f"{n_rows:,} different" in inspection[name].evidence


@pytest.mark.parametrize("kind", [pl.DataFrame, lambda t: t.convert_dtypes(), lambda t: pl.DataFrame(t).to_arrow()])
def test_the_container_makes_no_difference(kind):
    table = people().assign(customer_id=range(300), flag=[0, 1, 0] * 100, since="2024-05-01")
    assert xseg.inspect(kind(table)).columns == xseg.inspect(table).columns


QUANTITIES = {
    "income": lambda rng, n: rng.normal(50_000, 15_000, n).round(),
    "spend_year": lambda rng, n: rng.gamma(2, 300, n).round(2),
    "account_balance": lambda rng, n: rng.normal(0, 5_000, n).round(2),
    "number_of_orders": lambda rng, n: rng.integers(0, 100_000, n),
    "house_price": lambda rng, n: rng.integers(100_000, 999_999, n),
    "days_since_paid": lambda rng, n: rng.integers(0, 400, n),
    "paid": lambda rng, n: rng.integers(0, 10**6, n),
}


@pytest.mark.parametrize("n_rows", [60, 250, 3_000])
@pytest.mark.parametrize("name", QUANTITIES)
def test_quantities_are_no_identifiers_however_distinct(name, n_rows):
    table = people(n_rows).assign(**{name: QUANTITIES[name](np.random.default_rng(4), n_rows)})
    assert xseg.inspect(table)[name].is_used


def test_columns_of_arrays_are_never_identifiers_and_the_last_column_stays():
    assert xseg.inspect(np.arange(100.0)[:, None]).excluded_columns == ()
    assert xseg.inspect(pd.DataFrame({"id": range(100)})).excluded_columns == ()
    only = pd.DataFrame({"id": range(100), "key": [f"k{i}" for i in range(100)]})
    assert xseg.inspect(only).excluded_columns == ("id",)


def test_fit_does_what_inspect_says_and_warns_once():
    table = people().assign(customer_id=range(300), email=IDENTIFIERS["contact"](300))
    with pytest.warns(IdentifierWarning) as caught:
        segmenter = xseg.TreeSegmenter(3, random_state=0).fit(table)
    assert len(caught) == 1
    assert "'customer_id' (300 different whole numbers in 300 rows) and 'email'" in str(caught[0].message)
    assert "Pass include=['customer_id', 'email'] to use them." in str(caught[0].message)
    assert "Use --include 'customer_id' --include 'email'" in caught[0].message.on_command_line
    assert caught[0].filename == __file__
    assert segmenter.excluded_columns_ == ("customer_id", "email") == xseg.inspect(table).excluded_columns
    assert list(segmenter.feature_names_in_) == list(table.columns)
    without = xseg.TreeSegmenter(3, random_state=0).fit(table[["spend", "visits", "channel"]])
    assert (segmenter.labels_ == without.labels_).all()


def test_what_is_included_is_used():
    table = people().assign(customer_id=range(300))
    segmenter = xseg.TreeSegmenter(3, random_state=0, include=["customer_id"]).fit(table)
    assert segmenter.excluded_columns_ == ()
    assert xseg.inspect(table, include=["customer_id"])["customer_id"].kind == "number"
    weighed = xseg.TreeSegmenter(3, random_state=0, feature_weights={"customer_id": 2.0}).fit(table)
    assert weighed.excluded_columns_ == ()
    with pytest.raises(DataError, match="did you mean 'customer_id'"):
        xseg.TreeSegmenter(3, include=["custmer_id"]).fit(table)


def test_forbidden_identifiers_are_left_out_in_silence():
    table = people().assign(email=IDENTIFIERS["contact"](300))
    assert xseg.TreeSegmenter(3, random_state=0, forbid=["email"]).fit(table).excluded_columns_ == ("email",)


DATES = {
    "iso": lambda n: pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
    "european": lambda n: pd.date_range("2024-01-01", periods=n).strftime("%d.%m.%Y"),
    "moment": lambda n: pd.date_range("2024-01-01", periods=n, freq="7h").strftime("%Y-%m-%dT%H:%M:%S"),
    "real": lambda n: pd.date_range("2024-01-01", periods=n),
    "zoned": lambda n: pd.date_range("2024-01-01", periods=n, tz="Europe/Paris"),
    "number": lambda n: pd.date_range("2024-01-01", periods=n).strftime("%Y%m%d").astype(int),
    "span": lambda n: pd.to_timedelta(np.arange(n), unit="D"),
}


@pytest.mark.parametrize("name", DATES)
def test_dates_are_not_used_and_the_warning_says_what_to_derive(name):
    table = people(150).assign(**{name: DATES[name](150)})
    assert (xseg.inspect(table)[name].kind, xseg.inspect(table).excluded_columns) == ("date", (name,))
    with pytest.warns(ColumnWarning, match=f"column {name!r} holds dates.*days since each date") as caught:
        segmenter = xseg.TreeSegmenter(3, random_state=0).fit(table)
    assert len(caught) == 1
    assert "pandas" not in caught[0].message.on_command_line
    assert (segmenter.predict(table) == segmenter.labels_).all()
    with pytest.raises(DataError, match="include must name columns that can be used"):
        xseg.TreeSegmenter(3, include=[name]).fit(table)


def test_a_table_of_dates_alone_is_refused():
    with pytest.raises(DataError, match="at least one column"):
        xseg.inspect(pd.DataFrame({"day": pd.date_range("2024-01-01", periods=5)}))


def test_flags_are_booleans_in_kind_distance_and_words():
    rng = np.random.default_rng(5)
    table = people(2_000).assign(complain=(rng.random(2_000) < 0.01).astype(int))
    assert xseg.inspect(table)["complain"].kind == "boolean"
    as_flags = xseg.TreeSegmenter(3, random_state=0).fit(table)
    as_booleans = xseg.TreeSegmenter(3, random_state=0).fit(table.astype({"complain": bool}))
    assert (as_flags.labels_ == as_booleans.labels_).all()
    assert not any("complain" in segment.rule for segment in as_flags.segments_)
    forced = xseg.TreeSegmenter(2, random_state=0, feature_weights={"complain": 1e4}).fit(table)
    assert {segment.rule for segment in forced.segments_} == {"complain is no", "complain is yes"}


def test_rules_may_still_compare_flags_with_numbers():
    table = people().assign(flag=[0, 1, 0] * 100)
    segmenter = xseg.RuleSegmenter({"Twice": "flag == 2", "On": "flag >= 1"}).fit(table)
    assert segmenter.predict(table.head(3).assign(flag=[0, 1, 2])).tolist() == [2, 1, 0]


def test_one_far_value_is_told():
    table = people()
    table.loc[17, "spend"] = 1e12
    with pytest.warns(ColumnWarning, match=r"1 value of 300 .*first: 1e\+12, row 17.*carries its whole variance"):
        xseg.TreeSegmenter(3, random_state=0).fit(table)
    for seed in range(5):
        heavy = people(seed=seed).assign(spend=np.random.default_rng(seed).lognormal(4, 2, 300))
        assert not xseg.inspect(heavy).problems


def test_texts_that_state_numbers_are_numbers_in_fit_and_predict():
    table = people()
    words = table.assign(spend=table["spend"].map("${:,.2f}".format))
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(words)
    plain = xseg.TreeSegmenter(3, random_state=0).fit(table)
    assert (segmenter.labels_ == plain.labels_).all()
    assert (segmenter.predict(words.head(20)) == plain.labels_[:20]).all()
    assert (segmenter.predict(table.head(20)) == plain.labels_[:20]).all()
    with pytest.raises(DataError, match="must hold numbers as in fit; it holds text"):
        segmenter.predict(words.head(1).assign(spend="12A"))


def test_few_whole_numbers_written_as_text_are_categories():
    table = people().assign(region=[str(i % 4) for i in range(300)])
    assert xseg.inspect(table)["region"].kind == "category"


def test_true_and_false_written_as_text_are_read_for_a_boolean_column():
    table = people().assign(newsletter=[True, False, True] * 100)
    segmenter = xseg.TreeSegmenter(3, random_state=0, feature_weights={"newsletter": 9}).fit(table)
    assert (segmenter.predict(table.assign(newsletter=table["newsletter"].astype(str))) == segmenter.labels_).all()
    with pytest.raises(DataError, match="must hold true or false as in fit"):
        segmenter.predict(table.assign(newsletter="perhaps"))


def test_names_that_differ_only_by_spaces_are_refused():
    with pytest.raises(xseg.XsegError, match="differ by more than spaces, got 'often', 'often '"):
        xseg.inspect(pd.DataFrame({"often": [1, 2], "often ": [3, 4]}))


def test_an_inspection_shows_itself():
    table = people().assign(customer_id=range(300), since="2024-05-01", price=["2.5"] * 297 + ["ERROR"] * 3)
    inspection = xseg.inspect(table)
    assert repr(inspection) == "<TableInspection: 300 rows, 6 columns, of which 4 can be used>"
    text = str(inspection)
    assert "customer_id: looks like an identifier (300 different whole numbers in 300 rows)" in text
    assert max(map(len, text.split("\n\n")[1].splitlines())) <= 80
    assert "<table>" in inspection._repr_html_()
    assert inspection.to_frame().loc["price", "note"].startswith("holds numbers but for 3 cells (first: 'ERROR'")
    assert [column.name for column in inspection.problems] == ["customer_id", "since", "price"]
    with pytest.raises(DataError, match="there is no column 'nothing'"):
        inspection["nothing"]


def test_names_from_outside_are_escaped():
    table = people().assign(**{"<script>x</script>": 1.0})
    assert "<script>" not in xseg.inspect(table)._repr_html_()


GENUINE = {
    "marketing_campaign.csv": {"ID", "Dt_Customer"},
    "bank_full.csv.gz": set(),
    "telco_churn.csv": {"customerID"},
    "wholesale_customers.csv": set(),
    "cc_general.csv": {"CUST_ID"},
    "so2025_ai.csv.gz": None,
    "mice_protein.csv.gz": {"MouseID"},
    "avila.parquet": set(),
    "online_retail.parquet": None,
}


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", GENUINE)
def test_no_genuine_quantity_of_a_real_table_is_excluded(name, shared_data):
    table = xseg.load_table(shared_data / name)
    excluded = set(xseg.inspect(table).excluded_columns)
    if GENUINE[name] is not None:
        assert excluded == GENUINE[name]
    numbers = table.select_dtypes("number").columns
    keys = {"ID", "CUST_ID", "CustomerID", "ResponseId"}
    assert not (excluded & set(numbers)) - keys
