"""What is held about one person, as the model may see it and as they may take it with them."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from xseg.core.schema import suggestion
from xseg.exceptions import DataError, FeatureNamesError

__all__ = ["Held", "plain"]


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
        """Refuse a column that is not there."""
        if feature not in self.names:
            message = f"nothing called {feature!r} is held about this person{suggestion(feature, self.names)}"
            raise FeatureNamesError(message)

    def seen(self, corrections: Mapping[str, Any], withheld: Iterable[str]) -> pd.DataFrame:
        """Give the row with corrections, and without what is withheld."""
        row = self._row.copy()
        for feature, value in corrections.items():
            if feature in row.columns:
                row[feature] = pd.Series([value] * len(row), index=row.index, dtype=object).infer_objects()
        for feature in withheld:
            row[feature] = _missing_like(row[feature])
        return row

    def plain(self) -> dict[str, Any]:
        """Give the row as JSON can hold it."""
        return {str(name): plain(value) for name, value in self._row.iloc[0].items()}

    def forget(self) -> None:
        """Drop the row."""
        self._row = self._row.iloc[:0]


def plain(value: Any) -> Any:
    """Give a value as JSON can hold it."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _missing_like(column: Any) -> Any:
    """Give a column of the same kind that holds nothing."""
    index = column.index
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([None] * len(index), dtype=column.dtype), index=index)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(float("nan"), index=index)
    return pd.Series(None, index=index, dtype=object)
