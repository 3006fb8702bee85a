"""Why somebody is in a segment: exact Shapley values in raw units."""

from xseg.explain._explain import explain

__all__ = ["explain"]
