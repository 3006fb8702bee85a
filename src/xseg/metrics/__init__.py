"""What a readable model costs, and what more leaves would buy."""

from xseg.metrics._certify import Certificate, certify
from xseg.metrics._tradeoff import Tradeoff, TradeoffPoint, tradeoff

__all__ = ["Certificate", "Tradeoff", "TradeoffPoint", "certify", "tradeoff"]
