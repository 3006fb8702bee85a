"""What a readable model costs, how far it can be relied on, and what moves over time."""

from xseg.metrics._compare import SegmentStability, Stability, Structure, compare, stability, structure
from xseg.metrics._drift import Drift, FeatureDrift, Migration, SegmentDrift, drift, migration
from xseg.metrics._tradeoff import Certificate, Tradeoff, TradeoffPoint, certify, tradeoff

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
