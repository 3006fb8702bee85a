"""Interpretable segmenters behind the scikit-learn API: the model is the explanation."""

from xseg.core.segments import Outcome
from xseg.segmenters._base import AdditiveSegmenter, BoxSegmenter, Segmenter, check_segmenter, get_segmenter
from xseg.segmenters._folding import fold
from xseg.segmenters._kmeans import NumberChoice
from xseg.segmenters._mixtures import MixtureChoice, MixtureSegmenter
from xseg.segmenters._names import propose_names
from xseg.segmenters._outcomes import OutcomeSegmenter
from xseg.segmenters._protocols import FittedSegmenter
from xseg.segmenters._prototypes import PrototypeSegmenter
from xseg.segmenters._rule_lint import FindingKind, RuleCoverage, RuleFinding, RuleReview
from xseg.segmenters._rules import RuleSegmenter, lint_rules
from xseg.segmenters._surrogates import SegmentFidelity, SurrogateSegmenter
from xseg.segmenters._tree import TreeSegmenter

__all__ = [
    "AdditiveSegmenter",
    "BoxSegmenter",
    "FindingKind",
    "FittedSegmenter",
    "MixtureChoice",
    "MixtureSegmenter",
    "NumberChoice",
    "Outcome",
    "OutcomeSegmenter",
    "PrototypeSegmenter",
    "RuleCoverage",
    "RuleFinding",
    "RuleReview",
    "RuleSegmenter",
    "SegmentFidelity",
    "Segmenter",
    "SurrogateSegmenter",
    "TreeSegmenter",
    "check_segmenter",
    "fold",
    "get_segmenter",
    "lint_rules",
    "propose_names",
]
