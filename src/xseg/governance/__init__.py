"""Consent, rights of persons, reviews, sign-offs and rules of use, around a segmenter.

Segmenting and explaining need none of it; this package needs all the others but the command line.
"""

from importlib import import_module
from types import ModuleType

_PACKAGES = ("approval", "consent", "environments", "personas", "reviews", "rights", "routing", "surveys")

__all__ = list(_PACKAGES)


def __getattr__(name: str) -> ModuleType:
    """Import a package on first use."""
    if name not in _PACKAGES:
        message = f"module 'xseg.governance' has no attribute {name!r}"
        raise AttributeError(message)
    return import_module(f"xseg.governance.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES})
