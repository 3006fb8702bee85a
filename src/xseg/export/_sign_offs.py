"""Sign-offs kept with a model, and the state that they give it: draft, reviewed or approved."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, TypeAlias

from xseg.exceptions import ApprovalError, ParameterError
from xseg.segmenters import SegmenterOrPipeline, check_segmenter, get_last_step

__all__ = [
    "Approval",
    "SignOff",
    "State",
    "add_sign_off",
    "check_sign_offs",
    "create_sign_off",
    "evaluate_sign_offs",
    "find_states",
    "get_sign_offs",
    "read_day",
    "restore_sign_offs",
]

State: TypeAlias = Literal["draft", "reviewed", "approved"]
STATES: Final = ("draft", "reviewed", "approved")


@dataclass(frozen=True, slots=True)
class SignOff:
    """Somebody put their name to one model.

    Attributes
    ----------
    state : {"draft", "reviewed", "approved"}
        What they say the model is; "draft" takes an earlier word back.
    by : str
        Their name.
    review : str
        SHA-256 of the review it rests on, in hexadecimal.
    at : str
        When, in ISO 8601 with its offset.
    expires : str or None
        The first day on which it no longer counts.
    fingerprint : str
        Of the model.
    digest : str
        SHA-256 of all of this; it finds what was altered.
    mac : str or None
        HMAC-SHA-256 of the digest under a key (RFC 2104); only it proves that whoever wrote this had the key.
    """

    state: State
    by: str
    review: str
    at: str
    expires: str | None
    fingerprint: str
    digest: str
    mac: str | None = None

    @property
    def moment(self) -> datetime:
        """When it was given (UTC)."""
        return datetime.fromisoformat(self.at).astimezone(UTC)

    @property
    def day(self) -> date:
        """The day it was given (UTC)."""
        return self.moment.date()

    def has_expired(self, day: date) -> bool:
        """Return whether it no longer counts on a day."""
        return self.expires is not None and date.fromisoformat(self.expires) <= day


@dataclass(frozen=True, slots=True)
class Approval:
    """What a model is on a day, and who says so.

    Attributes
    ----------
    state : {"draft", "reviewed", "approved"}
        What it is. Nothing signed, something altered, and something signed for another model all mean "draft".
    fingerprint : str
        Of the model.
    sign_offs : tuple of SignOff
        All that was signed for it, the oldest first.
    counting : tuple of SignOff
        Those of them that were not altered, are in the order of time and had been given by that day.
    """

    state: State
    fingerprint: str
    sign_offs: tuple[SignOff, ...]
    counting: tuple[SignOff, ...] = ()


def create_sign_off(
    fingerprint: str,
    state: State,
    *,
    by: str,
    review: str,
    at: datetime,
    expires: date | None,
    key: bytes | None,
) -> SignOff:
    """Create a sign-off for a model.

    Parameters
    ----------
    fingerprint : str
        The fingerprint of the model.
    state : {"draft", "reviewed", "approved"}
        The state that it gives the model; "draft" withdraws an earlier one.
    by : str
        The name of the person who signs.
    review : str
        SHA-256 of the review that it rests on, in hexadecimal.
    at : datetime
        When, with a time zone.
    expires : date or None
        The first day on which it no longer counts.
    key : bytes or None
        The key of its message authentication code; None adds none.

    Returns
    -------
    SignOff
        Not yet kept with any model; `add_sign_off` does that.

    Raises
    ------
    ApprovalError
        There is no such state, no name or no time zone, or it would expire before it begins.
    """
    if state not in STATES:
        message = f"state is {state!r}; a model is one of {', '.join(STATES)}"
        raise ApprovalError(message)
    if not isinstance(by, str) or not by.strip():
        message = f"signed by {by!r}; write the name of a person"
        raise ApprovalError(message)
    if not isinstance(at, datetime) or at.tzinfo is None:
        message = f"at must be a datetime with a time zone, got {at!r}; pass, for example, datetime.now(UTC)"
        raise ApprovalError(message)
    moment = at.astimezone(UTC)
    if expires is not None and (not isinstance(expires, date) or isinstance(expires, datetime)):
        message = f"expires is {expires!r}; give a date without a time"
        raise ApprovalError(message)
    if expires is not None and expires <= moment.date():
        message = f"it would expire on {expires}, which is not after {moment.date()}"
        raise ApprovalError(message)
    facts = {
        "state": state,
        "by": by.strip(),
        "review": review,
        "at": moment.isoformat(),
        "expires": None if expires is None else expires.isoformat(),
        "fingerprint": fingerprint,
    }
    digest = _compute_digest(facts)
    return SignOff(**facts, digest=digest, mac=None if key is None else _compute_mac(digest, key))  # type: ignore[arg-type]


def evaluate_sign_offs(sign_offs: Iterable[SignOff], fingerprint: str, day: date) -> Approval:
    """Return the state that the sign-offs of a model give it; whatever is wrong with them makes it a draft."""
    own = tuple(sign_off for sign_off in sign_offs if sign_off.fingerprint == fingerprint)
    whole = [sign_off for sign_off in own if _is_whole(sign_off)]
    counting = [one for one, fits in zip(whole, _flag_in_order(whole), strict=True) if fits and one.day <= day]
    last = counting[-1] if counting else None
    holds = (
        last is not None
        and not last.has_expired(day)
        and (last.state != "approved" or _rests_on_review(last, counting[:-1]))
    )
    return Approval(last.state if last is not None and holds else "draft", fingerprint, own, tuple(counting))


def find_states(sign_offs: Sequence[SignOff], fingerprint: str, day: date) -> set[State]:
    """Find the states that a model had in the course of a day.

    Parameters
    ----------
    sign_offs : sequence of SignOff
        The sign-offs kept with the model, the oldest first.
    fingerprint : str
        The fingerprint of the model.
    day : date
        The day (UTC).

    Returns
    -------
    set of {"draft", "reviewed", "approved"}
        More than one if somebody signed on that day.
    """
    own = [sign_off for sign_off in sign_offs if sign_off.fingerprint == fingerprint]
    return {
        evaluate_sign_offs(own[:n], fingerprint, day).state for n in range(len(own) + 1) if _is_unsigned(own[n:], day)
    }


def _check_next(sign_off: SignOff, before: Sequence[SignOff]) -> None:
    """Raise an error for what does not follow what was signed before."""
    whole = [one for one in before if _is_whole(one)]
    if not _flag_in_order([*whole, sign_off])[-1]:
        latest = max(one.moment for one in whole).isoformat()
        message = f"it would be signed at {sign_off.at}, and what stands before it was at {latest}; check the clock"
        raise ApprovalError(message)
    signed_so_far = [*before, sign_off]
    if (
        sign_off.state == "approved"
        and evaluate_sign_offs(signed_so_far, sign_off.fingerprint, sign_off.day).state != "approved"
    ):
        message = (
            f"the model was not reviewed by review {sign_off.review[:8]} before, or has been reviewed or taken back "
            "since, or that has ended; sign state='reviewed' on that review first"
        )
        raise ApprovalError(message)


def check_sign_offs(
    sign_offs: Sequence[SignOff], fingerprint: str, day: date, require: State | None, key: bytes | None
) -> None:
    """Raise an error for altered sign-offs, those of another model, and a state below the one required."""
    for sign_off in sign_offs:
        _check(sign_off, fingerprint, key)
    odd = next((one for one, fits in zip(sign_offs, _flag_in_order(sign_offs), strict=True) if not fits), None)
    if odd is not None:
        raise ApprovalError(_describe_refusal(odd, "it was put in again, or out of the order of time"))
    if require is None:
        return
    if require not in STATES:
        message = f"require is {require!r}; allowed: {', '.join(STATES)} or None"
        raise ApprovalError(message)
    found = evaluate_sign_offs(sign_offs, fingerprint, day).state
    if STATES.index(found) < STATES.index(require):
        message = f"the model is {_name_state(found)}, and {require} is required{_explain_state(sign_offs, day)}"
        raise ApprovalError(message)


def _flag_in_order(sign_offs: Iterable[SignOff]) -> list[bool]:
    """Return which sign-offs are neither there already nor signed before one that stands before them.

    Otherwise whoever copied an approval could put it behind the word that took it back. What takes an approval back
    counts even if its clock was behind.
    """
    seen: set[str] = set()
    latest: datetime | None = None
    kept = []
    for sign_off in sign_offs:
        is_late = latest is not None and sign_off.moment < latest
        kept.append(sign_off.digest not in seen and (sign_off.state == "draft" or not is_late))
        seen.add(sign_off.digest)
        latest = sign_off.moment if latest is None else max(latest, sign_off.moment)
    return kept


def read_day(at: date | None) -> date:
    """Return the day in UTC on which something is checked.

    Parameters
    ----------
    at : date or None
        A date, or a datetime (one without a time zone counts as UTC). None means today.

    Raises
    ------
    ParameterError
        It is neither.
    """
    if at is None:
        return datetime.now(UTC).date()
    if isinstance(at, datetime):
        return at.date() if at.tzinfo is None else at.astimezone(UTC).date()
    if isinstance(at, date):
        return at
    message = f"at must be a date or None, got {at!r}; give a date such as date(2026, 1, 31)"
    raise ParameterError(message)


def get_sign_offs(segmenter: SegmenterOrPipeline) -> tuple[SignOff, ...]:
    """Return the sign-offs kept with a segmenter.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model.

    Returns
    -------
    tuple of SignOff
        The oldest first; those given before it was fitted again are among them, with the fingerprint of then.

    Raises
    ------
    NotFittedError, UnsupportedTypeError
        It is no fitted segmenter of xseg, and no Pipeline that ends in one.
    """
    return tuple(getattr(_get_estimator(segmenter), "sign_offs_", ()))


def restore_sign_offs(segmenter: SegmenterOrPipeline, sign_offs: Sequence[SignOff]) -> None:
    """Keep the sign-offs that a file holds with the segmenter that was built from it."""
    _get_estimator(segmenter).sign_offs_ = tuple(sign_offs)


def add_sign_off(segmenter: SegmenterOrPipeline, sign_off: SignOff) -> None:
    """Keep one more sign-off with a segmenter; those of an earlier fit are dropped.

    Parameters
    ----------
    segmenter : fitted segmenter, or Pipeline that ends in one
        The model that it was given to.
    sign_off : SignOff
        Its fingerprint is that of the model.

    Raises
    ------
    ApprovalError
        It is older than the last one, or approves a model that the same review did not review before.
    """
    before = [earlier for earlier in get_sign_offs(segmenter) if earlier.fingerprint == sign_off.fingerprint]
    _check_next(sign_off, before)
    restore_sign_offs(segmenter, [*before, sign_off])


def _get_estimator(segmenter: SegmenterOrPipeline) -> Any:
    return check_segmenter(get_last_step(segmenter))


def _rests_on_review(last: SignOff, before: Sequence[SignOff]) -> bool:
    """Return whether a model that is approved was reviewed by that very review, which nothing has overtaken since."""
    word = next((sign_off for sign_off in reversed(before) if sign_off.state != "approved"), None)
    return (
        word is not None and word.state == "reviewed" and word.review == last.review and not word.has_expired(last.day)
    )


def _is_unsigned(later: Sequence[SignOff], day: date) -> bool:
    """Return whether a model was still without what was signed later at some time of a day."""
    return all(_is_whole(sign_off) and sign_off.day >= day for sign_off in later)


def _check(sign_off: SignOff, fingerprint: str, key: bytes | None) -> None:
    problem = None
    if not _is_whole(sign_off):
        problem = "it was altered: its digest does not fit its facts"
    elif sign_off.fingerprint != fingerprint:
        problem = f"it was given to model {sign_off.fingerprint[:8]}, and this is {fingerprint[:8]}"
    elif key is not None and (
        sign_off.mac is None or not hmac.compare_digest(sign_off.mac, _compute_mac(sign_off.digest, key))
    ):
        problem = "it has no message authentication code under this key"
    if problem is not None:
        raise ApprovalError(_describe_refusal(sign_off, problem))


def _describe_refusal(sign_off: SignOff, problem: str) -> str:
    return f"the sign-off ({sign_off.state}) by {sign_off.by!r} does not hold: {problem}"


def _is_whole(sign_off: SignOff) -> bool:
    facts = asdict(sign_off)
    mac, digest = facts.pop("mac"), facts.pop("digest")
    try:
        is_dated = datetime.fromisoformat(sign_off.at).tzinfo is not None
        if sign_off.expires is not None:
            date.fromisoformat(sign_off.expires)
        is_formed = sign_off.state in STATES and bool(sign_off.by.strip()) and (mac is None or isinstance(mac, str))
        return is_dated and is_formed and digest == _compute_digest(facts)
    except (AttributeError, TypeError, ValueError):
        # Something is not of its type, so it is not what was signed.
        return False


def _name_state(state: State) -> str:
    return "a draft" if state == "draft" else state


def _explain_state(sign_offs: Sequence[SignOff], day: date) -> str:
    if not sign_offs:
        return "; have it reviewed and approved, and save it again"
    last = sign_offs[-1]
    if last.has_expired(day):
        return f"; what {last.by} signed ended on {last.expires}"
    if last.day > day:
        return f"; what {last.by} signed counts from {last.day} on"
    if last.state == "approved":
        return "; it was approved without having been reviewed by the same review, the latest, while that counted"
    return f"; the last to sign was {last.by}, on {last.day}"


def _compute_digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _compute_mac(digest: str, key: bytes) -> str:
    return hmac.new(key, digest.encode(), hashlib.sha256).hexdigest()
