"""Where one person stands: what they said, and what follows from it for their segment."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from xseg.governance.rights._held import is_json

__all__ = ["Because", "Standing", "Told", "Why", "replayed"]

Told: TypeAlias = Mapping[str, Any]


class Why(StrEnum):
    """Why somebody is in the segment they are in, or in none."""

    MODEL = "model"
    CHOSEN = "chosen"
    NO_CONSENT = "no_consent"
    OBJECTED = "objected"
    RESTRICTED = "restricted"
    NOT_PROFILED = "not_profiled"
    ERASED = "erased"
    UNKNOWN = "unknown"


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
    pending : dict of int to tuple of str and object
        Corrections that wait for a human, by the number of their case: the feature and the value.
    chosen : str or None
        The segment that the person chose.
    objections : frozenset of int
        Their objections to the use that were not refused or withdrawn, by number: each of them keeps the person out.
    marketing_objections : frozenset of int
        Their objections to marketing that they have not withdrawn, likewise.
    decided : frozenset of int
        The cases that a human has decided; a second decision of the same case counts for nothing.
    restricted, not_profiled, erased : bool
        What the person asked for.
    """

    corrections: Mapping[str, Any] = field(default_factory=dict)
    pending: Mapping[int, tuple[str, Any]] = field(default_factory=dict)
    chosen: str | None = None
    objections: frozenset[int] = frozenset()
    marketing_objections: frozenset[int] = frozenset()
    decided: frozenset[int] = frozenset()
    restricted: bool = False
    not_profiled: bool = False
    erased: bool = False

    def blocked(self) -> Why | None:
        """Return what keeps the person out of every segment, the strongest first; None if nothing does."""
        for asked, why in (
            (self.erased, Why.ERASED),
            (bool(self.objections or self.marketing_objections), Why.OBJECTED),
            (self.restricted, Why.RESTRICTED),
            (self.not_profiled, Why.NOT_PROFILED),
        ):
            if asked:
                return why
        return None

    def after(self, told: Told) -> "Standing":
        """Return the standing after something was said."""
        follows = _FOLLOWS.get(told["action"])
        return self if follows is None else follows(self, told)


def replayed(receipts: Iterable[Told], purpose: str) -> Standing:
    """Return where a person stands with a purpose, after all that a log has of them.

    What is erased is erased for every purpose.
    """
    standing = Standing()
    for told in receipts:
        if told["action"] == "erase" or told.get("dpv:hasPurpose") == purpose:
            standing = standing.after(told)
    return standing


_Follows = Callable[[Standing, Told], Standing]


def _set(**changes: Any) -> _Follows:
    return lambda standing, _told: replace(standing, **changes)


def _private(told: Told) -> Mapping[str, Any]:
    private: Mapping[str, Any] = told.get("private", {})
    return private


def _corrected(standing: Standing, told: Told) -> Standing:
    # A log of an earlier version may hold a value that is none, such as Infinity: the one before it goes on being used.
    if "value" not in _private(told) or not is_json(_private(told)["value"]):
        return standing
    feature, value = told["details"]["feature"], _private(told)["value"]
    # The last word about a feature counts, so that an older one no longer waits.
    pending = {number: one for number, one in standing.pending.items() if one[0] != feature}
    if told["details"].get("pending"):
        return replace(standing, pending={**pending, told["number"]: (feature, value)})
    return replace(standing, corrections={**standing.corrections, feature: value}, pending=pending)


def _chosen(standing: Standing, told: Told) -> Standing:
    return replace(standing, chosen=_private(told).get("segment"))


def _objected(standing: Standing, told: Told) -> Standing:
    return replace(standing, objections=standing.objections | {told["number"]})


def _objected_to_marketing(standing: Standing, told: Told) -> Standing:
    return replace(standing, marketing_objections=standing.marketing_objections | {told["number"]})


def _decided(standing: Standing, told: Told) -> Standing:
    case, upheld = told["details"]["case"], told["details"]["upheld"]
    if case in standing.decided:
        return standing
    pending = dict(standing.pending)
    confirmed = pending.pop(case, None)
    corrections = dict(standing.corrections)
    if confirmed is not None and upheld is True:
        corrections[confirmed[0]] = confirmed[1]
    return replace(
        standing,
        corrections=corrections,
        pending=pending,
        chosen=_private(told).get("segment") or standing.chosen,
        objections=standing.objections - ({case} if upheld is False else frozenset()),
        decided=standing.decided | {case},
    )


# What follows from each action, besides what the ledger holds.
_FOLLOWS: Final[Mapping[str, _Follows]] = {
    "correct": _corrected,
    "choose": _chosen,
    "decide": _decided,
    "object": _objected,
    "object_marketing": _objected_to_marketing,
    "restrict": _set(restricted=True),
    "leave": _set(not_profiled=True),
    # Each of these ends one kind of no, and no other.
    "lift": _set(restricted=False),
    "withdraw_objection": _set(objections=frozenset()),
    "withdraw_marketing_objection": _set(marketing_objections=frozenset()),
    "rejoin": _set(not_profiled=False),
    "erase": lambda standing, _told: Standing(erased=True, decided=standing.decided),
}
