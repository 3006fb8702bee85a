"""Private parts of scikit-learn that xseg uses, collected here so that a new version of it is checked in one place."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing as select_rows
from sklearn.utils._param_validation import HasMethods, Interval, InvalidParameterError, StrOptions

__all__ = [
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "count_outputs_by_column",
    "list_parameter_names",
    "select_rows",
    "validate_parameters",
]


def validate_parameters(estimator: BaseEstimator) -> None:
    """Check an estimator's parameters against its `_parameter_constraints`, or raise InvalidParameterError."""
    estimator._validate_params()


def list_parameter_names(kind: type[BaseEstimator]) -> list[str]:
    """List the names of an estimator's parameters."""
    names: list[str] = kind._get_param_names()
    return names


def count_outputs_by_column(encoder: Any) -> list[int]:
    """Count the output columns that a fitted one-hot encoder makes of each input column."""
    return [int(count) for count in encoder._n_features_outs]
