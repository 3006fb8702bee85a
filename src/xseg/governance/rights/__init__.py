"""What people may ask for, done: a profile with its calls and receipts, and erasure with proof."""

from xseg.governance.rights._answers import Answer, Effect
from xseg.governance.rights._cases import Case
from xseg.governance.rights._erasure import Erasure, erase
from xseg.governance.rights._fit_record import FitRecord
from xseg.governance.rights._log import ActionLog
from xseg.governance.rights._notices import Notice
from xseg.governance.rights._page import entry_link, profile_app
from xseg.governance.rights._profile import Profile
from xseg.governance.rights._standing import Because, Standing, Why

__all__ = [
    "ActionLog",
    "Answer",
    "Because",
    "Case",
    "Effect",
    "Erasure",
    "FitRecord",
    "Notice",
    "Profile",
    "Standing",
    "Why",
    "entry_link",
    "erase",
    "profile_app",
]
