"""Scores: several answers as one number."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from xseg.core.schema import suggestion
from xseg.governance.surveys._questions import Likert, Number
from xseg.policy.yaml_files import Frozen, Words

__all__ = ["Score"]


class Score(Frozen):
    """The sum or the mean of several answers.

    Parameters
    ----------
    items : sequence of str
        The questions: steps of scales count from 1, numbers as they are. All have the same range.
    reversed : sequence of str
        Those of them where agreeing means less; an answer counts from the other end.
    method : {"mean", "sum"}, default="mean"
        A sum is the mean times the number of items, so that a question left open does not lower it.
    minimum_answered : int, optional
        How many of the items must be answered; with fewer the score is missing. None means all.
    label : str, optional
        What a card calls it.

    Examples
    --------
    >>> from xseg.governance.surveys import Score
    >>> Score(items=["likes", "fears"], reversed=["fears"]).needed
    2
    """

    items: Annotated[tuple[Words, ...], Field(min_length=1)]
    reversed: tuple[Words, ...] = ()
    method: Literal["mean", "sum"] = "mean"
    minimum_answered: Annotated[int, Field(strict=True, ge=1)] | None = None
    label: Words | None = None

    @property
    def needed(self) -> int:
        """How many items must be answered."""
        return len(self.items) if self.minimum_answered is None else self.minimum_answered

    def of(self, answers: Sequence[Any], questions: Mapping[str, Any]) -> float:
        """Return the score of one person's answers to the items, in their order; NaN where too few are there."""
        parts = [
            _counted(questions[item], answer, item in self.reversed)
            for item, answer in zip(self.items, answers, strict=True)
            if answer is not None
        ]
        if len(parts) < self.needed:
            return float("nan")
        return sum(parts) * (len(self.items) if self.method == "sum" else 1) / len(parts)

    def problems(self, questions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Return what contradicts itself, by key."""
        for place, item in enumerate(self.items):
            if item in self.items[:place]:
                yield "items", f"{item!r} is there twice"
            if item not in questions:
                yield "items", f"{item!r} is not a question.{suggestion(item, questions, sentence=True)}"
            elif _range(questions[item]) is None:
                yield "items", f"{item!r} has no range; items are likert questions, or numbers with least and most"
        for item in self.reversed:
            if item not in self.items:
                yield "reversed", f"{item!r} is not an item.{suggestion(item, self.items, sentence=True)}"
        if self.needed > len(self.items):
            yield "minimum_answered", f"{self.needed} answers are asked for, and there are {len(self.items)} items"
        known = [item for item in self.items if item in questions]
        ranges = {span: item for item in known if (span := _range(questions[item])) is not None}
        if len(ranges) > 1:
            told = ", ".join(f"{item} {span[0]:g} to {span[1]:g}" for span, item in ranges.items())
            yield "items", f"the items have different ranges ({told}); a score needs one"


def _range(question: Any) -> tuple[float, float] | None:
    if isinstance(question, Likert):
        return 1.0, float(len(question.scale))
    if isinstance(question, Number) and question.least is not None and question.most is not None:
        return question.least, question.most
    return None


def _counted(question: Any, answer: Any, is_reversed: bool) -> float:
    value = question.scale.index(answer) + 1 if isinstance(question, Likert) else answer
    if not is_reversed:
        return float(value)
    span = _range(question)
    assert span is not None
    return span[0] + span[1] - value
