"""Reading what `route` is given: nothing is taken for a yes that is not one."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd

from xseg.exceptions import TouchpointError
from xseg.governance.routing._places import Touchpoint

__all__ = ["checked_touchpoints", "number_rows", "read_answers", "read_contacts", "read_day", "read_ids"]


def checked_touchpoints(touchpoints: Sequence[Touchpoint]) -> tuple[Touchpoint, ...]:
    places = tuple(touchpoints)
    odd = next((place for place in places if not isinstance(place, Touchpoint)), None)
    if odd is not None or not places:
        message = "there is no touchpoint" if not places else f"{odd!r} is not a Touchpoint"
        raise TouchpointError(message)
    names = [place.name for place in places]
    twice = next((name for row, name in enumerate(names) if name in names[:row]), None)
    if twice is not None:
        message = f"two touchpoints are called {twice!r}; name each apart"
        raise TouchpointError(message)
    return places


def read_ids(given: Sequence[Any]) -> list[str]:
    """Return who the people are; everybody is somebody else."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for row, value in enumerate(given):
        name = "" if _is_open(value) else str(value)
        if not name.strip():
            message = f"row {row}: the id is {value!r}; everybody needs one"
            raise TouchpointError(message)
        if name in seen:
            message = f"row {row}: the id {name!r} is there already, in row {seen[name]}; a person has one place"
            raise TouchpointError(message)
        seen[name] = row
        names.append(name)
    return names


def number_rows(n_rows: int, touchpoints: Sequence[Touchpoint]) -> list[str]:
    """Return numbers for names, where who comes first does not matter."""
    limited = next((place for place in touchpoints if place.capacity is not None), None)
    if limited is not None:
        message = (
            f"touchpoint {limited.name!r} has room for {limited.capacity}, and without ids the order of the rows would "
            "decide who gets it; give ids"
        )
        raise TouchpointError(message)
    return [str(row) for row in range(n_rows)]


def read_answers(
    name: str, given: Sequence[bool | None] | None, n_rows: int, default: bool | None
) -> Sequence[bool | None]:
    """Return yes, no or not known for each row."""
    if given is None:
        return [default] * n_rows
    _check_length(name, given, n_rows)
    read: list[bool | None] = []
    for row, value in enumerate(given):
        is_open = _is_open(value)
        if not is_open and not isinstance(value, bool | np.bool_):
            message = f"{name}, row {row}: {value!r} is neither True, False nor None"
            raise TouchpointError(message)
        read.append(None if is_open else bool(value))
    return read


def read_contacts(contacts: Sequence[int | None] | None, most: int | None, n_rows: int) -> list[bool]:
    """Return for each person whether they may be met again; a number that is not known is too many."""
    if most is None:
        return [True] * n_rows
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        message = f"most_contacts is {most!r}; give a count or None"
        raise TouchpointError(message)
    if contacts is None:
        message = "most_contacts needs contacts: how often each person has been met lately"
        raise TouchpointError(message)
    _check_length("contacts", contacts, n_rows)
    # Comparing the other way round would let a number that is not known pass.
    return [_is_count(n) and int(n) < most for n in contacts]  # type: ignore[arg-type]


def _is_open(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or bool(value != value)


def _is_count(value: Any) -> bool:
    if value is None or isinstance(value, bool | np.bool_ | str):
        return False
    try:
        return bool(value >= 0) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _check_length(name: str, given: Sequence[Any], n_rows: int) -> None:
    if len(given) != n_rows:
        message = f"{name} has {len(given)} entries for {n_rows} rows; give one for each"
        raise TouchpointError(message)


def read_day(now: date) -> date:
    if isinstance(now, datetime):
        return now.date() if now.tzinfo is None else now.astimezone(UTC).date()
    if isinstance(now, date):
        return now
    message = f"now is {now!r}; give a date"
    raise TouchpointError(message)
