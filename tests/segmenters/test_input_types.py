"""Numbers of any type and layout are the same numbers, and compile nothing anew."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

import xseg
from xseg._kernels import encode_kernels

NUMBERS = np.random.default_rng(0).integers(0, 60, (400, 3)).astype(np.float64)

SEGMENTERS = {
    "tree": lambda: xseg.TreeSegmenter(3, random_state=0),
    "prototypes": lambda: xseg.PrototypeSegmenter(3, random_state=0),
    "mixture": lambda: xseg.MixtureSegmenter(3, random_state=0),
    "rules": lambda: xseg.RuleSegmenter({"Much": "x0 >= 30"}),
    "outcomes": lambda: xseg.OutcomeSegmenter(3, random_state=0),
    "stand-in": lambda: xseg.SurrogateSegmenter(random_state=0),
}


def fit(name, X):
    y = {"outcomes": NUMBERS[:, 0] + NUMBERS[:, 1], "stand-in": (NUMBERS[:, 0] > 20).astype(int)}.get(name)
    return SEGMENTERS[name]().fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int16", "uint8", "int64", "longdouble"])
def test_numbers_of_every_type_give_the_same_model(name, dtype):
    expected = fit(name, NUMBERS)
    found = fit(name, NUMBERS.astype(dtype))
    assert_array_equal(found.labels_, expected.labels_)
    assert_array_equal(expected.predict(NUMBERS.astype(dtype)), expected.labels_)


def read_only(values):
    values = values.copy()
    values.setflags(write=False)
    return values


LAYOUTS = {
    "read-only": read_only,
    "by column": np.asfortranarray,
    "every other row": lambda values: np.repeat(values, 2, axis=0)[::2],
    "float16 table": lambda values: pd.DataFrame(values.astype("float16"), columns=["x0", "x1", "x2"]),
    "polars": lambda values: pl.DataFrame(values.astype(np.float32), schema=["x0", "x1", "x2"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_type_or_layout_compiles_a_kernel_anew(layout):
    segmenter = fit("tree", NUMBERS)
    segmenter.predict(NUMBERS)
    kernels = (
        encode_kernels.encode_numbers,
        encode_kernels.collect_distinct,
        encode_kernels.count_numbers,
        encode_kernels.add_moments,
    )
    before = [len(kernel.compile().signatures) for kernel in kernels]
    rows = LAYOUTS[layout](NUMBERS)
    if isinstance(rows, np.ndarray):
        assert_array_equal(segmenter.predict(rows), segmenter.labels_)
    fit("tree", rows)
    assert [len(kernel.compile().signatures) for kernel in kernels] == before


def ordered_dictionary(values):
    return pa.DictionaryArray.from_arrays(pa.array(values), ["low", "middle", "high"], ordered=True)


@pytest.mark.parametrize("container", ["pyarrow", "chunks", "pandas on Arrow"])
def test_the_order_of_a_dictionary_of_arrow_is_kept(container):
    codes = np.random.default_rng(1).integers(0, 3, 200)
    plain = pd.DataFrame(
        {"x": NUMBERS[:200, 0], "level": pd.Categorical.from_codes(codes, ["low", "middle", "high"], ordered=True)}
    )
    table = pa.table({"x": NUMBERS[:200, 0], "level": ordered_dictionary(codes)})
    if container == "chunks":
        table = pa.concat_tables([table.slice(0, 120), table.slice(120)])
    if container == "pandas on Arrow":
        table = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert xseg.inspect(table)["level"].kind == "ordered category"
    expected = xseg.TreeSegmenter(3, random_state=0).fit(plain)
    assert xseg.export.fingerprint(xseg.TreeSegmenter(3, random_state=0).fit(table)) == xseg.export.fingerprint(
        expected
    )


def test_a_single_row_is_a_table_of_one_row_or_a_dict_for_a_scorer():
    customers = xseg.make_customers(300, random_state=0)
    segmenter = xseg.TreeSegmenter(3, random_state=0).fit(customers)
    for series in (customers.iloc[0], customers["spend_year"]):
        with pytest.raises(xseg.XsegError, match=r"got a Series.*of one row pass table\.iloc\[\[0\]\].*to_frame"):
            segmenter.predict(series)
    with pytest.raises(xseg.XsegError, match=r"got a dict; if it is one row.*Scorer"):
        segmenter.predict(customers.iloc[0].to_dict())
    row = customers.iloc[0].to_dict()
    missing = xseg.Scorer(segmenter)({**row, "orders_90d": pd.NA, "channel": pd.NA, "newsletter": pd.NA})
    assert (
        missing.segment
        == xseg.Scorer(segmenter)({**row, "orders_90d": None, "channel": None, "newsletter": None}).segment
    )
