"""One algorithm, the same bits, wherever the rows are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xseg
from conftest import mixed_table
from xseg.exceptions import DataError, ParameterError, UnsupportedTypeError
from xseg.export import fingerprint


def fit(backend):
    return xseg.TreeSegmenter(3, max_leaves=6, random_state=0, n_init=2).fit(backend)


@pytest.fixture(scope="module")
def table():
    return mixed_table(400, 1)


@pytest.fixture(scope="module")
def expected(table):
    return fit(table)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_batches_of_any_size_in_any_order_give_the_same_bits(table, expected, data):
    order = data.draw(st.permutations(range(5)))
    cuts = sorted(data.draw(st.lists(st.integers(0, 400), min_size=4, max_size=4)))
    parts = [table.iloc[start:stop] for start, stop in zip([0, *cuts], [*cuts, 400], strict=True)]
    backend = xseg.backends.BatchBackend([parts[place] for place in order], n_jobs=data.draw(st.integers(1, 3)))
    assert fingerprint(fit(backend)) == fingerprint(expected)


@pytest.mark.slow
@pytest.mark.parametrize("batch_rows", [7, 1_000])
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_files_give_the_same_bits(table, tmp_path, form, batch_rows):
    plain = table.assign(channel=table["channel"].astype(object), age=table["age"].astype(str))
    path = tmp_path / f"table.{form}"
    if form == "parquet":
        plain.to_parquet(path)
    else:
        plain.to_csv(path, index=False)
    segmenter = fit(xseg.backends.BatchBackend(path, batch_rows=batch_rows))
    memory = fit(plain)
    assert fingerprint(segmenter) == fingerprint(memory)
    assert (segmenter.labels_ == memory.labels_).all()
    assert (segmenter.predict(xseg.backends.BatchBackend(path)) == memory.labels_).all()


def test_one_shot_iterators_and_callables(table, expected):
    parts = [table.iloc[:150], table.iloc[150:]]
    assert fingerprint(fit(xseg.backends.BatchBackend(iter(parts)))) == fingerprint(expected)
    assert fingerprint(fit(xseg.backends.BatchBackend(lambda: iter(parts)))) == fingerprint(expected)


def test_weights_and_columns(table):
    rng = np.random.default_rng(0)
    for weight in (rng.integers(0, 3, 400), rng.random(400)):
        weighted = table.assign(weight=weight, extra=1)
        backend = xseg.backends.BatchBackend(
            [weighted.iloc[:100], weighted.iloc[100:]], columns=table.columns, weight_column="weight"
        )
        memory = fit(xseg.backends.MemoryBackend(table, weight))
        assert (fit(backend).labels_ == memory.labels_).all()


def test_temporary_files_go_with_the_backend(table, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    backend = xseg.backends.BatchBackend(iter([table]))
    fit(backend)
    del backend
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_together_is_refused(table, tmp_path):
    numbers, text = table[["spend"]], table[["spend"]].astype(str)
    cases = [
        (lambda: fit(xseg.backends.BatchBackend([numbers, text])), DataError, "'spend' must be of one kind"),
        (lambda: fit(xseg.backends.BatchBackend([table, numbers])), DataError, "must have the same columns"),
        (lambda: fit(xseg.backends.BatchBackend([])), DataError, "no rows"),
        (lambda: xseg.backends.BatchBackend(tmp_path / "no.csv"), DataError, "no file"),
        (lambda: xseg.backends.BatchBackend(table), UnsupportedTypeError, "DataFrame"),
        (lambda: xseg.backends.BatchBackend([table], batch_rows=0), ParameterError, "batch_rows"),
        (lambda: fit(xseg.backends.BatchBackend([table], columns=["nope"])), DataError, "'nope'"),
        (
            lambda: xseg.TreeSegmenter().fit(xseg.backends.MemoryBackend(table), sample_weight=[1]),
            ParameterError,
            "sample_weight must be None",
        ),
        (lambda: xseg.backends.BatchBackend([table.assign(w=0)], weight_column="w"), DataError, "zero"),
    ]
    for call, error, words in cases:
        with pytest.raises(error, match=words):
            call()


def test_arrays_in_batches():
    X = np.random.default_rng(0).normal(size=(300, 3))
    segmenter = fit(xseg.backends.BatchBackend(np.array_split(X, 4)))
    assert (segmenter.predict(X) == fit(X).labels_).all()
