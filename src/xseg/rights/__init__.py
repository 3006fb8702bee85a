"""What people may ask for, done: a profile with its calls and receipts, and erasure with proof."""

from xseg.rights._erasure import Erasure, erase
from xseg.rights._log import ActionLog
from xseg.rights._page import entry_link, profile_app
from xseg.rights._profile import Answer, Effect, Profile
from xseg.rights._standing import Because, Why

__all__ = [
    "ActionLog",
    "Answer",
    "Because",
    "Effect",
    "Erasure",
    "Profile",
    "Why",
    "entry_link",
    "erase",
    "profile_app",
]
