"""Why a row is in a segment: exact Shapley values in raw units."""

from xseg.explanations._agnostic import explain_agnostic
from xseg.explanations._change import Change, change
from xseg.explanations._change_costs import Obstacle
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
    GroupDescriber,
    GroupDescription,
    ModelFamily,
    NearestChange,
    describe_groups,
    make_family,
)
from xseg.explanations._row_explainers import EditOption, PortableModel
from xseg.explanations._scorer import ScoredReason, ScoredRow, Scorer
from xseg.explanations._shapley import NO_RIVAL, Contributions

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
