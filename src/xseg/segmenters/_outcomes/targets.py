"""Outcomes in the three forms that can be searched for: yes or no, a number, one of several categories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, t

from xseg._kernels.search import ENTROPY, SQUARES
from xseg.core.numbers import MAX_NUMBER
from xseg.core.outcomes import Outcome
from xseg.exceptions import DataError

__all__ = ["BINARY", "CATEGORIES", "NUMBER", "Target", "read_target"]

BINARY, NUMBER, CATEGORIES = "binary", "number", "categories"
_MAX_CATEGORIES = 50
_SMALLEST_SHARE = 1e-12


@dataclass(frozen=True, eq=False)
class Target:
    """The outcome of each row.

    Attributes
    ----------
    kind : {"binary", "number", "categories"}
        Its form.
    values : ndarray of shape (n_rows, n_values)
        The number itself; or 1 for the category of the row and 0 for the others.
    classes : tuple of str
        The categories; of two, the second is the one asked about.
    labels : tuple
        The categories as they were given.
    """

    kind: str
    values: NDArray[np.float64]
    classes: tuple[str, ...]
    labels: tuple[Any, ...]

    @property
    def cost_kind(self) -> int:
        """How a group's cost is read from its sums: by how much it varies, or by entropy."""
        return SQUARES if self.kind == NUMBER else ENTROPY

    def losses(self, rows: NDArray[np.int64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what saying `mean` of each row costs: the squared error, or the surprise."""
        if self.kind == NUMBER:
            return np.asarray((self.values[rows, 0] - mean[0]) ** 2)
        return np.asarray(-np.log(np.maximum(self.values[rows] @ mean, _SMALLEST_SHARE)))

    def smoothed(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is expected of a group with this sum, weight last; half a person more for each category."""
        if self.kind == NUMBER:
            return np.asarray(total[:-1] / max(total[-1], 1.0))
        return np.asarray((total[:-1] + 0.5) / (total[:-1] + 0.5).sum())

    def asked(self, mean: NDArray[np.float64]) -> float:
        """Return the one number that outcomes are ordered by."""
        return float(mean[-1] if self.kind == BINARY else mean[0])

    def outcomes(self, rows: NDArray[np.int64], weights: NDArray[np.float64], confidence: float) -> tuple[Outcome, ...]:
        """Estimate the outcome of some rows, with intervals: Student's for a mean, Wilson's for shares."""
        own = weights[rows]
        n = float(own.sum())
        if self.kind == NUMBER:
            return (_mean(self.values[rows, 0], own, n, confidence),)
        shares = own @ self.values[rows] / n if n else np.full(len(self.classes), np.nan)
        told = [1] if self.kind == BINARY else range(len(self.classes))
        return tuple(_share(float(shares[c]), n, confidence, self.classes[c]) for c in told)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64], n: float, confidence: float) -> Outcome:
    if n <= 1:
        return Outcome(float(values.mean()) if len(values) else np.nan, -np.inf, np.inf, n)
    mean = float(weights @ values / n)
    deviation = np.sqrt(weights @ (values - mean) ** 2 / (n - 1))
    reach = float(t.ppf((1 + confidence) / 2, n - 1) * deviation / np.sqrt(n))
    return Outcome(mean, mean - reach, mean + reach, n)


def _share(share: float, n: float, confidence: float, value: str) -> Outcome:
    if n == 0:
        return Outcome(np.nan, 0.0, 1.0, n, value)
    z = float(norm.ppf((1 + confidence) / 2))
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Outcome(share, max(0.0, center - reach), min(1.0, center + reach), n, value)


def read_target(y: Any, n_rows: int) -> Target:
    """Read outcomes: numbers with more than two values are numbers, everything else is categories.

    Raises
    ------
    DataError
        Some are missing or infinite, there is one value only, or the number of rows differs.
    """
    if y is None:
        message = "requires y to be passed, but the target y is None: give the outcome of each person"
        raise DataError(message)
    array = y.to_numpy() if isinstance(y, pd.Series | pd.DataFrame) else np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        message = f"y must have one value for each row, got an array of shape {array.shape}"
        raise DataError(message)
    series = pd.Series(array.tolist())
    if len(series) != n_rows:
        message = f"y has {len(series)} values for {n_rows} rows; give one for each row"
        raise DataError(message)
    if series.isna().any():
        row = int(np.flatnonzero(series.isna())[0])
        message = f"the outcome of row {row} is missing (NaN); leave out people whose outcome is not known"
        raise DataError(message)
    return _numbers(series) if _is_number(series) else _categories(series)


def _is_number(series: "pd.Series[Any]") -> bool:
    numeric = pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series)
    return bool(numeric and series.nunique() > 2)


def _numbers(series: "pd.Series[Any]") -> Target:
    values = series.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        message = f"the outcome of row {row} is infinite (inf); replace it by a number"
        raise DataError(message)
    if (largest := float(np.abs(values).max())) > MAX_NUMBER:
        message = (
            f"outcomes must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}, and that of row {np.abs(values).argmax()} "
            f"has the size {largest:g}; correct it, or leave the row out"
        )
        raise DataError(message)
    return Target(NUMBER, values[:, None], (), ())


def _categories(series: "pd.Series[Any]") -> Target:
    codes, labels = pd.factorize(series, sort=True)
    if len(labels) < 2:
        message = f"every outcome is {labels[0]!r} (1 class): there is nothing in which segments could differ"
        raise DataError(message)
    if len(labels) > _MAX_CATEGORIES:
        message = f"the outcome has {len(labels)} categories; at most {_MAX_CATEGORIES} can be told apart"
        raise DataError(message)
    kind = BINARY if len(labels) == 2 else CATEGORIES
    classes = tuple(str(label) for label in labels)
    return Target(kind, np.eye(len(labels))[codes], classes, tuple(labels.tolist()))
