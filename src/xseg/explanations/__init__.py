"""Why a row is in a segment: exact Shapley values in raw units."""

from xseg.explanations._agnostic import explain_agnostic
from xseg.explanations._change import Change, change
from xseg.explanations._change_costs import AllowedChanges, ChangeSearch, CheapestChanges, Obstacle
from xseg.explanations._changed_rows import FeatureChange, apply_changes
from xseg.explanations._contrast import Contrast, contrast
from xseg.explanations._counterfactual import Counterfactuals, NearestChangeFinder, Recourse, counterfactual
from xseg.explanations._explain import (
    RowExplanation,
    build_portable_model,
    comprehensiveness,
    compute_own_contributions,
    explain,
    explain_row,
)
from xseg.explanations._families import (
    ChangeContributions,
    GroupDescriber,
    GroupDescription,
    ModelFamily,
    NearestChange,
    NearestChanges,
    Rivals,
    describe_groups,
    make_family,
)
from xseg.explanations._row_explainers import EditOption, PortableModel, RowContributions, RowExplainer
from xseg.explanations._scorer import ScoredReason, ScoredRow, Scorer
from xseg.explanations._shapley import NO_RIVAL, Contributions, Explainer

__all__ = [
    "NO_RIVAL",
    "AllowedChanges",
    "Change",
    "ChangeContributions",
    "ChangeSearch",
    "CheapestChanges",
    "Contrast",
    "Contributions",
    "Counterfactuals",
    "EditOption",
    "Explainer",
    "FeatureChange",
    "GroupDescriber",
    "GroupDescription",
    "ModelFamily",
    "NearestChange",
    "NearestChangeFinder",
    "NearestChanges",
    "Obstacle",
    "PortableModel",
    "Recourse",
    "Rivals",
    "RowContributions",
    "RowExplainer",
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
