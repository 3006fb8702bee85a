"""Where models may be fitted and written: an approved environment, and a log of whoever went around it.

An environment is a YAML file of hosts, installed packages and a data region. While it is active, `fit` and `save`
refuse to run anywhere else.
"""

from xseg.environments._environment import Environment
from xseg.environments._guard import require_environment
from xseg.environments._here import packages_digest
from xseg.environments._log import Override, read_overrides

__all__ = ["Environment", "Override", "packages_digest", "read_overrides", "require_environment"]
