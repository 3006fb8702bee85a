"""What this place is, found without asking the network."""

import hashlib
import os
import platform
import re
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["REGION", "data_region", "file_digest", "host", "packages_digest"]

REGION = "XSEG_DATA_REGION"


def host() -> str:
    """Return the name of this machine."""
    return platform.node()


def data_region() -> str | None:
    """Return the region that the environment variable ``XSEG_DATA_REGION`` names."""
    return os.environ.get(REGION, "").strip() or None


def packages_digest() -> str:
    """Return the SHA-256 of the names and versions of all installed packages, in hexadecimal.

    Returns
    -------
    str
        64 digits; the order in which packages are found does not matter.

    Examples
    --------
    >>> from xseg.governance.environments import packages_digest
    >>> len(packages_digest())
    64
    """
    found = {(_normal(str(one.metadata["Name"])), one.version) for one in distributions()}
    return hashlib.sha256("\n".join(f"{name}=={version}" for name, version in sorted(found)).encode()).hexdigest()


def file_digest(path: str) -> str | None:
    """Return the SHA-256 of a file; None if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (OSError, ValueError):
        # A name that no file can have is that of no file.
        return None


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
