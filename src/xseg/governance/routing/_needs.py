"""What a person needs, and which touchpoints will do: all of the decisions, as small functions of small facts."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from xseg.governance.routing._places import Touchpoint

__all__ = ["REASONS", "Need", "Person", "need_of", "reaches"]

Stance: TypeAlias = Literal["open", "guarded", "unknown"]


class Need(IntEnum):
    """Who may meet a person; whatever meets a need meets the smaller ones."""

    ANY = 0
    HUMAN = 1
    CERTIFIED = 2


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person; None is not known, and counts against automation.

    `stance` is what their segment says of them: open to programs, guarded against them, or nothing.
    """

    stance: Stance
    permitted: bool | None
    close: bool | None
    contested: bool | None
    disagrees: bool | None
    sensitive: bool | None


# Each reason in the order in which it is told.
REASONS: Final = {
    "persona": "their segment has doubts about AI or avoids it",
    "persona not known": "their segment does not say how they take to AI",
    "no permission": "they have not said yes to being helped by a program",
    "close call": "a small difference would put them into another segment",
    "contested": "they contest their segment",
    "stand-in disagrees": "the rules stand in for another method, which does not say the same, or was not asked",
    "sensitive": "the model uses what is sensitive, or of which that is not stated",
}


def need_of(person: Person) -> tuple[Need, tuple[str, ...]]:
    """Return who may meet a person, and why."""
    holds = {
        "persona": person.stance == "guarded",
        "persona not known": person.stance not in {"open", "guarded"},
        "no permission": person.permitted is not True,
        "close call": person.close is not False,
        "contested": person.contested is not False,
        "stand-in disagrees": person.disagrees is not False,
        "sensitive": person.sensitive is not False,
    }
    reasons = tuple(reason for reason in REASONS if holds[reason])
    if holds["persona"] or (holds["persona not known"] and holds["no permission"]):
        return Need.CERTIFIED, reasons
    return (Need.HUMAN if reasons else Need.ANY), reasons


def reaches(need: Need, touchpoint: Touchpoint, day: date) -> bool:
    """Return whether a touchpoint will do."""
    if need == Need.ANY:
        return True
    if touchpoint.automated is not False:
        return False
    return need == Need.HUMAN or (touchpoint.certified is not None and touchpoint.certified.holds(day))
