"""Pages about a whole model, for the analyst and the board."""

from xseg.reports._report import Report, make_report

__all__ = ["Report", "make_report"]
