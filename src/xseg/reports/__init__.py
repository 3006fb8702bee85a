"""Pages about a whole model or one segment, for the analyst and the board."""

from xseg.reports._report_facts import Figure, compute_figures
from xseg.reports._report_pages import Report, SegmentCard, make_report, segment_card

__all__ = ["Figure", "Report", "SegmentCard", "compute_figures", "make_report", "segment_card"]
