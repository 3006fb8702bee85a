"""Conversion of a pipeline that ends in a segmenter into the segmenter over raw columns."""

from typing import Any

from sklearn.pipeline import Pipeline

from xseg.segmenters._pipelines import find_route

__all__ = ["fold"]


def fold(model: Any) -> Any:
    """Return the segmenter that a pipeline makes of raw columns.

    Where every step works column by column, and rises or falls with numbers, a tree over transformed columns is a tree
    over raw ones. It is found exactly, to the last bit of every threshold, by asking the steps, and knows the same
    rows, since their counts are carried over. Everything that takes a segmenter takes it: cards, reports, `save`, a
    `Scorer`.

    Parameters
    ----------
    model : fitted Pipeline, or segmenter
        Ending in a `TreeSegmenter`, `OutcomeSegmenter` or `SurrogateSegmenter`. A segmenter alone is given back.

    Returns
    -------
    segmenter
        Of the same class, fitted, over raw columns; it has no `labels_`, and since raw columns have no metric space,
        the `score` of a `TreeSegmenter` is 0.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        A step mixes columns or is not known to be one to one, a rule would have gaps in raw units, or the segmenter
        is of another kind.

    Examples
    --------
    >>> import xseg
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> numbers = xseg.make_customers(500, random_state=0)[["orders_90d", "spend_year", "recency_days"]]
    >>> pipeline = make_pipeline(StandardScaler(), xseg.TreeSegmenter(3, random_state=0)).fit(numbers)
    >>> folded = xseg.fold(pipeline)
    >>> bool((folded.predict(numbers) == pipeline.predict(numbers)).all())
    True
    """
    route = find_route(model)
    if not isinstance(model, Pipeline) or route.sources is None:
        return route.segmenter
    # The transformers that it knows take longer to import than a row to explain.
    from xseg.segmenters._folded_trees import fold_tree

    return fold_tree(route, route.sources, model)
