"""Late imports of packages that are slow, or not installed with xseg itself."""

import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread
from types import ModuleType

from xseg.exceptions import OptionalDependencyError


def import_shap() -> None:
    """Import shap in a thread of its own, if it is not imported yet.

    shap keeps the errors of its optional imports, and with them the frames of all functions that led to its first
    import. Imported where it is needed, it would keep the table that was to be explained for as long as the process
    runs. An import that fails in the thread is repeated, and raises, where shap is used.
    """
    if "shap" in sys.modules:
        return

    def attempt() -> None:
        with suppress(ImportError):
            import_module("shap")

    thread = Thread(target=attempt)
    thread.start()
    thread.join()


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra brings it and what it is needed for."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f"{purpose} needs the package {package!r}, which is not installed: pip install 'xseg[{extra}]'"
        raise OptionalDependencyError(message) from error
    except OSError as error:
        message = (
            f"{purpose} needs the package {module.partition('.')[0]!r}, which cannot load a system library: {error}. "
            "Install that library; the documentation of the package lists what it needs"
        )
        raise OptionalDependencyError(message) from error
