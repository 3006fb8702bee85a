"""Asking the transformers of a pipeline what becomes of raw values, column by column."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xseg.core.bins import MISSING, Bins, as_kind
from xseg.core.schema import Kind
from xseg.core.tables import Column, Table, read_table
from xseg.segmenters._pipelines.route import Route

__all__ = ["Probe", "first_number_at_least"]

# Far beyond any value of a person, and small enough that steps which square it stay finite.
_LARGEST = 1e30


class Probe:
    """Gives the codes that the segmenter sees of raw values.

    Parameters
    ----------
    route : Route
        The way to the segmenter.
    bins : Bins
        Its codes of transformed columns.
    names : sequence of str
        The raw columns.
    named : bool
        Whether the pipeline was fitted with these names.
    usual : sequence
        A value of each raw column that the pipeline takes.
    """

    def __init__(self, route: Route, bins: Bins, names: Sequence[str], *, named: bool, usual: Sequence[Any]) -> None:
        self.route, self.bins, self.names, self.named, self.usual = route, bins, names, named, usual

    def codes(self, values: Mapping[int, Sequence[Any]]) -> NDArray[np.uint8]:
        """Return the codes of rows that differ from the usual in some columns, shape (n_rows, n_transformed).

        Parameters
        ----------
        values : mapping of int to sequence
            Values of raw columns, from the first row on.
        """
        _, table = self.pass_through(values)
        n_rows = len(table)
        codes = np.empty((n_rows, len(self.bins)), dtype=np.uint8)
        for j, bins in enumerate(self.bins.features):
            column = as_kind(table.columns[j], bins.feature)
            if bins.feature.kind.is_numeric and bins.feature.kind is not Kind.EMPTY:
                codes[:, j] = _number_codes(column, bins.thresholds)
            else:
                bins.encode(column, codes[:, j])
        return codes

    def pass_through(self, values: Mapping[int, Sequence[Any]]) -> tuple[Any, Table]:
        """Return such rows, and what the steps make of them."""
        n_rows = max(map(len, values.values()))
        columns = []
        for j, usual in enumerate(self.usual):
            held = list(values.get(j, ()))
            held += [usual] * (n_rows - len(held))
            columns.append(_as_column(held, usual))
        rows = self._container(columns)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return rows, read_table(self.route.transform(rows))

    def codes_where_taken(self, column: int, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the codes of values of one column; those that a step refuses, such as log(0), count as missing."""
        try:
            return self.codes({column: values.tolist()})
        except ValueError:
            if len(values) <= 1:
                return np.full((len(values), len(self.bins)), MISSING, dtype=np.uint8)
            half = len(values) // 2
            return np.vstack([self.codes_where_taken(column, part) for part in (values[:half], values[half:])])

    def missing(self, column: int, *, is_none: bool) -> NDArray[np.uint8] | None:
        """Return the codes of a column's missing value, shape (n_transformed,); None if the pipeline refuses it."""
        try:
            return np.asarray(self.codes({column: [None if is_none else np.nan]})[0])
        except (TypeError, ValueError):
            return None

    def _container(self, columns: Sequence[NDArray[Any]]) -> Any:
        if self.named:
            return pd.DataFrame(dict(zip(self.names, columns, strict=True)))
        return np.column_stack(columns)


def _as_column(values: list[Any], usual: Any) -> NDArray[Any]:
    if isinstance(usual, str):
        column = np.empty(len(values), dtype=object)
        column[:] = values
        return column
    return np.array(values, dtype=np.float64)


def _number_codes(column: Column, thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return codes as `FeatureBins.encode` does, of infinities too: probes go to the ends of the numbers."""
    values = np.asarray(column.values, dtype=np.float64)
    codes = np.searchsorted(thresholds, values, side="right").astype(np.uint8)
    codes[np.isnan(values)] = MISSING
    return codes


def first_number_at_least(above: Any, n: int) -> NDArray[np.float64]:
    """Find, for each of n questions that are false up to some number and true from there, the first number.

    Parameters
    ----------
    above : callable
        Answers all questions, each about a number of its own; takes and gives arrays of shape (n,).
    n : int
        How many questions.

    Returns
    -------
    ndarray of shape (n,)
        The numbers; infinity where the answer is never true, minus infinity where it always is.
    """
    low, high = np.full(n, _place(-_LARGEST)), np.full(n, _place(_LARGEST))
    always, never = above(np.full(n, -_LARGEST)), ~above(np.full(n, _LARGEST))
    for _ in range(64):
        middle = (low & high) + ((low ^ high) >> 1)
        yes = above(_number(middle))
        high, low = np.where(yes, middle, high), np.where(yes, low, middle)
    found = _number(high)
    found[never], found[always] = np.inf, -np.inf
    return found


def _place(number: float) -> np.int64:
    """Return a whole number that grows as the float does."""
    bits = np.float64(number).view(np.int64)
    return np.int64(bits if bits >= 0 else np.int64(-(2**63)) - bits)


def _number(place: NDArray[np.int64]) -> NDArray[np.float64]:
    bits = np.where(place >= 0, place, np.int64(-(2**63)) - place)
    return np.asarray(bits.view(np.float64))
