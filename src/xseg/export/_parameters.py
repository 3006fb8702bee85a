"""Parameters as JSON can hold them, and back."""

from typing import Any, TypeVar

import numpy as np

from xseg._sklearn import list_parameter_names
from xseg.exceptions import ParameterError
from xseg.export._document import check

__all__ = ["configured", "plain"]

_NOT_SAVED = "not saved"

S = TypeVar("S")


def plain(value: Any) -> Any:
    """Return a parameter as JSON can hold it; what it cannot hold is described and not restored."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else {_NOT_SAVED: repr(value)}


def configured(segmenter: type[S], given: dict[str, Any]) -> S:
    """Make an unfitted segmenter with the parameters of a document."""
    kind: Any = segmenter
    unknown = sorted(set(given) - set(list_parameter_names(kind)))
    check(not unknown, "parameters", f"unknown parameter(s) {', '.join(unknown)}")
    saved = {name: value for name, value in given.items() if not (isinstance(value, dict) and _NOT_SAVED in value)}
    made = kind(**saved)
    try:
        made._check_parameters()
    except ParameterError as error:
        check(False, "parameters", str(error))
    restored: S = made
    return restored
