"""Pipelines that end in a segmenter: the route from raw to transformed columns.

Their transformers take longer to import than a row to explain, and are imported for pipelines that transform.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from xseg.segmenters._base import check_segmenter
from xseg.segmenters._protocols import FittedSegmenter

__all__ = ["Route", "find_route"]


@dataclass(frozen=True, eq=False)
class Route:
    """From raw columns to a segmenter.

    Attributes
    ----------
    segmenter : estimator
        The last step.
    transform : callable
        Applies the steps before it.
    sources : ndarray of shape (n_transformed,) or None
        The raw column that each transformed column was made of; None if nothing is transformed.
    steps : tuple of (str, transformer)
        The steps that transform, by name.
    """

    segmenter: FittedSegmenter
    transform: Callable[[Any], Any]
    sources: NDArray[np.int64] | None = None
    steps: tuple[tuple[str, Any], ...] = ()


def find_route(model: Any) -> Route:
    """Find the fitted segmenter in a model, and the route to it.

    Raises
    ------
    UnsupportedTypeError
        The model is, or ends in, no segmenter of xseg; or a step mixes columns, or is not known to leave them apart.
    NotFittedError
        The segmenter has not been fitted.
    """
    steps: list[tuple[str, Any]] = []
    while isinstance(model, Pipeline):
        steps += [(name, step) for name, step in model.steps[:-1] if step not in (None, "passthrough")]
        model = model.steps[-1][1]
    check_segmenter(model)
    if not steps:
        return Route(model, lambda X: X)
    from xseg.segmenters._derivations import find_sources

    sources = None
    for name, step in steps:
        made_of = find_sources(step, name)
        sources = made_of if sources is None else sources[made_of]

    def transform(X: Any) -> Any:
        for _, step in steps:
            X = step.transform(X)
        return X

    return Route(model, transform, sources, tuple(steps))
