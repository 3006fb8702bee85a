"""What a review finds, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

__all__ = ["SEVERITIES", "Finding", "Found", "Severity", "percent"]

Severity: TypeAlias = Literal["note", "warning", "error"]
SEVERITIES: Final[tuple[Severity, ...]] = ("note", "warning", "error")


class Found(NamedTuple):
    """What one check found: how grave, where, what, how to mend it, and the evidence."""

    severity: Severity
    where: str
    message: str
    mend: str
    evidence: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what is said and what is done, or one fact worth knowing.

    Attributes
    ----------
    check : str
        The key of the check.
    severity : {"note", "warning", "error"}
        How grave it is.
    where : str
        A place in the policy such as ``"features.age_band"``, in the model such as ``"segment Loyal readers"``, or
        ``"notice"``.
    message : str
        What was found.
    mend : str
        What to do; empty where there is nothing to do.
    evidence : mapping
        The numbers and names behind it, as plain data.
    """

    check: str
    severity: Severity
    where: str
    message: str
    mend: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The check and the place: the same from one review to the next."""
        return f"{self.check}:{self.where}"

    def __str__(self) -> str:
        return f"{self.severity}: {self.message} [{self.id}]"


def percent(share: float) -> str:
    """Write a share for a sentence."""
    return f"{share:.0%}"
