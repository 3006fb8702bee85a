"""Whether a model is approved, in words."""

from datetime import date

from xseg.export import Approval, SignOff
from xseg.ink import language_of, one_line

__all__ = ["standing_words"]

_SIGNED = {"draft": "taken back", "reviewed": "reviewed", "approved": "approved"}


def standing_words(approval: Approval) -> tuple[str, ...]:
    """Write whether a model is approved, and then who signed for it, when, until when and on which review."""
    return (_heading(approval), *(_signed(sign_off) for sign_off in reversed(approval.counting)))


def _heading(approval: Approval) -> str:
    if approval.state == "approved":
        return "This model is approved."
    if approval.state == "reviewed":
        return "This model is not approved. It was reviewed."
    nobody = " Nobody has signed for it." if not approval.counting else ""
    return f"This model is not approved. It is a draft.{nobody}"


def _signed(sign_off: SignOff) -> str:
    until = "" if sign_off.expires is None else f", until {_day(date.fromisoformat(sign_off.expires))}"
    review = f"{sign_off.review[:4]}-{sign_off.review[4:8]}"
    what = _SIGNED[sign_off.state].capitalize()
    return f"{what} by {one_line(sign_off.by)} on {_day(sign_off.day)}{until}, on review {review}."


def _day(day: date) -> str:
    return language_of().date(day)
