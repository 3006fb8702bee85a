"""Interpretable segmenters behind the scikit-learn API: the model is the explanation."""

from xseg.core.outcomes import Outcome
from xseg.segmenters._additive import AdditiveSegmenter
from xseg.segmenters._base import BoxSegmenter, Segmenter
from xseg.segmenters._checking import check_segmenter, segmenter_of
from xseg.segmenters._mixtures.segmenter import MixtureChoice, MixtureSegmenter
from xseg.segmenters._names import propose_names
from xseg.segmenters._outcomes.segmenter import OutcomeSegmenter
from xseg.segmenters._pipelines.folding import fold
from xseg.segmenters._prototypes.segmenter import PrototypeSegmenter
from xseg.segmenters._rules.lint import FindingKind, RuleCoverage, RuleFinding, RuleReview
from xseg.segmenters._rules.segmenter import RuleSegmenter, lint_rules
from xseg.segmenters._surrogates.fidelity import SegmentFidelity
from xseg.segmenters._surrogates.segmenter import SurrogateSegmenter
from xseg.segmenters._trees.number import NumberChoice
from xseg.segmenters._trees.segmenter import TreeSegmenter

__all__ = [
    "AdditiveSegmenter",
    "BoxSegmenter",
    "FindingKind",
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
    "lint_rules",
    "propose_names",
    "segmenter_of",
]
