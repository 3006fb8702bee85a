"""Who gets which touchpoint where there is not room for all, whatever the order of the rows."""

import hashlib
from collections.abc import Sequence
from datetime import date

from xseg.governance.routing._needs import Need, reaches
from xseg.governance.routing._places import Touchpoint

__all__ = ["NO_ROOM", "NO_TOUCHPOINT", "TOO_OFTEN", "allocate"]

TOO_OFTEN = "met often enough"
NO_TOUCHPOINT = "no touchpoint will do"
NO_ROOM = "no room left"


def allocate(
    needs: Sequence[Need],
    ids: Sequence[str],
    rested: Sequence[bool],
    touchpoints: Sequence[Touchpoint],
    day: date,
    draw: str,
) -> list[int | str]:
    """Return each person the first touchpoint that will do and has room, or why there is none.

    Those who need most choose first, and among equals a hash of their ids decides: as what serves a greater need
    serves a smaller one too, as many people get one as possible.
    """
    room = [touchpoint.capacity for touchpoint in touchpoints]
    fitting = {
        need: [place for place, touchpoint in enumerate(touchpoints) if reaches(need, touchpoint, day)] for need in Need
    }
    order = sorted(range(len(ids)), key=lambda row: (-needs[row], _lot(draw, ids[row])))
    given: list[int | str] = [TOO_OFTEN] * len(ids)
    for row in order:
        if not rested[row]:
            continue
        places = fitting[needs[row]]
        place = next((place for place in places if room[place] != 0), None)
        if place is None:
            given[row] = NO_ROOM if places else NO_TOUCHPOINT
            continue
        given[row] = place
        left = room[place]
        room[place] = None if left is None else left - 1
    return given


def _lot(draw: str, name: str) -> bytes:
    return hashlib.sha256(f"{len(draw)}|{draw}|{name}".encode()).digest()
