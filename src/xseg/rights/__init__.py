"""What people may ask for, done: a profile with its calls and receipts, and erasure with proof."""

from xseg.rights._answers import Answer, Effect
from xseg.rights._cases import Case
from xseg.rights._erasure import Erasure, erase
from xseg.rights._fit_record import FitRecord
from xseg.rights._log import ActionLog
from xseg.rights._notices import Notice
from xseg.rights._page import entry_link, profile_app
from xseg.rights._profile import Profile
from xseg.rights._standing import Because, Standing, Why

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
