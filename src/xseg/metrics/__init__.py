"""What a readable model costs, how far it can be relied on, and what moves over time."""

from xseg.metrics._certify import Certificate, certify
from xseg.metrics._compare import compare
from xseg.metrics._drift import Drift, FeatureDrift, SegmentDrift, drift
from xseg.metrics._migration import Migration, migration
from xseg.metrics._stability import SegmentStability, Stability, stability
from xseg.metrics._structure import Structure, structure
from xseg.metrics._tradeoff import Tradeoff, TradeoffPoint, tradeoff

__all__ = [
    "Certificate",
    "Drift",
    "FeatureDrift",
    "Migration",
    "SegmentDrift",
    "SegmentStability",
    "Stability",
    "Structure",
    "Tradeoff",
    "TradeoffPoint",
    "certify",
    "compare",
    "drift",
    "migration",
    "stability",
    "structure",
    "tradeoff",
]
