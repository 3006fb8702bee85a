"""Answers, checked one by one, scores computed from them, and the receipts that people are given."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from numbers import Integral
from typing import Annotated, Any, Literal, Protocol
from unicodedata import normalize

import narwhals as nw
import pandas as pd
from pydantic import Field

from xseg.core.schema import suggest_name
from xseg.exceptions import DataError, UnsupportedTypeError
from xseg.governance.surveys._questions import InvalidAnswer, Likert, Number
from xseg.policy import Purpose
from xseg.policy.yaml_files import Frozen, Words, format_value

__all__ = ["Answers", "ConsentReceipt", "Score", "issue", "read_answers", "read_moment", "split_times"]

_MAX_SHOWN = 20
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of some people to one version of a survey, each of them checked.

    Attributes
    ----------
    survey : str
        The digest of the survey.
    respondents : tuple of str
        Who answered.
    values : mapping of str to tuple
        By question, what each of them said; None where they did not.
    """

    survey: str
    respondents: tuple[str, ...]
    values: Mapping[str, tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.respondents)

    def to_records(self, respondent: str = "respondent") -> list[dict[str, Any]]:
        """Return the answers as a list of dicts; `Survey.read` reads it back equal.

        Parameters
        ----------
        respondent : str, default="respondent"
            The key of who answered.

        Returns
        -------
        list of dict
            Questions that somebody left open are not in their dict.
        """
        return [
            {respondent: who} | {name: said[row] for name, said in self.values.items() if said[row] is not None}
            for row, who in enumerate(self.respondents)
        ]


def read_answers(
    questions: Mapping[str, Any], digest: str, given: Any, respondent: str, known: Iterable[Any] | None
) -> Answers:
    """Check answers, and return of all that do not fit in which row and to which question they are."""
    rows = _records(given)
    problems = [*_unknown_questions(questions, rows, respondent)]
    who: list[str] = []
    people = None if known is None else {str(person) for person in known}
    problems += _respondents(rows, respondent, people, who)
    values: dict[str, tuple[Any, ...]] = {}
    for name, question in questions.items():
        said = []
        for row, record in enumerate(rows):
            try:
                said.append(_read(question, record.get(name)))
            except InvalidAnswer as error:
                problems.append((row, f"row {row}, question {name!r}: {error}"))
        values[name] = tuple(said)
    if problems:
        raise DataError(_list_problems(problems))
    return Answers(digest, tuple(who), values)


def _records(given: Any) -> list[Mapping[str, Any]]:
    if isinstance(given, Sequence) and not isinstance(given, str):
        rows = list(given)
        odd = next((row for row, record in enumerate(rows) if not isinstance(record, Mapping)), None)
        if odd is not None:
            message = f"row {odd} is a {type(rows[odd]).__name__}; each row is a dict of questions and answers"
            raise DataError(message)
        return rows
    try:
        frame = nw.from_native(given, eager_only=True)
    except TypeError as error:
        message = f"answers are a {type(given).__name__}; give a table or a list of dicts"
        raise UnsupportedTypeError(message) from error
    except nw.exceptions.DuplicateError as error:
        message = f"two columns have one name, so it is not clear which answer counts: {str(error)[:200]}"
        raise DataError(message) from error
    return list(frame.iter_rows(named=True))


def _unknown_questions(
    questions: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], respondent: str
) -> Iterator[tuple[int, str]]:
    first: dict[Any, int] = {}
    for row, record in enumerate(rows):
        for name in record:
            first.setdefault(name, row)
    for name, row in first.items():
        if name != respondent and name not in questions:
            hint = suggest_name(name, [*questions, respondent], sentence=True)
            yield row, f"row {row}: {format_value(name)} is not a question of this survey.{hint}"


def _respondents(
    rows: Sequence[Mapping[str, Any]], respondent: str, known: set[str] | None, who: list[str]
) -> Iterator[tuple[int, str]]:
    seen: dict[str, int] = {}
    for row, record in enumerate(rows):
        given = record.get(respondent)
        name = _name(given)
        if name is None:
            yield row, f"row {row}: {respondent} is {format_value(given)}; each row says whose answers it holds"
            continue
        if known is not None and name not in known:
            yield row, f"row {row}: {format_value(name)} is not among the {len(known):,} people who were asked"
        same = normalize("NFKC", name).strip()
        if same in seen:
            yield row, f"row {row}: {format_value(name)} has answered already, in row {seen[same]}"
        seen.setdefault(same, row)
        who.append(name)


def _name(given: Any) -> str | None:
    if isinstance(given, str):
        return given if given.strip() and len(given) <= _LONGEST_NAME else None
    is_number = isinstance(given, Integral) and not isinstance(given, bool) and abs(int(given)) < 2**64
    return str(int(given)) if is_number else None


def _read(question: Any, given: Any) -> Any:
    if _is_open(given) or (isinstance(given, str) and given.strip() in question.unanswered):
        return None
    return question.read(given.item() if hasattr(given, "item") and getattr(given, "ndim", 0) == 0 else given)


def _is_open(given: Any) -> bool:
    if given is None or given is pd.NA or given is pd.NaT:
        return True
    return isinstance(given, float) and given != given


def _list_problems(problems: list[tuple[int, str]]) -> str:
    problems.sort(key=lambda problem: problem[0])
    shown = [f"  {text}" for _, text in problems[:_MAX_SHOWN]]
    more = [f"  and {len(problems) - _MAX_SHOWN:,} more"] if len(problems) > _MAX_SHOWN else []
    heading = f"the answers have {len(problems):,} problem{'s' if len(problems) > 1 else ''}:"
    return "\n".join([heading, *shown, *more])


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

    def compute(self, answers: Sequence[Any], questions: Mapping[str, Any]) -> float:
        """Return the score of one person's answers to the items, in their order; NaN where too few are there."""
        parts = [
            _score_answer(questions[item], answer, item in self.reversed)
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
                yield "items", f"{item!r} is not a question.{suggest_name(item, questions, sentence=True)}"
            elif _range(questions[item]) is None:
                yield "items", f"{item!r} has no range; items are likert questions, or numbers with least and most"
        for item in self.reversed:
            if item not in self.items:
                yield "reversed", f"{item!r} is not an item.{suggest_name(item, self.items, sentence=True)}"
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


def _score_answer(question: Any, answer: Any, is_reversed: bool) -> float:
    value = question.scale.index(answer) + 1 if isinstance(question, Likert) else answer
    if not is_reversed:
        return float(value)
    span = _range(question)
    assert span is not None
    return span[0] + span[1] - value


class SurveyReference(Protocol):
    """What a receipt states of the survey that asked."""

    @property
    def id(self) -> str:
        """The name of the survey."""
        ...

    @property
    def digest(self) -> str:
        """The SHA-256 of its text, which names the version."""
        ...

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """What it asks consent for."""
        ...


@dataclass(frozen=True, slots=True)
class ConsentReceipt:
    """That one person agreed to one purpose, in one version of a survey.

    Attributes
    ----------
    respondent : str
        Who agreed.
    survey, version : str
        The id of the survey, and the digest of the version they saw.
    purpose : str
        What they agreed to.
    at : str
        When, in ISO 8601 with its offset.
    until : str or None
        When the agreement ends: `at` and the purpose's retention; None where the survey does not say.
    digest : str
        SHA-256 of all of this; it finds a receipt that was altered, and proves nothing about who wrote it.
    """

    respondent: str
    survey: str
    version: str
    purpose: str
    at: str
    until: str | None
    digest: str

    def statement(self) -> dict[str, Any]:
        """Return what was said as a ledger takes it, which gives the person's receipt in the terms of the standard.

        Returns
        -------
        dict
            The arguments of `xseg.governance.consent.Ledger.append`.

        Examples
        --------
        >>> import xseg
        >>> from xseg.governance.consent import Ledger, make_consent_receipt
        >>> from xseg.governance.surveys import ConsentReceipt
        >>> agreed = ConsentReceipt("7", "reading", "1f0c", "offers", "2026-11-24T12:00:00+00:00", None, "")
        >>> make_consent_receipt(Ledger().append(**agreed.statement()))["@type"]
        'dpv:ConsentReceipt'
        """
        return {
            "subject": self.respondent,
            "purpose": self.purpose,
            "state": "given",
            "source": "account",
            "at": self.at,
            "until": self.until,
            "reference": f"{self.survey}@{self.version}",
        }

    def check(self, survey: SurveyReference, *, at: datetime | None = None) -> None:
        """Raise an error for a receipt that does not hold for this survey today.

        Parameters
        ----------
        survey : Survey
            The survey whose answers are used.
        at : datetime, default=None
            The time that counts; None means now.

        Raises
        ------
        DataError
            It was altered, belongs to another survey, version or purpose, has expired, or comes from the future.
        """
        _check(self, survey, _moment(at))


def issue(survey: SurveyReference, respondent: str, purpose: str, at: datetime) -> ConsentReceipt:
    """Write the receipt of a consent that one person gave."""
    moment = _moment(at)
    days = survey.purposes[purpose].retention_days
    facts = {
        "respondent": respondent,
        "survey": survey.id,
        "version": survey.digest,
        "purpose": purpose,
        "at": moment.isoformat(),
        "until": None if days is None else _end(moment, days).isoformat(),
    }
    return ConsentReceipt(**facts, digest=_digest(facts))  # type: ignore[arg-type]


def _end(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError as error:
        message = f"{days:,} days after {moment.date()} is outside the calendar; shorten the purpose's retention_days"
        raise DataError(message) from error


def _check(receipt: ConsentReceipt, survey: SurveyReference, now: datetime) -> None:
    facts = asdict(receipt)
    stated = facts.pop("digest")
    problem = None
    if stated != _digest(facts):
        problem = "it was altered: its digest does not fit its facts"
    elif (receipt.survey, receipt.version) != (survey.id, survey.digest):
        problem = f"it is for {receipt.survey} in version {receipt.version[:8]}, and this is {survey.id} in version"
        problem += f" {survey.digest[:8]}; ask again"
    elif receipt.purpose not in survey.purposes:
        problem = f"{receipt.purpose!r} is not a purpose of the survey"
    else:
        problem = _check_time(receipt, now)
    if problem is not None:
        message = f"the receipt of {receipt.respondent!r} does not hold: {problem}"
        raise DataError(message)


def _check_time(receipt: ConsentReceipt, now: datetime) -> str | None:
    try:
        at = datetime.fromisoformat(receipt.at)
        until = None if receipt.until is None else datetime.fromisoformat(receipt.until)
        if at > now:
            return f"it was given at {receipt.at}, which has not come yet"
        if until is not None and until <= now:
            return f"it ended at {receipt.until}; ask again"
    except (TypeError, ValueError):
        return f"its times, {receipt.at!r} and {receipt.until!r}, are not ISO 8601 with an offset"
    return None


def _moment(at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if not isinstance(at, datetime):
        message = f"{format_value(at)} is no time; give one with a time zone, such as datetime.now(UTC)"
        raise DataError(message)
    if at.tzinfo is None:
        message = f"{at.isoformat()} has no time zone; give one, such as datetime.now(UTC)"
        raise DataError(message)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        message = f"{at.isoformat()} is outside the calendar"
        raise DataError(message) from error


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":"), default=repr).encode()).hexdigest()


def split_times(answers: Any, at: Any) -> tuple[Any, Any]:
    """Return the answers without the column that says when they came in, and the times: one, or a list."""
    if isinstance(at, datetime):
        return answers, _moment(at)
    if not isinstance(at, str):
        if at is None or not hasattr(at, "__iter__"):
            message = (
                "at must be a column of the answers, a time with a time zone, or one for each person, "
                f"got {format_value(at)}"
            )
            raise DataError(message)
        return answers, list(at)
    if _looks_like_time(at):
        return answers, read_moment(at, "at")
    if isinstance(answers, list):
        if not any(isinstance(row, Mapping) and at in row for row in answers):
            message = f"the answers have no column {at!r}; name the one that says when they came in"
            raise DataError(message)
        rows = [{name: value for name, value in row.items() if name != at} for row in answers]
        return rows, [row.get(at) for row in answers]
    frame = nw.from_native(answers, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame) or at not in frame.columns:
        message = f"the answers have no column {at!r}; name the one that says when they came in"
        raise DataError(message)
    return nw.to_native(frame.drop(at)), frame.get_column(at).to_list()


def _looks_like_time(text: str) -> bool:
    return text[:4].isdigit() and text[4:5] == "-"


def read_moment(value: Any, where: str) -> datetime:
    """Return a time in UTC, from a datetime with a zone or ISO 8601 text with an offset."""
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
    if found is pd.NaT or not isinstance(found, datetime):
        message = (
            f"{where} is {format_value(value)}, which is no time; give one with a time zone, as 2026-05-03T12:00:00Z"
        )
        raise DataError(message)
    return _moment(found)
