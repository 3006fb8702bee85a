"""Approval of models: who signed for a model, on which review, and until when.

The state itself is kept with the model (`xseg.export.get_approval`), so that cards and reports can state it and
`xseg.load` can require it.
"""

from xseg.governance.approval._approve import approve
from xseg.governance.approval._review_basis import ReviewRecord, read_review

__all__ = ["ReviewRecord", "approve", "read_review"]
