"""What a policy says beside what a model does: findings with evidence, and the notice that a policy writes itself."""

from xseg.reviews._findings import SEVERITIES, Finding, Severity
from xseg.reviews._registry import CHECKS, Check
from xseg.reviews._review import Review, review
from xseg.reviews._subject import ConsentLedger
from xseg.reviews._written import write_notice

__all__ = [
    "CHECKS",
    "SEVERITIES",
    "Check",
    "ConsentLedger",
    "Finding",
    "Review",
    "Severity",
    "review",
    "write_notice",
]
