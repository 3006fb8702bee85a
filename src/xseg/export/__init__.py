"""What other machines read: saved models, and the sign-offs kept with them."""

from xseg.export._model_file import check_approval, fingerprint, get_approval, load, save
from xseg.export._sign_offs import (
    Approval,
    SignOff,
    State,
    add_sign_off,
    create_sign_off,
    find_states,
    get_sign_offs,
    read_day,
)

__all__ = [
    "Approval",
    "SignOff",
    "State",
    "add_sign_off",
    "check_approval",
    "create_sign_off",
    "find_states",
    "fingerprint",
    "get_approval",
    "get_sign_offs",
    "load",
    "read_day",
    "save",
]
