"""What other machines read: saved models, and who signed for them."""

from xseg.export._approval import Approval, SignOff, State
from xseg.export._basis import ReviewRecord, read_review
from xseg.export._model import approval_of, approve, fingerprint, load, require_state, save

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
