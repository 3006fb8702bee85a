"""What people may ask for, done: a profile with its calls and receipts, and erasure with proof."""

from xseg.rights._erasure import Erasure, erase
from xseg.rights._log import ActionLog
from xseg.rights._profile import Answer, Effect, Profile
from xseg.rights._standing import Why

__all__ = ["ActionLog", "Answer", "Effect", "Erasure", "Profile", "Why", "erase"]
