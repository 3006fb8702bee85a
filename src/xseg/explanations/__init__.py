"""Why somebody is in a segment: exact Shapley values in raw units."""

from xseg.explanations._agnostic import explain_agnostic
from xseg.explanations._explain import explain
from xseg.explanations._explained import NO_RIVAL, Explained
from xseg.explanations._row import RowExplanation, explain_row, own_contributions
from xseg.explanations._scorer import ScoredReason, ScoredRow, Scorer

__all__ = [
    "NO_RIVAL",
    "Explained",
    "RowExplanation",
    "ScoredReason",
    "ScoredRow",
    "Scorer",
    "explain",
    "explain_agnostic",
    "explain_row",
    "own_contributions",
]
