"""The version of the package, which model files and reviews state."""

__all__ = ["__version__"]

__version__ = "0.1.0"
