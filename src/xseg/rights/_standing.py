"""Where one person stands: what they said, and what follows from it for their segment."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

__all__ = ["Because", "Standing", "Why"]


class Why(StrEnum):
    """Why somebody is in the segment they are in, or in none."""

    MODEL = "model"
    CHOSEN = "chosen"
    NO_CONSENT = "no_consent"
    OBJECTED = "objected"
    RESTRICTED = "restricted"
    NOT_PROFILED = "not_profiled"
    ERASED = "erased"


class Because(StrEnum):
    """Why an action changed nothing; the keys of the messages that say so."""

    UNUSED = "unused"
    FITS = "fits"
    PENDING = "pending"
    ALREADY = "already"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person said, besides the ledger.

    Attributes
    ----------
    corrections : dict of str to object
        Values that the person corrected.
    chosen : int or None
        The segment that the person chose.
    objected, restricted, not_profiled, erased : bool
        What the person asked for.
    """

    corrections: dict[str, Any] = field(default_factory=dict)
    chosen: int | None = None
    objected: bool = False
    restricted: bool = False
    not_profiled: bool = False
    erased: bool = False

    def blocked(self) -> Why | None:
        """Give what keeps the person out of every segment, the strongest first; None if nothing does."""
        for asked, why in (
            (self.erased, Why.ERASED),
            (self.objected, Why.OBJECTED),
            (self.restricted, Why.RESTRICTED),
            (self.not_profiled, Why.NOT_PROFILED),
        ):
            if asked:
                return why
        return None

    def with_(self, **changes: Any) -> "Standing":
        """Give the standing after something was said."""
        return replace(self, **changes)
