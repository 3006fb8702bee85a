"""Where models may be fitted and written: an approved environment, and a log of whoever went around it.

An environment is a YAML file of hosts, installed packages and a data region. While it is active, `fit` and `save`
refuse to run anywhere else.
"""

from xseg.core.guards import register_guard
from xseg.governance.environments._environment import Environment, compute_packages_digest
from xseg.governance.environments._environment_guard import Override, read_overrides, require_environment

register_guard("environment", require_environment)

__all__ = ["Environment", "Override", "compute_packages_digest", "read_overrides", "require_environment"]
