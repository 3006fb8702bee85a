"""Rights of persons: profiles with actions and receipts, and erasure from fitted models."""

from xseg.governance.rights._action_log import ActionLog, RightsStatus, SegmentBasis, UnchangedReason
from xseg.governance.rights._erasure import Erasure, FitRecord, erase
from xseg.governance.rights._person_record import Case
from xseg.governance.rights._profile import Profile
from xseg.governance.rights._profile_answers import ActionEffect, Answer, Notice
from xseg.governance.rights._profile_page import make_entry_link, make_profile_app

__all__ = [
    "ActionEffect",
    "ActionLog",
    "Answer",
    "Case",
    "Erasure",
    "FitRecord",
    "Notice",
    "Profile",
    "RightsStatus",
    "SegmentBasis",
    "UnchangedReason",
    "erase",
    "make_entry_link",
    "make_profile_app",
]
