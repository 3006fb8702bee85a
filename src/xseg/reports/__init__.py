"""Pages about a whole model or one segment, for the analyst and the board."""

from xseg.reports._report import Report, make_report
from xseg.reports._report_facts import Figure, figures_of
from xseg.reports._segment_card import SegmentCard, segment_card

__all__ = ["Figure", "Report", "SegmentCard", "figures_of", "make_report", "segment_card"]
