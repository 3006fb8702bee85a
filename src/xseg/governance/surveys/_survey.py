"""The survey file as frozen data, and the contradictions in one."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from xseg.core.schema import suggest_name
from xseg.exceptions import DataError, DefinitionError, ParameterError
from xseg.governance.surveys._questions import (
    Choice,
    Choices,
    Consent,
    Likert,
    Number,
    Question,
    build_columns,
    column_names,
    describe_columns,
)
from xseg.governance.surveys._survey_answers import (
    Answers,
    ConsentReceipt,
    Score,
    issue,
    read_answers,
    read_moment,
    split_times,
)
from xseg.policy import FeaturePolicy, Purpose
from xseg.policy.yaml_files import FileKind, KeyPath, Lines, Words, YamlFile, describe_errors, dump_yaml, list_problems

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Survey", "find_contradictions", "list_keys", "strip_kind"]

_TOP = ("version", "id", "title", "purposes", "questions", "scores")
_KINDS: dict[str, type[BaseModel]] = {
    "likert": Likert,
    "choice": Choice,
    "choices": Choices,
    "number": Number,
    "consent": Consent,
}


def find_contradictions(
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


def strip_kind(path: KeyPath) -> KeyPath:
    """Remove from a path the kind of a question, which is in no file."""
    return (*path[:2], *path[3:]) if path[:1] == ("questions",) and len(path) > 2 and path[2] in _KINDS else path


def list_keys(path: KeyPath) -> Sequence[str]:
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
                hint = suggest_name(purpose, purposes, sentence=True)
                yield ("questions", name, key), f"{purpose!r} is not declared under purposes.{hint}"


class Survey(YamlFile):
    """Questions, the purposes that their answers serve, and the scores that are made of them.

    Parameters
    ----------
    version : {1}
        The version of the file format.
    id : str
        What the survey is called by machines.
    title : str
        What people know it by, such as ``"our survey of November"``.
    purposes : mapping of str to Purpose
        What answers are used for, by id, as in `Policy`. One that rests on consent needs a question of type consent.
    questions : mapping of str to question
        By column name: `Likert`, `Choice`, `Choices`, `Number` or `Consent`, told apart by `type`.
    scores : mapping of str to Score
        By column name.

    Raises
    ------
    DefinitionError
        A field is unknown, missing or not allowed, or two contradict each other; all problems are listed, one a line.

    Examples
    --------
    >>> import xseg
    >>> survey = xseg.governance.surveys.Survey.parse('''
    ... id: reading
    ... title: our survey on reading
    ... questions:
    ...   likes: {type: likert, text: 'Do you like to read?', scale: [no, a little, very much]}
    ... ''')
    >>> survey.features([{"respondent": "A1", "likes": "a little"}, {"respondent": "A2"}])["likes"].tolist()
    ['a little', nan]
    """

    file_kind: ClassVar[FileKind] = FileKind("survey", DefinitionError)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    title: Words
    purposes: Mapping[str, Purpose] = Field(default_factory=dict)
    questions: Annotated[Mapping[str, Question], Field(min_length=1)]
    scores: Mapping[str, Score] = Field(default_factory=dict)

    # Its own, so that type checkers let it take what it reads: plain mappings and lists.
    def __init__(self, /, **data: Any) -> None:
        super().__init__(**data)

    def _fill(self, data: dict[str, Any], source: str, lines: Lines) -> None:
        try:
            self.__pydantic_validator__.validate_python(data, self_instance=self)
        except ValidationError as error:
            raise DefinitionError(describe_errors(error, source, lines, list_keys, strip_kind)) from error
        problems = [*find_contradictions(self.purposes, self.questions, self.scores)]
        if problems:
            raise DefinitionError(list_problems(problems, source, lines))

    def to_yaml(self) -> str:
        """Write the survey as YAML; `parse` reads it back equal.

        Returns
        -------
        str
            YAML with the fields that differ from their defaults.
        """
        stated = self.model_dump(mode="json", exclude_defaults=True)
        kinds = {
            name: {"type": question.type, **stated["questions"][name]} for name, question in self.questions.items()
        }
        return dump_yaml({"version": self.version, **stated, "questions": kinds})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything the survey says: two versions that differ anywhere have different ones."""
        said = json.dumps(self.model_dump(mode="json"), separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(said.encode()).hexdigest()

    def read(self, answers: Any, *, respondent: str = "respondent", known: Iterable[Any] | None = None) -> Answers:
        """Check answers.

        Parameters
        ----------
        answers : table, list of dict or Answers
            A row for each person, with a column for each question; what is not there was left open.
        respondent : str, default="respondent"
            The column that says whose answers a row holds.
        known : iterable of str or int, default=None
            Who was asked; None leaves it open.

        Returns
        -------
        Answers
            The answers.

        Raises
        ------
        DataError
            A column is no question, an answer does not fit its question, or a person is unknown or there twice; each
            with its row. Or the answers were read by another version of the survey.
        UnsupportedTypeError
            `answers` is neither a table nor a list of dicts.
        """
        if not isinstance(answers, Answers):
            return read_answers(self.questions, self.digest, answers, respondent, known)
        if answers.survey != self.digest:
            message = (
                f"the answers were given to version {answers.survey[:8]} of a survey, and this is {self.id} in version "
                f"{self.digest[:8]}; read them with the survey that was answered"
            )
            raise DataError(message)
        return answers

    def features(self, answers: Any, *, purpose: str | None = None) -> "pd.DataFrame":
        """Return answers as features of people.

        Parameters
        ----------
        answers : table, list of dict or Answers
            As for `read`.
        purpose : str, default=None
            Give only what serves this purpose. Where it rests on consent, the answers of people who did not agree to
            it are missing.

        Returns
        -------
        DataFrame of shape (n_respondents, n_features)
            By respondent: steps of a scale as ordered categories, a choice as a category, each of several options as a
            column ``question: option`` of truth values, a number as it is. Open questions are missing values.

        Raises
        ------
        DataError, UnsupportedTypeError
            As for `read`.
        ParameterError
            The survey has no such purpose.
        """
        import pandas as pd

        read = self.read(answers)
        asked = self._find_feature_questions(purpose)
        agreed = self._has_agreed(read, purpose)
        columns: dict[str, Any] = {}
        for name in asked:
            said = [value if yes else None for value, yes in zip(read.values[name], agreed, strict=True)]
            columns |= build_columns(name, self.questions[name], said)
        return pd.DataFrame(columns, index=pd.Index(read.respondents, name="respondent", dtype=object))

    def score(self, answers: Any, *, purpose: str | None = None) -> "pd.DataFrame":
        """Return the scores of people.

        Parameters
        ----------
        answers, purpose
            As for `features`. A score serves the purposes that all of its items serve.

        Returns
        -------
        DataFrame of shape (n_respondents, n_scores)
            By respondent; missing where too few of the items were answered.

        Raises
        ------
        DataError, UnsupportedTypeError, ParameterError
            As for `features`.
        """
        import pandas as pd

        read = self.read(answers)
        asked = set(self._find_feature_questions(purpose))
        agreed = self._has_agreed(read, purpose)
        scores = {name: score for name, score in self.scores.items() if asked.issuperset(score.items)}
        columns = {
            name: [
                score.compute([read.values[item][row] if yes else None for item in score.items], self.questions)
                for row, yes in enumerate(agreed)
            ]
            for name, score in scores.items()
        }
        index = pd.Index(read.respondents, name="respondent", dtype=object)
        return pd.DataFrame(columns, index=index, dtype=float)

    def policy_features(self, columns: Iterable[str] | None = None) -> dict[str, FeaturePolicy]:
        """Return what a policy says of the columns that `features` and `score` make.

        Parameters
        ----------
        columns : iterable of str, default=None
            The columns that the policy is to speak of; None means all.

        Returns
        -------
        dict of str to FeaturePolicy
            By column: what the person told us themselves, where they told it, and what for.

        Raises
        ------
        ParameterError
            The survey makes no such column.
        """
        features: dict[str, FeaturePolicy] = {}
        for name in self._find_feature_questions(None):
            features |= describe_columns(name, self.questions[name], self.title)
        for name, score in self.scores.items():
            items = [self.questions[item] for item in score.items]
            features[name] = FeaturePolicy(
                label=score.label,
                source="zero-party",
                collected_from=self.title,
                purposes=self._find_served_purposes(score),
                sensitive=any(item.sensitive for item in items),
            )
        return features if columns is None else {name: self._get_feature(features, name) for name in columns}

    def _get_feature(self, features: Mapping[str, FeaturePolicy], name: str) -> FeaturePolicy:
        if name not in features:
            message = f"{self.id} makes no column {name!r}.{suggest_name(name, features, sentence=True)}"
            raise ParameterError(message)
        return features[name]

    def receipts(self, answers: Any, *, at: Any) -> tuple[ConsentReceipt, ...]:
        """Write a receipt for every consent that was given.

        Parameters
        ----------
        answers : table, list of dict or Answers
            As for `read`.
        at : str, datetime or array-like of shape (n_respondents,)
            When the answers came in: the column of `answers` that says it, one time for all, or a time for each. Times
            are datetimes with a zone, or ISO 8601 text with an offset. A yes is evidence with its own date: no time is
            taken for granted.

        Returns
        -------
        tuple of ConsentReceipt
            One for each person and purpose that was agreed to; none for a question that was left open.

        Raises
        ------
        DataError, UnsupportedTypeError
            As for `read`.
        DataError
            There is no such column, a time is missing or has no time zone, or there are not as many times as people.
        """
        answers, times = split_times(answers, at)
        read = self.read(answers)
        moments = [times] * len(read) if isinstance(times, datetime) else times
        if len(moments) != len(read):
            message = f"at has {len(moments)} times for {len(read)} people; give one for each"
            raise DataError(message)
        return tuple(
            issue(self, who, question.purpose, read_moment(moments[row], f"at, row {row}"))
            for row, who in enumerate(read.respondents)
            for name, question in self.questions.items()
            if isinstance(question, Consent) and read.values[name][row] is True
        )

    def _find_feature_questions(self, purpose: str | None) -> list[str]:
        """Return the questions whose answers are features, for one purpose or for any."""
        if purpose is not None and purpose not in self.purposes:
            message = f"purpose {purpose!r} is none of {', '.join(self.purposes) or 'none declared'}."
            message += suggest_name(purpose, self.purposes, sentence=True)
            raise ParameterError(message)
        return [
            name
            for name, question in self.questions.items()
            if not isinstance(question, Consent) and (purpose is None or purpose in question.purposes)
        ]

    def _has_agreed(self, answers: Answers, purpose: str | None) -> list[bool]:
        """Return for each person whether their answers may be used; unknown means that they may not."""
        if purpose is None or self.purposes[purpose].legal_basis != "consent":
            return [True] * len(answers)
        asking = [
            name for name, asked in self.questions.items() if isinstance(asked, Consent) and asked.purpose == purpose
        ]
        return [all(answers.values[name][row] is True for name in asking) for row in range(len(answers))]

    def _find_served_purposes(self, score: Score) -> tuple[str, ...]:
        items = [set(self.questions[item].purposes) for item in score.items]
        return tuple(purpose for purpose in self.purposes if all(purpose in served for served in items))
