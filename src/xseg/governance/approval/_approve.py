"""Signing for a model: that it was reviewed, that it is approved, or that it is a draft again."""

from datetime import UTC, date, datetime
from typing import Any, Literal

from xseg.export import SignOff, State, add_sign_off, create_sign_off, fingerprint
from xseg.governance.approval._review_basis import check_basis, read_basis

__all__ = ["approve"]


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
