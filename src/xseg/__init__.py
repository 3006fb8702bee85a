"""Customer segments whose model is the explanation.

Interpretable segmenters behind the scikit-learn API, exact Shapley values of why somebody is in a segment, and cards
that can be shown to the very person they are about.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from xseg._version import __version__ as __version__
from xseg.core import register_guard

if TYPE_CHECKING:
    from xseg.cards import make_cards, verify_card, verify_cards
    from xseg.core.progress import listen_to_progress
    from xseg.datasets import inspect, load_table, make_customers, rfm_table
    from xseg.exceptions import XsegError, XsegWarning
    from xseg.explanations import Scorer, change, contrast, counterfactual, explain, explain_agnostic
    from xseg.export import load, save
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
    )

_HOMES = {
    "MixtureSegmenter": "segmenters",
    "OutcomeSegmenter": "segmenters",
    "Policy": "policy",
    "PrototypeSegmenter": "segmenters",
    "RuleSegmenter": "segmenters",
    "Scorer": "explanations",
    "SurrogateSegmenter": "segmenters",
    "TreeSegmenter": "segmenters",
    "XsegError": "exceptions",
    "XsegWarning": "exceptions",
    "change": "explanations",
    "compare": "metrics",
    "contrast": "explanations",
    "counterfactual": "explanations",
    "explain": "explanations",
    "explain_agnostic": "explanations",
    "fold": "segmenters",
    "inspect": "datasets",
    "listen_to_progress": "core.progress",
    "load": "export",
    "load_table": "datasets",
    "make_cards": "cards",
    "make_customers": "datasets",
    "make_report": "reports",
    "rfm_table": "datasets",
    "save": "export",
    "segment_card": "reports",
    "verify_card": "cards",
    "verify_cards": "cards",
}

__all__ = [
    "MixtureSegmenter",
    "OutcomeSegmenter",
    "Policy",
    "PrototypeSegmenter",
    "RuleSegmenter",
    "Scorer",
    "SurrogateSegmenter",
    "TreeSegmenter",
    "XsegError",
    "XsegWarning",
    "change",
    "compare",
    "contrast",
    "counterfactual",
    "explain",
    "explain_agnostic",
    "fold",
    "inspect",
    "listen_to_progress",
    "load",
    "load_table",
    "make_cards",
    "make_customers",
    "make_report",
    "rfm_table",
    "save",
    "segment_card",
    "verify_card",
    "verify_cards",
]
_PACKAGES = (
    "backends",
    "cards",
    "datasets",
    "explanations",
    "export",
    "governance",
    "i18n",
    "metrics",
    "policy",
    "reports",
    "segmenters",
    "testing",
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
