"""Saving fitted segmenters as JSON, and building them again after everything has been checked."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from xseg import __version__
from xseg._files import write_whole
from xseg.exceptions import ModelFileError, UnsupportedModelError
from xseg.export._document import FORMAT, VERSION
from xseg.export._kinds import KINDS, SavedKind
from xseg.export._parameters import plain
from xseg.segmenters import fold

__all__ = ["fingerprint", "load", "save"]

_MOST_BYTES = 256 * 2**20


def save(segmenter: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted segmenter to a JSON file: everything needed to predict, explain and print a card, and no row.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        What to save. Of a pipeline that transforms columns, the same tree over raw columns is saved (see `xseg.fold`).
    path : path
        The file; it is written whole or not at all.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedModelError
        The object is not a segmenter that can be saved, or a step of the pipeline cannot be folded.
    ModelFileError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib, xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.json"
    >>> xseg.save(segmenter, path)
    >>> bool((xseg.load(path).predict(customers) == segmenter.labels_).all())
    True
    """
    document = _describe(segmenter)
    document["fingerprint"] = _digest(document)
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    try:
        write_whole(path, text)
    except OSError as error:
        message = f"cannot write the model file {path}: {error.strerror}; check the folder and its permissions"
        raise ModelFileError(message) from error


def load(path: str | os.PathLike[str]) -> Any:
    """Read a segmenter that `save` wrote.

    Nothing in the file is executed; its shape, its numbers and its fingerprint are checked before anything is built.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    segmenter
        Of the kind that was saved, fitted; `labels_` are not part of the file.

    Raises
    ------
    ModelFileError
        The file is missing, of an unknown version or kind, damaged, or has been altered.

    Examples
    --------
    See `save`.
    """
    document = _read(Path(path))
    kind = _kind_of(document, Path(path))
    try:
        model = kind.document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{path}: {where}: {first['msg']}; the file is not a model that this version of xseg can read"
        raise ModelFileError(message) from error
    if model.fingerprint != _digest(document):
        message = f"{path}: the fingerprint does not match the content: the file was altered after it was saved"
        raise ModelFileError(message)
    try:
        return kind.build(model)
    except ModelFileError as error:
        message = f"{path}: {error}"
        raise ModelFileError(message) from None


def fingerprint(segmenter: Any) -> str:
    """Give the SHA-256 of everything `save` would write, in hexadecimal: two equal models have the same.

    Parameters
    ----------
    segmenter : fitted segmenter
        The model.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import xseg
    >>> from xseg.export import fingerprint
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> len(fingerprint(xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)))
    64
    """
    return _digest(_describe(segmenter))


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            message = f"{path}: larger than {_MOST_BYTES // 2**20} MiB, which no model is"
            raise ModelFileError(message)
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        message = f"cannot read the model file {path}: {error.strerror}"
        raise ModelFileError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{path}: not a model file: {error}"
        raise ModelFileError(message) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        message = f"{path}: not a model file: it does not say format {FORMAT!r}"
        raise ModelFileError(message)
    if document.get("version") != VERSION:
        message = (
            f"{path}: a model file of version {document.get('version')!r}; this xseg {__version__} reads version "
            f"{VERSION}. Use the xseg that saved it, or fit again"
        )
        raise ModelFileError(message)
    return document


def _refuse_constant(constant: str) -> float:
    message = f"it holds {constant}"
    raise ValueError(message)


def _digest(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key not in {"fingerprint", "xseg"}}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _kind_of(document: dict[str, Any], path: Path) -> SavedKind:
    name = document.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        message = f"{path}: kind: {name!r} is not a segmenter that this xseg {__version__} knows ({', '.join(KINDS)})"
        raise ModelFileError(message)
    return KINDS[name]


def _describe(segmenter: Any) -> dict[str, Any]:
    """Give the document of a fitted segmenter, without its fingerprint; of a pipeline, that of its equal."""
    segmenter = fold(segmenter)
    name = type(segmenter).__name__
    kind = KINDS.get(name)
    if kind is None or not isinstance(segmenter, kind.segmenter):
        message = f"only a fitted {', '.join(KINDS)} can be saved, got {name}"
        raise UnsupportedModelError(message)
    fitted: Any = segmenter
    fitted._check_fitted()
    return {
        "format": FORMAT,
        "version": VERSION,
        "xseg": __version__,
        "kind": name,
        "parameters": {key: plain(value) for key, value in fitted.get_params(deep=False).items()},
        **kind.describe(fitted),
    }
