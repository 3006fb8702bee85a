"""Telling those who received a segment that it no longer holds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

__all__ = ["Notice", "Send", "delivered"]

_NOBODY = "nobody sends notices here; tell them"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a recipient is told about one identifier.

    Attributes
    ----------
    recipient, identifier, purpose : str
        Who is told, about whom, and what the segment was used for.
    action : {"stop", "replace"}
        Not to use it any more, or to use another segment instead.
    segment : str or None
        The segment to use instead.
    at : datetime
        From when on.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Article 19.
    """

    recipient: str
    identifier: str
    purpose: str
    action: Literal["stop", "replace"]
    segment: str | None
    at: datetime


Send = Callable[[Notice], str]


def delivered(notices: Iterable[Notice], send: Send | None) -> list[dict[str, Any]]:
    """Tell each recipient, whatever becomes of the others; gives what stands in a receipt."""
    return [
        {
            "recipient": notice.recipient,
            "identifier": notice.identifier,
            "action": notice.action,
            **dict(zip(("delivered", "answer"), _sent(notice, send), strict=True)),
        }
        for notice in dict.fromkeys(notices)
    ]


def _sent(notice: Notice, send: Send | None) -> tuple[bool, str]:
    if send is None:
        return False, _NOBODY
    try:
        answer = send(notice)
    except Exception as error:  # noqa: BLE001 one recipient out of reach must not keep the others from being told
        return False, f"{type(error).__name__}: {error}"
    return (True, answer) if isinstance(answer, str) and answer else (False, f"no answer: {answer!r}")
