"""Conformance checks for classes that others write against the protocols of xseg."""

import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xseg.backends import Backend, CodedBackend, CodedBlock, Coding, MemoryBackend, RawBlock, Statistic, Table
from xseg.core.statistics import RowTotal, apply_to_table
from xseg.datasets import make_customers
from xseg.exceptions import DataError, ParameterError
from xseg.export import fingerprint
from xseg.segmenters import MixtureSegmenter, PrototypeSegmenter, TreeSegmenter

__all__ = ["check_backend"]

# As many rows as make several chunks for a backend with small ones, and few enough for seconds.
_N_ROWS = 300

MakeBackend = Callable[[Any, Any], Backend]
S = TypeVar("S", bound=Statistic[Any])
T = TypeVar("T")


def check_backend(make_backend: MakeBackend) -> None:
    """Check that a backend keeps the contract of `xseg.backends.Backend`.

    The same rows in a `MemoryBackend` are the reference: sums, arrays, and fitted segmenters must have the same bits.

    Parameters
    ----------
    make_backend : callable
        Makes a backend of a DataFrame or array and of sample weights, which may be None: ``make_backend(X,
        sample_weight)``. Backends that split rows should split these few hundred rows as well.

    Raises
    ------
    AssertionError
        The backend differs from the contract; the message says in what.

    Examples
    --------
    >>> from xseg.backends import MemoryBackend
    >>> from xseg.testing import check_backend
    >>> check_backend(MemoryBackend)  # doctest: +SKIP
    """
    for check in _CHECKS:
        check(make_backend)


def _numbers(n_rows: int) -> NDArray[np.float64]:
    """Return numbers whose floating-point sum depends on the order of the terms."""
    numbers = np.random.default_rng(0).normal(size=(n_rows, 2))
    numbers[:, 1] *= 10.0 ** (np.arange(n_rows) % 30 - 15)
    return numbers


def _second_column(table: Table) -> NDArray[np.float64]:
    return np.asarray(table.columns[1].values, dtype=np.float64)


def _both_columns(block: RawBlock) -> NDArray[np.float64]:
    return np.column_stack([np.asarray(column.values, dtype=np.float64) for column in block.table.columns])


def _raise_on_rows(table: Table) -> NDArray[np.float64]:
    message = f"{len(table)} rows cannot be used"
    raise DataError(message)


def _check_protocol(make_backend: MakeBackend) -> None:
    backend = make_backend(_numbers(_N_ROWS), None)
    assert isinstance(backend, Backend), (
        f"{type(backend).__name__} lacks a method or attribute of xseg.backends.Backend"
    )
    assert backend.weight_unit == 1.0, f"weight_unit must be 1.0 without weights, got {backend.weight_unit}"


def _check_sums(make_backend: MakeBackend) -> None:
    # With fewer rows than chunks or workers, some copies of a statistic never see a block.
    for n_rows in (1, 2, 7, _N_ROWS):
        X = _numbers(n_rows)
        statistic = RowTotal(_second_column)
        backend = make_backend(X, None)
        expected = MemoryBackend(X).sum(RowTotal(_second_column))
        for turn in ("the first", "a second"):
            found = backend.sum(statistic)
            same = (found.total, found.weight) == (expected.total, expected.weight)
            assert same, f"sum must be exact: {turn} pass over {n_rows} rows gave {found.total}, not {expected.total}"
        assert statistic.weight == 0, "sum must add to copies made by statistic.empty(), not to its argument"


def _check_maps(make_backend: MakeBackend) -> None:
    for n_rows in (1, 2, 7, _N_ROWS):
        X = _numbers(n_rows)
        backend = make_backend(X, None)
        one = backend.map(partial(apply_to_table, _second_column))
        assert np.array_equal(one, X[:, 1]), "map must join results in the order of the rows"
        two = backend.map(_both_columns)
        assert np.array_equal(two, X), "map must join two-dimensional results along the rows"


def _check_weights(make_backend: MakeBackend) -> None:
    X, rng = _numbers(_N_ROWS), np.random.default_rng(1)
    for weights in (rng.integers(0, 3, _N_ROWS), rng.random(_N_ROWS)):
        backend, memory = make_backend(X, weights), MemoryBackend(X, weights)
        assert backend.weight_unit == memory.weight_unit, (
            f"weight_unit must be {memory.weight_unit}, as xseg.backends.check_weights computes it, "
            f"got {backend.weight_unit}"
        )
        found, expected = (one.sum(RowTotal(_second_column)) for one in (backend, memory))
        same = (found.total, found.weight) == (expected.total, expected.weight)
        assert same, "sum must count each row by its weight"


def _check_errors(make_backend: MakeBackend) -> None:
    X = _numbers(_N_ROWS)
    backend = make_backend(X, None)
    segmenter = TreeSegmenter(2, effort="fast", random_state=0)
    _check_raises(
        DataError, partial(backend.sum, RowTotal(_raise_on_rows)), "a statistic's own error must come through"
    )
    _check_raises(DataError, partial(make_backend, X, -np.ones(_N_ROWS)), "negative weights must be refused")
    _check_raises(
        ParameterError, partial(segmenter.fit, backend, sample_weight=np.ones(_N_ROWS)), "a backend has its own weights"
    )
    segmenter.fit(X)
    narrow = make_backend(X[:, :1], None)
    _check_raises(DataError, partial(segmenter.predict, narrow), "rows without a column of the fit must be refused")
    customers = make_customers(_N_ROWS, random_state=0)
    backwards = make_backend(customers[customers.columns[::-1]], None)
    segmenter.fit(customers)
    _check_raises(DataError, partial(segmenter.predict, backwards), "columns in another order must be refused")


def _check_raises(error: type[Exception], call: Callable[[], object], why: str) -> None:
    try:
        call()
    except error:
        return
    except Exception as other:
        message = f"{why}: expected {error.__name__}, got {type(other).__name__}"
        raise AssertionError(message) from other
    message = f"{why}: expected {error.__name__}"
    raise AssertionError(message)


def _check_fits(make_backend: MakeBackend) -> None:
    customers = make_customers(_N_ROWS, random_state=0)
    weights = np.random.default_rng(2).integers(0, 3, _N_ROWS)
    for make in (
        partial(TreeSegmenter, 3, max_leaves=5, effort="fast"),
        partial(PrototypeSegmenter, 3),
        partial(MixtureSegmenter, 3, n_init=2),
    ):
        for given in (None, weights):
            expected = make(random_state=0).fit(MemoryBackend(customers, given))
            backend = _PicklingBackend(make_backend(customers, given))
            found = make(random_state=0).fit(backend)
            name = type(found).__name__
            assert fingerprint(found) == fingerprint(expected), f"{name} must be the same as from a MemoryBackend"
            assert np.array_equal(found.labels_, expected.labels_), f"{name}.labels_ must be in the order of the rows"
            assert np.array_equal(found.predict(backend), expected.labels_), f"{name}.predict must give labels_"
            assert found.score(backend) == expected.score(MemoryBackend(customers, given)), (
                f"{name}.score must be exact"
            )


class _TaskPickler(pickle.Pickler):
    """Pickles what is sent to the rows, and refuses fitted estimators, which hold a label per row."""

    def reducer_override(self, value: Any) -> Any:
        """Raise an error for an estimator with labels; pickle everything else as usual."""
        assert not hasattr(value, "labels_"), f"a task must not hold a fitted {type(value).__name__}"
        return NotImplemented


def _send(value: T) -> T:
    """Return what arrives when a value is pickled and sent to another process."""
    buffer = io.BytesIO()
    _TaskPickler(buffer).dump(value)
    arrived: T = pickle.loads(buffer.getvalue())
    return arrived


class _PicklingBackend:
    """A backend around another that pickles every task it passes on, and every statistic on its way back."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.weight_unit = backend.weight_unit

    def sum(self, statistic: S) -> S:
        return _send(self._backend.sum(_send(statistic)))

    def map(self, function: Callable[[RawBlock], NDArray[Any]]) -> NDArray[Any]:
        return self._backend.map(_send(function))

    def convert_tables(self, convert: Callable[[Table], Table]) -> "_PicklingBackend":
        return _PicklingBackend(self._backend.convert_tables(_send(convert)))

    def encode(self, coding: Coding) -> "_PicklingCodedBackend":
        return _PicklingCodedBackend(self._backend.encode(_send(coding)))


class _PicklingCodedBackend:
    """The same around coded rows."""

    def __init__(self, backend: CodedBackend) -> None:
        self._backend = backend
        self.n_rows = backend.n_rows

    def sum(self, statistic: S) -> S:
        return _send(self._backend.sum(_send(statistic)))

    def map(self, function: Callable[[CodedBlock], NDArray[Any]]) -> NDArray[Any]:
        return self._backend.map(_send(function))


_CHECKS: tuple[Callable[[MakeBackend], None], ...] = (
    _check_protocol,
    _check_sums,
    _check_maps,
    _check_weights,
    _check_errors,
    _check_fits,
)
