"""Saving fitted segmenters as JSON, and building them again after everything has been checked."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from pydantic import ValidationError

from xseg._files import write_whole
from xseg._version import __version__
from xseg.core.guards import check_allowed
from xseg.exceptions import ApprovalError, ModelFileError, UnsupportedTypeError
from xseg.export._kinds import KINDS, SavedKind
from xseg.export._model_document import FORMAT, VERSION, plain
from xseg.export._review_basis import basis_of, check_basis
from xseg.export._sign_offs import (
    Approval,
    SignOff,
    State,
    check_next,
    check_sign_offs,
    day_of,
    record,
    remember,
    sign,
    signed,
)
from xseg.segmenters import fold

__all__ = ["approve", "fingerprint", "get_approval", "load", "require_state", "save"]

_MAX_DIGITS = 100
_MAX_BYTES = 256 * 2**20


def save(segmenter: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted segmenter to a JSON file: everything needed to predict, explain and print a card, and no row.

    What was signed for the model (see `approve`) is written too.

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
    document["fingerprint"] = _digest(document)
    # What was signed before the model was fitted again is not about this model.
    own = [asdict(sign_off) for sign_off in signed(segmenter) if sign_off.fingerprint == document["fingerprint"]]
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
        The least that the model must be; None asks for nothing.
    key : bytes, default=None
        What sign-offs must be sealed with; None does not ask for a seal.
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
        sealed with the key.

    Examples
    --------
    See `save` and `approve`.
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
    sign_offs = [SignOff(**part.model_dump()) for part in model.sign_offs]
    try:
        check_sign_offs(sign_offs, model.fingerprint, day_of(at), require, key)
    except ApprovalError as error:
        message = f"{path}: {error}"
        raise ApprovalError(message) from None
    try:
        segmenter = kind.build(model)
    except ModelFileError as error:
        message = f"{path}: {error}"
        raise ModelFileError(message) from None
    remember(segmenter, sign_offs)
    return segmenter


def approve(
    segmenter: Any,
    *,
    by: str,
    review: Any,
    state: State = "approved",
    forbids: Literal["error", "warning", "note"] = "error",
    max_age_days: int = 30,
    expires: date | None = None,
    key: bytes | None = None,
    at: datetime | None = None,
) -> SignOff:
    """Sign for a model: that it was reviewed, that it is approved, or that it is a draft again.

    A model is approved after it was reviewed, by that very review, which has to be the latest. What is signed holds for
    this model and no other: fitted again on other rows, or changed in any number, it is a draft.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model; what is signed is kept with it, and in the file that `save` writes.
    by : str
        The name of who signs.
    review : review, bytes or str
        The review it rests on: what `xseg.governance.reviews.review` or `read_review` gave, its bytes, or its SHA-256
        in hexadecimal. Of a bare SHA-256, and of bytes that are no review of xseg, only the digest can be kept;
        everything else is checked.
    state : {"reviewed", "approved", "draft"}, default="approved"
        What is said of the model.
    forbids : {"error", "warning", "note"}, default="error"
        The least severity of a finding with which a model is not approved.
    max_age_days : int, default=30
        How many days old the review may be.
    expires : date, default=None
        The first day on which it no longer counts; None means never.
    key : bytes, default=None
        Seals it, so that `load` with the same key can tell it from one that somebody else wrote.
    at : datetime, default=None
        When, with a time zone; None means now.

    Returns
    -------
    SignOff
        What was signed.

    Raises
    ------
    ApprovalError
        There is no name, no digest of a review or no such state; it would be over already, or before what was signed
        last; the review is of another model, too old, of the future, or found what forbids an approval; or the model
        was not reviewed by this review before, or has been reviewed or taken back since.
    ApprovalError
        The bytes are those of a review that was altered.
    NotFittedError, UnsupportedTypeError
        As for `save`.

    Notes
    -----
    Without a key, a sign-off says who signed and cannot prove it: whoever can write the file can write another name.
    A draft may be signed for with a review of any age.

    Examples
    --------
    >>> import xseg
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> xseg.export.get_approval(segmenter).state
    'draft'
    >>> review = xseg.governance.reviews.review(segmenter, customers, policy=xseg.datasets.customers_policy())
    >>> for state in ("reviewed", "approved"):
    ...     sign_off = xseg.export.approve(segmenter, by="the privacy officer", review=review, state=state)
    >>> xseg.export.get_approval(segmenter).state
    'approved'
    """
    own = fingerprint(segmenter)
    basis = basis_of(review, own, forbids)
    moment = datetime.now(UTC) if at is None else at
    sign_off = sign(own, state, by=by, review=basis.digest, at=moment, expires=expires, key=key)
    check_basis(basis, state, sign_off.moment, max_age_days)
    signed_before = [earlier for earlier in signed(segmenter) if earlier.fingerprint == own]
    check_next(sign_off, signed_before)
    remember(segmenter, [*signed_before, sign_off])
    return sign_off


def get_approval(segmenter: Any, *, at: date | None = None) -> Approval:
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
    See `approve`.
    """
    return record(signed(segmenter), fingerprint(segmenter), day_of(at))


def require_state(segmenter: Any, require: State | None, *, at: date | None = None) -> None:
    """Raise an error for a model that is less than what is required, as `load` does.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.
    require : {"draft", "reviewed", "approved"} or None
        The least that it must be; None asks for nothing.
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
    >>> from xseg.export import require_state
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> require_state(segmenter, "draft")
    """
    if require is not None:
        own = fingerprint(segmenter)
        mine = [sign_off for sign_off in signed(segmenter) if sign_off.fingerprint == own]
        check_sign_offs(mine, own, day_of(at), require, None)


def fingerprint(segmenter: Any) -> str:
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
    if type(model).__name__ not in KINDS:
        return _digest(_describe(model))
    parameters = {key: plain(value) for key, value in model.get_params(deep=False).items()}
    known = _FINGERPRINTS.get(model)
    if known is None or not known.is_current(model, parameters):
        known = _Fingerprint(_digest(_describe(model)), dict(vars(model)), parameters)
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
            parse_constant=_refuse_constant,
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


def _refuse_constant(constant: str) -> float:
    message = f"it holds {constant}"
    raise ValueError(message)


def _read_int(digits: str) -> int:
    # Whole numbers are read as they are; one that is too long to be a number of people or a sum is not read at all.
    if len(digits) > _MAX_DIGITS:
        message = f"it holds a whole number of {len(digits)} digits, and no model holds one of more than {_MAX_DIGITS}"
        raise ValueError(message)
    return int(digits)


def _digest(document: dict[str, Any]) -> str:
    content = {key: value for key, value in document.items() if key not in {"fingerprint", "sign_offs", "xseg"}}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _kind_of(document: dict[str, Any], path: Path) -> SavedKind:
    name = document.get("kind")
    if not isinstance(name, str) or name not in KINDS:
        message = f"{path}: kind: {name!r} is not a segmenter that this xseg {__version__} knows ({', '.join(KINDS)})"
        raise ModelFileError(message)
    return KINDS[name]


def _describe(segmenter: Any) -> dict[str, Any]:
    """Return the document of a fitted segmenter, without its fingerprint; of a pipeline, that of its equal."""
    segmenter = fold(segmenter)
    name = type(segmenter).__name__
    kind = KINDS.get(name)
    if kind is None or not isinstance(segmenter, kind.segmenter):
        message = f"only a fitted {', '.join(KINDS)} can be saved, got {name}"
        raise UnsupportedTypeError(message)
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
