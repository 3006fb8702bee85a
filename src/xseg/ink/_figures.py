"""The few figures that say how good a model is, whatever its kind: each is shown where the model has it."""

from dataclasses import dataclass
from typing import Any

__all__ = ["Figure", "figures_of"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it counts, and how to read it."""

    value: str
    what: str
    how: str


_FIGURES = (
    ("fidelity_", "{:.1%}", "fidelity", "the share of people whom the original puts into the same group"),
    ("mean_depth_", "{:.1f}", "questions", "asked per person, on average"),
    (
        "price_of_explainability_",
        "{:.3f}",
        "price of explainability",
        "cost of these rules over unrestricted k-means; 1 is no price",
    ),
    ("lower_bound_", "{:.3f}", "mean log-likelihood", "of the people in the table; higher fits better"),
)


def figures_of(segmenter: Any) -> list[Figure]:
    """Return the figures a fitted segmenter has.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> [figure.what for figure in figures_of(segmenter)]
    ['questions', 'price of explainability']
    """
    return [
        Figure(form.format(getattr(segmenter, name)), what, how)
        for name, form, what, how in _FIGURES
        if hasattr(segmenter, name)
    ]
