"""Why somebody is in a segment: exact Shapley values in raw units."""

from xseg.explanations._explain import explain
from xseg.explanations._row import RowExplanation, explain_row, own_contributions

__all__ = ["RowExplanation", "explain", "explain_row", "own_contributions"]
