"""Where the rows are: in memory, or in batches larger than memory.

A segmenter learns by asking a backend for sums, so it never matters where the rows lie.
"""

from xseg.backends.base import Backend, CodedBackend, Passes
from xseg.backends.batches import BatchBackend
from xseg.backends.memory import MemoryBackend

__all__ = ["Backend", "BatchBackend", "CodedBackend", "MemoryBackend", "Passes"]
