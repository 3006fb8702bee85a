"""Customer segments whose model is the explanation.

Interpretable segmenters behind the scikit-learn API, exact Shapley values of why somebody is in a segment, and cards
that can be shown to the very person they are about.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from xseg.core.guards import register_guard

if TYPE_CHECKING:
    from xseg.backends import Backend, BatchBackend, MemoryBackend
    from xseg.cards import Card, make_cards, verify_card, verify_cards
    from xseg.datasets import customers_policy, inspect, load_table, make_customers, rfm_table
    from xseg.exceptions import XsegError, XsegWarning
    from xseg.explanations import Scorer, change, contrast, counterfactual, explain
    from xseg.export import approval_of, approve, load, save
    from xseg.governance.environments import Environment
    from xseg.governance.reviews import review, write_notice
    from xseg.governance.rights import Profile
    from xseg.governance.routing import route
    from xseg.governance.surveys import Survey
    from xseg.metrics import compare
    from xseg.policy import Policy
    from xseg.reports import make_report, segment_card
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

_HOMES = {
    "Backend": "backends",
    "BatchBackend": "backends",
    "Card": "cards",
    "Environment": "governance.environments",
    "MemoryBackend": "backends",
    "MixtureSegmenter": "segmenters",
    "OutcomeSegmenter": "segmenters",
    "Policy": "policy",
    "Profile": "governance.rights",
    "PrototypeSegmenter": "segmenters",
    "RuleSegmenter": "segmenters",
    "Scorer": "explanations",
    "SurrogateSegmenter": "segmenters",
    "Survey": "governance.surveys",
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
    "review": "governance.reviews",
    "write_notice": "governance.reviews",
    "rfm_table": "datasets",
    "route": "governance.routing",
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
    "datasets",
    "explanations",
    "export",
    "governance",
    "metrics",
    "policy",
    "reports",
    "segmenters",
)


def _require_environment(action: str) -> None:
    """Check the environments that the process was started with; where it names none, nothing is imported."""
    if os.environ.get("XSEG_ENVIRONMENT") or os.environ.get("XSEG_ACTIVE_ENVIRONMENTS"):
        import_module("xseg.governance.environments").require_environment(action)


# Replaced by the check itself once `xseg.governance.environments` is imported.
register_guard("environment", _require_environment)


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
