"""What in a survey file contradicts itself, and what may stand where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from xseg.core.schema import suggestion
from xseg.governance.surveys._columns import column_names
from xseg.governance.surveys._questions import Choice, Choices, Consent, Likert, Number
from xseg.governance.surveys._scores import Score
from xseg.policy import Purpose
from xseg.policy.yaml_files import KeyPath

__all__ = ["contradictions", "keys_at", "without_kind"]

_TOP = ("version", "id", "title", "purposes", "questions", "scores")
_KINDS: dict[str, type[BaseModel]] = {
    "likert": Likert,
    "choice": Choice,
    "choices": Choices,
    "number": Number,
    "consent": Consent,
}


def contradictions(
    purposes: Mapping[str, Purpose], questions: Mapping[str, Any], scores: Mapping[str, Score]
) -> Iterator[tuple[KeyPath, str]]:
    """Return what does not fit together, by its path in the file."""
    yield from _of_questions(purposes, questions)
    asking = {question.purpose for question in questions.values() if isinstance(question, Consent)}
    for name, purpose in purposes.items():
        if purpose.legal_basis == "consent" and name not in asking:
            yield ("purposes", name), "rests on consent, and no question of type consent asks for it"
    made = {
        column
        for name, question in questions.items()
        if not isinstance(question, Consent)
        for column in column_names(name, question)
    }
    for name, score in scores.items():
        if name in made or name in questions:
            yield ("scores", name), "a question has the same name"
        for key, problem in score.problems(questions):
            yield ("scores", name, key), problem


def without_kind(path: KeyPath) -> KeyPath:
    """Remove from a path the kind of a question, which is in no file."""
    return (*path[:2], *path[3:]) if path[:1] == ("questions",) and len(path) > 2 and path[2] in _KINDS else path


def keys_at(path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed beside the last one of `path`."""
    if len(path) == 1:
        return _TOP
    if path[0] == "questions":
        return list(_KINDS[str(path[2])].model_fields)
    return list((Purpose if path[0] == "purposes" else Score).model_fields)


def _of_questions(purposes: Mapping[str, Purpose], questions: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for name, question in questions.items():
        for key, problem in question.problems():
            yield ("questions", name, key), problem
        key, named = question.names_purposes()
        for purpose in named:
            if purpose not in purposes:
                hint = suggestion(purpose, purposes, sentence=True)
                yield ("questions", name, key), f"{purpose!r} is not declared under purposes.{hint}"
