"""From one value to its code, without a table."""

from bisect import bisect_right
from collections.abc import Callable
from math import isinf
from numbers import Real
from typing import Any

import numpy as np

from xseg.core.bins import MISSING, FeatureBins
from xseg.core.schema import Kind
from xseg.exceptions import ColumnTypeError, DataError

__all__ = ["reader_of"]


def reader_of(bins: FeatureBins) -> Callable[[Any], int]:
    """Return a function from one value (None: not known) to its code."""
    name, missing = bins.feature.name, int(MISSING)
    if bins.feature.kind is Kind.EMPTY:
        return lambda _: missing
    if bins.feature.kind.is_numeric:
        thresholds = bins.thresholds.tolist()

        def number(value: Any) -> int:
            if value is None:
                return missing
            if not isinstance(value, Real | np.bool_):
                message = (
                    f"column {name!r} held numbers when the segmenter was fitted, and holds {value!r} now; "
                    "convert it to a number, or give None if it is not known"
                )
                raise ColumnTypeError(message)
            known = float(value)
            if isinf(known):
                message = f"column {name!r} holds an infinite value; give None if it is not known"
                raise DataError(message)
            return bisect_right(thresholds, known)

        return number
    place = {category: code for code, category in enumerate(bins.categories)}

    def category(value: Any) -> int:
        if value is None:
            return missing
        if not isinstance(value, str):
            message = (
                f"column {name!r} held text when the segmenter was fitted, and holds {value!r} now; convert it to text"
            )
            raise ColumnTypeError(message)
        return place.get(value, missing)

    return category
