"""Interpretable segmenters behind the scikit-learn API: the model is the explanation."""

from xseg.segmenters._number import NumberChoice
from xseg.segmenters._tree import TreeSegmenter

__all__ = ["NumberChoice", "TreeSegmenter"]
