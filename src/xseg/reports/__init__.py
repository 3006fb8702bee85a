"""Pages about a whole model or one segment, for the analyst and the board."""

from xseg.reports._report import Report, make_report
from xseg.reports._segment_card import SegmentCard, segment_card

__all__ = ["Report", "SegmentCard", "make_report", "segment_card"]
