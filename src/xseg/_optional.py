"""Late imports of packages that are not installed with xseg itself."""

from importlib import import_module
from types import ModuleType

from xseg.exceptions import OptionalDependencyError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra brings it and what it is needed for."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f"{purpose} needs the package {package!r}, which is not installed: pip install 'xseg[{extra}]'"
        raise OptionalDependencyError(message) from error
