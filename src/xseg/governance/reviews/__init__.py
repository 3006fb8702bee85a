"""What a policy says beside what a model does: findings with evidence, and the notice that a policy writes itself."""

from xseg.governance.reviews._notice_text import NoticeText, read_notice
from xseg.governance.reviews._notices import write_notice
from xseg.governance.reviews._review import CHECKS, Check, Review, review
from xseg.governance.reviews._review_subject import (
    SEVERITIES,
    Finding,
    FindingDraft,
    LedgerLike,
    ReviewSubject,
    Severity,
)

__all__ = [
    "CHECKS",
    "SEVERITIES",
    "Check",
    "Finding",
    "FindingDraft",
    "LedgerLike",
    "NoticeText",
    "Review",
    "ReviewSubject",
    "Severity",
    "read_notice",
    "review",
    "write_notice",
]
