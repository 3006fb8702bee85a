"""The first argument of functions that take a fitted segmenter."""

from typing import Any

from xseg.exceptions import NotFittedError, UnsupportedModelError
from xseg.segmenters._base import Segmenter

__all__ = ["check_segmenter", "segmenter_of"]


def segmenter_of(model: Any) -> Any:
    """Return the fitted segmenter inside a consent gate; anything else as it is.

    Raises
    ------
    NotFittedError
        The gate has not been fitted.
    """
    # A gate stands above segmenters, so that it is known by what it has and not by its class.
    if not hasattr(model, "admit") or not hasattr(model, "purpose"):
        return model
    if not hasattr(model, "segmenter_"):
        message = "This ConsentGate instance is not fitted yet. Call 'fit' with a table and subject_ids first."
        raise NotFittedError(message)
    return model.segmenter_


def check_segmenter(segmenter: Any) -> Any:
    """Return a fitted segmenter, or raise.

    Raises
    ------
    UnsupportedModelError
        It is no segmenter of xseg.
    NotFittedError
        It has not been fitted.
    """
    if not isinstance(segmenter, Segmenter):
        kind = type(segmenter).__name__
        advice = "fit one, or read one with xseg.load"
        if hasattr(segmenter, "admit") and hasattr(segmenter, "purpose"):
            advice = "give gate.segmenter_, and the rows of gate.admit(X, subject_ids=ids).X"
        elif hasattr(segmenter, "steps"):
            advice = "give xseg.fold(pipeline)"
        message = f"segmenter must be a fitted segmenter of xseg, got {kind}; {advice}"
        raise UnsupportedModelError(message)
    segmenter._check_fitted()
    return segmenter
