"""Every kind of table is read the same; every table that cannot be used is refused in words."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

import xseg
from xseg.core.schema import Kind
from xseg.core.tables import read_table
from xseg.exceptions import DataError, UnsupportedTypeError


def columns():
    return {
        "whole": [1, 2, 3],
        "real": [0.5, None, 2.0],
        "flag": [True, None, False],
        "text": ["b", None, "a"],
    }


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        lambda data: pd.DataFrame(data).convert_dtypes(),
        pl.DataFrame,
        pa.table,
    ],
    ids=["pandas", "pandas-nullable", "polars", "pyarrow"],
)
def test_every_library_gives_the_same_columns(make):
    table = read_table(make(columns()))
    whole, real, flag, text = table.columns
    assert table.names == ("whole", "real", "flag", "text")
    assert [column.kind for column in table.columns] == [Kind.NUMBER, Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY]
    assert_array_equal(whole.numbers(), [1, 2, 3])
    assert_array_equal(real.numbers(), [0.5, np.nan, 2.0])
    assert_array_equal(flag.numbers(), [1, np.nan, 0])
    assert [None if code < 0 else text.categories[code] for code in text.values] == ["b", None, "a"]


def test_categoricals_keep_their_order():
    series = pd.Series(["low", "high", None], dtype=pd.CategoricalDtype(["low", "mid", "high"], ordered=True))
    column = read_table(series.to_frame("level")).columns[0]
    assert column.kind is Kind.ORDERED
    assert column.categories == ("low", "mid", "high")
    assert column.values.tolist() == [0, 2, -1]
    enum = pl.DataFrame({"level": pl.Series(["low", "high", None], dtype=pl.Enum(["low", "mid", "high"]))})
    assert read_table(enum).columns[0].values.tolist() == [0, 2, -1]


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (np.arange(3.0), DataError, "Reshape your data"),
        (pd.Series([1, 2]), DataError, "Reshape your data"),
        (np.empty((0, 3)), DataError, "0 sample"),
        (np.empty((3, 0)), DataError, "0 feature"),
        (pd.DataFrame(), DataError, "0 feature"),
        (sparse.csr_matrix(np.eye(3)), UnsupportedTypeError, "Sparse"),
        (np.eye(2) * 1j, DataError, "Complex data not supported"),
        (np.zeros((2, 2, 2)), DataError, "dim"),
        ("a,b\n1,2", UnsupportedTypeError, "got str"),
        ({"a": [1]}, UnsupportedTypeError, "got a dict; if it is one row"),
        (pl.LazyFrame({"a": [1]}), UnsupportedTypeError, "collect"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), DataError, "'a' is used more than once"),
        (pd.DataFrame([[1, 2]], columns=["a", 1]), DataError, "string names"),
        (
            pd.DataFrame({"a": [1, "x"]}, dtype=object),
            DataError,
            r"int \(first in row 0\), str \(first in row 1\)",
        ),
        (pd.DataFrame({"a": [[1], [2]]}), DataError, "'a'"),
        ([[1, 2], [3]], DataError, "list"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(table, error, words):
    with pytest.raises(error, match=words) as caught:
        read_table(table)
    assert isinstance(caught.value, xseg.XsegError)


def test_infinities_are_named_with_their_row():
    table = read_table(pd.DataFrame({"spend": [1.0, np.inf]}))
    with pytest.raises(DataError, match=r"'spend' must hold finite numbers, got an infinite value \(inf\) in row 1"):
        table.columns[0].numbers()
