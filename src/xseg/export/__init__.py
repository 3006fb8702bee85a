"""What other machines read: saved models, and who signed for them."""

from xseg.export._approval import Approval, SignOff
from xseg.export._basis import ReviewRecord, read_review
from xseg.export._model import approval_of, approve, fingerprint, load, save

__all__ = [
    "Approval",
    "ReviewRecord",
    "SignOff",
    "approval_of",
    "approve",
    "fingerprint",
    "load",
    "read_review",
    "save",
]
