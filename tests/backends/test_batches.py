"""Rows are decoded once, exactly, in bounded memory, and leave nothing behind."""

import errno
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet

import xseg
from conftest import mixed_table
from xseg.backends import Passes
from xseg.backends.base import ahead, apply_in_order, map_blocks
from xseg.backends.batches import explain_write_errors, narrow, parquet_tables
from xseg.core.tables import read_table
from xseg.exceptions import DataError
from xseg.export import fingerprint


def fit(backend):
    return xseg.TreeSegmenter(3, max_leaves=6, random_state=0, n_init=2).fit(backend)


@pytest.fixture(scope="module")
def table():
    return mixed_table(400, 1)


def same_columns(one, other):
    assert one.names == other.names
    for left, right in zip(one.columns, other.columns, strict=True):
        assert (left.kind, left.categories) == (right.kind, right.categories)
        np.testing.assert_array_equal(np.asarray(left.values, float), np.asarray(right.values, float))


def test_only_the_first_pass_decodes(table):
    starts = count()

    def batches():
        next(starts)
        return iter([table.iloc[:150], table.iloc[150:]])

    backend = xseg.backends.BatchBackend(batches)
    assert backend.passes == Passes(0, 0, 0)
    fit(backend)
    passes = backend.passes
    assert next(starts) == passes.decoded == 1
    assert passes.typed >= 1
    assert passes.coded >= 1
    fit(backend)
    assert backend.passes.decoded == 1
    assert backend.passes.coded == 2 * passes.coded


def test_a_fit_outlives_its_source(table, tmp_path):
    path = tmp_path / "table.parquet"
    table.to_parquet(path)
    backend = xseg.backends.BatchBackend(path)
    first = fit(backend)
    path.unlink()
    second = fit(backend)
    assert fingerprint(first) == fingerprint(second)
    assert (second.predict(backend) == first.labels_).all()


def test_predicting_writes_nothing(table, tmp_path, monkeypatch):
    segmenter = fit(table)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    backend = xseg.backends.BatchBackend([table.iloc[:9], table.iloc[9:]])
    assert (segmenter.predict(backend) == segmenter.labels_).all()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert backend.passes == Passes(decoded=1)


def test_passes_are_reported(table, caplog):
    with caplog.at_level("INFO", logger="xseg"):
        backend = xseg.backends.BatchBackend([table])
        xseg.TreeSegmenter(3, random_state=0, n_init=2, verbose=1).fit(backend)
    assert str(backend.passes) in caplog.text


class Line:
    """Batches that come over a line, which may be cut."""

    def __init__(self, table):
        self.table = table
        self.is_cut = True

    def __call__(self):
        yield self.table.iloc[:150]
        if self.is_cut:
            raise ConnectionError
        yield self.table.iloc[150:]


def test_an_error_on_the_way_leaves_no_file_and_the_next_pass_begins_anew(table, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    line = Line(table)
    with pytest.raises(ConnectionError):
        xseg.backends.BatchBackend(line())
    backend = xseg.backends.BatchBackend(line)
    with pytest.raises(ConnectionError):
        fit(backend)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    line.is_cut = False
    assert fingerprint(fit(backend)) == fingerprint(fit(table))
    assert backend.passes.decoded == 2


def test_no_room_is_told():
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DataError, match=r"No space left on device.*TMPDIR"), explain_write_errors(Path("there/1")):
        raise full


VALUES = st.sampled_from([np.float64, np.float32, np.int64, np.uint64, np.int16, np.uint8]).flatmap(
    lambda dtype: arrays(dtype, st.integers(0, 20))
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_narrow_values_are_the_same_values(values):
    narrowed = narrow(values)
    assert narrowed.dtype.itemsize <= values.dtype.itemsize
    np.testing.assert_array_equal(narrowed.astype(values.dtype), values)


def test_narrow_values_are_narrow():
    assert narrow(np.array([1, -1])).dtype == np.int8
    assert narrow(np.array([200, 0])).dtype == np.uint8
    assert narrow(np.array([2**40])).dtype == np.int64
    assert narrow(np.array([0.5, np.nan])).dtype == np.float32
    assert narrow(np.array([0.1])).dtype == np.float64
    assert narrow(np.array([1e300])).dtype == np.float64


MANY_TYPES = pa.table(
    {
        "single": pa.array([0.1, None, 3.0, -0.0], pa.float32()),
        "double": pa.array([0.1, None, float("nan"), 1e300], pa.float64()),
        "small": pa.array([1, 2, 3, -4], pa.int8()),
        "unknown": pa.array([1, None, 2**53, 7], pa.int64()),
        "large": pa.array([2**64 - 1, 0, 1, 2], pa.uint64()),
        "flag": pa.array([True, False, True, True], pa.bool_()),
        "perhaps": pa.array([True, None, False, None], pa.bool_()),
        "text": pa.array(["b", None, "ä", "a"], pa.string()),
        "long": pa.array(["b", "b", "", "a"], pa.large_string()),
        "nothing": pa.array([None] * 4, pa.string()),
    }
)
FOR_PANDAS = {
    "coded": pa.array(["x", "y", None, "x"]).dictionary_encode(),
    "money": pa.array([1, 2, None, 4], pa.decimal128(6, 2)),
    "half": pa.array(np.array([1, 2, 3, 4], np.float16)),
}


@pytest.mark.parametrize("with_pandas", [False, True])
@pytest.mark.parametrize("batch_rows", [1, 3, 10])
def test_parquet_is_read_as_pandas_would(tmp_path, with_pandas, batch_rows):
    whole = MANY_TYPES
    for name, column in FOR_PANDAS.items() if with_pandas else ():
        whole = whole.append_column(name, column)
    path = tmp_path / "types.parquet"
    parquet.write_table(whole, path)
    tables = list(parquet_tables(path, batch_rows, None, use_threads=True))
    assert [len(one) for one in tables] == [min(batch_rows, 4 - start) for start in range(0, 4, batch_rows)]
    for start, found in zip(range(0, 4, batch_rows), tables, strict=True):
        same_columns(found, read_table(whole.slice(start, batch_rows).to_pandas()))


def test_parquet_keeps_single_precision(tmp_path):
    path = tmp_path / "single.parquet"
    parquet.write_table(MANY_TYPES.select(["single"]), path)
    (found,) = parquet_tables(path, 10, None, use_threads=False)
    assert found.columns[0].values.dtype == np.float32


def test_parquet_reads_only_what_is_wanted(tmp_path):
    dates = pd.DataFrame({"spend": [1.0, 2.0, 9.0, 9.5], "day": pd.Timestamp("2026-01-01"), "weight": 1})
    path = tmp_path / "dates.parquet"
    dates.to_parquet(path)
    (found,) = parquet_tables(path, 10, {"spend", "weight"}, use_threads=False)
    assert found.names == ("spend", "weight")
    backend = xseg.backends.BatchBackend(path, columns=["spend"], weight_column="weight")
    assert xseg.TreeSegmenter(2, random_state=0).fit(backend).labels_.tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match="'nope'"):
        fit(xseg.backends.BatchBackend(path, columns=["spend", "nope"], weight_column="weight"))


def test_memory_does_not_grow_with_a_parquet_file(tmp_path):
    path = tmp_path / "long.parquet"
    rows = np.random.default_rng(0).random(400_000)
    parquet.write_table(pa.table({"spend": rows}), path, row_group_size=100_000, use_dictionary=False)
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in parquet_tables(path, 10_000, None, use_threads=False)]
    assert len(held) == 40
    assert max(held) < path.stat().st_size / 2


def test_csv_reads_only_what_is_wanted(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("day,spend\n2026-01-01,1\n2026-01-01,2\nnonsense,9\n2026-01-01,9.5\n")
    backend = xseg.backends.BatchBackend(path, columns=["spend"], batch_rows=3)
    assert xseg.TreeSegmenter(2, random_state=0).fit(backend).labels_.tolist() == [0, 0, 1, 1]
    with pytest.raises(DataError, match="'nope'"):
        fit(xseg.backends.BatchBackend(path, columns=["nope"]))


def test_an_index_of_pandas_is_no_column(tmp_path):
    path = tmp_path / "indexed.parquet"
    pd.DataFrame({"spend": [1.0, 2.0]}, index=pd.Index([7.0, 9.0], name="customer")).to_parquet(path)
    (found,) = parquet_tables(path, 10, None, use_threads=False)
    assert found.names == ("spend",)


def test_reading_ahead_is_bounded_and_in_order():
    made = []

    def make():
        for item in range(20):
            made.append(item)
            yield item

    reader = ahead(make(), depth=3)
    for taken in range(5):
        assert next(reader) == taken
        assert len(made) <= taken + 1 + 3
    assert list(reader) == list(range(5, 20))


def test_reading_ahead_hands_on_errors():
    def make():
        yield 1
        message = "bad batch"
        raise DataError(message)

    reader = ahead(make())
    assert next(reader) == 1
    with pytest.raises(DataError, match="bad batch"):
        next(reader)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_work_on_blocks_is_bounded_and_in_order(n_workers):
    drawn = count()
    results = apply_in_order((next(drawn) for _ in range(50)), lambda item: item * item, n_workers)
    assert list(islice(results, 5)) == [0, 1, 4, 9, 16]
    assert next(drawn) <= 5 + 2 * n_workers + 1
    blocks = [np.arange(3), np.arange(3, 4), np.arange(4, 9)]
    for n_rows in (None, 9):
        assert map_blocks((block for block in blocks), np.square, n_workers, n_rows).tolist() == [
            i * i for i in range(9)
        ]
