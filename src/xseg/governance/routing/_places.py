"""Touchpoints, and who put their name to them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from xseg.exceptions import TouchpointError

__all__ = ["Certification", "Touchpoint"]


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
    TouchpointError
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
            raise TouchpointError(message)
        for name in ("on", "expires"):
            day = getattr(self, name)
            if not isinstance(day, date) or isinstance(day, datetime):
                message = f"certification by {self.by}: {name} is {day!r}; give a date without a time"
                raise TouchpointError(message)
        if self.expires <= self.on:
            message = f"certification by {self.by}: it expires on {self.expires}, not after {self.on}"
            raise TouchpointError(message)

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
    TouchpointError
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
                raise TouchpointError(message)
        # 0 and 1 are refused too: a truth value that was read from a table as a number may have lost a missing one.
        self._check("automated", self.automated, self.automated is None or isinstance(self.automated, bool), "a bool")
        self._check("capacity", self.capacity, self.capacity is None or _is_count(self.capacity), "a count")
        is_certified = self.certified is None or isinstance(self.certified, Certification)
        self._check("certified", self.certified, is_certified, "a Certification")

    def _check(self, field: str, value: Any, holds: bool, wanted: str) -> None:
        if not holds:
            message = f"touchpoint {self.name!r}: {field} is {value!r}; give {wanted} or None"
            raise TouchpointError(message)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
