"""The sentences of a card, by part."""

from dataclasses import dataclass
from enum import IntEnum

from xseg.ink import Language

__all__ = ["CardWords", "Choice", "Rank", "ReasonWords", "UsedWords", "label_words"]


class Rank(IntEnum):
    """How much a sentence is needed where a card must be short; what is needed least goes first."""

    NEEDED = 0
    MAIN = 1
    SURPRISING = 2
    COMPARED = 3
    RULE = 4
    AMOUNT = 5
    ORIGIN = 6


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """One reason: what is so, and what follows.

    `told` are its sentences by rank; those that rank above the `budget` are said with the points, where the card is
    unfolded.
    """

    label: str
    value: str
    told: tuple[tuple[Rank, str], ...]
    budget: Rank
    points: int
    points_words: str

    @property
    def sentences(self) -> list[str]:
        """What is said at once."""
        return [sentence for rank, sentence in self.told if rank <= self.budget]

    @property
    def more(self) -> list[str]:
        """What is said with the points."""
        return [sentence for rank, sentence in self.told if rank > self.budget]


@dataclass(frozen=True, slots=True)
class UsedWords:
    """One piece of information that was used."""

    label: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Something the person can do."""

    right: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class CardWords:
    """The sentences of a card, by part; the first `shown` reasons are said at once, the others with the points."""

    language: Language
    title: str
    lead: tuple[str, ...]
    about: tuple[str, ...]
    choices: tuple[Choice, ...]
    also: tuple[str, ...]
    closing: tuple[str, ...]
    reasons: tuple[ReasonWords, ...] = ()
    shown: int = 0
    why_not: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    effect: tuple[str, ...] = ()
    sum: tuple[str, ...] = ()
    used: tuple[UsedWords, ...] = ()

    def body(self) -> list[str]:
        """Return what the plain card says before anything is unfolded, without what the company wrote itself."""
        reasons = [
            part for reason in self.reasons[: self.shown] for part in (reason.label, reason.value, *reason.sentences)
        ]
        return [self.title, *self.lead, *reasons, *self.why_not, *self.change, *self.sure]


def label_words(feature: str, label: str, language: Language) -> str:
    """Return a label as it begins a line: a column name as it is, words with a capital."""
    return label if label == feature else language.capitalised(label)
