"""Customer segments whose model is the explanation.

Interpretable segmenters behind the scikit-learn API, exact Shapley values of why somebody is in a segment, and cards
that can be shown to the very person they are about.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xseg.backends import Backend, BatchBackend, MemoryBackend
    from xseg.cards import Card, make_cards, verify_card, verify_cards
    from xseg.datasets import customers_policy, inspect, load_table, make_customers, rfm_table
    from xseg.environments import Environment
    from xseg.exceptions import XsegError, XsegWarning
    from xseg.explanations import Scorer, change, contrast, counterfactual, explain
    from xseg.export import approval_of, approve, load, save
    from xseg.metrics import compare
    from xseg.policy import Policy
    from xseg.reports import make_report, segment_card
    from xseg.reviews import review, write_notice
    from xseg.rights import Profile
    from xseg.segmenters import (
        MixtureSegmenter,
        OutcomeSegmenter,
        PrototypeSegmenter,
        RuleSegmenter,
        SurrogateSegmenter,
        TreeSegmenter,
        fold,
        lint_rules,
    )
    from xseg.surveys import Survey
    from xseg.touchpoints import route

_HOMES = {
    "Backend": "backends",
    "BatchBackend": "backends",
    "Card": "cards",
    "Environment": "environments",
    "MemoryBackend": "backends",
    "MixtureSegmenter": "segmenters",
    "OutcomeSegmenter": "segmenters",
    "Policy": "policy",
    "Profile": "rights",
    "PrototypeSegmenter": "segmenters",
    "RuleSegmenter": "segmenters",
    "Scorer": "explanations",
    "SurrogateSegmenter": "segmenters",
    "Survey": "surveys",
    "TreeSegmenter": "segmenters",
    "XsegError": "exceptions",
    "XsegWarning": "exceptions",
    "approval_of": "export",
    "approve": "export",
    "change": "explanations",
    "compare": "metrics",
    "contrast": "explanations",
    "counterfactual": "explanations",
    "customers_policy": "datasets",
    "explain": "explanations",
    "fold": "segmenters",
    "inspect": "datasets",
    "lint_rules": "segmenters",
    "load": "export",
    "load_table": "datasets",
    "make_cards": "cards",
    "make_customers": "datasets",
    "make_report": "reports",
    "review": "reviews",
    "write_notice": "reviews",
    "rfm_table": "datasets",
    "route": "touchpoints",
    "save": "export",
    "segment_card": "reports",
    "verify_card": "cards",
    "verify_cards": "cards",
}

__all__ = [
    "Backend",
    "BatchBackend",
    "Card",
    "Environment",
    "MemoryBackend",
    "MixtureSegmenter",
    "OutcomeSegmenter",
    "Policy",
    "Profile",
    "PrototypeSegmenter",
    "RuleSegmenter",
    "Scorer",
    "SurrogateSegmenter",
    "Survey",
    "TreeSegmenter",
    "XsegError",
    "XsegWarning",
    "approval_of",
    "approve",
    "change",
    "compare",
    "contrast",
    "counterfactual",
    "customers_policy",
    "explain",
    "fold",
    "inspect",
    "lint_rules",
    "load",
    "load_table",
    "make_cards",
    "make_customers",
    "make_report",
    "review",
    "rfm_table",
    "route",
    "save",
    "segment_card",
    "verify_card",
    "verify_cards",
    "write_notice",
]
__version__ = "0.1.0"
_PACKAGES = (
    "backends",
    "cards",
    "consent",
    "datasets",
    "environments",
    "explanations",
    "export",
    "metrics",
    "personas",
    "policy",
    "reports",
    "reviews",
    "rights",
    "segmenters",
    "surveys",
    "touchpoints",
)


def __getattr__(name: str) -> Any:
    """Load public names on first use, so that importing xseg costs next to nothing."""
    if name in _PACKAGES:
        return import_module(f"xseg.{name}")
    if name not in _HOMES:
        message = f"module 'xseg' has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(import_module(f"xseg.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_PACKAGES})
