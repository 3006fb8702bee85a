"""What a person said to the ledger through their profile, as the log has it: a ledger that lost it is not believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from xseg.governance.consent import ConsentState
from xseg.governance.rights._standing import Told

__all__ = ["Spoken", "spoken_of"]


@dataclass(frozen=True, slots=True)
class _Word:
    """The last that was said about something."""

    number: int
    denies: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Spoken:
    """The last words of one person.

    Attributes
    ----------
    words : dict
        The last word about each purpose, and each feature of it.
    marketing : dict of str to _Word
        The last no to marketing as a whole, by the action that said it; each holds for purposes that are declared
        later too.
    """

    words: dict[tuple[str, str | None], _Word]
    marketing: dict[str, _Word]

    def denied(self, purpose: str, *, marketing: bool) -> datetime | None:
        """Return when a purpose was denied, if that is the last word about it."""
        own = self.words.get((purpose, None))
        blanket = max(self.marketing.values(), key=lambda word: word.number, default=None) if marketing else None
        if blanket is not None and (own is None or own.number < blanket.number):
            return blanket.at
        return own.at if own is not None and own.denies else None

    def withheld(self, purpose: str) -> dict[str, datetime]:
        """Return the features that are withheld from a purpose, and since when."""
        return {
            feature: word.at
            for (what_for, feature), word in self.words.items()
            if what_for == purpose and feature is not None and word.denies
        }


def spoken_of(receipts: Iterable[Told]) -> Spoken:
    """Collect the last statements in a person's receipts."""
    words: dict[tuple[str, str | None], _Word] = {}
    marketing: dict[str, _Word] = {}
    for told in receipts:
        details = told["details"]
        for purpose, state, feature, at in details.get("said", ()):
            denies = ConsentState(state).denies
            words[purpose, feature] = _Word(told["number"], denies, datetime.fromisoformat(at))
        if details.get("marketing"):
            said_at = datetime.fromisoformat(details.get("at", told["dct:created"]))
            marketing[told["action"]] = _Word(told["number"], denies=True, at=said_at)
        if told["action"] == "withdraw_marketing_objection":
            marketing.pop("object_marketing", None)
    return Spoken(words, marketing)
