"""Interpretable segmenters behind the scikit-learn API: the model is the explanation."""

from xseg.core.segments import Outcome
from xseg.segmenters._additive_segmenter import AdditiveSegmenter
from xseg.segmenters._base import (
    Segmenter,
    check_segmenter,
    complete_fit,
    get_registered_segmenters,
    get_segmenter,
    register_segmenter,
)
from xseg.segmenters._box_segmenter import BoxSegmenter
from xseg.segmenters._folding import fold
from xseg.segmenters._kmeans import kmeans, reference_partition
from xseg.segmenters._learning import SAMPLE_CAPACITY, Columns, Prepared, Space, prepare
from xseg.segmenters._mixtures import MixtureSegmenter
from xseg.segmenters._names import propose_names
from xseg.segmenters._number_choice import NumberChoice
from xseg.segmenters._outcomes import OutcomeSegmenter
from xseg.segmenters._pipelines import Route, find_route
from xseg.segmenters._protocols import (
    FittedModel,
    FittedSegmenter,
    FittedSurrogate,
    FittedTree,
    SegmenterOrPipeline,
    TestedSegmenter,
    get_last_step,
)
from xseg.segmenters._prototypes import PrototypeSegmenter
from xseg.segmenters._rule_definitions import write_condition
from xseg.segmenters._rule_lint import FindingKind, RuleCoverage, RuleFinding, RuleReview
from xseg.segmenters._rules import RuleSegmenter, lint_rules
from xseg.segmenters._saved_state import DrawnBoxState, StrictState
from xseg.segmenters._surrogate_labels import LabelPartition, is_fitted
from xseg.segmenters._surrogates import SegmentFidelity, SurrogateSegmenter
from xseg.segmenters._tree import TreeSegmenter

__all__ = [
    "SAMPLE_CAPACITY",
    "AdditiveSegmenter",
    "BoxSegmenter",
    "Columns",
    "DrawnBoxState",
    "FindingKind",
    "FittedModel",
    "FittedSegmenter",
    "FittedSurrogate",
    "FittedTree",
    "LabelPartition",
    "MixtureSegmenter",
    "NumberChoice",
    "Outcome",
    "OutcomeSegmenter",
    "Prepared",
    "PrototypeSegmenter",
    "Route",
    "RuleCoverage",
    "RuleFinding",
    "RuleReview",
    "RuleSegmenter",
    "SegmentFidelity",
    "Segmenter",
    "SegmenterOrPipeline",
    "Space",
    "StrictState",
    "SurrogateSegmenter",
    "TestedSegmenter",
    "TreeSegmenter",
    "check_segmenter",
    "complete_fit",
    "find_route",
    "fold",
    "get_last_step",
    "get_registered_segmenters",
    "get_segmenter",
    "is_fitted",
    "kmeans",
    "lint_rules",
    "prepare",
    "propose_names",
    "reference_partition",
    "register_segmenter",
    "write_condition",
]
