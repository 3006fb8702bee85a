"""What other machines read: saved models, and who signed for them."""

from xseg.export._model_file import approval_of, approve, fingerprint, load, require_state, save
from xseg.export._review_basis import ReviewRecord, read_review
from xseg.export._sign_offs import Approval, SignOff, State

__all__ = [
    "Approval",
    "ReviewRecord",
    "SignOff",
    "State",
    "approval_of",
    "approve",
    "fingerprint",
    "load",
    "read_review",
    "require_state",
    "save",
]
