"""Every error and warning that xseg raises, under one root.

Each class also inherits the built-in or scikit-learn type that a user of those libraries already catches.
Messages say what was found, where it was found, and what to do about it.
"""

import sys
import warnings

from sklearn.exceptions import NotFittedError as _SklearnNotFittedError

__all__ = [
    "AnswerError",
    "ApprovalError",
    "ColumnTypeError",
    "ColumnWarning",
    "ConsentError",
    "DataError",
    "EnvironmentFileError",
    "FeatureNamesError",
    "IdentifierWarning",
    "LargeComponentWarning",
    "LedgerError",
    "ModelFileError",
    "NotFittedError",
    "OptionalDependencyError",
    "OutsideEnvironmentError",
    "ParameterError",
    "PolicyError",
    "PurposeError",
    "RareCategoriesWarning",
    "ReceiptError",
    "ReviewFileError",
    "RuleError",
    "RunningWorkersWarning",
    "SchemaError",
    "SignalError",
    "SurveyError",
    "TouchpointError",
    "UnknownPurposeWarning",
    "UnknownSegmentsWarning",
    "UnsupportedModelError",
    "UnsupportedTableError",
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
    """A parameter has a value that is not allowed."""


class RuleError(ParameterError):
    """A rule cannot be read, can never hold, or asks a column for what it does not have."""


class DataError(XsegError, ValueError):
    """The rows cannot be used: too few, infinite, badly weighted."""


class SchemaError(DataError):
    """The columns are not those the segmenter was fitted on, or cannot be told apart."""


class FeatureNamesError(SchemaError, KeyError):
    """A feature was named that the table or the segmenter does not have."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class ColumnTypeError(SchemaError, TypeError):
    """A column holds values of a type that cannot be segmented."""


class UnsupportedTableError(XsegError, TypeError):
    """The object is not a table or array of a kind that xseg reads."""


class NotFittedError(XsegError, _SklearnNotFittedError):
    """The segmenter has not been fitted yet."""


class UnsupportedModelError(XsegError, TypeError):
    """The model, or a step of the pipeline, cannot be explained exactly."""


class PolicyError(XsegError, ValueError):
    """A policy file is malformed or contradicts itself."""


class ModelFileError(XsegError, ValueError):
    """A saved model is of an unknown version, damaged or altered."""


class ConsentError(XsegError, ValueError):
    """A record of consent, a link or an identifier cannot be read; nothing was taken from it."""


class LedgerError(ConsentError):
    """A ledger is not what was written: entries were edited, removed, added or moved.

    Attributes
    ----------
    findings : tuple of xseg.governance.consent.Finding
        What was found, by entry.
    """

    def __init__(self, message: str, findings: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class SignalError(ConsentError):
    """A privacy signal is truncated, too long, or says what its standard does not allow; it grants nothing."""


class PurposeError(ConsentError):
    """A feature would be used for a purpose that the policy does not give it."""


class SurveyError(XsegError, ValueError):
    """A survey file is malformed or contradicts itself."""


class AnswerError(DataError):
    """An answer does not fit its question, or nobody knows whose it is."""


class ReceiptError(DataError):
    """A receipt of consent was altered, has expired, or belongs to another version of the survey."""


class TouchpointError(ParameterError):
    """A touchpoint is malformed, or people cannot be routed with what is known of them."""


class ApprovalError(XsegError, ValueError):
    """A model is not approved, or its approval is not its own, was altered or has expired."""


class ReviewFileError(ApprovalError):
    """The file of a review is malformed, or was altered after it was written."""


class EnvironmentFileError(XsegError, ValueError):
    """An environment file or a log of overrides is malformed, or was altered."""


class OutsideEnvironmentError(XsegError, RuntimeError):
    """Something was asked for that is allowed only in the approved environment, and this is not it."""


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
