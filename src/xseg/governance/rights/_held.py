"""What is held about one person, as the model may see it and as they may take it with them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from xseg.core.schema import suggestion
from xseg.exceptions import DataError, FeatureNamesError

__all__ = ["Held", "check_value", "is_json", "plain", "plain_all"]


class Held:
    """One row of a table.

    Parameters
    ----------
    data : mapping, or table with one row
        What is held.

    Raises
    ------
    DataError
        There is not exactly one row.
    """

    def __init__(self, data: Any) -> None:
        frame = pd.DataFrame([dict(data)]) if isinstance(data, Mapping) else pd.DataFrame(data)
        if len(frame) != 1:
            message = f"a profile is about one person, and there are {len(frame)} rows"
            raise DataError(message)
        self._row = frame.copy()

    @property
    def names(self) -> list[str]:
        """The columns."""
        return list(self._row.columns)

    def check(self, feature: str) -> None:
        """Raise an error for a column that is not there."""
        if feature not in self.names:
            message = f"nothing called {feature!r} is held about this person{suggestion(feature, self.names)}"
            raise FeatureNamesError(message)

    def seen(self, corrections: Mapping[str, Any], withheld: Iterable[str]) -> pd.DataFrame:
        """Return the row with corrections, and without what is withheld."""
        row = self._row.copy()
        for feature, value in corrections.items():
            if feature in row.columns:
                row[feature] = pd.Series([value] * len(row), index=row.index, dtype=object).infer_objects()
        for feature in withheld:
            row[feature] = _missing_like(row[feature])
        return row

    def plain(self) -> dict[str, Any]:
        """Return the row as JSON can hold it."""
        return {str(name): plain(value) for name, value in self._row.iloc[0].items()}

    def forget(self) -> None:
        """Drop the row."""
        self._row = self._row.iloc[:0]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what is no text, number or truth value becomes text."""
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    found = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return found if is_json(found) else str(found)


def plain_all(value: Any) -> Any:
    """Return nested mappings and lists as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(name): plain_all(one) for name, one in value.items()}
    return [plain_all(one) for one in value] if isinstance(value, list | tuple) else plain(value)


def is_json(value: Any) -> bool:
    """Return whether a single value is one that JSON can hold."""
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def check_value(feature: str, value: Any) -> Any:
    """Return a value that a person gives, as JSON can hold it.

    Raises
    ------
    DataError
        JSON cannot hold it.
    """
    missing = value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
    found = None if missing else value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if not is_json(found):
        message = f"{feature!r} must be a text, a finite number, true or false, or nothing, got {value!r}; correct it"
        raise DataError(message)
    return found


def _missing_like(column: Any) -> Any:
    """Return a column of the same kind that holds nothing."""
    index = column.index
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([None] * len(index), dtype=column.dtype), index=index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(float("nan"), index=index)
    return pd.Series(None, index=index, dtype=object)
