"""Why a row is in a segment: exact Shapley values in raw units."""

from xseg.explanations._agnostic import explain_agnostic
from xseg.explanations._change import Change, change
from xseg.explanations._change_conditions import NearestChange
from xseg.explanations._change_costs import Obstacle
from xseg.explanations._changed_rows import FeatureChange, apply_changes
from xseg.explanations._contrast import Contrast, contrast
from xseg.explanations._counterfactual import Counterfactuals, NearestChangeFinder, Recourse, counterfactual
from xseg.explanations._explain import explain
from xseg.explanations._explain_one import (
    RowExplanation,
    build_portable_model,
    comprehensiveness,
    compute_own_contributions,
    explain_row,
)
from xseg.explanations._explainer import NO_RIVAL, Contributions
from xseg.explanations._families import ModelFamily, describe_groups, make_family
from xseg.explanations._group_descriptions import GroupDescriber, GroupDescription
from xseg.explanations._portable_model import EditOption, PortableModel
from xseg.explanations._scorer import ScoredReason, ScoredRow, Scorer

__all__ = [
    "NO_RIVAL",
    "Change",
    "Contrast",
    "Contributions",
    "Counterfactuals",
    "EditOption",
    "FeatureChange",
    "GroupDescriber",
    "GroupDescription",
    "ModelFamily",
    "NearestChange",
    "NearestChangeFinder",
    "Obstacle",
    "PortableModel",
    "Recourse",
    "RowExplanation",
    "ScoredReason",
    "ScoredRow",
    "Scorer",
    "apply_changes",
    "build_portable_model",
    "change",
    "comprehensiveness",
    "compute_own_contributions",
    "contrast",
    "counterfactual",
    "describe_groups",
    "explain",
    "explain_agnostic",
    "explain_row",
    "make_family",
]
