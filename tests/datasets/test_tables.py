"""A file is read as it is, or refused with the line."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xseg import _optional
from xseg.datasets import load_table
from xseg.exceptions import DataError, OptionalDependencyError, UnsupportedTypeError

pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture
def read(tmp_path):
    def read(text, name="table.csv"):
        file = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode()
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return load_table(file)

    return read


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2"], np.array([1, 2])),
        (["1", "  ", "3"], np.array([1, np.nan, 3])),
        ([" 1.5", "-.5", "1e3"], np.array([1.5, -0.5, 1000])),
        (["1", "NA", "null"], np.array([1, np.nan, np.nan])),
        (["9007199254740993"], ["9007199254740993"]),
        (["01067", "10115"], ["01067", "10115"]),
        (["310,50"], np.array([310.5])),
        (["yes", "no"], ["yes", "no"]),
        (["NA", "None"], ["NA", "None"]),
        (["2026-01-01"], ["2026-01-01"]),
        (["inf", "1_000"], ["inf", "1_000"]),
        (["true", "False"], np.array([True, False])),
    ],
)
def test_cells_become_what_they_are(read, cells, expected):
    quoted = "".join(f'a,"{cell}"\n' for cell in cells)
    column = read("key,value\n" + quoted)["value"]
    if isinstance(expected, list):
        assert column.tolist() == expected
    else:
        assert column.dtype == expected.dtype
        np.testing.assert_array_equal(column, expected)


def test_truths_with_a_gap_stay_truths(read):
    column = read("key,value\na,true\nb,\n")["value"]
    assert column.dtype == "boolean"
    assert column.tolist() == [True, pd.NA]


def test_blank_text_is_missing(read):
    table = read("key,value,nothing\na,x, \nb,   ,\nc,,\n")
    assert table["value"].isna().tolist() == [False, True, True]
    assert table["nothing"].isna().all()
    assert table["nothing"].dtype == np.float64


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14), min_size=1))
def test_numbers_survive_to_the_last_bit(tmp_path_factory, numbers):
    file = tmp_path_factory.mktemp("tables") / "table.csv"
    file.write_text("key,value\n" + "".join(f"a,{number!r}\n" for number in numbers))
    assert load_table(file)["value"].tolist() == numbers


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "t.CSV"])
def test_each_ending(read, name):
    text = '\ufeffa,b\n1,"x, y"\n\n2,"two\nlines"\n\n'
    if ".tsv" in name:
        text = text.replace(",", "\t")
    table = read(text, name)
    assert list(table.columns) == ["a", "b"]
    assert table["a"].tolist() == [1, 2]
    assert table["b"].tolist()[1] == "two\nlines"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "alike.*'a', 'a'"),
        (",b\n1,2\n", "column 1 of 2 has no name"),
        ("a,b\n1,2\n1,2,3\n", "line 3: found 3 cells where the header has 2"),
        ("a,b\n1\n", "line 2: found 1 cells"),
        ('a,b\n1,"2\n', "EOF inside string|cannot be read"),
        (b"a,b\n1,caf\xe9\n", r"byte 9 \(line 2\) is 0xe9"),
    ],
)
def test_files_that_are_refused(read, text, found):
    with pytest.raises(DataError, match=found):
        read(text)


def test_unknown_absent_and_damaged_files(tmp_path, read):
    with pytest.raises(UnsupportedTypeError, match=r"'\.xlsx'.*\.parquet"):
        load_table(tmp_path / "table.xlsx")
    with pytest.raises(DataError, match="cannot read the table"):
        load_table(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="Parquet"):
        read("not parquet", "table.parquet")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 100)[:-9])
    with pytest.raises(DataError, match="gzip"):
        load_table(tmp_path / "cut.csv.gz")


def test_parquet_keeps_types_and_reads_blanks_alike(tmp_path):
    stored = pd.DataFrame(
        {
            "total": ["1.5", " ", None],
            "day": pd.to_datetime(["2026-01-01"] * 3),
            "band": pd.Categorical(["b", "a", "b"], categories=["b", "a"], ordered=True),
            "yes": ["yes", "", "no"],
        }
    )
    stored.to_parquet(tmp_path / "table.parquet")
    table = load_table(tmp_path / "table.parquet")
    np.testing.assert_array_equal(table["total"], [1.5, np.nan, np.nan])
    assert table["day"].dtype == stored["day"].dtype
    assert table["band"].dtype == stored["band"].dtype
    assert table["yes"].isna().tolist() == [False, True, False]


def test_parquet_names_are_text_and_differ(tmp_path):
    pd.DataFrame([[1, 2]]).to_parquet(tmp_path / "numbered.parquet")
    assert list(load_table(tmp_path / "numbered.parquet").columns) == ["0", "1"]
    twice = pyarrow.table([[1], [2]], names=["a", "a"])
    pyarrow.parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="alike"):
        load_table(tmp_path / "twice.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "table.parquet")

    def absent(_):
        raise ImportError

    monkeypatch.setattr(_optional, "import_module", absent)
    with pytest.raises(OptionalDependencyError, match=r"xseg\[parquet\]"):
        load_table(tmp_path / "table.parquet")


@pytest.mark.slow
@pytest.mark.realdata
def test_real_tables(shared_data):
    telco = load_table(shared_data / "telco_churn.csv")
    assert telco.shape == (7043, 21)
    assert telco["TotalCharges"].dtype == np.float64
    assert telco["TotalCharges"].isna().sum() == (telco["tenure"] == 0).sum() == 11
    assert set(telco["Churn"]) == {"Yes", "No"}
    assert load_table(shared_data / "bank_full.csv.gz").shape == (45211, 17)
    assert load_table(shared_data / "cc_general.csv")["MINIMUM_PAYMENTS"].isna().sum() == 313
    marketing = load_table(shared_data / "marketing_campaign.csv")
    assert marketing["Income"].isna().sum() == 24
    assert load_table(shared_data / "avila.parquet").shape == (20867, 11)
