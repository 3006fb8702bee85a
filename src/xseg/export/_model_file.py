"""Saving fitted segmenters as JSON, and building them again after everything has been checked."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

from pydantic import Field, ValidationError, create_model

from xseg._files import write_whole
from xseg._version import __version__
from xseg.core import check_allowed
from xseg.exceptions import ApprovalError, ModelFileError, UnsupportedTypeError
from xseg.export._sign_offs import (
    Approval,
    SignOff,
    State,
    check_sign_offs,
    evaluate_sign_offs,
    get_sign_offs,
    read_day,
    restore_sign_offs,
)
from xseg.segmenters import Segmenter, SegmenterOrPipeline, StrictState, fold, get_registered_segmenters

__all__ = [
    "FORMAT",
    "VERSION",
    "ModelDocument",
    "SignOffDocument",
    "check_approval",
    "fingerprint",
    "get_approval",
    "load",
    "make_document_type",
    "save",
]

FORMAT = "xseg-model"


VERSION = 2


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SignOffDocument(StrictState):
    """What somebody signed; whether it holds is for `check_sign_offs` to say."""

    state: Literal["draft", "reviewed", "approved"]
    by: Annotated[str, Field(min_length=1)]
    review: Digest
    at: str
    expires: str | None
    fingerprint: Digest
    digest: Digest
    mac: Digest | None


class ModelDocument(StrictState):
    """A fitted segmenter of any kind; each kind adds what it holds."""

    format: Literal["xseg-model"]
    version: Literal[2]
    xseg: str
    kind: str
    parameters: dict[str, object]
    fingerprint: Digest
    sign_offs: list[SignOffDocument] = Field(default_factory=list)


def make_document_type(kind: type[Segmenter]) -> type[Any]:
    """Return the schema of the files of one segmenter: the frame of every file, and the declared state."""
    return create_model(f"{kind.__name__}Document", __base__=(ModelDocument, kind.saved_state))


_MAX_DIGITS = 100
_MAX_BYTES = 256 * 2**20


def save(segmenter: SegmenterOrPipeline, path: str | os.PathLike[str]) -> None:
    """Write a fitted segmenter to a JSON file: everything needed to predict, explain and print a card, and no row.

    What was signed for the model (see `xseg.governance.approval.approve`) is written too.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        Fitted segmenter. Of a pipeline that transforms columns, the same tree over raw columns is saved (see
        `xseg.fold`).
    path : path
        The file; it is written whole or not at all.

    Raises
    ------
    NotFittedError
        The segmenter has not been fitted.
    UnsupportedTypeError
        The object is not a segmenter that can be saved, or a step of the pipeline cannot be folded.
    ModelFileError
        The file cannot be written.
    ApprovalError, DefinitionError
        An environment that is active forbids it: see `xseg.governance.environments.require_environment`.

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
    check_allowed("export")
    document = _describe(segmenter)
    document["fingerprint"] = _compute_fingerprint(document)
    # What was signed before the model was fitted again is not about this model.
    own = [asdict(sign_off) for sign_off in get_sign_offs(segmenter) if sign_off.fingerprint == document["fingerprint"]]
    if own:
        document["sign_offs"] = own
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    try:
        write_whole(path, text)
    except OSError as error:
        message = f"cannot write the model file {path}: {error.strerror}; check the folder and its permissions"
        raise ModelFileError(message) from error


def load(
    path: str | os.PathLike[str],
    *,
    require: State | None = None,
    key: bytes | None = None,
    at: date | None = None,
) -> Any:
    """Read a segmenter that `save` wrote.

    Nothing in the file is executed; its shape, its numbers and its fingerprint are checked before anything is built.

    Parameters
    ----------
    path : path
        The file.
    require : {"draft", "reviewed", "approved"}, default=None
        Minimum approval of the model; None requires none.
    key : bytes, default=None
        Key of the HMAC that sign-offs must carry; None requires none.
    at : date, default=None
        The day on which they must count; None means today (UTC).

    Returns
    -------
    segmenter
        Of the kind that was saved, fitted; `labels_` are not part of the file.

    Raises
    ------
    ModelFileError
        The file is missing, of an unknown version or kind, damaged, or has been altered.
    ApprovalError
        The model is less than what is required, or something signed was altered, belongs to another model, or is not
        authenticated with the key.

    Examples
    --------
    See `save` and `xseg.governance.approval.approve`.
    """
    document = _read(Path(path))
    kind = _find_kind(document, Path(path))
    try:
        model = make_document_type(kind).model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{path}: {where}: {first['msg']}; the file is not a model that this version of xseg can read"
        raise ModelFileError(message) from error
    if model.fingerprint != _compute_fingerprint(document):
        message = f"{path}: the fingerprint does not match the content: the file was altered after it was saved"
        raise ModelFileError(message)
    sign_offs = [SignOff(**part.model_dump()) for part in model.sign_offs]
    try:
        check_sign_offs(sign_offs, model.fingerprint, read_day(at), require, key)
    except ApprovalError as error:
        message = f"{path}: {error}"
        raise ApprovalError(message) from None
    try:
        segmenter = kind.from_state(model.parameters, model)
    except ModelFileError as error:
        message = f"{path}: {error}"
        raise ModelFileError(message) from None
    restore_sign_offs(segmenter, sign_offs)
    return segmenter


def get_approval(segmenter: SegmenterOrPipeline, *, at: date | None = None) -> Approval:
    """Return whether a model is a draft, reviewed or approved.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.
    at : date, default=None
        The day; None means today (UTC).

    Returns
    -------
    Approval
        What it is, and what was signed for it. What was altered, has ended or belongs to another model does not count.

    Raises
    ------
    NotFittedError, UnsupportedTypeError
        As for `save`.

    Examples
    --------
    See `xseg.governance.approval.approve`.
    """
    return evaluate_sign_offs(get_sign_offs(segmenter), fingerprint(segmenter), read_day(at))


def check_approval(segmenter: SegmenterOrPipeline, require: State | None, *, at: date | None = None) -> None:
    """Raise an error for a model that is less than what is required, as `load` does.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.
    require : {"draft", "reviewed", "approved"} or None
        Minimum approval; None requires none.
    at : date, default=None
        The day on which sign-offs must count; None means today (UTC).

    Raises
    ------
    ApprovalError
        It is less than that, there is no such state, or something signed for it was altered.
    NotFittedError, UnsupportedTypeError
        As for `save`.

    Examples
    --------
    >>> import xseg
    >>> from xseg.export import check_approval
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> check_approval(segmenter, "draft")
    """
    if require is not None:
        own = fingerprint(segmenter)
        mine = [sign_off for sign_off in get_sign_offs(segmenter) if sign_off.fingerprint == own]
        check_sign_offs(mine, own, read_day(at), require, None)


def fingerprint(segmenter: SegmenterOrPipeline) -> str:
    """Return the SHA-256 of everything `save` would write, in hexadecimal: two equal models have the same.

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
    model = fold(segmenter)
    if type(model) not in get_registered_segmenters().values():
        return _compute_fingerprint(_describe(model))
    parameters = model.get_saved_parameters()
    known = _FINGERPRINTS.get(model)
    if known is None or not known.is_current(model, parameters):
        known = _Fingerprint(_compute_fingerprint(_describe(model)), dict(vars(model)), parameters)
        _FINGERPRINTS[model] = known
    return known.digest


@dataclass(frozen=True, slots=True)
class _Fingerprint:
    """The fingerprint of a fitted object, with the attributes and parameters that it was computed from.

    A fit replaces attributes and changes none in place, so a model whose attributes are the same objects is the same.
    Parameters may be lists, which can change in place; they are compared by value.
    """

    digest: str
    attributes: dict[str, Any]
    parameters: dict[str, Any]

    def is_current(self, model: Any, parameters: dict[str, Any]) -> bool:
        """Return whether nothing was fitted or set since."""
        attributes = vars(model)
        return (
            attributes.keys() == self.attributes.keys()
            and all(attributes[name] is value for name, value in self.attributes.items())
            and parameters == self.parameters
        )


# Serialising a model takes longer than making a card, so its fingerprint is computed once for each fitted object.
_FINGERPRINTS: "WeakKeyDictionary[Any, _Fingerprint]" = WeakKeyDictionary()


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            message = f"{path}: larger than {_MAX_BYTES // 2**20} MiB, which no model is"
            raise ModelFileError(message)
        document = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=_raise_constant_error,
            parse_int=_read_int,
        )
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


def _raise_constant_error(constant: str) -> float:
    message = f"it holds {constant}"
    raise ValueError(message)


def _read_int(digits: str) -> int:
    # Whole numbers are read as they are; one that is too long to be a number of people or a sum is not read at all.
    if len(digits) > _MAX_DIGITS:
        message = f"it holds a whole number of {len(digits)} digits, and no model holds one of more than {_MAX_DIGITS}"
        raise ValueError(message)
    return int(digits)


def _compute_fingerprint(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key not in {"fingerprint", "sign_offs", "xseg"}}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _find_kind(document: dict[str, Any], path: Path) -> type[Segmenter]:
    name, known = document.get("kind"), get_registered_segmenters()
    if not isinstance(name, str) or name not in known:
        message = (
            f"{path}: kind must be a segmenter that is registered ({', '.join(known)}), got {name!r}. Import the "
            "module that defines it, where xseg.segmenters.register_segmenter decorates its class, or use the xseg "
            "that saved it"
        )
        raise ModelFileError(message)
    return known[name]


def _describe(segmenter: SegmenterOrPipeline) -> dict[str, Any]:
    """Return the document of a fitted segmenter, without its fingerprint; of a pipeline, that of its equal."""
    segmenter = fold(segmenter)
    name, known = type(segmenter).__name__, get_registered_segmenters()
    if known.get(name) is not type(segmenter):
        message = (
            f"segmenter must be fitted and of a registered class ({', '.join(known)}), got {name}. Decorate a class of "
            "your own with xseg.segmenters.register_segmenter"
        )
        raise UnsupportedTypeError(message)
    fitted: Segmenter = segmenter
    fitted._check_fitted()
    return {
        "format": FORMAT,
        "version": VERSION,
        "xseg": __version__,
        "kind": name,
        "parameters": fitted.get_saved_parameters(),
        **fitted.get_state(),
    }
