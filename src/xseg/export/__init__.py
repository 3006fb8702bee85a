"""What other machines read: saved models, and who signed for them."""

from xseg.export._model_file import approve, fingerprint, get_approval, load, require_state, save
from xseg.export._review_basis import ReviewRecord, read_review
from xseg.export._sign_offs import Approval, SignOff, State, signed, states_on

__all__ = [
    "Approval",
    "ReviewRecord",
    "SignOff",
    "State",
    "approve",
    "fingerprint",
    "get_approval",
    "load",
    "read_review",
    "require_state",
    "save",
    "signed",
    "states_on",
]
