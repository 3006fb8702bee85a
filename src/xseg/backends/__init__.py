"""Where the rows are: in memory, or in batches larger than memory.

A segmenter learns by asking a backend for sums, so it never matters where the rows lie. Another place of the rows is
another class with the methods of `Backend`; `xseg.testing.check_backend` checks it.
"""

from xseg.backends.base import Backend, CodedBackend, Passes
from xseg.backends.batches import BatchBackend
from xseg.backends.memory import MemoryBackend
from xseg.core.embedding import Coding
from xseg.core.statistics import CodedBlock, RawBlock, Statistic, check_weights
from xseg.core.tables import Table, read_table

__all__ = [
    "Backend",
    "BatchBackend",
    "CodedBackend",
    "CodedBlock",
    "Coding",
    "MemoryBackend",
    "Passes",
    "RawBlock",
    "Statistic",
    "Table",
    "check_weights",
    "read_table",
]
