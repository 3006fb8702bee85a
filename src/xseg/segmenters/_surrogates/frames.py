"""Columns back as the tables that other libraries take."""

from typing import Any

import numpy as np
import pandas as pd

from xseg.core.schema import Kind
from xseg.core.tables import Column, Table

__all__ = ["frame_of"]


def frame_of(table: Table) -> Any:
    """Return rows as a DataFrame, or as an array if their columns came without names."""
    columns = {column.name: _series(column) for column in table.columns}
    if table.named:
        return pd.DataFrame(columns)
    return np.column_stack([np.asarray(column) for column in columns.values()])


def _series(column: Column) -> Any:
    if column.kind is Kind.BOOLEAN:
        numbers = column.numbers()
        return numbers if np.isnan(numbers).any() else numbers == 1
    if column.kind.is_numeric:
        return column.values
    codes = np.asarray(column.values, dtype=np.int64)
    categories = pd.Categorical.from_codes(codes, pd.Index(column.categories), ordered=column.kind is Kind.ORDERED)
    return categories if column.kind is Kind.ORDERED else categories.astype(object)
