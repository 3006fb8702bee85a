"""A text file is read to the same columns whole and in batches, or refused with the same words."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xseg
from xseg.backends.delimited import DelimitedFile
from xseg.exceptions import ColumnWarning, DataError, ParameterError


@pytest.fixture
def put(tmp_path):
    def put(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return put


def in_batches(path, batch_rows=2, **options):
    """The columns that `BatchBackend` sees, as a table."""
    parts = list(DelimitedFile(path, **options).frames(batch_rows))
    return pd.concat(parts, ignore_index=True)


def assert_alike(path, **options):
    whole = xseg.load_table(path, **options)
    for batch_rows in (1, 2, 1_000):
        pd.testing.assert_frame_equal(in_batches(path, batch_rows, **options), whole)
    return whole


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["table.csv", "table.txt", "table.csv.gz"])
def test_the_separator_is_seen_from_the_rows(put, separator, name):
    text = "name,age,city\nann,31,Ulm\nbob,45,Bonn\n".replace(",", separator)
    table = assert_alike(put(text, name))
    assert list(table.columns) == ["name", "age", "city"]
    assert table["age"].tolist() == [31, 45]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_quotes_around_cells_do_not_hide_the_separator(put, separator):
    rows = [["name", "revenue"], ["Ann, or; not", "12.5"], ['Bob "Bobby"', "3.5"]]
    text = "\n".join(separator.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows) + "\n"
    table = assert_alike(put(text))
    assert table["name"].tolist() == ["Ann, or; not", 'Bob "Bobby"']
    assert table["revenue"].tolist() == [12.5, 3.5]


def test_decimal_commas_are_seen_from_the_numbers(put):
    path = put("customer;revenue;share\nA1;1.234,56;0,5\nA2;12,5;0,25\nA3;7,00;1\n")
    table = assert_alike(path)
    assert table["revenue"].tolist() == [1234.56, 12.5, 7.0]
    assert table["share"].tolist() == [0.5, 0.25, 1.0]


def test_other_columns_decide_what_one_column_leaves_open(put):
    assert assert_alike(put("a;b\n1,234;0,5\n5,678;2,5\n"))["a"].tolist() == [1.234, 5.678]
    assert assert_alike(put('a,b\n"1,234",0.5\n"5,678",2.5\n'))["a"].tolist() == [1234, 5678]
    assert assert_alike(put("a;b\n1,234;x\n5,678;y\n"))["a"].tolist() == [1.234, 5.678]


def test_what_stays_open_is_told_and_an_option_decides(put):
    path = put('a,b\n"1,234",x\n"5,678",y\n')
    with pytest.warns(
        ColumnWarning, match=r"table\.csv: column 'a' is text because .*State the decimal mark"
    ) as caught:
        assert xseg.load_table(path)["a"].tolist() == ["1,234", "5,678"]
    assert "Use --decimal ','" in caught[0].message.on_command_line
    assert assert_alike(path, decimal=".")["a"].tolist() == [1234, 5678]
    assert assert_alike(path, decimal=",")["a"].tolist() == [1.234, 5.678]


def test_encodings(put):
    text = "name,age\nM\u00fcller,2\nMeier,3\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert assert_alike(put(text, encoding=encoding))["name"].tolist() == ["M\u00fcller", "Meier"]
    path = put(text, encoding="cp1252")
    for read in (xseg.load_table, xseg.backends.BatchBackend):
        with pytest.raises(DataError, match=r"is not UTF-8 text: byte 10 \(line 2\) is 0xfc") as found:
            read(path)
        assert "--encoding cp1252" in found.value.on_command_line
    assert assert_alike(path, encoding="cp1252")["name"].tolist() == ["M\u00fcller", "Meier"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a,\n1,2\n", "column 2 of 2 has no name"),
        ("a,a\n1,2\n", "'a', 'a'; give each a name of its own"),
        ("often,often ,age\n1,2,3\n", "'often', 'often '; give each"),
        ("a,b\n1,2\n3\n", "line 3: found 1 cells where the header has 2"),
        ("a,b\n1,2,3\n", "line 2: found 3 cells where the header has 2"),
    ],
)
def test_both_ways_refuse_the_same_files_in_the_same_words(put, text, found):
    path, said = put(text), []
    for read in (xseg.load_table, xseg.backends.BatchBackend):
        with pytest.raises(DataError, match=found) as error:
            read(path)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "options", [{"separator": ";;"}, {"decimal": "'"}, {"encoding": "utf-17"}, {"separator": ",", "decimal": ","}]
)
def test_options_are_checked(put, options):
    path = put("a,b\n1,2\n")
    for read in (xseg.load_table, xseg.backends.BatchBackend):
        with pytest.raises(ParameterError):
            read(path, **options)


def test_the_line_of_an_odd_cell_is_that_of_the_file(put):
    rows = [f"{i}.5,x" for i in range(40)]
    rows[20] = "\nERROR,x"
    with pytest.warns(ColumnWarning, match=r"first: 'ERROR', line 23"):
        xseg.load_table(put("price,other\n" + "\n".join(rows)))


CELLS = st.sampled_from(
    [
        "1",
        "2.5",
        "-3e2",
        "",
        "  ",
        "n/a",
        "None",
        "01067",
        "yes",
        "true",
        "False",
        "$5.00",
        "1,5",
        "1.234",
        "x\ny",
        "\u00e9",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::xseg.exceptions.ColumnWarning")
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12))
def test_any_file_is_read_alike_whole_and_in_batches(put, rows):
    quoted = ["a,b,c", *(",".join('"' + cell + '"' for cell in row) for row in rows)]
    assert_alike(put("\n".join(quoted) + "\n"))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_a_model_of_a_file_is_the_model_of_its_table(form, tmp_path):
    customers = xseg.make_customers(400, random_state=0).assign(postcode=["01067", "10115", "80331", "04109"] * 100)
    path = tmp_path / f"customers.{form}"
    customers.to_parquet(path) if form == "parquet" else customers.to_csv(path, index=False)
    whole = xseg.TreeSegmenter(4, random_state=0).fit(xseg.load_table(path))
    apart = xseg.TreeSegmenter(4, random_state=0).fit(xseg.backends.BatchBackend(path, batch_rows=37))
    assert xseg.export.fingerprint(whole) == xseg.export.fingerprint(apart)
    assert xseg.inspect(path).columns == xseg.inspect(xseg.load_table(path)).columns
    np.testing.assert_array_equal(whole.labels_, apart.labels_)
