"""Segments that were learned, as rules that people can edit."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from xseg.core.bins import FeatureBins
from xseg.core.boxes import Boxes, BoxModel
from xseg.core.conditions import Condition, condition_of
from xseg.core.schema import Kind
from xseg.exceptions import UnsupportedModelError
from xseg.segmenters._rules.expressions import write_column, write_literal
from xseg.segmenters._rules.given import condition_text

__all__ = ["rules_of"]


def rules_of(segmenter: Any) -> dict[str, str]:
    """Write the boxes of a fitted segmenter as one rule for each segment."""
    model = getattr(segmenter, "model_", None)
    if model is None and hasattr(segmenter, "_check_fitted"):
        segmenter._check_fitted()
    if not isinstance(model, BoxModel):
        message = f"{type(segmenter).__name__} is not made of boxes, so it has no rules to write down"
        raise UnsupportedModelError(message)
    boxes = model.boxes
    return {
        name: " or ".join(_several(_box_text(boxes, box) for box in np.flatnonzero(boxes.segment == segment).tolist()))
        for segment, name in enumerate(segmenter.segment_names_)
    }


def _several(texts: Iterator[str]) -> list[str]:
    found = list(texts)
    return found if len(found) == 1 else [f"({text})" for text in found]


def _box_text(boxes: Boxes, box: int) -> str:
    tested = np.flatnonzero(~boxes.inside[box].all(axis=1)).tolist()
    parts = [_text(boxes.bins[j], boxes.inside[box, j]) for j in tested]
    joined = " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)
    return joined or "everyone"


def _text(bins: FeatureBins, inside: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    condition = condition_of(bins, inside)
    if not condition.missing:
        return condition_text(condition)
    if bins.feature.kind.is_numeric:
        one_sided = (condition.lower is None) != (condition.upper is None)
        is_number = bins.feature.kind is Kind.NUMBER
        return _not_beyond(condition) if is_number and one_sided else condition_text(condition)
    # Categories that nobody had yet count as missing, so they belong where missing values do.
    others = [name for code, name in enumerate(bins.categories) if not inside[code]]
    return f"not {write_column(bins.feature.name)} in {{{', '.join(map(write_literal, others))}}}"


def _not_beyond(condition: Condition) -> str:
    """Return on which side of one threshold a number lies, so that a missing one lies there too."""
    if condition.upper == -np.inf:
        return condition_text(condition)
    sign, end = ("<", condition.lower) if condition.upper is None else (">=", condition.upper)
    assert end is not None
    return f"not {write_column(condition.feature)} {sign} {write_literal(end)}"
