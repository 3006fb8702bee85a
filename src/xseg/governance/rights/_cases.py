"""What waits for a human: cases that no program closes."""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

__all__ = ["Case", "CaseKind", "open_cases"]

CaseKind: TypeAlias = Literal["contest", "object", "ask", "correct"]
_OPENED_BY: Final = frozenset({"contest", "object", "ask"})


@dataclass(frozen=True, slots=True)
class Case:
    """Something that a person wants a human to look into.

    Attributes
    ----------
    number : int
        The number of its receipt.
    kind : {"contest", "object", "ask", "correct"}
        That the model is wrong, that they object to the use, a question, or a correction to a value that nobody like
        them has.
    opened : datetime
        When.
    due : date
        By when they must have an answer: one month later.
    text : str
        The person's words, or the feature and the value of a correction; empty where there are none, or they were
        forgotten.
    views : tuple of str
        What the person said since.

    References
    ----------
    Regulation (EU) 2016/679 (GDPR), Articles 12(3), 21(1) and 22(3).
    """

    number: int
    kind: CaseKind
    opened: datetime
    due: date
    text: str
    views: tuple[str, ...]


def open_cases(receipts: Iterable[Mapping[str, Any]]) -> list[Case]:
    """Return the cases that nobody has decided, the oldest first; an objection that was withdrawn is none."""
    told = list(receipts)
    closed = {one["details"]["case"] for one in told if one["action"] == "decide"}
    withdrawn = max((one["number"] for one in told if one["action"] == "withdraw_objection"), default=-1)
    closed |= {one["number"] for one in told if one["action"] == "object" and one["number"] < withdrawn}
    return [_case(one, told) for one in told if _opens(one) and one["number"] not in closed]


def _opens(receipt: Mapping[str, Any]) -> bool:
    return receipt["action"] in _OPENED_BY or bool(receipt["details"].get("pending"))


def _case(receipt: Mapping[str, Any], told: Iterable[Mapping[str, Any]]) -> Case:
    opened = datetime.fromisoformat(receipt["dct:created"])
    views = [one for one in told if one["action"] == "express_view" and one["number"] > receipt["number"]]
    return Case(
        number=receipt["number"],
        kind=receipt["action"],
        opened=opened,
        due=_a_month_after(opened.date()),
        text=_words(receipt),
        views=tuple(map(_words, views)),
    )


def _words(receipt: Mapping[str, Any]) -> str:
    private = receipt.get("private", {})
    if "value" in private:
        return f"{receipt['details']['feature']}: {private['value']}"
    return str(private.get("text", ""))


def _a_month_after(day: date) -> date:
    """Return the same day of the next month, or its last."""
    year, month = day.year + day.month // 12, day.month % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
