"""Every error and warning that xseg raises, under one root.

Each class also inherits the built-in or scikit-learn type that a user of those libraries already catches.
Messages say what was found, where it was found, and what to do about it.
"""

import sys
import warnings

from sklearn.exceptions import NotFittedError as _SklearnNotFittedError

__all__ = [
    "ApprovalError",
    "ColumnWarning",
    "ConsentError",
    "DataError",
    "DefinitionError",
    "IdentifierWarning",
    "LargeComponentWarning",
    "ModelFileError",
    "NotFittedError",
    "OptionalDependencyError",
    "ParameterError",
    "RareCategoriesWarning",
    "RunningWorkersWarning",
    "UnknownPurposeWarning",
    "UnknownSegmentsWarning",
    "UnnamedSegmentsWarning",
    "UnsupportedTypeError",
    "UntranslatedTextsWarning",
    "XsegError",
    "XsegWarning",
]


class _Advice(Exception):
    """A message, and what to do about it in Python and on the command line."""

    on_command_line = ""

    def __init__(self, message: str = "", *, in_python: str = "", on_command_line: str = "") -> None:
        super().__init__(f"{message} {in_python}".strip())
        self.on_command_line = f"{message} {on_command_line}".strip()


class XsegError(_Advice):
    """The root of every error that xseg raises.

    Attributes
    ----------
    on_command_line : str
        The message for people who use the command line: its advice needs no Python.
    """


class ParameterError(XsegError, ValueError):
    """An argument, parameter or rule has a value that is not allowed."""


class DataError(XsegError, ValueError):
    """The rows, columns or answers cannot be used, or are not those that the segmenter was fitted on."""


class NotFittedError(XsegError, _SklearnNotFittedError):
    """The segmenter has not been fitted yet."""


class UnsupportedTypeError(XsegError, TypeError):
    """The object is no table that xseg reads, or no model that can be explained exactly."""


class DefinitionError(XsegError, ValueError):
    """A policy, survey or environment file is malformed or contradicts itself."""


class ModelFileError(XsegError, ValueError):
    """A saved model is of an unknown version, damaged or altered."""


class ConsentError(XsegError, ValueError):
    """A consent record, signal or identifier cannot be used, or a feature would serve an undeclared purpose.

    Attributes
    ----------
    findings : tuple of xseg.governance.consent.IntegrityViolation
        What was found in a ledger whose entries were edited, removed, added or moved.
    """

    def __init__(self, message: str, findings: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class ApprovalError(XsegError, ValueError):
    """A model, a review or the environment is not the approved one, or its approval was altered or has expired."""


class OptionalDependencyError(XsegError, ImportError):
    """A feature needs a package that is not installed."""


class XsegWarning(_Advice, UserWarning):
    """The root of every warning that xseg issues.

    Attributes
    ----------
    on_command_line : str
        The message for people who use the command line: its advice needs no Python.
    """


class IdentifierWarning(XsegWarning):
    """Columns look like identifiers and are not used."""


class ColumnWarning(XsegWarning):
    """A column holds dates, cells unlike the others, or a few values that outweigh all others."""


class RareCategoriesWarning(XsegWarning):
    """A column has more categories than codes; the rare ones were folded together."""


class UnknownSegmentsWarning(XsegWarning):
    """A policy describes segments that the model does not have, so that nobody is told what it says of them."""


class UnnamedSegmentsWarning(XsegWarning):
    """Segments have no name that customers may read, so that cards call them by letters."""


class UntranslatedTextsWarning(XsegWarning):
    """A policy states words for people in another language than that of their cards."""


class RunningWorkersWarning(XsegWarning):
    """Worker processes were started before an environment was made active, and are not held to it."""


class UnknownPurposeWarning(XsegWarning):
    """A ledger was asked for a purpose that nobody has spoken about, so that nobody has agreed to it."""


def warn_caller(warning: XsegWarning) -> None:
    """Issue a warning that points to the line outside this package from which it was called."""
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "xseg":
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(warning, stacklevel=stacklevel)


class LargeComponentWarning(XsegWarning):
    """So many identifiers hang together that a link between them is likely to be wrong."""
