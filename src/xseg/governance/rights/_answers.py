"""What a person gets back for what they ask."""

from dataclasses import dataclass
from typing import Any

from xseg.cards import AnyCard
from xseg.governance.rights._standing import Because, Why

__all__ = ["Answer", "Effect", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is: in a segment or in none, and what it follows from."""

    segment: str | None
    why: Why


@dataclass(frozen=True, slots=True)
class Effect:
    """What an action changed, measured by asking before and after.

    Attributes
    ----------
    before, after : str or None
        The segment; None where the person is in none.
    why : Why
        What the person's segment now follows from.
    changed : bool
        Whether the segment, or what it follows from, is another.
    because : Because or None
        Where the segment did not change and that needs saying, why not.
    """

    before: str | None
    after: str | None
    why: Why
    changed: bool
    because: Because | None = None

    def told(self) -> dict[str, Any]:
        """Return what a receipt says of it, where the segments themselves stand apart."""
        because = None if self.because is None else str(self.because)
        return {"why": str(self.why), "changed": self.changed, "because": because}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person gets back.

    Attributes
    ----------
    card : AnyCard
        The new card, which says what became of what was asked: a `Card` where the model places the person, otherwise a
        `DecidedCard`.
    receipt : dict
        What was asked, when, its effect, and who else was told, as JSON-LD; it stands in the log under its hash.
    effect : Effect
        What it changed.
    """

    card: AnyCard
    receipt: dict[str, Any]
    effect: Effect
