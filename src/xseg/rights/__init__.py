"""What people may ask for, done: erasure with proof."""

from xseg.rights._erasure import Erasure, erase

__all__ = ["Erasure", "erase"]
