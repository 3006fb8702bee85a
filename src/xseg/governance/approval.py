"""Approval of models: who signed for a model, on which review, and until when.

The state itself is kept with the model (`xseg.export.get_approval`), so that cards and reports can state it and
`xseg.load` can require it.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from xseg.exceptions import ApprovalError
from xseg.export import SignOff, State, add_sign_off, create_sign_off, fingerprint
from xseg.segmenters import SegmenterOrPipeline

__all__ = ["ReviewRecord", "approve", "read_review"]

_FORMAT: Final = "xseg-review"
_MAX_BYTES: Final = 16 * 2**20
_MAX_SHOWN: Final = 5
_DIGEST = re.compile("[0-9a-f]{64}")
_SEVERITIES: Final = ("note", "warning", "error")

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class FindingRecord(BaseModel):
    """A finding of a review, as far as an approval asks."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(min_length=1)]
    severity: Literal["note", "warning", "error"]
    message: str


class ReviewRecord(BaseModel):
    """A review that was read from its file.

    Attributes
    ----------
    created : datetime
        When.
    model, policy : str
        Fingerprint of the model, and SHA-256 of the policy.
    findings : tuple of FindingRecord
        What it found.
    digest : str
        SHA-256 of everything it says, which is that of the `xseg.governance.reviews.Review` it was written from.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["xseg-review"]
    version: Literal[2]
    created: AwareDatetime
    model: Digest
    policy: Digest
    findings: tuple[FindingRecord, ...]
    digest: Digest

    def at_least(self, severity: str) -> tuple[FindingRecord, ...]:
        """Return the findings of at least this severity."""
        least = _SEVERITIES.index(severity)
        return tuple(finding for finding in self.findings if _SEVERITIES.index(finding.severity) >= least)


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known of the review that somebody names; None is not known.

    Of a bare digest, and of bytes that are no review of xseg, nothing else is known.
    """

    digest: str
    created: datetime | None = None
    findings: Sequence[Any] = ()


def read_review(path: str | os.PathLike[str]) -> ReviewRecord:
    """Read a review that `Review.save` wrote as JSON.

    Parameters
    ----------
    path : path
        The file, of at most 16 MiB.

    Returns
    -------
    ReviewRecord
        What `xseg.governance.approval.approve` takes as `review`.

    Raises
    ------
    ApprovalError
        The file is missing or too large, is not a review in JSON, or was altered after it was written.

    Examples
    --------
    >>> import pathlib, tempfile, xseg
    >>> from xseg.governance.approval import read_review
    >>> customers = xseg.make_customers(500, random_state=0)
    >>> segmenter = xseg.TreeSegmenter(n_segments=3, random_state=0).fit(customers)
    >>> review = xseg.governance.reviews.review(segmenter, policy=xseg.datasets.customers_policy())
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "review.json"
    >>> review.save(path)
    >>> read_review(path).digest == review.digest
    True
    """
    try:
        if Path(path).stat().st_size > _MAX_BYTES:
            message = f"{path}: larger than {_MAX_BYTES // 2**20} MiB, which no review is"
            raise ApprovalError(message)
        content = Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read the review {path}: {error.strerror}"
        raise ApprovalError(message) from error
    said = _read_object(content)
    if said is None or said.get("format") != _FORMAT:
        message = f"{path}: not a review in JSON; `xseg review --out review.json` writes one"
        raise ApprovalError(message)
    if "digest" not in said:
        message = f"{path}: the review has no digest, so whether it was altered cannot be told"
        raise ApprovalError(message)
    return _read_record(said, str(path))


def read_basis(review: Any, fingerprint: str, forbids: str) -> Basis:
    """Find out what is known of a review, given as such, as bytes or as a digest; refuse that of another model."""
    if forbids not in _SEVERITIES:
        message = f"forbids is {forbids!r}; the severities of findings are {', '.join(_SEVERITIES)}"
        raise ApprovalError(message)
    if isinstance(review, bytes):
        said = _read_object(review)
        if said is None or said.get("format") != _FORMAT:
            return Basis(hashlib.sha256(review).hexdigest())
        review = _read_record(said, "the review")
    digest = getattr(review, "digest", review)
    if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        message = f"review is {review!r:.200}; give its SHA-256 in 64 hexadecimal digits, its bytes, or a review"
        raise ApprovalError(message)
    model = getattr(review, "model", fingerprint)
    if model != fingerprint:
        message = f"the review is of model {str(model)[:8]}, and this is {fingerprint[:8]}; review this model"
        raise ApprovalError(message)
    at_least = getattr(review, "at_least", None)
    return Basis(digest, getattr(review, "created", None), () if at_least is None else at_least(forbids))


def check_basis(basis: Basis, state: str, at: datetime, max_age_days: int) -> None:
    """Raise an error for a review that is not of these days, and for an approval one whose findings forbid it."""
    # Whoever takes an approval back is not asked how old their reasons are.
    if state == "draft":
        return
    problem = _check_time(basis.created, at, max_age_days)
    if problem is not None:
        message = f"the review does not count: {problem}"
        raise ApprovalError(message)
    if state == "approved" and basis.findings:
        raise ApprovalError(_list_findings(basis.findings))


def _check_time(made: datetime | None, at: datetime, max_age_days: int) -> str | None:
    if isinstance(max_age_days, bool) or not isinstance(max_age_days, int) or max_age_days < 0:
        message = f"max_age_days is {max_age_days!r}; give a number of days"
        raise ApprovalError(message)
    if made is None:
        return None
    if made.tzinfo is None:
        return f"it was made at {made.isoformat()}, without a time zone"
    if made > at:
        return f"it was made at {made.isoformat()}, which has not come yet"
    if at - made > timedelta(days=max_age_days):
        return f"it was made on {made.date()}, more than {max_age_days} days ago; review the model again"
    return None


def _list_findings(findings: Sequence[Any]) -> str:
    heading = "what the review found forbids an approval:"
    shown = [f"  {finding.severity}: {finding.message} [{finding.id}]" for finding in findings[:_MAX_SHOWN]]
    more = [f"  and {len(findings) - _MAX_SHOWN} more"] if len(findings) > _MAX_SHOWN else []
    return "\n".join([heading, *shown, *more])


def _read_record(said: dict[str, Any], source: str) -> ReviewRecord:
    content = {key: value for key, value in said.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    if said.get("digest", digest) != digest:
        message = f"{source}: the review was altered after it was written: its digest does not fit what it says"
        raise ApprovalError(message)
    try:
        return ReviewRecord.model_validate({**content, "digest": digest})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{source}: {where}: {first['msg']}; it is not a review that this version of xseg can read"
        raise ApprovalError(message) from error


def _read_object(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object that some bytes are; None if they are none."""
    try:
        said = json.loads(content.decode(), object_pairs_hook=_each_key_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) != len(pairs):
        # Which of the two was signed, and which one a person sees, would be anybody's guess.
        message = "a key is there twice"
        raise ValueError(message)
    return said


def _refuse_constant(constant: str) -> float:
    message = f"it holds {constant}"
    raise ValueError(message)


def approve(
    segmenter: SegmenterOrPipeline,
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
        Key of a message authentication code; `load` with the same key detects a sign-off that somebody else wrote.
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
        was not reviewed by this review before, or has been reviewed or taken back since; or the bytes are those of a
        review that was altered.
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
    ...     sign_off = xseg.governance.approval.approve(segmenter, by="the privacy officer", review=review, state=state)
    >>> xseg.export.get_approval(segmenter).state
    'approved'
    """
    own = fingerprint(segmenter)
    basis = read_basis(review, own, forbids)
    moment = datetime.now(UTC) if at is None else at
    sign_off = create_sign_off(own, state, by=by, review=basis.digest, at=moment, expires=expires, key=key)
    check_basis(basis, state, sign_off.moment, max_age_days)
    add_sign_off(segmenter, sign_off)
    return sign_off
