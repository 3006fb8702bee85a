"""Touchpoints and their certification, and reading the arguments of `route`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from xseg.exceptions import ParameterError

__all__ = [
    "Certification",
    "Touchpoint",
    "check_touchpoints",
    "number_rows",
    "read_answers",
    "read_contacts",
    "read_ids",
]


@dataclass(frozen=True, slots=True)
class Certification:
    """Somebody vouches for a touchpoint, for a time.

    Parameters
    ----------
    by : str
        Their name.
    on : date
        When they did.
    expires : date
        The first day on which it no longer counts.

    Raises
    ------
    ParameterError
        There is no name, or the days are none or in the wrong order.

    Examples
    --------
    >>> from datetime import date
    >>> from xseg.governance.routing import Certification
    >>> seen = Certification(by="the head of service", on=date(2026, 1, 1), expires=date(2027, 1, 1))
    >>> seen.holds(date(2026, 6, 1)), seen.holds(date(2027, 1, 1))
    (True, False)
    """

    by: str
    on: date
    expires: date

    def __post_init__(self) -> None:
        if not isinstance(self.by, str) or not self.by.strip():
            message = f"certified by {self.by!r}; write the name of a person"
            raise ParameterError(message)
        for name in ("on", "expires"):
            day = getattr(self, name)
            if not isinstance(day, date) or isinstance(day, datetime):
                message = f"certification by {self.by}: {name} is {day!r}; give a date without a time"
                raise ParameterError(message)
        if self.expires <= self.on:
            message = f"certification by {self.by}: it expires on {self.expires}, not after {self.on}"
            raise ParameterError(message)

    def holds(self, day: date) -> bool:
        """Return whether it counts on a day.

        Parameters
        ----------
        day : date
            The day.

        Returns
        -------
        bool
            From the day it was given until the day before it expires.
        """
        return self.on <= day < self.expires


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """A place where people are met.

    Parameters
    ----------
    name : str
        What it is called.
    channel : str
        Such as ``"phone"`` or ``"app"``.
    automated : bool or None, default=None
        Whether a program answers, or takes part in the answer. None means that it is not known, and counts as yes.
    capacity : int or None, default=None
        How many people it has room for; None means any number.
    certified : Certification or None, default=None
        Who vouches for it.

    Raises
    ------
    ParameterError
        A field is not of its kind.

    Examples
    --------
    >>> from xseg.governance.routing import Touchpoint
    >>> Touchpoint("service desk", "phone", automated=False, capacity=40).capacity
    40
    """

    name: str
    channel: str
    automated: bool | None = None
    capacity: int | None = None
    certified: Certification | None = None

    def __post_init__(self) -> None:
        for field in ("name", "channel"):
            said = getattr(self, field)
            if not isinstance(said, str) or not said.strip():
                message = f"touchpoint {self.name!r}: {field} is {said!r}; write words"
                raise ParameterError(message)
        # 0 and 1 are refused too: a truth value that was read from a table as a number may have lost a missing one.
        self._check("automated", self.automated, self.automated is None or isinstance(self.automated, bool), "a bool")
        self._check("capacity", self.capacity, self.capacity is None or _is_count(self.capacity), "a count")
        is_certified = self.certified is None or isinstance(self.certified, Certification)
        self._check("certified", self.certified, is_certified, "a Certification")

    def _check(self, field: str, value: Any, holds: bool, wanted: str) -> None:
        if not holds:
            message = f"touchpoint {self.name!r}: {field} is {value!r}; give {wanted} or None"
            raise ParameterError(message)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_touchpoints(touchpoints: Sequence[Touchpoint]) -> tuple[Touchpoint, ...]:
    places = tuple(touchpoints)
    odd = next((place for place in places if not isinstance(place, Touchpoint)), None)
    if odd is not None or not places:
        message = "there is no touchpoint" if not places else f"{odd!r} is not a Touchpoint"
        raise ParameterError(message)
    names = [place.name for place in places]
    twice = next((name for row, name in enumerate(names) if name in names[:row]), None)
    if twice is not None:
        message = f"two touchpoints are called {twice!r}; name each apart"
        raise ParameterError(message)
    return places


def read_ids(given: Sequence[Any]) -> list[str]:
    """Return who the people are; everybody is somebody else."""
    names: list[str] = []
    seen: dict[str, int] = {}
    for row, value in enumerate(given):
        name = "" if _is_open(value) else str(value)
        if not name.strip():
            message = f"row {row}: the id is {value!r}; everybody needs one"
            raise ParameterError(message)
        if name in seen:
            message = f"row {row}: the id {name!r} is there already, in row {seen[name]}; a person has one place"
            raise ParameterError(message)
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
        raise ParameterError(message)
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
            raise ParameterError(message)
        read.append(None if is_open else bool(value))
    return read


def read_contacts(contacts: Sequence[int | None] | None, most: int | None, n_rows: int) -> list[bool]:
    """Return for each person whether they may be met again; a number that is not known is too many."""
    if most is None:
        return [True] * n_rows
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        message = f"max_contacts is {most!r}; give a count or None"
        raise ParameterError(message)
    if contacts is None:
        message = "max_contacts needs contacts: how often each person has been met lately"
        raise ParameterError(message)
    _check_length("contacts", contacts, n_rows)
    # Comparing the other way round would let a number that is not known pass.
    return [_is_contact_count(n) and int(n) < most for n in contacts]  # type: ignore[arg-type]


def _is_open(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or bool(value != value)


def _is_contact_count(value: Any) -> bool:
    if value is None or isinstance(value, bool | np.bool_ | str):
        return False
    try:
        return bool(value >= 0) and int(value) == value
    except (TypeError, ValueError, OverflowError):
        return False


def _check_length(name: str, given: Sequence[Any], n_rows: int) -> None:
    if len(given) != n_rows:
        message = f"{name} has {len(given)} entries for {n_rows} rows; give one for each"
        raise ParameterError(message)
