"""What other machines read: saved models."""

from xseg.export._model import fingerprint, load, save

__all__ = ["fingerprint", "load", "save"]
