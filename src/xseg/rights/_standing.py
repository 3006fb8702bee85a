"""Where one person stands: what they said, and what follows from it for their segment."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

__all__ = ["Because", "Standing", "Why", "replayed"]


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
    LINKED = "linked"
    STANDS = "stands"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person said, besides the ledger.

    Attributes
    ----------
    corrections : dict of str to object
        Values that the person corrected.
    chosen : str or None
        The segment that the person chose.
    objected, restricted, not_profiled, erased : bool
        What the person asked for.
    """

    corrections: Mapping[str, Any] = field(default_factory=dict)
    chosen: str | None = None
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

    def after(self, action: str, details: Mapping[str, Any], private: Mapping[str, Any]) -> "Standing":
        """Give the standing after something was said."""
        follows = _FOLLOWS.get(action)
        return self if follows is None else follows(self, details, private)


def replayed(receipts: Iterable[Mapping[str, Any]]) -> Standing:
    """Give where a person stands after all that a log has of them."""
    standing = Standing()
    for receipt in receipts:
        standing = standing.after(receipt["action"], receipt["details"], receipt.get("private", {}))
    return standing


_Follows = Callable[[Standing, Mapping[str, Any], Mapping[str, Any]], Standing]


def _set(**changes: Any) -> _Follows:
    return lambda standing, _details, _private: replace(standing, **changes)


def _corrected(standing: Standing, details: Mapping[str, Any], private: Mapping[str, Any]) -> Standing:
    if "value" not in private:
        return standing
    return replace(standing, corrections={**standing.corrections, details["feature"]: private["value"]})


def _chosen(standing: Standing, details: Mapping[str, Any], _private: Mapping[str, Any]) -> Standing:
    return replace(standing, chosen=details["segment"])


def _decided(standing: Standing, details: Mapping[str, Any], _private: Mapping[str, Any]) -> Standing:
    chosen = details["segment"] if details["segment"] is not None else standing.chosen
    return replace(standing, chosen=chosen, objected=standing.objected and details["upheld"] is not False)


# What follows from each action, besides what the ledger holds.
_FOLLOWS: Final[Mapping[str, _Follows]] = {
    "correct": _corrected,
    "choose": _chosen,
    "decide": _decided,
    "object": _set(objected=True),
    "object_marketing": _set(objected=True),
    "restrict": _set(restricted=True),
    "leave": _set(not_profiled=True),
    "lift": _set(objected=False, restricted=False, not_profiled=False),
    "erase": lambda _standing, _details, _private: Standing(erased=True),
}
